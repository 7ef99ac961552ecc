"""A manifest: one Parquet table of media or face crops, with its schema's version and root folder inside.

A row is a medium as it was indexed (a video, a photo, a frame, or one annotated face of a picture), or a face
crop that was cut from one; crops have landmarks. Paths are relative to the root, with forward slashes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from unmask.data.corpus import check_disjoint, read_corpus
from unmask.data.sample import ORIGINAL, Sample
from unmask.errors import DataError
from unmask.report.atomic import replacing
from unmask.types import BoxXYXY, Landmarks

SCHEMA_VERSION = 1
VERSION_KEY, ROOT_KEY = "unmask.manifest", "unmask.root"

BOX = ("x1", "y1", "x2", "y2")
LANDMARKS = tuple(f"lm{i}{axis}" for i in range(5) for axis in "xy")
KINDS = ("photo", "frame", "video")
SPLITS = ("train", "val", "test")

SCHEMA = pl.Schema(
    {
        "path": pl.String(),
        "label": pl.String(),
        "method": pl.String(),
        "dataset": pl.String(),
        "identity": pl.String(),
        "partner": pl.String(),
        "source": pl.String(),
        "partner_source": pl.String(),
        "kind": pl.String(),
        "compression": pl.String(),
        "split": pl.String(),
        "frame": pl.Int64(),
        "time": pl.Float64(),
        **{name: pl.Float64() for name in (*BOX, *LANDMARKS)},
        "side": pl.Float64(),
        "origin": pl.String(),
    }
)
"""Every column and its type. Texts that are not known are empty; numbers that are not known are null."""

REQUIRED = ("path", "label", "method", "dataset", "source", "kind")
"""What a table from elsewhere must have; the other columns are filled with empty values."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a manifest before it becomes part of a table.

    `path` and `origin` (the file a crop was cut from) are relative to the manifest's root, with forward
    slashes. `box` and `landmarks` are in pixels of the file at `path`; `side` is the side of a crop in pixels
    of its origin, `time` is in seconds. The other fields are as in `Sample`.
    """

    path: str
    fake: bool
    dataset: str
    method: str = ORIGINAL
    kind: str = "video"
    source: str = ""
    identity: str = ""
    partner_source: str = ""
    partner: str = ""
    split: str = ""
    compression: str = ""
    frame: int = 0
    time: float = 0.0
    box: BoxXYXY | None = None
    landmarks: Landmarks | None = None
    side: float | None = None
    origin: str = ""


@dataclass(frozen=True, eq=False)
class Manifest:
    """A table with the columns of `SCHEMA` and the folder its paths start from."""

    root: Path
    table: pl.DataFrame

    def paths(self) -> list[Path]:
        """The file of each row."""
        return [self.root / path for path in self.table["path"]]


def table_of(rows: Iterable[Row]) -> pl.DataFrame:
    """The rows as a table with the columns of `SCHEMA`, in the same order."""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA}
    for row in rows:
        for name in ("path", "method", "dataset", "identity", "partner", "source", "partner_source", "kind"):
            columns[name].append(getattr(row, name))
        for name in ("compression", "split", "frame", "time", "side", "origin"):
            columns[name].append(getattr(row, name))
        columns["label"].append("fake" if row.fake else "real")
        box = row.box or (None,) * 4
        for name, value in zip(BOX, box, strict=True):
            columns[name].append(value)
        flat = [v for point in row.landmarks for v in point] if row.landmarks else [None] * 10
        for name, value in zip(LANDMARKS, flat, strict=True):
            columns[name].append(value)
    return pl.DataFrame(columns, schema=SCHEMA)


def rows_of_table(table: pl.DataFrame) -> list[Row]:
    """The table's rows; the inverse of `table_of`."""
    return [_row(values) for values in table.iter_rows(named=True)]


