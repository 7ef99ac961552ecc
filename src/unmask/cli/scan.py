"""`unmask scan`: files in, verdicts out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from unmask.cli.fields import from_options, options_of
from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.types import Report, Verdict

EXIT_REAL, EXIT_FAKE, EXIT_UNSURE, EXIT_NO_VERDICT = 0, 1, 3, 4


@click.command("scan")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file on standard output.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page (one file) or a folder of pages.")
@click.option(
    "--annotate", type=click.Path(path_type=Path), help="Write the media with boxes and P(fake) drawn in."
)
@click.option("--workers", type=click.IntRange(min=0), help="Processes; 0 scans in this one.")
@options_of(ScanOptions)
def command(
    paths: tuple[Path, ...],
    as_json: bool,
    html: Path | None,
    annotate: Path | None,
    workers: int | None,
    **values: Any,
) -> int:
    """Judge the faces in images, videos and folders of them.

    Exit codes: 0 all files REAL; 1 at least one FAKE; 3 none FAKE but one UNSURE; 4 none FAKE or UNSURE but
    one without a verdict; 2 wrong use; 130 stopped by Ctrl-C.
    """
    from unmask.many import scan_many
    from unmask.scanner import expand

    options = from_options(ScanOptions, values)
    files = list(expand(paths))
    if not files:
        raise UnmaskError("the folder holds no files", hint="give images, videos, or folders of them")
    pages = _Targets(html, len(files), ".html", "--html")
    videos = _Targets(annotate, len(files), "", "--annotate")
    if not html and as_json:
        values["evidence"] = 0
        options = from_options(ScanOptions, values)
    reports: list[Report] = []
    with _progress(len(files), quiet=as_json) as (in_file, file_done):
        for report in scan_many(files, options, workers=workers, progress=in_file):
            reports.append(report)
            _write(report, pages, videos, in_file)
            if as_json:
                _print_json(report)
            file_done()
    if not as_json:
        _print_table(reports)
    pages.write_index(reports)
    return exit_code(reports)


def exit_code(reports: list[Report]) -> int:
    """The documented exit code for these reports."""
    verdicts = {report.verdict for report in reports}
    if Verdict.FAKE in verdicts:
        return EXIT_FAKE
    if Verdict.UNSURE in verdicts:
        return EXIT_UNSURE
    return EXIT_REAL if verdicts <= {Verdict.REAL} else EXIT_NO_VERDICT


class _Targets:
    """Where to write: one file for one input, else a folder with one file per input."""

    def __init__(self, path: Path | None, count: int, suffix: str, option: str) -> None:
        self.path, self.suffix = path, suffix
        self.is_folder = path is not None and (path.is_dir() or count > 1 or not path.suffix)
        if path is None or not self.is_folder:
            return
        if path.suffix and not path.is_dir():
            raise UnmaskError(
                f"{option} {path} names one file, but there are {count}", hint=f"give a folder: {option} out/"
            )
        path.mkdir(parents=True, exist_ok=True)
        self.taken: dict[str, Report] = {}

    def of(self, report: Report) -> Path | None:
        """The file to write for this report, None where nothing is wanted."""
        if self.path is None or not self.is_folder:
            return self.path
        source = Path(report.path)
        name = source.name + self.suffix if self.suffix else source.name
        number = 2
        while name in self.taken:
            name = f"{source.stem}-{number}{source.suffix}{self.suffix}"
            number += 1
        self.taken[name] = report
        return self.path / name

    def write_index(self, reports: list[Report]) -> None:
        """A page that leads to all pages, where there is a folder of them."""
        if self.path is None or not self.is_folder or self.suffix != ".html":
            return
        from unmask.report.atomic import write
        from unmask.report.html import render_index

        page = render_index([(report, name) for name, report in self.taken.items()])
        write(self.path / "index.html", page.encode())


def _write(report: Report, pages: _Targets, videos: _Targets, progress: Callable[[float], None]) -> None:
    page = pages.of(report)
    if page is not None:
        report.save(page)
    if videos.path is not None and report.verdict.is_judgement:
        from unmask.report.annotate import annotate

        target = videos.of(report)
        assert target is not None
        annotate(report.path, report, target, progress)


def _print_json(report: Report) -> None:
    from unmask.report import to_json

    # As text, so that whoever runs the command line inside a program can catch it like any output.
    print(to_json(report, indent=None).decode(), flush=True)


def _print_table(reports: list[Report]) -> None:
    from rich.console import Console

    from unmask.report.terminal import render

    render(reports, Console())


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
