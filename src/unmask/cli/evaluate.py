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
@click.argument("models", nargs=-1)
@click.option(
    "--on",
    "media",
    type=click.Path(path_type=Path),
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
@click.option(
    "--scores",
    multiple=True,
    metavar="KIND:PATH",
    help="Also take in scores that others wrote down, as csv:FILE or deepfakebench:FILE.",
)
@click.option("--frames", type=click.IntRange(1), help="Look at this many frames of a video.")
@click.option("--workers", type=click.IntRange(1), help="Processes; one per core if not given.")
@click.option(
    "--protocol",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Measure as this file says (docs/protocols.md), instead of --on.",
)
@click.option("--root", type=click.Path(path_type=Path), help="Folder of the protocol's sets.")
@click.option("--set", "sets", multiple=True, metavar="NAME", help="Only this set of the protocol.")
@click.option(
    "--role",
    type=click.Choice(["test", "choose"]),
    default="test",
    show_default=True,
    help="Which of the protocol's sets.",
)
@click.option("--despite-seen", is_flag=True, help="Measure models that have seen a test set, and mark them.")
def command(
    models: tuple[str, ...],
    media: Path | None,
    split: str,
    out: Path | None,
    degrade: tuple[str, ...],
    scores: tuple[str, ...],
    frames: int | None,
    workers: int | None,
    protocol: Path | None,
    root: Path | None,
    sets: tuple[str, ...],
    role: str,
    despite_seen: bool,
) -> None:
    """Scan labelled media and print figures with 95 % intervals, by kind, data set, method and face size.

    MODELS are names or paths of model files, or detectors of others as mesonet:FILE.h5, onnx:FILE.toml or
    command:FILE.toml (docs/peers.md). All networks look at the same frames and faces. With --out, what is
    done is kept: called again, it goes on; it leaves the report as a page and as Markdown, figures.csv,
    paired.csv, and scores.parquet, from which all can be made again.
    """
    if protocol is not None:
        if not models or media or split or scores or degrade or frames:
            raise click.UsageError("--protocol says what is measured: give MODELS, --root and --out alone")
        from unmask.cli.evaluate_protocol import measure_by_protocol

        measure_by_protocol(
            protocol, models, root, out, role=role, sets=sets, despite_seen=despite_seen, workers=workers
        )
        return
    if root or sets or despite_seen:
        raise click.UsageError("--root, --set and --despite-seen go with --protocol")
    if bool(models) != bool(media) or not (models or scores):
        raise click.UsageError("give MODELS and --on, or --scores, or both")
    try:
        from unmask.evaluation.entrants import imported, joined, measure_all
        from unmask.evaluation.labelled import read_media
    except ImportError as error:
        raise UnmaskError(f"evaluating needs {error.name}", hint="pip install 'unmask[lab]'") from error
    from unmask.cli.bar import steps
    from unmask.options import ScanOptions

    written_down, own = [imported(spec) for spec in scores], []
    if media is not None:
        labelled = read_media(media, split=split)
        with tempfile.TemporaryDirectory() as passing, steps("evaluating") as show:
            scanned = measure_all(
                models,
                labelled,
                out or Path(passing),
                ScanOptions(frames=frames),
                degradations=_states(degrade),
                workers=workers,
                progress=lambda done, total: show(done, total, ""),
            )
        own.append(scanned)
    measured = joined(own, written_down)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    from unmask.evaluation.outcome import outcome, write_outcome

    if out is None:
        from unmask.evaluation.figures import MEDIUM

        click.echo(outcome(measured, levels=[MEDIUM]).text())
        return
    click.echo(write_outcome(measured, out))


def _states(kinds: tuple[str, ...]) -> list[Degraded]:
    """Media as they are, and each kind of degradation at each severity."""
    from unmask.evaluation.degrade import DEGRADATIONS, SEVERITIES
    from unmask.evaluation.measure import Degraded

    chosen = DEGRADATIONS.names() if ALL in kinds else list(kinds)
    for kind in chosen:
        _ = DEGRADATIONS[kind]
    return [Degraded(), *(Degraded(kind, severity) for kind in chosen for severity in SEVERITIES)]
