"""The media a model is measured on: a manifest, a plain table, or folders called real and fake."""

from __future__ import annotations

import csv
from pathlib import Path

from unmask.data.layouts.folders import folders
from unmask.data.manifest import Row, read_manifest
from unmask.errors import DataError
from unmask.evaluation.table import Medium

NEEDED = ("file", "label", "kind", "dataset")
"""Columns that a table must have; `method`, `source`, `partner_source`, `compression` and `split` are read
where they are there."""

KINDS = {"image": "image", "photo": "image", "frame": "image", "video": "video"}
"""Kind of medium in a table or manifest → what it is to a scan."""


def read_media(path: Path, *, split: str = "") -> list[Medium]:
    """The labelled media that `path` names: a manifest (.parquet), a table (.csv) whose files lie in the
    folder of the same name beside it, or a folder with `real` and `fake` below it. `split` takes only one
    split's.

    Raises:
        DataError: it cannot be read, holds nothing (of the split), or two rows are the same file.
    """
    if path.is_dir():
        media = [_of_row(path, row) for row in folders(path).rows if split in ("", row.split)]
    elif path.suffix == ".parquet":
        media = _of_manifest(path, split)
    else:
        media = _of_table(path, split)
    if split and not media:
        raise DataError(f"{path} has no rows of the split {split!r}", hint="is its column split filled?")
    if not media:
        raise DataError(f"{path} holds no media", hint="see docs/evaluation.md for what can be given")
    seen: set[str] = set()
    for medium in media:
        if medium.id in seen:
            raise DataError(f"{path}: {medium.id} is there twice", hint="one row per file")
        seen.add(medium.id)
    return media


def _of_manifest(path: Path, split: str) -> list[Medium]:
    manifest = read_manifest(path)
    table = manifest.table
    if split:
        table = table.filter(table["split"] == split)
    # Several annotated faces of one picture are one medium.
    return [
        Medium(
            path=manifest.root / row["path"],
            id=f"{row['dataset']}/{row['path']}",
            fake=row["label"] == "fake",
            kind="video" if row["kind"] == "video" else "image",
            dataset=row["dataset"],
            method=row["method"],
            # What is not known to come from the same recording stands for itself.
            source=f"{row['dataset']}/{row['source'] or row['path']}",
            compression=row["compression"],
            recordings=tuple(name for name in (row["source"], row["partner_source"]) if name),
        )
        for row in table.unique("path", keep="first", maintain_order=True).iter_rows(named=True)
    ]


def _of_table(path: Path, split: str) -> list[Medium]:
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if not rows or not set(NEEDED) <= set(rows[0]):
        raise DataError(f"{path} needs rows with the columns {', '.join(NEEDED)}")
    if split and "split" not in rows[0]:
        raise DataError(f"{path} has no column split, and {split!r} was asked for", hint="take all of it")
    media = []
    for number, row in enumerate(rows, start=2):
        if row["label"] not in ("real", "fake"):
            raise DataError(f"{path}, line {number}: label {row['label']!r}", hint="use real or fake")
        if row["kind"] not in KINDS:
            raise DataError(f"{path}, line {number}: kind {row['kind']!r}", hint="use image or video")
        if split and row["split"] != split:
            continue
        name = f"{row['dataset']}/{row['file']}"
        media.append(
            Medium(
                path=path.with_suffix("") / row["file"],
                id=name,
                fake=row["label"] == "fake",
                kind=KINDS[row["kind"]],
                dataset=row["dataset"],
                method=row.get("method") or "",
                source=f"{row['dataset']}/{row['source']}" if row.get("source") else name,
                compression=row.get("compression") or "",
                # Without a column, as the layout `corpus-dev` calls them.
                recordings=tuple(
                    name
                    for name in (
                        row.get("source") or f"{path.stem}:{Path(row['file']).with_suffix('').as_posix()}",
                        row.get("partner_source"),
                    )
                    if name
                ),
            )
        )
    return media


def _of_row(root: Path, row: Row) -> Medium:
    path, dataset = row.path, row.dataset
    return Medium(
        path=root / path,
        id=f"{dataset}/{path}",
        fake=row.fake,
        kind="video" if row.kind == "video" else "image",
        dataset=dataset,
        method=row.method,
        source=row.source,
        recordings=(row.source,),
    )
