"""`unmask evaluate`: how well models do on labelled media."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.errors import UnmaskError

if TYPE_CHECKING:
    from unmask.evaluation.measure import Degraded

ALL = "all"


@click.command("evaluate")
@click.argument("models", nargs=-1, required=True)
@click.option(
    "--on",
    "media",
    type=click.Path(path_type=Path),
    required=True,
    help="Manifest, CSV (file,label,kind,dataset), or folder with real/ and fake/.",
)
@click.option("--split", default="", help="Only the rows of this split of a manifest.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for scores, tables and the journal.")
@click.option(
    "--degrade",
    multiple=True,
    metavar="KIND",
    help="Also measure on media degraded so, at five severities; all takes every kind.",
)
@click.option("--frames", type=click.IntRange(1), help="Look at this many frames of a video.")
@click.option("--workers", type=click.IntRange(1), help="Processes; one per core if not given.")
def command(
    models: tuple[str, ...],
    media: Path,
    split: str,
    out: Path | None,
    degrade: tuple[str, ...],
    frames: int | None,
    workers: int | None,
) -> None:
    """Scan labelled media and print figures with 95 % intervals, by kind, data set, method and face size.

    Several models look at the same frames and faces. With --out, what is done is kept: called again, it goes
    on; it leaves scores.parquet, from which all can be made again, figures.csv and report.md.
    """
    try:
        from unmask.evaluation.labelled import read_media
        from unmask.evaluation.measure import measure
        from unmask.evaluation.outcome import to_markdown
    except ImportError as error:
        raise UnmaskError(f"evaluating needs {error.name}", hint="pip install 'unmask[lab]'") from error
    from unmask.cli.bar import steps
    from unmask.options import ScanOptions

    options = ScanOptions(model=models, frames=frames)
    labelled = read_media(media, split=split)
    with tempfile.TemporaryDirectory() as passing, steps("evaluating") as show:
        scores = measure(
            options,
            labelled,
            (out or Path(passing)) / "journal.jsonl",
            degradations=_states(degrade),
            workers=workers,
            progress=lambda done, total: show(done, total, ""),
        )
    if out is None:
        from unmask.evaluation.figures import MEDIUM, lines

        click.echo(to_markdown(list(lines(scores, levels=[MEDIUM]))))
        return
    from unmask.evaluation.outcome import write_outcome

    click.echo(write_outcome(scores, out))


def _states(kinds: tuple[str, ...]) -> list[Degraded]:
    """Media as they are, and each kind of degradation at each severity."""
    from unmask.evaluation.degrade import DEGRADATIONS, SEVERITIES
    from unmask.evaluation.measure import Degraded

    chosen = DEGRADATIONS.names() if ALL in kinds else list(kinds)
    for kind in chosen:
        _ = DEGRADATIONS[kind]
    return [Degraded(), *(Degraded(kind, severity) for kind in chosen for severity in SEVERITIES)]
