"""Scores that others have written down: read strictly, so that no file is counted twice or for another."""

from __future__ import annotations

from pathlib import Path

from unmask.errors import DataError
from unmask.evaluation.peers import deepfakebench
from unmask.evaluation.peers.score_table import (
    MAX_BYTES,
    SCORE_FILES,
    ImportedScore,
    a_number,
    plain_path,
    read_table,
    refuse_twice,
)

__all__ = ["SCORE_FILES", "ImportedScore", "deepfakebench", "read_csv", "read_scores"]

NEEDED = ("file", "label", "score")
KNOWN = (*NEEDED, "video", "source", "dataset", "method")

LABELS = {"real": False, "fake": True}


def read_scores(path: Path, kind: str) -> list[ImportedScore]:
    """The scores in the file at `path`, in its order; `kind` is `csv` or `deepfakebench`.

    Raises:
        DataError: it cannot be read, is not of this kind, holds no scores, names one file twice, gives one
            video two labels, or holds a score that is no number. Lines and rows are named.
        UnmaskError: there is no such kind.
    """
    read = SCORE_FILES[kind]
    try:
        size = path.stat().st_size
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint="give a file of scores") from error
    if size > MAX_BYTES:
        raise DataError(f"{path} has {size} bytes: too large to be scores", hint="split it by data set")
    scores = read(path)
    if not scores:
        raise DataError(f"{path} holds no scores", hint="it has nothing after its header")
    label_of: dict[str, bool] = {}
    for score in scores:
        if label_of.setdefault(score.video, score.fake) != score.fake:
            raise DataError(
                f"{path}: {score.video} is both real and fake", hint="two videos must not share a path"
            )
    return scores


@SCORE_FILES.register("csv")
def read_csv(path: Path) -> list[ImportedScore]:
    """A table with the columns `file, label, score` and perhaps `video, source, dataset, method`.

    Labels are `real` and `fake`. Files and videos are known by `dataset` and path together; a file without a
    `video` is its own, and one without a `source` comes from its video.
    """
    rows = list(read_table(path, NEEDED, KNOWN))
    scores = [_score(row, f"{path}, line {line}") for line, row in rows]
    lines = [line for line, _ in rows]
    names = [(score.dataset, score.file) for score in scores]
    refuse_twice(zip(lines, names, strict=True), path, "line")
    return scores


def _score(row: dict[str, str], where: str) -> ImportedScore:
    if row["label"] not in LABELS:
        raise DataError(f"{where}: label {row['label']!r}", hint="use real or fake")
    file, dataset = plain_path(row["file"]), row.get("dataset", "")
    if not file:
        raise DataError(f"{where}: no file is named", hint="give its path")
    video = plain_path(row.get("video", "")) or file
    full, source = _within(dataset, video), row.get("source", "")
    return ImportedScore(
        file=file,
        video=full,
        source=_within(dataset, source) if source else full,
        dataset=dataset,
        method=row.get("method", ""),
        fake=LABELS[row["label"]],
        score=a_number(row["score"], "score", where),
    )


def _within(dataset: str, name: str) -> str:
    return f"{dataset}/{name}" if dataset else name
