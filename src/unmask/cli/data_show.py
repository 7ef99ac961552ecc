"""`unmask data show`: a contact sheet."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.cli.data import PATH, lab_needed


@click.command("show")
@click.argument("manifest", type=PATH)
@click.option("--out", type=PATH, required=True, help="The sheet: .html (self-contained) or .png.")
@click.option("--per", type=click.IntRange(1, 100), default=8, show_default=True, help="Pictures per line.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed, other pictures.")
def command(manifest: Path, out: Path, per: int, seed: int) -> None:
    """Draw a few pictures of every label, dataset and method of MANIFEST, of as many sources as can be."""
    try:
        from unmask.data.manifest import read_manifest
        from unmask.data.sheet import show
    except ImportError as error:
        raise lab_needed(error) from error
    from unmask.cli.data_progress import progress

    given = read_manifest(manifest)
    with progress() as tell:
        shown = show(given, out, per, seed, lambda done, total: tell("pictures", done, total))
    click.echo(f"{shown} pictures", err=True)
    click.echo(out)
