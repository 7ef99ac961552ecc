"""Who is measured: our own model files, detectors of others, and scores that others wrote down."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from unmask.errors import DataError, UnmaskError
from unmask.evaluation.degrade import applies_to, degrade_file
from unmask.evaluation.journal import read_journal
from unmask.evaluation.measure import Degraded, Progress, Trial, keyed, measure
from unmask.evaluation.peers import PEERS, THRESHOLD, ImportedScore, Judged, Peer, ScannedPeer, open_peer
from unmask.evaluation.peers import read_scores as read_imported
from unmask.evaluation.table import (
    FACE,
    FILE,
    NOT_SCORED,
    OF_A_FILE,
    SCHEMA,
    JudgedBy,
    Medium,
    Scores,
    check,
    labelled,
    table,
)
from unmask.options import ScanOptions
from unmask.types import Verdict
from unmask.version import __version__

MOST_CERTAIN = 36.0
"""Log-odds beyond which probabilities cannot be told from 0 and 1 any more."""


def measure_all(
    names: Sequence[str],
    media: Sequence[Medium],
    folder: Path,
    options: ScanOptions,
    *,
    degradations: Sequence[Degraded] = (Degraded(),),
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Scores:
    """Scores of all that `names` call: models of ours by name or path, and peers as `KIND:PATH`.

    Networks look at the same frames and faces; programs are asked file by file, in their own way. What is
    done is kept in `folder`: called again on the same one, it goes on.

    Raises:
        UnmaskError: as `measure` and `open_peer`.
        DataError: two of them have the same name.
    """
    models: list[str] = []
    programs: list[Peer] = []
    for name in names:
        kind, _, settings = name.partition(":")
        peer = open_peer(name, options) if settings and kind in PEERS else None
        if peer is None:
            models.append(name)
        elif isinstance(peer, ScannedPeer):
            models.append(str(_kept(peer, folder / "peers")))
        else:
            programs.append(peer)
    parts: list[Scores] = []
    rounds = bool(models) + len(programs)
    earlier = 0

    def show(done: int, total: int) -> None:
        nonlocal earlier
        # What later rounds will hold is taken for as much as this one until they begin.
        progress(earlier + done, earlier + total * (rounds - len(parts)))
        if done == total:
            earlier += total

    if models:
        chosen = replace(options, model=tuple(models))
        journal = folder / "journal.jsonl"
        parts.append(
            measure(chosen, media, journal, degradations=degradations, workers=workers, progress=show)
        )
    for peer in programs:
        journal = folder / "peers" / f"{peer.identity[:16]}.jsonl"
        parts.append(_ask(peer, media, journal, degradations, workers or os.cpu_count() or 1, show))
    return joined(parts)


def joined(parts: Sequence[Scores], written_down: Sequence[Scores] = ()) -> Scores:
    """Several score tables as one.

    Those that were `written_down` by others may leave files out. Of a data set and kind of media that such
    a table tells of, the files that another has and it has not become files not scored: they count in
    coverage.

    Raises:
        DataError: two models share a name, or as `table.check`.
    """
    together = [*parts, *written_down]
    models = tuple(itertools.chain.from_iterable(part.models for part in together))
    names = [model.name for model in models]
    again = next((name for name in names if names.count(name) > 1), None)
    if again:
        raise DataError(f"two models are called {again!r}", hint="give one of them another name")
    rows = pl.concat([part.rows for part in together]) if together else table((), ()).rows
    lacking = [_not_scored(part, rows) for part in written_down]
    return check(Scores(pl.concat([rows, *lacking]), models))


def _not_scored(part: Scores, rows: pl.DataFrame) -> pl.DataFrame:
    """The files that are in `rows` and should be in `part`, as rows of each of its models without a score."""
    own = part.rows.filter(pl.col("level") == FILE)
    asked = (
        rows.filter((pl.col("level") == FILE) & (pl.col("degradation") == ""))
        .unique("file", keep="first", maintain_order=True)
        .join(own.select("dataset", "kind").unique(), on=["dataset", "kind"], how="semi")
    )
    told = {"level": pl.lit(FILE), "verdict": pl.lit(NOT_SCORED)}
    nothing = pl.lit(None)
    return pl.concat(
        [
            asked.join(own.filter(pl.col("model") == model.name), on="file", how="anti")
            .select(
                (pl.col(name) if name in OF_A_FILE else told.get(name, nothing)).cast(kind).alias(name)
                for name, kind in SCHEMA.items()
            )
            .with_columns(model=pl.lit(model.name))
            for model in part.models
        ]
    )


def imported(spec: str) -> Scores:
    """The scores in the file that `spec` names as `KIND:PATH`, such as `csv:theirs.csv`.

    The model is called after the file. Scores from 0 to 1 are taken for P(fake), others for log-odds. A
    video's is the mean of its frames' probabilities, as is usual where frames are scored one by one.

    Raises:
        UnmaskError: there is no such kind of file, or as `peers.read_scores`.
    """
    kind, _, name = spec.partition(":")
    if not name:
        raise UnmaskError(f"{spec!r} names no score file", hint="write KIND:PATH, such as csv:theirs.csv")
    path = Path(name)
    scores = read_imported(path, kind)
    odds = any(not 0 <= score.score <= 1 for score in scores)
    largest = max(abs(score.score) for score in scores)
    if odds and largest > MOST_CERTAIN:
        raise DataError(
            f"{path}: a score of {largest:g} is neither a probability nor one in log-odds",
            hint=f"bring scores to [0, 1], or to log-odds within ±{MOST_CERTAIN:g}",
        )
    model = JudgedBy(path.stem, hashlib.sha256(path.read_bytes()).hexdigest(), THRESHOLD, THRESHOLD)
    by_video: dict[str, list[ImportedScore]] = {}
    for score in scores:
        by_video.setdefault(score.video, []).append(score)
    rows = (row for video in by_video.values() for row in _imported_rows(model.name, video, odds))
    return table(rows, [model])


def _imported_rows(model: str, frames: Sequence[ImportedScore], odds: bool) -> Iterator[dict[str, Any]]:
    first = frames[0]
    is_video = len(frames) > 1 or first.file != first.video.removeprefix(f"{first.dataset}/")
    common = {
        "model": model,
        "file": first.video,
        "kind": "video" if is_video else "image",
        "fake": first.fake,
        "dataset": first.dataset,
        "method": first.method,
        "source": first.source,
        "compression": "",
        "degradation": "",
        "severity": 0,
    }
    found = [1 / (1 + math.exp(-frame.score)) if odds else frame.score for frame in frames]
    for number, probability in enumerate(found):
        yield common | {"level": FACE, "track": 0, "frame": number} | _judgement(probability)
    yield common | {"level": FILE} | _judgement(math.fsum(found) / len(found))


def _judgement(probability: float) -> dict[str, object]:
    verdict = Verdict.FAKE if probability >= THRESHOLD else Verdict.REAL
    return {"verdict": verdict.value, "probability": probability}


def _kept(peer: ScannedPeer, folder: Path) -> Path:
    """The peer's model file in `folder`, from where a scan takes it."""
    digest = hashlib.sha256(peer.model).hexdigest()
    path = folder / f"{digest[:16]}.onnx"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(peer.model)
    return path


