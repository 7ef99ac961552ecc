"""Read a corpus of face crops described by one CSV file into samples.

The table has one row a crop with the columns `file, split, label, method, dataset, source, kind` and five
landmarks `lm0x … lm4y` in pixels of the crop; `identity, frame, time_s` and `x1, y1, x2, y2` may be there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

from unmask.data.sample import ORIGINAL, Sample
from unmask.errors import DataError
from unmask.types import BoxXYXY, Point

__all__ = ["COLUMNS", "Sample", "check_disjoint", "read_corpus"]

COLUMNS = ("file", "split", "label", "method", "dataset", "source", "kind")
LANDMARKS = tuple(f"lm{i}{axis}" for i in range(5) for axis in "xy")


def read_corpus(root: Path) -> list[Sample]:
    """All samples of `root/train.csv`, whose files lie under `root/train`.

    Raises:
        DataError: the table is missing or no text, lacks a column, has another label than real or fake or a
            number that is none, or ties one source to two splits.
    """
    table = root / "train.csv"
    if not table.is_file():
        raise DataError(
            f"no corpus at {root}: {table.name} is missing", hint="give the folder that holds train.csv"
        )
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(lines)
            lacking = [name for name in (*COLUMNS, *LANDMARKS) if name not in (reader.fieldnames or ())]
            if lacking:
                raise DataError(
                    f"{table} lacks the columns {', '.join(lacking)}", hint="add them to its first line"
                )
            samples = [_sample(row, root / "train", table) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read: {error}", hint="it must be CSV text in UTF-8") from error
    check_disjoint(samples)
    return samples


def check_disjoint(samples: Iterable[Sample]) -> None:
    """Raises `DataError` where one source lies in two splits; samples of no split or no source may."""
    split_of: dict[str, str] = {}
    for sample in samples:
        if not sample.split or not sample.source:
            continue
        if split_of.setdefault(sample.source, sample.split) != sample.split:
            raise DataError(
                f"source {sample.source!r} lies in two splits", hint="split by source, never by frame"
            )


def _sample(row: dict[str, str], folder: Path, table: Path) -> Sample:
    if row["label"] not in ("real", "fake"):
        raise DataError(f"{table}: {row['file']} is labelled {row['label']!r}", hint="use real or fake")
    try:
        points: list[Point] = [(float(row[f"lm{i}x"]), float(row[f"lm{i}y"])) for i in range(5)]
        frame, time = int(row.get("frame") or 0), float(row.get("time_s") or 0)
        box = _box(row)
    except (TypeError, ValueError) as error:
        raise DataError(f"{table}: {row['file']} has a number that is none ({error})") from error
    return Sample(
        path=folder / row["file"],
        fake=row["label"] == "fake",
        split=row["split"],
        method=row["method"] or ORIGINAL,
        dataset=row["dataset"],
        source=row["source"],
        kind=row["kind"],
        landmarks=(points[0], points[1], points[2], points[3], points[4]),
        identity=row.get("identity") or "",
        frame=frame,
        time=time,
        box=box,
        origin=row.get("origin") or "",
    )


def _box(row: dict[str, str]) -> BoxXYXY | None:
    if not all(row.get(name) for name in ("x1", "y1", "x2", "y2")):
        return None
    return (float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"]))
