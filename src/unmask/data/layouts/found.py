"""What a look at a data set's folder gives, and the table of layouts."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from unmask.data.layouts.names import Ties
from unmask.data.manifest import Row
from unmask.data.sample import IMAGES
from unmask.errors import DataError
from unmask.registry import Registry

VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".gif"})

ASIDE = frozenset({"masks", "mask", "landmarks", "landmark"})
"""Folders that several data sets ship beside their media: they hold pictures, but no samples."""

FRAME_FOLDERS = ("frames", "images", "faces")
"""Where the frames of a clip lie in folders named like the clip."""


@dataclass
class Found:
    """The rows of a data set, and all that did not become one.

    `missing` are files that the data set names but that are not there; `within` are the folders below which
    every medium should have been placed (the root, if empty).
    """

    root: Path
    rows: list[Row] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    within: list[Path] = field(default_factory=list)

    def relative(self, path: Path) -> str:
        """`path` from the root, with forward slashes."""
        return path.relative_to(self.root).as_posix()


Layout = Callable[[Path], Found]
LAYOUTS: Registry[Layout] = Registry("layout")
"""Name → a function from a data set's folder to what it holds. It raises `DataError` for another folder."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording in a folder: a video, or the frames of one; `kind` is that of its files."""

    name: str
    kind: str
    files: tuple[Path, ...]


def clips_of(folder: Path) -> Iterator[Clip]:
    """The clips of one folder: videos in it or in `videos/`, and frames in `frames/NAME/` and the like."""
    for place in (folder, folder / "videos"):
        for path in files_in(place):
            if path.suffix.lower() in VIDEOS:
                yield Clip(path.stem, "video", (path,))
    for name in FRAME_FOLDERS:
        for sub in folders_in(folder / name):
            pictures = tuple(p for p in files_in(sub) if p.suffix.lower() in IMAGES)
            if pictures:
                yield Clip(sub.name, "frame", pictures)


def rows_of(
    found: Found,
    clip: Clip,
    ties: Ties,
    *,
    fake: bool,
    dataset: str,
    method: str,
    compression: str = "",
    split: str = "",
) -> Iterator[Row]:
    """A row per file of a clip: one for a video, one for each frame of a folder of them."""
    for path in clip.files:
        yield Row(
            path=found.relative(path),
            fake=fake,
            dataset=dataset,
            method=method,
            kind=clip.kind,
            source=ties.source,
            identity=ties.identity,
            partner_source=ties.partner_source,
            partner=ties.partner,
            compression=compression,
            split=split,
            frame=frame_number(path) if clip.kind == "frame" else 0,
        )


def files_in(folder: Path) -> list[Path]:
    """The files directly in `folder`, sorted; none where there is no such folder."""
    return sorted(_entries(folder, files=True))


def folders_in(folder: Path) -> list[Path]:
    """The folders directly in `folder`, sorted, hidden ones left out."""
    return sorted(_entries(folder, files=False))


def media_below(folder: Path) -> Iterator[Path]:
    """All images and videos anywhere below `folder`, sorted folder by folder, hidden ones left out."""
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and is_medium(name):
                yield Path(path) / name


def is_medium(name: str) -> bool:
    """Whether a file of this name is an image or a video."""
    return os.path.splitext(name)[1].lower() in IMAGES | VIDEOS  # noqa: PTH122  (a million names: no Path each)


def frame_number(path: Path) -> int:
    """The number at the end of a frame's name; 0 where there is none."""
    digits = re.search(r"(\d+)$", path.stem)
    return int(digits[1]) if digits else 0


def expect(root: Path, *names: str) -> None:
    """Raises `DataError` unless at least one of `names` lies in `root`."""
    if not root.is_dir():
        raise DataError(f"there is no folder {root}", hint="give the folder the data set was unpacked into")
    if not any((root / name).exists() for name in names):
        raise DataError(
            f"{root} does not look like this data set: it holds none of {', '.join(names)}",
            hint="give the folder that holds them, or another --layout",
        )


def _entries(folder: Path, *, files: bool) -> Iterator[Path]:
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and (entry.is_file() if files else entry.is_dir()):
                yield folder / entry.name
