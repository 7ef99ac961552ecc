"""`unmask train`: from a recipe to a model file."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.errors import UnmaskError


@click.command("train")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--corpus", type=click.Path(path_type=Path), required=True, help="Folder with train.csv.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run  [default: runs/<recipe>]")
def command(recipe: Path, corpus: Path, out: Path | None) -> None:
    """Train, calibrate and export the model a recipe describes.

    Called again on the same folder, it goes on where it was stopped.
    """
    try:
        from unmask.training.make import make
    except ImportError as error:
        raise UnmaskError(
            f"training needs {error.name}", hint="pip install 'unmask[lab]' (see the README for torch)"
        ) from error

    def show(step: int, steps: int, message: str) -> None:
        if message:
            click.echo(f"{step}/{steps}  {message}", err=True)

    path = make(recipe, corpus, out or Path("runs") / recipe.stem, progress=show, say=click.echo)
    click.echo(path)
