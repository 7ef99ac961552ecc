"""`unmask table`: outcomes of `unmask evaluate` in one table, train by test."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.errors import UnmaskError


@click.command("table")
@click.argument("outcomes", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--by",
    type=click.Choice(["set", "dataset", "method"]),
    help="What the columns are  [default: a protocol's sets, else data sets]",
)
@click.option(
    "--level",
    type=click.Choice(["file", "track", "frame", "crop"]),
    default="file",
    show_default=True,
    help="What counts as one.",
)
@click.option(
    "--trained-on",
    "trained_on",
    multiple=True,
    metavar="MODEL=WORDS",
    help="Say what a model was trained on whose file does not.",
)
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write table.md, .csv, .tex or .html."
)
def command(
    outcomes: tuple[Path, ...], by: str | None, level: str, trained_on: tuple[str, ...], out: Path | None
) -> None:
    """Put what `unmask evaluate --out` left into one table of AUC: a row per model, a column per set.

    Figures of one column must be of one protocol and the same files. The best is marked where a paired test
    sets it above every other.
    """
    try:
        from unmask.evaluation.cross import cross, read_outcomes
        from unmask.evaluation.cross_text import markdown, save
    except ImportError as error:
        raise UnmaskError(f"tables need {error.name}", hint="pip install 'unmask[lab]'") from error
    words = {}
    for told in trained_on:
        model, mark, said = told.partition("=")
        if not mark:
            raise click.UsageError(f"--trained-on {told}: write MODEL=WORDS")
        words[model] = said
    table = cross(read_outcomes(outcomes), level=level, by=by, trained_on=words)  # type: ignore[arg-type]
    if out is None:
        click.echo(markdown(table), nl=False)
        return
    save(table, out)
    click.echo(out)
