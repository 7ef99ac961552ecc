"""`unmask compare`: training runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from unmask.training.compare import Runs

SHOWN = ("name", "network", "parameters", "ms/face", "accuracy", "AUC")
"""Columns that fit on a terminal, besides the AUC on other splits."""


@click.command("compare")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write table.md, .csv or .html.")
def command(folder: Path, out: Path | None) -> None:
    """Put the training runs in a folder and its subfolders into one table, best AUC on `val` first.

    Without --out, what matters most on a terminal, and all of it as Markdown elsewhere.
    """
    try:
        from unmask.training.compare import find_runs, save
    except ImportError as error:
        raise UnmaskError(f"comparing needs {error.name}", hint="pip install 'unmask[lab]'") from error
    found = find_runs(folder)
    for note in found.skipped:
        click.echo(f"skipped: {note}", err=True)
    if found.skipped:
        click.echo(f"{len(found.runs)} compared, {len(found.skipped)} skipped", err=True)
    if out is None:
        _show(found)
        return
    save(found.runs, out)
    click.echo(out)


def _show(found: Runs) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from unmask.training.compare import headings, markdown, row, splits_of

    console = Console()
    if not console.is_terminal:
        click.echo(markdown(found.runs), nl=False)
        return
    names = headings(found.runs)
    shown = [n for n, name in enumerate(names) if name in SHOWN or name.startswith("AUC ")]
    table = Table(box=SIMPLE_HEAD)
    for n in shown:
        table.add_column(names[n], justify="left" if names[n] in ("name", "network") else "right")
    for run in found.runs:
        cells = row(run, splits_of(found.runs))
        # As text: names may look like rich's markup.
        table.add_row(*(Text(cells[n]) for n in shown))
    console.print(table)
