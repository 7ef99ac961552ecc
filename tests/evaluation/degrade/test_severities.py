"""What each kind of degradation promises: worse step by step, and the same bytes each time."""

from __future__ import annotations

import itertools
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.evaluation.degrade.degraded import (
    OF_PICTURES,
    OF_VIDEOS,
    SHORT,
    WORSE_BY,
    likeness,
    read,
    seconds,
    the_face,
)

from unmask.evaluation.degrade import (
    DEGRADATIONS,
    SEVERITIES,
    degrade_file,
)
from unmask.faces.crop import face_frame
from unmask.types import Frame


def test_every_kind_says_what_its_five_severities_are() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "robustness.md").read_text(encoding="utf-8")
    for kind in DEGRADATIONS:
        degradation = DEGRADATIONS[kind]
        assert len(degradation.levels) == len(SEVERITIES)
        assert degradation.__doc__
        assert degradation.unit
        row = next(line for line in guide.splitlines() if line.startswith(f"| `{kind}`"))
        for level in degradation.levels:
            for number in level if isinstance(level, tuple) else (level,):
                assert f"{number:g}" in row, f"{kind}: {number:g} is not in the table"


@pytest.mark.parametrize("kind", OF_PICTURES)
def test_each_severity_of_a_picture_is_clearly_worse_than_the_one_before(
    kind: str, photo_path: Path, photo: NDArray[np.uint8], tmp_path: Path
) -> None:
    results = [degrade_file(photo_path, tmp_path / f"{n}.png", kind, n) for n in SEVERITIES]
    pictures = [np.asarray(Image.open(path)) for path in results]
    assert all(picture.shape == photo.shape for picture in pictures)
    marks = [likeness(photo, picture) for picture in pictures]
    assert all(b < a - WORSE_BY for a, b in itertools.pairwise(marks)), marks


@pytest.mark.parametrize("kind", OF_PICTURES)
def test_at_the_worst_severity_the_face_is_still_found_where_it_was(
    kind: str, photo_path: Path, photo: NDArray[np.uint8], tmp_path: Path
) -> None:
    find = the_face()
    worst = np.asarray(Image.open(degrade_file(photo_path, tmp_path / "5.png", kind, 5)))
    was, now = face_frame(find(photo)[0].landmarks), face_frame(find(worst)[0].landmarks)
    assert math.dist(was.origin, now.origin) < 0.15 * was.face_size
    assert now.scale == pytest.approx(was.scale, rel=0.2)


@pytest.mark.parametrize("kind", [kind for kind in OF_VIDEOS if kind != "frame_rate"])
def test_each_severity_of_a_video_is_clearly_worse_and_keeps_size_times_and_length(
    kind: str, short_video: Path, tmp_path: Path
) -> None:
    source = read(short_video)
    marks = []
    for severity in SEVERITIES:
        path = degrade_file(short_video, tmp_path / "out.mp4", kind, severity)
        frames = read(path)
        assert [frame.time for frame in frames] == pytest.approx([frame.time for frame in source])
        assert frames[0].image.shape == source[0].image.shape
        assert seconds(path) == pytest.approx(SHORT / 25)
        marks.append(np.mean([likeness(a.image, b.image) for a, b in zip(source, frames, strict=True)]))
    assert all(b < a - WORSE_BY for a, b in itertools.pairwise(marks)), marks


@pytest.mark.parametrize("kind", OF_PICTURES)
def test_the_same_photo_gives_the_same_bytes(kind: str, photo_path: Path, tmp_path: Path) -> None:
    copied = shutil.copy(photo_path, tmp_path / "another name.png")
    one = degrade_file(photo_path, tmp_path / "1.png", kind, 4)
    two = degrade_file(Path(copied), tmp_path / "2.png", kind, 4)
    assert one.read_bytes() == two.read_bytes()


def test_noise_hangs_on_the_content_and_on_the_frame(tmp_path: Path) -> None:
    grey = np.full((120, 160, 3), 118, np.uint8)
    pictures = []
    for n in range(2):
        grey[0, 0] = n
        Image.fromarray(grey).save(tmp_path / f"{n}.png")
        degraded = degrade_file(tmp_path / f"{n}.png", tmp_path / "out.png", "noise", 3)
        pictures.append(np.asarray(Image.open(degraded), np.float64)[1:])
    assert np.corrcoef(pictures[0].ravel(), pictures[1].ravel())[0, 1] < 0.05
    assert pictures[0].std() == pytest.approx(11.6, abs=0.5)
    noise = DEGRADATIONS["noise"](3, 7)
    first, second = (noise.picture(Frame(grey, index, 0.0)) for index in (0, 1))  # type: ignore[attr-defined]
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] < 0.05


def test_noise_on_a_large_photo_is_still_there_when_it_is_shrunk() -> None:
    noise = DEGRADATIONS["noise"](3, 7)
    spreads = []
    for height, width in ((480, 640), (1921, 2563)):
        grey = np.full((height, width, 3), 118, np.uint8)
        noisy = noise.picture(Frame(grey, 0, 0.0))  # type: ignore[attr-defined]
        assert noisy.shape == grey.shape
        spreads.append(cv2.resize(noisy, (160, 120), interpolation=cv2.INTER_AREA).std())
    assert spreads[1] == pytest.approx(spreads[0], rel=0.1)


def test_captions_cover_the_stated_share_of_the_face(
    photo: NDArray[np.uint8], photo_path: Path, tmp_path: Path
) -> None:
    x1, y1, x2, y2 = (round(edge) for edge in the_face()(photo)[0].box)
    for severity in SEVERITIES:
        covered = np.asarray(Image.open(degrade_file(photo_path, tmp_path / "o.png", "overlay", severity)))
        rows = (covered[y1:y2, x1:x2] != photo[y1:y2, x1:x2]).any(axis=2).mean(axis=1) > 0.9
        assert rows.mean() * 100 == pytest.approx(DEGRADATIONS["overlay"].levels[severity - 1], abs=2)
        assert (covered[-10:] != photo[-10:]).any()


def test_captions_follow_a_face_that_comes_into_a_video(photo: NDArray[np.uint8]) -> None:
    overlay = DEGRADATIONS["overlay"](3, 0)
    empty = np.zeros_like(photo)
    plain = overlay.picture(Frame(empty, 0, 0.0))  # type: ignore[attr-defined]
    before = overlay.picture(Frame(photo, 1, 0.5))  # type: ignore[attr-defined]
    after = overlay.picture(Frame(photo, 2, 1.0))  # type: ignore[attr-defined]
    face = (slice(60, 180), slice(180, 270))
    assert (plain[face] == 0).all()
    assert (before[face] == photo[face]).all()
    assert (after[face] != photo[face]).any()
