"""`unmask data split`: no recording and no person on two sides."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.cli.data import PATH, lab_needed


@click.command("split")
@click.argument("manifest", type=PATH)
@click.option("--val", type=click.FloatRange(0, 1), default=0.15, show_default=True, help="Share of val.")
@click.option("--test", type=click.FloatRange(0, 1), default=0.15, show_default=True, help="Share of test.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, another split.")
@click.option(
    "--by", default="identity,source", show_default=True, help="What must not lie on two sides, with commas."
)
@click.option("--out", type=PATH, help="Where to write  [default: over MANIFEST]")
def command(manifest: Path, val: float, test: float, seed: int, by: str, out: Path | None) -> None:
    """Give every row of MANIFEST a split: train, val or test.

    Rows that share a recording or a person, directly or through swaps, stay together. The shares hold as well
    as that allows within every dataset, method and label.
    """
    try:
        from unmask.data.manifest import read_manifest, write_manifest
        from unmask.data.split import split, table_of_shares
    except ImportError as error:
        raise lab_needed(error) from error
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    names = [name.strip() for name in by.split(",") if name.strip()]
    made = split(read_manifest(manifest), val=val, test=test, seed=seed, by=names)
    path = write_manifest(out or manifest, made)
    table = Table(box=SIMPLE_HEAD)
    table.add_column("dataset")
    table.add_column("label")
    for heading in ("train", "val", "test"):
        table.add_column(heading, justify="right")
        table.add_column("", justify="right")
    for share in table_of_shares(made.table):
        cells = [
            cell
            for name in ("train", "val", "test")
            for cell in (str(share.rows.get(name, 0)), f"{share.of(name):.0%}")
        ]
        table.add_row(share.dataset or "all", share.label, *cells, style="" if share.dataset else "bold")
    Console(stderr=True).print(table)
    click.echo(path)
