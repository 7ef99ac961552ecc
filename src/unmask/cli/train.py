"""`unmask train`: from a recipe to a model file."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.errors import UnmaskError


@click.command("train")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--corpus", type=click.Path(path_type=Path), required=True, help="Manifest, or folder with train.csv."
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the run  [default: runs/<recipe>]")
@click.option("--devices", type=click.IntRange(1), default=1, help="GPUs to share the work, where there are.")
@click.option("--workers", type=click.IntRange(0), default=2, help="Processes that prepare crops.")
@click.option(
    "--protocol",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Protocol (docs/protocols.md): what it calls test is refused.",
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="Folder of the protocol's sets  [default: the corpus's]"
)
def command(
    recipe: Path,
    corpus: Path,
    out: Path | None,
    devices: int,
    workers: int,
    protocol: Path | None,
    root: Path | None,
) -> None:
    """Train, calibrate and export the model a recipe describes.

    Called again on the same folder, it goes on where it was stopped. Beside the model it leaves its figures
    (result.json), curves (log.csv, result.png, tensorboard/) and scores.
    """
    try:
        from unmask.training.launch import launch
        from unmask.training.recipe import read_recipe
    except ImportError as error:
        raise UnmaskError(
            f"training needs {error.name}", hint="pip install 'unmask[lab]' (see the README for torch)"
        ) from error
    folder = out or Path("runs") / recipe.stem
    launch(_train, (recipe, corpus, folder, workers, protocol, root), devices)
    click.echo(folder / f"{read_recipe(recipe).name}.onnx")


def _train(
    recipe: Path, corpus: Path, folder: Path, workers: int, protocol: Path | None, root: Path | None
) -> None:
    from unmask.cli.bar import steps
    from unmask.training.make import make

    with steps("training") as show:
        make(
            recipe,
            corpus,
            folder,
            progress=show,
            say=_say,
            workers=workers,
            protocol=protocol,
            root=root,
        )


def _say(line: str) -> None:
    click.echo(line, err=True)
