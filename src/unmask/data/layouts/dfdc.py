"""The Deepfake Detection Challenge and its preview (Dolhansky et al., 2019 and 2020).

dfdc_train_part_0/{aaa.mp4, metadata.json}  {"aaa.mp4": {"label": "FAKE", "split", "original": "b.mp4"}}
test/{*.mp4, labels.csv or metadata.json}   filename,label (1 is fake); or {"x.mp4": {"is_fake": 1}}
dataset.json of the preview                 {"method_A/1/x.mp4": {"label", "set", "target_id", "swapped_id"}}
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from unmask.data.layouts.found import LAYOUTS, Found, expect
from unmask.data.manifest import Row
from unmask.data.sample import ORIGINAL
from unmask.errors import DataError

SPLIT_OF = {"train": "train", "test": "test", "validation": "val", "validate": "val", "val": "val"}
TABLES = ("metadata.json", "labels.csv")


@LAYOUTS.register("dfdc")
def dfdc(root: Path) -> Found:
    """The full challenge, or any of its parts; every folder with a table of labels is read."""
    if not root.is_dir():
        expect(root, *TABLES)
    tables = sorted(path for name in TABLES for path in root.glob(f"**/{name}"))
    if not tables:
        expect(root, *TABLES)
    found = Found(root)
    placed: set[Path] = set()
    for table in tables:
        labels = _labels_csv(table) if table.suffix == ".csv" else _metadata(table)
        for name, (fake, split, original) in labels.items():
            path = _beside(table.parent, name)
            if path in placed:
                continue
            placed.add(path)
            if not path.is_file():
                found.missing.append(found.relative(path))
                continue
            stem = Path(original if fake and original else name).stem
            found.rows.append(
                Row(
                    path=found.relative(path),
                    fake=fake,
                    dataset="dfdc",
                    method="dfdc" if fake else ORIGINAL,
                    source=f"dfdc:{stem}",
                    split=split,
                )
            )
    return found


@LAYOUTS.register("dfdc-preview")
def dfdc_preview(root: Path) -> Found:
    """The preview: two methods; who was swapped with whom is known, which recordings is not."""
    expect(root, "dataset.json")
    found = Found(root)
    for name, facts in _object(root / "dataset.json").items():
        path = root / name
        if not path.is_file():
            found.missing.append(name)
            continue
        fake = str(facts.get("label", "")).lower() == "fake"
        parts = Path(name).parts
        target = facts.get("target_id") or (parts[-2] if len(parts) > 2 else "")
        donor = facts.get("swapped_id")
        found.rows.append(
            Row(
                path=name,
                fake=fake,
                dataset="dfdc-preview",
                method=parts[0].lower().replace("_", "-") if fake else ORIGINAL,
                source=f"dfdcp:{Path(name).stem}",
                identity=f"dfdcp:{target}" if target else "",
                partner=f"dfdcp:{donor}" if donor and str(donor) != str(target) else "",
                split=SPLIT_OF.get(str(facts.get("set", "")), ""),
            )
        )
    return found


def _beside(folder: Path, name: str) -> Path:
    """Most tables lie beside their videos, some above a folder `videos`."""
    inner = folder / "videos" / name
    return inner if inner.is_file() else folder / name


def _metadata(path: Path) -> dict[str, tuple[bool, str, str]]:
    labels = {}
    for name, facts in _object(path).items():
        if "is_fake" in facts:
            labels[name] = (bool(facts["is_fake"]), "test", str(facts.get("original") or ""))
        elif str(facts.get("label", "")).upper() in ("REAL", "FAKE"):
            fake = str(facts["label"]).upper() == "FAKE"
            split = SPLIT_OF.get(str(facts.get("split", "")), "")
            labels[name] = (fake, split, str(facts.get("original") or ""))
    return labels


def _labels_csv(path: Path) -> dict[str, tuple[bool, str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        reader = csv.DictReader(lines)
        if not {"filename", "label"} <= set(reader.fieldnames or ()):
            raise DataError(f"{path} lacks the columns filename, label", hint="is it another table?")
        return {row["filename"]: (row["label"].upper() in ("1", "FAKE"), "test", "") for row in reader}


def _object(path: Path) -> dict[str, dict[str, Any]]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is no JSON: {error}", hint="fetch it again") from error
    if not isinstance(value, dict) or not all(isinstance(facts, dict) for facts in value.values()):
        raise DataError(f"{path} is no table of videos", hint="is it another data set's?")
    return value
