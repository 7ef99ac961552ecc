"""Read a corpus of face crops described by one CSV file into samples.

The table has one row a crop with the columns `file, split, label, method, dataset, source, kind` and five
landmarks `lm0x … lm4y` in pixels of the crop.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from unmask.errors import DataError
from unmask.types import Landmarks, Point


@dataclass(frozen=True, slots=True)
class Sample:
    """One face crop on disk. `fake` is the label; `source` the original recording it comes from."""

    path: Path
    fake: bool
    split: str
    method: str
    dataset: str
    source: str
    kind: str
    landmarks: Landmarks


COLUMNS = ("file", "split", "label", "method", "dataset", "source", "kind")


def read_corpus(root: Path) -> list[Sample]:
    """All samples of `root/train.csv`, whose files lie under `root/train`.

    Raises:
        DataError: the table is missing, lacks a column, has another label than real or fake, or ties one
            source to two splits.
    """
    table = root / "train.csv"
    if not table.is_file():
        raise DataError(
            f"no corpus at {root}: {table.name} is missing", hint="give the folder that holds train.csv"
        )
    with table.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if lacking:
            raise DataError(f"{table} lacks the columns {', '.join(lacking)}")
        samples = [_sample(row, root / "train", table) for row in reader]
    _check_disjoint(samples)
    return samples


def _sample(row: dict[str, str], folder: Path, table: Path) -> Sample:
    if row["label"] not in ("real", "fake"):
        raise DataError(f"{table}: {row['file']} is labelled {row['label']!r}", hint="use real or fake")
    points: list[Point] = [(float(row[f"lm{i}x"]), float(row[f"lm{i}y"])) for i in range(5)]
    return Sample(
        path=folder / row["file"],
        fake=row["label"] == "fake",
        split=row["split"],
        method=row["method"] or "original",
        dataset=row["dataset"],
        source=row["source"],
        kind=row["kind"],
        landmarks=(points[0], points[1], points[2], points[3], points[4]),
    )


def _check_disjoint(samples: Iterable[Sample]) -> None:
    split_of: dict[str, str] = {}
    for sample in samples:
        if split_of.setdefault(sample.source, sample.split) != sample.split:
            raise DataError(
                f"source {sample.source!r} lies in two splits", hint="split by source, never by frame"
            )