def _ask(
    peer: Peer,
    media: Sequence[Medium],
    journal: Path,
    degradations: Sequence[Degraded],
    workers: int,
    progress: Progress,
) -> Scores:
    """What a program says of all media, in each state that media themselves can be brought into."""
    states = [state for state in degradations if not state.kind or applies_to(state.kind)]
    trials = keyed(media, states)
    head = {"unmask": __version__, "peer": peer.name, "identity": peer.identity}
    done: dict[str, Any] = read_journal(journal, head)
    waiting = [trial for trial, key in trials.items() if key not in done]
    count = len(trials) - len(waiting)
    progress(count, len(trials))
    pool = ThreadPoolExecutor(workers)
    try:
        with journal.open("a", encoding="utf-8") as notes:
            if not done:
                notes.write(json.dumps(head) + "\n")
            asked: dict[Future[Judged], Trial] = {
                pool.submit(_judged, peer, trial): trial for trial in waiting
            }
            for future in as_completed(asked):
                said, trial = future.result(), asked[future]
                done[trials[trial]] = [said.verdict.value, said.probability]
                notes.write(json.dumps([trials[trial], done[trials[trial]]]) + "\n")
                notes.flush()
                count += 1
                progress(count, len(trials))
    finally:
        pool.shutdown(cancel_futures=True)
    model = JudgedBy(peer.name, peer.identity, THRESHOLD, THRESHOLD)
    return table((_row(model.name, trial, *done[key]) for trial, key in trials.items()), [model])


def _judged(peer: Peer, trial: Trial) -> Judged:
    state = trial.degraded
    if not state.kind:
        return peer.judge(trial.medium.path)
    with tempfile.TemporaryDirectory(prefix="unmask-") as folder:
        target = Path(folder) / ("degraded.mp4" if trial.medium.kind == "video" else "degraded.png")
        try:
            degrade_file(trial.medium.path, target, state.kind, state.severity)
        except UnmaskError as error:
            return Judged(Verdict.UNREADABLE, None, message=error.message)
        return peer.judge(target)


def _row(model: str, trial: Trial, verdict: str, probability: float | None) -> dict[str, Any]:
    found = {"level": FILE, "verdict": verdict, "probability": probability}
    state = trial.degraded
    return labelled(model, trial.medium, [found], degradation=state.kind, severity=state.severity)[0]
