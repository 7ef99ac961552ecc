"""Our own corpora: face crops in train.csv with train/, and plain labelled media in dev.csv with dev/."""

from __future__ import annotations

import csv
from pathlib import Path

from unmask.data.corpus import read_corpus
from unmask.data.layouts.found import LAYOUTS, Found, expect
from unmask.data.manifest import Row
from unmask.data.sample import ORIGINAL
from unmask.errors import DataError

DEV_COLUMNS = ("file", "label", "kind", "method", "dataset")


@LAYOUTS.register("corpus")
def corpus(root: Path) -> Found:
    """The crops of train.csv, with their boxes and landmarks: a manifest that can be trained on."""
    expect(root, "train.csv")
    found = Found(root, within=[root / "train"])
    sides = _sides(root / "train.csv")
    for sample in read_corpus(root):
        if not sample.path.is_file():
            found.missing.append(found.relative(sample.path))
            continue
        side, origin = sides.get(sample.path.relative_to(root / "train").as_posix(), (None, ""))
        found.rows.append(
            Row(
                path=found.relative(sample.path),
                fake=sample.fake,
                dataset=sample.dataset,
                method=sample.method,
                kind=sample.kind,
                source=sample.source,
                identity=sample.identity,
                split=sample.split,
                frame=sample.frame,
                time=sample.time,
                box=sample.box,
                landmarks=sample.landmarks,
                side=side,
                origin=origin,
            )
        )
    return found


@LAYOUTS.register("corpus-dev")
def corpus_dev(root: Path) -> Found:
    """The media of dev.csv, all for measuring (split test); each file is its own source."""
    expect(root, "dev.csv")
    found = Found(root, within=[root / "dev"])
    for row in _table(root / "dev.csv", DEV_COLUMNS):
        path = root / "dev" / row["file"]
        if not path.is_file():
            found.missing.append(f"dev/{row['file']}")
            continue
        if row["label"] not in ("real", "fake"):
            raise DataError(f"dev.csv: {row['file']} is labelled {row['label']!r}", hint="use real or fake")
        fake = row["label"] == "fake"
        found.rows.append(
            Row(
                path=found.relative(path),
                fake=fake,
                dataset=row["dataset"],
                method=(row["method"] or "unknown") if fake else ORIGINAL,
                kind="photo" if row["kind"] == "image" else "video",
                source=f"dev:{Path(row['file']).with_suffix('').as_posix()}",
                split="test",
                origin=row.get("origin") or "",
            )
        )
    return found


def _sides(table: Path) -> dict[str, tuple[float | None, str]]:
    """File → the crop's side in its original in pixels, and that original; where the table says so."""
    return {
        row["file"]: (float(row["side_px"]) if row.get("side_px") else None, row.get("origin") or "")
        for row in _table(table, ("file",))
    }


def _table(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        lacking = [name for name in columns if name not in (reader.fieldnames or ())]
        if lacking:
            raise DataError(f"{path} lacks the columns {', '.join(lacking)}")
        return list(reader)
