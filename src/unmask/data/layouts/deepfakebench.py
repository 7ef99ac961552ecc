"""Data sets rearranged by DeepfakeBench (Yan et al., NeurIPS 2023): frames named in JSON tables.

    [dataset_json/]FF-DF.json   {dataset: {label: {split: {[compression:] {video: {label, frames: […]}}}}}}

Its tables repeat the reals in every file and many videos in several splits; each frame becomes one row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from unmask.data.layouts.found import LAYOUTS, Found, expect, frame_number
from unmask.data.layouts.names import ties_of
from unmask.data.manifest import Row
from unmask.data.sample import ORIGINAL
from unmask.errors import DataError

DATASETS = {
    "faceforensics++": "ffpp",
    "deepfakedetection": "dfd",
    "faceshifter": "ffpp",
    "celeb-df-v1": "celebdf1",
    "celeb-df-v2": "celebdf2",
    "dfdcp": "dfdc-preview",
    "deeperforensics-1.0": "deeperforensics",
}
METHODS = {
    "ff-df": "deepfakes",
    "ff-f2f": "face2face",
    "ff-fs": "faceswap",
    "ff-nt": "neuraltextures",
    "ff-fh": "faceshifter",
    "dfd_fake": "dfd",
    "celebdfv1_fake": "celebdf1",
    "celebdfv2_fake": "celebdf2",
}
SPLIT_ORDER = ("test", "val", "train", "")
"""A video listed in several splits goes to the first of these: what is measured on is not trained on."""


@dataclass(frozen=True, slots=True)
class Video:
    """One entry of a table."""

    dataset: str
    label: str
    split: str
    compression: str
    name: str
    frames: tuple[str, ...]


@LAYOUTS.register("deepfakebench")
def deepfakebench(root: Path) -> Found:
    """All frames of all tables in the folder or in its `dataset_json`."""
    tables = sorted((root / "dataset_json").glob("*.json")) or sorted(root.glob("*.json"))
    if not tables:
        expect(root, "dataset_json")
        raise DataError(f"{root} holds no JSON tables", hint="give the folder that holds dataset_json")
    found = Found(root)
    best: dict[tuple[str, ...], Video] = {}
    several: set[tuple[str, ...]] = set()
    for table in tables:
        for video in _videos(table):
            known = best.setdefault(video.frames, video)
            if known.split != video.split:
                several.add(video.frames)
                if SPLIT_ORDER.index(video.split) < SPLIT_ORDER.index(known.split):
                    best[video.frames] = video
    if several:
        found.notes.append(f"{len(several)} videos are listed in several splits; test goes before val")
    finder = _Finder(root)
    placed: set[str] = set()
    for video in best.values():
        for row in _rows(found, video, finder):
            if row.path not in placed:
                placed.add(row.path)
                found.rows.append(row)
    return found


def _rows(found: Found, video: Video, finder: _Finder) -> Iterator[Row]:
    real = "real" in video.label.lower()
    dataset = DATASETS.get(video.dataset.lower(), video.dataset.lower())
    if dataset.startswith("ff-"):
        dataset = "ffpp"
    ties = ties_of(dataset, video.name)
    for name in video.frames:
        path = finder.find(name)
        if path is None:
            found.missing.append(name)
            continue
        yield Row(
            path=found.relative(path),
            fake=not real,
            dataset=dataset,
            method=ORIGINAL if real else METHODS.get(video.label.lower(), video.label.lower()),
            kind="frame",
            source=ties.source,
            identity=ties.identity,
            partner_source=ties.partner_source,
            partner=ties.partner,
            compression=video.compression,
            split=video.split,
            frame=frame_number(path),
        )


class _Finder:
    """Finds a table's frame below the root: tables carry the path of whoever made them, often Windows'."""

    def __init__(self, root: Path) -> None:
        self.root, self.drop = root, 0

    def find(self, name: str) -> Path | None:
        """The file, or None. How many leading folders to drop is learnt from the frames before."""
        parts = PurePosixPath(name.replace("\\", "/")).parts
        for drop in dict.fromkeys((self.drop, *range(len(parts)))):
            if drop < len(parts) and ".." not in parts:
                path = self.root.joinpath(*[p for p in parts[drop:] if p != "/"])
                if path.is_file():
                    self.drop = drop
                    return path
        return None


def _videos(table: Path) -> Iterator[Video]:
    try:
        content = json.loads(table.read_text(encoding="utf-8"))
        for dataset, labels in content.items():
            for label, splits in labels.items():
                for split, below in splits.items():
                    yield from _below(dataset, label, split, below)
    except (ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{table} is no table of DeepfakeBench: {error}", hint="take other JSON files out of the folder"
        ) from error


def _below(dataset: str, label: str, split: str, below: dict[str, Any]) -> Iterator[Video]:
    known = {"train": "train", "val": "val", "test": "test", "validation": "val"}.get(split, "")
    for name, entry in below.items():
        if not isinstance(entry, dict):
            continue  # a known fault of its DFDC table: one video's facts stand in place of the videos
        if "frames" in entry:
            yield Video(dataset, label, known, "", name, tuple(sorted(entry["frames"])))
            continue
        for video, facts in entry.items():
            yield Video(dataset, label, known, name, video, tuple(sorted(facts["frames"])))
