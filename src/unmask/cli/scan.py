"""`unmask scan`: files in, verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from unmask.cli import INTERRUPTED
from unmask.cli.fields import from_options, options_of
from unmask.cli.hints import no_file
from unmask.cli.targets import INDEX, Targets
from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.types import Report, Verdict

EXIT_REAL, EXIT_FAKE, EXIT_NOT_WRITTEN, EXIT_UNSURE, EXIT_NO_VERDICT = 0, 1, 2, 3, 4

VIDEO_ENDINGS = (".mp4", ".m4v", ".mov", ".mkv")
STILL_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


class NamedPath(click.ParamType):  # type: ignore[type-arg]
    """A path, and no address; whether it can be read is the scan's to find out, file by file."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if reason := no_file(str(value)):
            self.fail(reason, param, ctx)
        return Path(value)


@click.command("scan")
@click.argument("paths", nargs=-1, required=True, type=NamedPath())
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file on standard output.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page (one file) or a folder of pages.")
@click.option("--pdf", type=click.Path(path_type=Path), help="Write a PDF (one file) or a folder of them.")
@click.option(
    "--annotate", type=click.Path(path_type=Path), help="Write the media with boxes and P(fake) drawn in."
)
@click.option("--workers", type=click.IntRange(min=0), help="Processes; 0 scans in this one.")
@options_of(ScanOptions)
def command(
    paths: tuple[Path, ...],
    as_json: bool,
    html: Path | None,
    pdf: Path | None,
    annotate: Path | None,
    workers: int | None,
    **values: Any,
) -> int:
    """Judge the faces in images, videos and folders of them.

    Exit codes: 0 all files REAL; 1 at least one FAKE; 3 none FAKE but one UNSURE; 4 none FAKE or UNSURE but
    one without a verdict; 2 wrong use, or what was asked for could not be written; 70 a fault in unmask; 130
    stopped by Ctrl-C; 141 the reader of the output went away.
    """
    from unmask.many import scan_many
    from unmask.scanner import expand

    options = from_options(ScanOptions, values)
    files = list(expand(paths))
    if not files:
        raise UnmaskError("the folder holds no files", hint="give images, videos, or folders of them")
    pages = Targets(html, files, "--html", (".html", ".htm"), ".html")
    papers = Targets(pdf, files, "--pdf", (".pdf",), ".pdf")
    media = Targets(annotate, files, "--annotate", (*VIDEO_ENDINGS, *STILL_ENDINGS))
    if not html and not pdf and as_json:
        values["evidence"] = 0
        options = from_options(ScanOptions, values)
    reports: list[Report] = []
    stopped = False

    def annotated(report: Report, target: Path) -> Path | None:
        return _annotate(report, target, in_file) if report.tracks else None

    with _progress(len(files), quiet=as_json) as (in_file, file_done):
        try:
            for report in scan_many(files, options, workers=workers, progress=in_file):
                reports.append(report)
                pages.write(report, Report.save)
                papers.write(report, Report.save)
                media.write(report, annotated)
                if as_json:
                    _print_json(report)
                file_done()
        except KeyboardInterrupt:
            if not reports:
                raise
            stopped = True
    if not as_json:
        _print_table(reports)
        _say_what_may_tell_more(reports, options)
    _write_index(pages)
    for targets in (pages, papers, media):
        for line in targets.told():
            click.echo(line, err=True)
    if stopped:
        click.echo(f"stopped: {len(reports)} of {len(files)} files", err=True)
        return INTERRUPTED
    failed = pages.failed + papers.failed + media.failed
    return EXIT_NOT_WRITTEN if failed else exit_code(reports)


def exit_code(reports: list[Report]) -> int:
    """The documented exit code for these reports."""
    verdicts = {report.verdict for report in reports}
    if Verdict.FAKE in verdicts:
        return EXIT_FAKE
    if Verdict.UNSURE in verdicts:
        return EXIT_UNSURE
    return EXIT_REAL if verdicts <= {Verdict.REAL} else EXIT_NO_VERDICT


def _annotate(report: Report, target: Path, progress: Callable[[float], None]) -> Path:
    """The path of the annotated media, with an ending that can be written where the target's cannot."""
    from unmask.report.annotate import annotate, writable

    path = writable(target, report)
    annotate(report.path, report, path, progress)
    return path


def _write_index(pages: Targets) -> None:
    """A page that leads to all pages, where there is a folder of them."""
    if pages.path is None or not pages.is_folder:
        return
    from unmask.report.atomic import write
    from unmask.report.html import render_index

    write(pages.path / INDEX, render_index([(report, page.name) for report, page in pages.written]).encode())


def _print_json(report: Report) -> None:
    from unmask.report import to_json

    # As text, so that whoever runs the command line inside a program can catch it like any output.
    print(to_json(report, indent=None).decode(), flush=True)


def _print_table(reports: list[Report]) -> None:
    from rich.console import Console

    from unmask.report.terminal import render

    render(reports, Console())


def _say_what_may_tell_more(reports: list[Report], options: ScanOptions) -> None:
    """Where the model that scans by default abstains, the larger one's name and price; to people alone."""
    from rich.console import Console

    from unmask.report import words

    unsure = any(report.verdict is Verdict.UNSURE for report in reports)
    console = Console(stderr=True)
    if unsure and options.model == ScanOptions().model and console.is_terminal:
        console.print(words.ACCURATE_MAY_TELL_MORE, style="dim", highlight=False)


@contextmanager
def _progress(files: int, *, quiet: bool) -> Iterator[tuple[Any, Any]]:
    """A bar on standard error while that is a terminal; nothing otherwise."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield (lambda _: None), (lambda: None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("looking"),
        BarColumn(),
        MofNCompleteColumn() if files > 1 else TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=files if files > 1 else 1.0)
        done = 0

        def in_file(share: float) -> None:
            bar.update(task, completed=done + share)

        def file_done() -> None:
            nonlocal done
            done += 1
            bar.update(task, completed=done)

        yield in_file, file_done
