"""`unmask data join`: several manifests become one."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.cli.data import PATH, lab_needed


@click.command("join")
@click.argument("manifests", nargs=-1, required=True, type=PATH)
@click.option("--out", type=PATH, required=True, help="The manifest to write.")
def command(manifests: tuple[Path, ...], out: Path) -> None:
    """Put the rows of several MANIFESTS into one, to split and check them together."""
    try:
        from unmask.data.join import join
        from unmask.data.manifest import read_manifest, write_manifest
    except ImportError as error:
        raise lab_needed(error) from error
    joined = join([read_manifest(path) for path in manifests])
    click.echo(f"{len(joined.table)} rows", err=True)
    click.echo(write_manifest(out, joined))
