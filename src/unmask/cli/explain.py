"""`unmask explain`: what in a face moves a model's score, and whether its heatmap says so truly."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unmask.errors import UnmaskError
from unmask.evaluation.explain import DEFAULT_MAPS, FACES_OF_FILE, FACES_OF_MEDIUM, LIMIT

if TYPE_CHECKING:
    from unmask.evaluation.explain.file import FileExplained
    from unmask.evaluation.explain.media import MediaExplained


@click.command("explain")
@click.argument("model")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option(
    "--on",
    "media",
    type=click.Path(path_type=Path),
    help="Means over labelled media instead: manifest, CSV (file,label,kind,dataset), or folder with real/ "
    "and fake/.",
)
@click.option("--split", default="", help="Only the rows of this split of a manifest or table.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the page, explain.json and PNGs.")
@click.option("--json", "as_json", is_flag=True, help="All figures and maps as JSON on standard output.")
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="MAP",
    help=f"evidence, occlusion or rise; may be given again  [default: {', '.join(DEFAULT_MAPS)}]",
)
@click.option(
    "--faces",
    type=click.IntRange(1),
    help=f"Faces to explain  [default: {FACES_OF_FILE}; with --on {FACES_OF_MEDIUM} of each file]",
)
@click.option(
    "--limit", type=click.IntRange(1), help=f"With --on: this many media of each method  [default: {LIMIT}]"
)
@click.option("--frames", type=click.IntRange(1), help="Look at this many frames of a video.")
@click.option("--workers", type=click.IntRange(1), help="With --on: processes; one per core if not given.")
def command(
    model: str,
    file: Path | None,
    media: Path | None,
    split: str,
    out: Path | None,
    as_json: bool,
    maps: tuple[str, ...],
    faces: int | None,
    limit: int | None,
    frames: int | None,
    workers: int | None,
) -> None:
    """Show which parts of the most telling faces in FILE move the score of MODEL, and measure by deletion and
    insertion whether its heatmap is to be believed. With --on, the same on average by method.

    MODEL is the name or path of a model file, or a detector of others as onnx:FILE.toml or mesonet:FILE.h5
    (docs/peers.md).
    """
    if (file is None) == (media is None):
        raise click.UsageError("give a FILE, or --on MEDIA")
    if file is not None and (split or limit or workers):
        raise click.UsageError("--split, --limit and --workers go with --on")
    if out is not None and out.exists() and not out.is_dir():
        raise click.UsageError(f"--out {out} is a file, not a folder")
    chosen = tuple(dict.fromkeys(maps)) or DEFAULT_MAPS
    with _model_file(model) as path:
        if file is not None:
            _explain_file(path, file, chosen, faces or FACES_OF_FILE, frames, out, as_json)
        elif media is not None:
            _explain_media(
                path,
                media,
                split,
                maps=chosen,
                faces=faces or FACES_OF_MEDIUM,
                limit=limit or LIMIT,
                frames=frames,
                workers=workers,
                out=out,
                as_json=as_json,
            )


def _explain_file(
    model: str,
    file: Path,
    maps: tuple[str, ...],
    faces: int,
    frames: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    from unmask.cli.bar import steps
    from unmask.evaluation.explain.file import explain_file
    from unmask.evaluation.explain.save import save_file, to_json

    with steps("explaining") as show:
        told, crops = explain_file(
            model,
            file,
            maps=maps,
            faces=faces,
            frames=frames,
            progress=lambda done, total: show(done, total, "faces"),
        )
    page = None if out is None else save_file(told, crops, out)
    if as_json:
        click.echo(to_json(told), nl=False)
        return
    _print_file(told)
    if page is not None:
        click.echo(f"\n{page}")


def _explain_media(
    model: str,
    on: Path,
    split: str,
    *,
    maps: tuple[str, ...],
    faces: int,
    limit: int,
    frames: int | None,
    workers: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    try:
        from unmask.evaluation.labelled import read_media
    except ImportError as error:
        raise UnmaskError(
            f"reading labelled media needs {error.name}", hint="pip install 'unmask[lab]'"
        ) from error
    from unmask.cli.bar import steps
    from unmask.evaluation.explain.media import explain_media
    from unmask.evaluation.explain.save import save_media, to_json

    labelled = read_media(on, split=split)
    with steps("explaining") as show:
        told = explain_media(
            model,
            labelled,
            on.name + (f", {split}" if split else ""),
            maps=maps,
            limit=limit,
            faces=faces,
            frames=frames,
            workers=workers,
            progress=lambda done, total: show(done, total, "media"),
        )
    page = None if out is None else save_media(told, out)
    if as_json:
        click.echo(to_json(told), nl=False)
        return
    _print_media(told)
    if page is not None:
        click.echo(f"\n{page}")


def _print_file(told: FileExplained) -> None:
    from unmask.evaluation.explain import words
    from unmask.report.names import visible
    from unmask.report.words import SYMBOL, probability

    click.echo(visible(told.name))
    click.echo(f"{words.verdict_line(told)}. {words.headline(told)}")
    for face in told.faces:
        verdict = f"{SYMBOL[face.verdict]} {face.verdict}, P(fake) {probability(face.probability)}"
        click.echo(f"\n{words.face_title(face, told)}, {words.seen(face, told)}: {verdict}")
        for map_ in face.maps:
            checks = [check for check in face.checks if check.map == map_.name]
            mark = words.SIGN[words.trust(checks)]
            click.echo(f"{mark} {map_.name}: {words.held(checks)}. {words.summary(face, map_.name)}")
        for line in (words.agreeing(face), *words.blanks(face)):
            if line:
                click.echo(line)
    if told.lacking:
        click.echo(f"\n{words.lacking(told.lacking)}")


def _print_media(told: MediaExplained) -> None:
    from unmask.evaluation.explain import words
    from unmask.report.names import visible

    click.echo(f"{told.model.name} {told.model.version} on {visible(told.on)}")
    for group in told.groups:
        click.echo(
            f"\n{visible(group.name)}: {words.group_counts(group)}, mean log-odds {words.signed(group.odds)}"
        )
        for map_ in group.maps:
            checks = [check for check in group.checks if check.map == map_.name]
            mark = words.SIGN[words.trust(checks)]
            click.echo(f"{mark} {map_.name}: {words.group_sentence(group, map_.name)}")
            for line in words.group_figures(group, map_.name):
                click.echo(f"    {line}")
    for line in (words.unjudged(told), words.lacking(told.lacking)):
        if line:
            click.echo(f"\n{line}")


@contextmanager
def _model_file(spec: str) -> Iterator[str]:
    """The name or path of the model file that `spec` means; a peer's is made, and gone afterwards."""
    kind, _, settings = spec.partition(":")
    if not settings or not kind.isidentifier() or Path(spec).exists():
        yield spec
        return
    try:
        from unmask.evaluation.peers import PEERS, ScannedPeer, open_peer
    except ImportError as error:
        raise UnmaskError(
            f"detectors of others need {error.name}", hint="pip install 'unmask[lab]'"
        ) from error
    if kind not in PEERS:
        yield spec
        return
    peer = open_peer(spec)
    if not isinstance(peer, ScannedPeer):
        raise UnmaskError(
            f"{spec} is a program and not a network", hint="only networks can be asked about parts of a face"
        )
    with tempfile.TemporaryDirectory(prefix="unmask-") as folder:
        path = Path(folder) / "peer.onnx"
        path.write_bytes(peer.model)
        yield str(path)