def write_manifest(path: Path, manifest: Manifest) -> Path:
    """Write to `path` in one step and return it.

    The root is stored relative to the manifest where one holds the other, so that the folder can be moved.

    Raises:
        UnmaskError: the file cannot be written.
    """
    folder, root = path.absolute().parent, manifest.root.absolute()
    near = root.is_relative_to(folder) or folder.is_relative_to(root)
    stored = os.path.relpath(root, folder) if near else str(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        manifest.table.write_parquet(
            temporary, metadata={VERSION_KEY: str(SCHEMA_VERSION), ROOT_KEY: Path(stored).as_posix()}
        )
    return path


def read_manifest(path: Path) -> Manifest:
    """The manifest at `path`; a Parquet table from elsewhere has the manifest's folder for its root.

    Raises:
        DataError: the file is missing or no Parquet table, was written by a newer version, lacks columns, has
            columns of the wrong type, or a label other than real or fake.
    """
    if not path.is_file():
        raise DataError(f"there is no manifest {path}", hint="make one with `unmask data index`")
    try:
        metadata = pl.read_parquet_metadata(path)
        table = pl.read_parquet(path, glob=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path} is no readable Parquet table: {reason}", hint="make it with `unmask data index`"
        ) from error
    version = metadata.get(VERSION_KEY, "1")
    if version != str(SCHEMA_VERSION):
        raise DataError(
            f"{path} follows manifest schema {version}, this version reads {SCHEMA_VERSION}",
            hint="update unmask, or make the manifest again",
        )
    lacking = [name for name in REQUIRED if name not in table.columns]
    if lacking:
        raise DataError(
            f"{path} lacks the columns {', '.join(lacking)}", hint="docs/data.md lists all of them"
        )
    table = _completed(table, path)
    wrong = table.filter(~pl.col("label").is_in(["real", "fake"]))
    if len(wrong):
        raise DataError(
            f"{path}: {wrong['path'][0]} is labelled {wrong['label'][0]!r}", hint="use real or fake"
        )
    return Manifest((path.absolute().parent / metadata.get(ROOT_KEY, ".")).resolve(), table)


def read_samples(path: Path) -> list[Sample]:
    """The face crops of a corpus: a folder with train.csv, or a manifest whose rows have landmarks.

    Raises:
        DataError: no such file; unreadable; missing columns or landmarks; one source in two splits.
    """
    if path.is_dir():
        return read_corpus(path)
    manifest = read_manifest(path)
    bare = manifest.table.filter(pl.any_horizontal(pl.col(name).is_null() for name in LANDMARKS))
    if len(bare):
        raise DataError(
            f"{path}: {len(bare)} of {len(manifest.table)} rows have no landmarks ({bare['path'][0]} …)",
            hint="cut the faces first: unmask data extract MANIFEST OUT, then give OUT/manifest.parquet",
        )
    samples = [_sample(manifest.root, row) for row in manifest.table.iter_rows(named=True)]
    check_disjoint(samples)
    return samples


def _sample(root: Path, row: dict[str, Any]) -> Sample:
    p = [(row[f"lm{i}x"], row[f"lm{i}y"]) for i in range(5)]
    box = (row["x1"], row["y1"], row["x2"], row["y2"])
    return Sample(
        path=root / row["path"],
        fake=row["label"] == "fake",
        split=row["split"],
        method=row["method"],
        dataset=row["dataset"],
        source=row["source"],
        kind=row["kind"],
        landmarks=(p[0], p[1], p[2], p[3], p[4]),
        identity=row["identity"],
        partner=row["partner"],
        partner_source=row["partner_source"],
        compression=row["compression"],
        frame=row["frame"],
        time=row["time"],
        box=None if None in box else box,
        origin=row["origin"],
    )


def _row(values: dict[str, Any]) -> Row:
    box = tuple(values[name] for name in BOX)
    p = [(values[f"lm{i}x"], values[f"lm{i}y"]) for i in range(5)]
    has_points = all(x is not None and y is not None for x, y in p)
    texts = {name: values[name] for name, kind in SCHEMA.items() if kind == pl.String() and name != "label"}
    return Row(
        fake=values["label"] == "fake",
        frame=values["frame"],
        time=values["time"],
        box=None if None in box else (box[0], box[1], box[2], box[3]),
        landmarks=(p[0], p[1], p[2], p[3], p[4]) if has_points else None,
        side=values["side"],
        **texts,
    )


def _completed(table: pl.DataFrame, path: Path) -> pl.DataFrame:
    """All columns of `SCHEMA` in its types and order; text and whole numbers without nulls."""
    columns = []
    for name, kind in SCHEMA.items():
        column = pl.col(name) if name in table.columns else pl.lit(None)
        column = column.cast(kind)
        if kind == pl.String():
            column = column.fill_null("")
        elif name in ("frame", "time"):
            column = column.fill_null(0)
        columns.append(column.alias(name))
    try:
        return table.select(columns)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path} has a column of the wrong type: {reason}") from error
