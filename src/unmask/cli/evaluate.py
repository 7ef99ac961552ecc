"""`unmask evaluate`: how well a model does on labelled media."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.errors import UnmaskError


@click.command("evaluate")
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--on", "table", type=click.Path(path_type=Path), required=True, help="CSV: file,label,dataset…"
)
@click.option("--out", type=click.Path(path_type=Path), help="Write every file's score to this CSV.")
def command(models: tuple[str, ...], table: Path, out: Path | None) -> None:
    """Scan every file of a table and print AUC with intervals by kind and data set, and verdict counts.

    Paths in the table are relative to a folder named like the table: dev.csv lists files in dev/.
    """
    try:
        from unmask.evaluation.media import evaluate
    except ImportError as error:
        raise UnmaskError(f"evaluating needs {error.name}", hint="pip install 'unmask[lab]'") from error

    def show(done: int, total: int) -> None:
        if done % 25 == 0 or done == total:
            click.echo(f"{done}/{total} files", err=True)

    click.echo(evaluate(models, table, out, show))
