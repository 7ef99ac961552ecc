"""Cut the faces of all media of a manifest, several at a time, and write a manifest of the crops."""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import msgspec

from unmask.data.extract import shards
from unmask.data.extract.journal import Journal
from unmask.data.extract.medium import Medium, Result, Worker, extract_one, open_worker
from unmask.data.extract.options import ExtractOptions
from unmask.data.manifest import Manifest, Row, rows_of_table, table_of, write_manifest
from unmask.errors import DataError
from unmask.faces import FINDERS
from unmask.isolated import Lost, isolated
from unmask.report.atomic import write

NO_FACE = "no face was found"

Progress = Callable[[int, int, int], None]
"""Called with the media done, all media, and how many of those done gave no face."""


@dataclass(frozen=True, eq=False)
class Extracted:
    """What a call left: the crops' manifest (None where they were packed into shards), and what gave none."""

    manifest: Path | None
    shards: tuple[Path, ...]
    crops: int
    media: int
    too_small: int
    unmatched: int
    failures: tuple[tuple[str, str], ...]


def extract(
    manifest: Manifest,
    out: Path,
    options: ExtractOptions | None = None,
    *,
    workers: int | None = None,
    per_shard: int = 0,
    progress: Progress | None = None,
) -> Extracted:
    """Fill `out` with `faces/…`, `manifest.parquet` and `failures.csv`; with `per_shard` with tars instead.

    `workers` processes work at once (0: this one; None: one per core). Called again after it was stopped, it
    goes on; what failed is tried again. A file that crashes or hangs its worker is a failure like any other.

    Raises:
        DataError: the folder was filled with other settings.
        UnmaskError: there is no such detector, or `out` cannot be written.
    """
    options = options or ExtractOptions()
    FINDERS[options.detector]  # a wrong name is told before any work
    rows = rows_of_table(manifest.table)
    media = list(_media(manifest.root, rows))
    show = progress or (lambda done, total, empty: None)
    index = out / "shards" / shards.INDEX
    with Journal(out / "journal.jsonl", _settings(options)) as journal:
        waiting = [medium for medium in media if not journal.is_done(medium.path)]
        if index.exists():
            # Packed is final: what failed then is not tried again.
            waiting = [medium for medium in waiting if medium.path not in journal.done]
            if waiting:
                raise DataError(
                    f"{out} is packed into shards already, and {len(waiting)} media are new",
                    hint="give another folder",
                )
        done = len(media) - len(waiting)
        empty = sum(not journal.done[m.path].cuts for m in media if journal.is_done(m.path))
        show(done, len(media), empty)
        count = (os.cpu_count() or 1) if workers is None else workers
        for result in _results(waiting, options, out, count):
            journal.add(result)
            done, empty = done + 1, empty + (not result.cuts)
            show(done, len(media), empty)
        results = [journal.done[medium.path] for medium in media]
    return _finish(out, rows, results, per_shard, show)


def _finish(
    out: Path, rows: Sequence[Row], results: Sequence[Result], per_shard: int, progress: Progress
) -> Extracted:
    crops = list(_crops(rows, results))
    failures = tuple(
        (result.path, result.failure or _why_none(result)) for result in results if not result.cuts
    )
    _write_failures(out / "failures.csv", failures)
    path, packed = None, []
    if per_shard and (out / "shards" / shards.INDEX).exists():
        packed = sorted((out / "shards").glob("*.tar"))
    elif per_shard:
        packed = shards.pack(out, crops, per_shard, lambda done, total: progress(done, total, 0))
    else:
        path = write_manifest(out / "manifest.parquet", Manifest(out, table_of(crops)))
    return Extracted(
        path,
        tuple(packed),
        len(crops),
        len(results),
        sum(result.too_small for result in results),
        sum(result.unmatched for result in results),
        failures,
    )


def _media(root: Path, rows: Sequence[Row]) -> Iterator[Medium]:
    """Each file once, with the boxes its rows annotate; rows of one file without boxes are one row."""
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    for row in rows:
        known = boxes.setdefault(row.path, [])
        if row.box is not None:
            known.append(row.box)
    names: dict[str, str] = {}
    taken: set[str] = set()
    for path in boxes:
        name = PurePosixPath(path)
        plain = "/".join(part for part in name.with_suffix("").parts if part not in ("/", "..", "."))
        # Two files may differ in their ending only.
        names[path] = f"{plain}{name.suffix.replace('.', '-')}" if plain in taken else plain
        taken.add(plain)
    for path, annotated in boxes.items():
        yield Medium(path, str(root / path), names[path], tuple(annotated))


def _results(waiting: Sequence[Medium], options: ExtractOptions, out: Path, workers: int) -> Iterator[Result]:
    if not waiting:
        return
    if workers == 0:
        worker = Worker(options, out, threads=os.cpu_count() or 1)
        yield from map(worker.extract, waiting)
        return
    results = isolated(
        waiting,
        extract_one,
        workers=min(workers, len(waiting)),
        timeout=options.timeout,
        prepare=open_worker,
        prepared_with=[options, str(out)],
    )
    with contextlib.closing(results):
        for medium, result in results:
            yield _lost(medium, result) if isinstance(result, Lost) else result


def _lost(medium: Medium, lost: Lost) -> Result:
    if lost.hung:
        return Result(medium.path, failure=f"not finished after {lost.seconds:g} s, stopped")
    return Result(medium.path, failure=f"the decoder crashed on it (exit code {lost.exit_code})")


def _crops(rows: Sequence[Row], results: Sequence[Result]) -> Iterator[Row]:
    """A row per crop: what the manifest says of its medium, and where in it the face was."""
    by_path: dict[str, list[Row]] = {}
    for row in rows:
        by_path.setdefault(row.path, []).append(row)
    for result in results:
        members = by_path[result.path]
        annotated = [row for row in members if row.box is not None]
        for cut in result.cuts:
            row = annotated[cut.annotation] if cut.annotation >= 0 else members[0]
            is_video = result.kind == "video"
            yield replace(
                row,
                path=cut.file,
                kind="frame" if is_video else ("photo" if row.kind == "video" else row.kind),
                frame=cut.frame if is_video else row.frame,
                time=cut.time if is_video else row.time,
                box=cut.box,
                landmarks=cut.landmarks,
                side=float(cut.side),
                origin=row.path,
            )


def _why_none(result: Result) -> str:
    if result.too_small:
        return "all faces are too small"
    return "no found face matches the annotated ones" if result.unmatched else NO_FACE


def _write_failures(path: Path, failures: Sequence[tuple[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "reason"))
    writer.writerows(failures)
    write(path, text.getvalue().encode())


def _settings(options: ExtractOptions) -> str:
    """What must not change between two calls on one folder; how long a file may take may."""
    facts = msgspec.to_builtins(options)
    del facts["timeout"]
    return msgspec.json.encode(facts).decode()
