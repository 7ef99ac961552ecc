"""`unmask tune`: search for better settings of a recipe."""

from __future__ import annotations

from pathlib import Path

import click

from unmask.errors import UnmaskError


@click.command("tune")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--corpus", type=click.Path(path_type=Path), required=True, help="Manifest, or folder with train.csv."
)
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True, help="Trials in all.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder  [default: runs/tune-<recipe>]")
@click.option(
    "--protocol",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Protocol (docs/protocols.md): what it calls test is refused.",
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="Folder of the protocol's sets  [default: the corpus's]"
)
def command(
    recipe: Path, corpus: Path, trials: int, out: Path | None, protocol: Path | None, root: Path | None
) -> None:
    """Train a recipe with other settings, again and again, and keep the best on the validation split.

    The recipe's section `tune` says what to search. Called again on the same folder, it goes on. It leaves
    best.yaml, history.png, importance.png and study.db, an Optuna study.
    """
    try:
        from unmask.training.tune import tune
    except ImportError as error:
        raise UnmaskError(f"tuning needs {error.name}", hint="pip install 'unmask[lab]'") from error
    from unmask.cli.bar import steps

    folder = out or Path("runs") / f"tune-{recipe.stem}"
    with steps("trial") as show:
        path = tune(
            recipe,
            corpus,
            folder,
            trials=trials,
            progress=show,
            say=lambda line: click.echo(line, err=True),
            protocol=protocol,
            root=root,
        )
    click.echo(path)
