"""Celeb-DF, both versions (Li et al., CVPR 2020).

Celeb-real/id0_0000.mp4   Celeb-synthesis/id0_id1_0000.mp4   YouTube-real/00000.mp4
List_of_testing_videos.txt           lines `1 YouTube-real/00170.mp4`: 1 is real, 0 is fake
"""

from __future__ import annotations

from pathlib import Path

from unmask.data.layouts.found import LAYOUTS, Found, clips_of, expect, rows_of
from unmask.data.layouts.names import celebdf
from unmask.data.sample import ORIGINAL

FOLDERS = {"Celeb-real": False, "Celeb-synthesis": True, "YouTube-real": False}
TEST_LIST = "List_of_testing_videos.txt"


@LAYOUTS.register("celebdf1")
def celebdf1(root: Path) -> Found:
    """Celeb-DF version 1."""
    return _celebdf(root, "celebdf1")


@LAYOUTS.register("celebdf2")
def celebdf2(root: Path) -> Found:
    """Celeb-DF version 2."""
    return _celebdf(root, "celebdf2")


def _celebdf(root: Path, dataset: str) -> Found:
    expect(root, *FOLDERS)
    found = Found(root)
    listed = _test_list(root)
    if not listed:
        found.notes.append(f"{TEST_LIST} is not there: no row is marked as test")
    placed: set[str] = set()
    for folder, fake in FOLDERS.items():
        for clip in clips_of(root / folder):
            name = f"{folder}/{clip.name}"
            placed.add(name)
            found.rows.extend(
                rows_of(
                    found,
                    clip,
                    celebdf(clip.name),
                    fake=fake,
                    dataset=dataset,
                    method=dataset if fake else ORIGINAL,
                    split="test" if name in listed else "",
                )
            )
    found.missing = sorted(f"{name}.mp4" for name in listed - placed)
    _note_shared(found)
    return found


def _test_list(root: Path) -> set[str]:
    path = root / TEST_LIST
    if not path.is_file():
        return set()
    lines = [line.split(maxsplit=1) for line in path.read_text(encoding="utf-8").splitlines()]
    return {parts[1].strip().rpartition(".")[0] for parts in lines if len(parts) == 2}


def _note_shared(found: Found) -> None:
    """The published test list shares persons and recordings with the rest: whoever splits must know."""
    test = {row.source for row in found.rows if row.split == "test"}
    shared = test & {row.source for row in found.rows if row.split != "test"}
    if shared:
        found.notes.append(
            f"the published test list shares {len(shared)} recordings with the videos outside it; "
            "for a test on unseen recordings, split anew by source"
        )
