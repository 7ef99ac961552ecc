"""`unmask data check`: would figures on this data mean what they say?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.cli.data import PATH, lab_needed

if TYPE_CHECKING:
    from unmask.data.check import Checked

EXIT_CLEAN, EXIT_PROBLEMS = 0, 1


@click.command("check")
@click.argument("manifest", type=PATH)
@click.option("--html", type=PATH, help="Write a page, with the pictures of duplicates.")
@click.option("--json", "as_json", is_flag=True, help="Everything as one JSON object on standard output.")
@click.option("--most", type=click.IntRange(0), default=0, help="Look at this many files, drawn at random.")
def command(manifest: Path, html: Path | None, as_json: bool, most: int) -> int:
    """Look for leaks across splits, duplicates, missing files, and what gives the label away without a face.

    Exit codes: 0 clean; 1 problems found; 2 wrong use.
    """
    try:
        from unmask.data.check import check
        from unmask.data.check.page import render, to_json
        from unmask.data.manifest import read_manifest
    except ImportError as error:
        raise lab_needed(error) from error
    from unmask.cli.data_progress import progress
    from unmask.report.atomic import write

    given = read_manifest(manifest)
    with progress(quiet=as_json) as show:
        checked = check(given, most=most, progress=show)
    if html is not None:
        write(html, render(checked, f"Check of {manifest.name}", given.root).encode())
    if as_json:
        click.echo(to_json(checked).decode())
    else:
        _print(checked)
        if html is not None:
            click.echo(html)
    return EXIT_CLEAN if checked.clean else EXIT_PROBLEMS


def _print(checked: Checked) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from unmask.data.check.words import SHORTCUT_FROM, verdict

    console = Console(width=None if Console().is_terminal else 120)
    if checked.shortcuts:
        table = Table(title="how well file facts alone predict the label: AUC [95 %]", box=SIMPLE_HEAD)
        for heading in ("dataset", "facts"):
            table.add_column(heading)
        for heading in ("linear", "boosted", "rows", "sources"):
            table.add_column(heading, justify="right", no_wrap=True)
        for s in checked.shortcuts:
            bold = "bold" if s.worst.low >= SHORTCUT_FROM else ""
            cells = (s.dataset, s.family, str(s.linear), str(s.boosted), str(s.rows), str(s.sources))
            table.add_row(*(cell.replace("[", "\\[") for cell in cells), style=bold)
        console.print(table)
    for finding in checked.findings:
        console.print(("✗ " if finding.problem else "· ") + finding.text, markup=False, highlight=False)
    console.print(verdict(checked), markup=False, highlight=False, style="bold")
