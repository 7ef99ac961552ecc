"""`unmask data extract`: faces are cut out of a manifest's media."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from unmask.cli.data import PATH, lab_needed


@click.command("extract")
@click.argument("manifest", type=PATH)
@click.argument("out", type=PATH)
@click.option("--stride", type=click.IntRange(1), default=10, show_default=True, help="Every Nth frame.")
@click.option("--frames", type=click.IntRange(1), help="This many frames, spread evenly, instead.")
@click.option("--detector", default="centerface", show_default=True, help="Face detector by name.")
@click.option("--workers", type=click.IntRange(0), help="Processes; 0 is this one  [default: one per core]")
@click.option(
    "--format",
    type=click.Choice(["webp", "jpeg", "png"]),
    default="webp",
    show_default=True,
    help="Of the crops: one for all, or the format gives the label away.",
)
@click.option("--quality", type=click.IntRange(1, 100), default=90, show_default=True, help="WebP and JPEG.")
@click.option(
    "--margin",
    type=click.FloatRange(1),
    default=1.7,
    show_default=True,
    help="Side of a crop, in longer sides of the face's box.",
)
@click.option("--size", type=click.IntRange(16), default=320, show_default=True, help="Largest side, pixels.")
@click.option(
    "--min-face",
    type=click.IntRange(1),
    default=40,
    show_default=True,
    help="Leave out faces under this many pixels.",
)
@click.option("--all-faces", is_flag=True, help="All faces of a frame; else the largest.")
@click.option(
    "--timeout", type=click.FloatRange(1), default=1800.0, show_default=True, help="Seconds per file."
)
@click.option(
    "--shards",
    type=click.IntRange(1),
    help="Pack this many crops into each tar file, as webdataset reads them.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
def command(
    manifest: Path, out: Path, workers: int | None, shards: int | None, quiet: bool, **values: Any
) -> None:
    """Cut the faces of every file of MANIFEST into OUT, with the code that cuts what a scan judges.

    OUT gets faces/…, manifest.parquet (with boxes and landmarks in pixels of the crops) and failures.csv.
    Stopped at any moment and called again, it goes on. Where a picture's faces are annotated, those are cut,
    each with its own label.
    """
    try:
        from unmask.data.extract import ExtractOptions, extract
        from unmask.data.manifest import read_manifest
    except ImportError as error:
        raise lab_needed(error) from error
    from unmask.cli.data_progress import progress

    options = ExtractOptions(**values)
    with progress(quiet=quiet) as show:
        made = extract(
            read_manifest(manifest),
            out,
            options,
            workers=workers,
            per_shard=shards or 0,
            progress=lambda done, total, empty: show(
                f"files, {empty} without a face" if empty else "files", done, total
            ),
        )
    click.echo(f"{made.crops} faces from {made.media - len(made.failures)} of {made.media} files", err=True)
    if made.too_small:
        click.echo(f"{made.too_small} faces under {options.min_face} px left out", err=True)
    if made.unmatched:
        click.echo(f"{made.unmatched} annotated faces were not found", err=True)
    if made.failures:
        click.echo(f"{len(made.failures)} files gave none: {out / 'failures.csv'}", err=True)
    click.echo(made.manifest or out / "shards")
