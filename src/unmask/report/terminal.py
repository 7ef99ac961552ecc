"""Reports on a terminal: one line per file, and a fuller account when there is only one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from unmask.report import words
from unmask.report.names import ascii_only, elide, visible
from unmask.types import Band, Report, TrackReport, Verdict

STYLE = {Verdict.REAL: "bold cyan", Verdict.FAKE: "bold red", Verdict.UNSURE: "bold yellow"}
"""Colours that people with the common colour blindnesses tell apart; the word and sign say the same."""

NO_JUDGEMENT_STYLE = "bold"

NARROWEST_NAME = 12
"""Cells: a name elided further could not be told from its neighbours."""

MORE_BELOW = " *"
"""Behind a verdict in the table: below it stands what was not looked at or not judged."""


@dataclass(frozen=True, slots=True)
class _Name:
    """A file name that is cut in the middle to the width it is given."""

    text: str
    mark: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(elide(self.text, options.max_width, cell_len, self.mark), no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        width = cell_len(self.text)
        return Measurement(min(width, NARROWEST_NAME), width).with_maximum(options.max_width)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Makes cells, in plain ASCII where the terminal knows no more; text is never read as markup."""

    ascii: bool

    def text(self, words_: str, style: str = "") -> Text:
        return Text(ascii_only(words_) if self.ascii else visible(words_), style=style)

    def name(self, name: str) -> _Name:
        return _Name(ascii_only(name) if self.ascii else visible(name), "..." if self.ascii else "…")

    def verdict(self, verdict: Verdict) -> Text:
        symbol = words.SYMBOL[verdict]
        symbol = words.ASCII_SYMBOL[symbol] if self.ascii else symbol
        return Text(f"{symbol} {verdict}", style=STYLE.get(verdict, NO_JUDGEMENT_STYLE))

    def probability(self, value: float | None, band: Band | None) -> Text:
        return Text("-" if value is None else words.probability(value, band))


def table(reports: Sequence[Report], *, ascii_only: bool = False) -> RenderableType:
    """One row per report: file, verdict, P(fake), people, frames looked at, time the scan took.

    A verdict that does not rest on all there is has `MORE_BELOW` behind it.
    """
    writer = _Writer(ascii_only)
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("File")  # the only one that yields when room is short
    grid.add_column("Verdict", no_wrap=True)
    for title in ("P(fake)", "People", "Frames", "Time"):
        grid.add_column(title, justify="right", no_wrap=True)
    for report in reports:
        grid.add_row(
            writer.name(report.path),
            writer.verdict(report.verdict).append(MORE_BELOW if words.missed(report.coverage) else ""),
            writer.probability(report.probability, report.band),
            str(len(report.tracks)) if report.tracks else "-",
            _frames(report),
            f"{report.seconds:.1f} s",
        )
    return grid


def render(reports: Sequence[Report], console: Console) -> None:
    """Print the table, then why there is no judgement and what was missed; of a single report, its full
    account."""
    ascii_ = console.options.ascii_only
    writer = _Writer(ascii_)
    if len(reports) == 1:
        for block in _account(reports[0], writer):
            console.print(block)
        return
    if not reports:
        return
    console.print(table(reports, ascii_only=ascii_))
    told = [r for r in reports if not r.verdict.is_judgement or words.missed(r.coverage)]
    if told:
        console.print()
    for report in told:
        console.print(writer.name(report.path))
        if not report.verdict.is_judgement:
            console.print(Padding(_reason(report, writer), (0, 0, 0, 2)))
        if missed := words.missed(report.coverage):
            console.print(Padding(_lines([f"* {line}" for line in missed], writer), (0, 0, 0, 2)))
    console.print()
    console.print(writer.text(_tally(reports), "dim"))


def _account(report: Report, writer: _Writer) -> Iterator[RenderableType]:
    """The blocks of the account of one report, from the verdict to the model."""
    yield writer.name(report.path)
    headline = writer.verdict(report.verdict)
    if report.probability is not None:
        headline.append(f"  P(fake) {words.probability(report.probability, report.band)}", style="bold")
    yield headline
    yield _reason(report, writer)
    if any(track.judged for track in report.tracks):
        yield Text()
        yield _people(report, writer)
    if changes := words.changes(report):
        yield Text()
        yield _lines(changes, writer)
    yield Text()
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for title, lines in _details(report):
        grid.add_row(title, _lines(lines, writer))
    yield grid


def _lines(lines: Sequence[str], writer: _Writer) -> Text:
    return Text("\n").join(writer.text(line) for line in lines)


def _reason(report: Report, writer: _Writer) -> Text:
    reason = writer.text(report.message)
    if report.hint:
        reason.append("\n").append_text(writer.text(f"hint: {report.hint}", "dim"))
    return reason


def _people(report: Report, writer: _Writer) -> Table:
    """One row per person, those most likely fake first."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    grid.add_column("Person", justify="right", no_wrap=True)
    grid.add_column("Verdict", no_wrap=True)
    grid.add_column("P(fake)", justify="right", no_wrap=True)
    grid.add_column("Faces", justify="right", no_wrap=True)
    moving = not words.is_image(report.file)
    if moving:
        grid.add_column("Seen", no_wrap=True)
        grid.add_column("Fake stretches", overflow="fold")
    for track in sorted(report.tracks, key=_most_fake_first):
        row: list[RenderableType] = [
            str(track.id),
            writer.verdict(track.verdict),
            writer.probability(track.probability, report.band),
            f"{len(track.judged)} of {len(track.faces)}",
        ]
        if moving:
            row.append(f"{words.clock(track.start)} to {words.clock(track.end)}")
            row.append(_lines([words.span(stretch) for stretch in track.fake_spans], writer))
        grid.add_row(*row)
    return grid


def _details(report: Report) -> Iterator[tuple[str, tuple[str, ...]]]:
    yield "Looked at", words.coverage(report.coverage, report.file)
    if report.band is not None and report.verdict.is_judgement:
        yield "How sure", words.band(report.band)
    for model in report.models:
        yield "Model", (f"{words.model(model)} ({model.architecture})", *model.figures)
    if report.file is not None and report.file.sha256:
        yield "SHA-256", (report.file.sha256,)
    yield "Time", (f"{report.seconds:.1f} s",)
    if report.unmask_version:
        yield "Made by", (f"unmask {report.unmask_version}",)


def _most_fake_first(track: TrackReport) -> tuple[float, int]:
    return (1.0 if track.probability is None else -track.probability), track.id


def _frames(report: Report) -> str:
    counts = report.coverage
    if not counts.frames_sampled:
        return "-"
    return str(counts.frames_sampled) + ("" if counts.frames_total is None else f"/{counts.frames_total}")


def _tally(reports: Sequence[Report]) -> str:
    counts = [(verdict, sum(report.verdict is verdict for report in reports)) for verdict in Verdict]
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts if count)
    return f"{words.number(len(reports), 'file')}: {said}"
