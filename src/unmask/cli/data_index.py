"""`unmask data index`: a data set's folder becomes a manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.cli.data import PATH, lab_needed

if TYPE_CHECKING:
    from unmask.data.index import Indexed

MOST_NAMED = 3


@click.command("index")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--layout", required=True, help="How the data set lies on disk; a wrong name lists them all.")
@click.option("--out", type=PATH, required=True, help="The manifest, a .parquet file.")
@click.option("--account", type=PATH, help="Write every missing and unplaced file to this text file.")
def command(folder: Path, layout: str, out: Path, account: Path | None) -> None:
    """List every image and video of FOLDER with its label, method, and whom and what it comes from.

    Files that the data set names but that are not there, and media that the layout cannot place, are counted.
    """
    try:
        from unmask.data.index import counts, index
        from unmask.data.manifest import write_manifest
    except ImportError as error:
        raise lab_needed(error) from error
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    found = index(folder, layout)
    write_manifest(out, found.manifest)
    table = Table(box=SIMPLE_HEAD)
    for heading in ("dataset", "label", "method", "kind"):
        table.add_column(heading)
    for heading in ("rows", "sources"):
        table.add_column(heading, justify="right")
    for *words, rows, sources in counts(found.manifest):
        table.add_row(*map(str, words), str(rows), str(sources))
    Console(stderr=True).print(table)
    _tell(found)
    if account is not None:
        _write_account(account, found)
    click.echo(out)


def _tell(found: Indexed) -> None:
    for names, what in (
        (found.missing, "named by the data set but missing"),
        (found.unplaced, "media that this layout cannot place"),
    ):
        if names:
            click.echo(f"{len(names)} {what}: {_first(names)}", err=True)
    if found.aside:
        click.echo(f"{found.aside} masks and the like left aside", err=True)
    for note in found.notes:
        click.echo(f"note: {note}", err=True)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")


def _write_account(path: Path, found: Indexed) -> None:
    from unmask.report.atomic import write

    lines = [f"missing\t{name}" for name in found.missing] + [f"unplaced\t{name}" for name in found.unplaced]
    write(path, "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))
