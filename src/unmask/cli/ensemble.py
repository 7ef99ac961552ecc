"""`unmask ensemble`: several models become one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from unmask.training.ensemble import Ensemble

METHODS = ("soft", "weighted", "stacked", "all")

MOST_SHOWN = 50
"""Rows of the table; the rest of a large search is worse than these."""


@click.command("ensemble")
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--on",
    "corpus",
    type=click.Path(path_type=Path),
    required=True,
    help="Manifest, or folder with train.csv; its validation split is used.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The .onnx file.")
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="soft",
    show_default=True,
    help="Mean of probabilities, weighted mean of log-odds, logistic regression on them, or the best.",
)
@click.option("--search", is_flag=True, help="Try every subset of two or more models.")
@click.option("--members", help="Names to combine after all, separated by commas  [default: all or the best]")
@click.option("--name", help="The name on the new card  [default: that of the file]")
@click.option(
    "--scores", type=click.Path(path_type=Path, dir_okay=False), help="Write all scores to this Parquet file."
)
@click.option(
    "--protocol",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Protocol (docs/protocols.md): what it calls test is refused.",
)
@click.option(
    "--root", type=click.Path(path_type=Path), help="Folder of the protocol's sets  [default: the corpus's]"
)
def command(
    models: tuple[str, ...],
    corpus: Path,
    out: Path,
    method: str,
    search: bool,
    members: str | None,
    name: str | None,
    scores: Path | None,
    protocol: Path | None,
    root: Path | None,
) -> None:
    """Combine models (shipped names or .onnx files) into one that scans like any other.

    Weights are fitted on the validation split; the table's figures are out of fold by source. Scores are kept
    in the user's cache, so that a second call on the same models and samples is quick.
    """
    try:
        from unmask.training.ensemble import ensemble
        from unmask.training.ensemble_vote import Method
    except ImportError as error:
        raise UnmaskError(f"combining needs {error.name}", hint="pip install 'unmask[lab]'") from error
    from unmask.cli.bar import steps

    methods = tuple(Method) if method == "all" else (Method(method),)
    pick = tuple(part.strip() for part in members.split(",")) if members is not None else ()
    with steps("scoring") as show:
        made = ensemble(
            models,
            corpus,
            out,
            methods=methods,
            search=search,
            pick=pick,
            name=name,
            scores=scores,
            progress=show,
            say=lambda line: click.echo(line, err=True),
            protocol=protocol,
            root=root,
        )
    _print_trials(made)
    click.echo(made.path)


def _print_trials(made: Ensemble) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title="on val, out of fold by source; best mean of both AUCs first", box=SIMPLE_HEAD)
    table.add_column("members", overflow="fold")
    table.add_column("method")
    for heading in ("accuracy", "balanced", "AUC [95 %]", "AUC degraded", "ms/face"):
        table.add_column(heading, justify="right", no_wrap=True)
    for trial in made.trials[:MOST_SHOWN]:
        names = tuple(made.names[n] for n in trial.members)
        is_made = trial.method == made.vote.method and names == made.members
        table.add_row(
            ", ".join(names),
            trial.method or "alone",
            f"{trial.accuracy:.4f}",
            f"{trial.balanced_accuracy:.4f}",
            f"{trial.auc:.4f} [{trial.low:.4f}, {trial.high:.4f}]",
            f"{trial.degraded_auc:.4f}",
            f"{trial.ms_per_face:.1f}",
            style="bold" if is_made else "",
        )
    console = Console(stderr=True)
    # In a log a table must not be folded to a width that nobody set.
    (console if console.is_terminal else Console(stderr=True, width=160)).print(table)
    left = len(made.trials) - MOST_SHOWN
    if left > 0:
        click.echo(f"and {left} more that did worse", err=True)
