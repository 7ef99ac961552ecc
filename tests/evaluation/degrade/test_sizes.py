"""Degraded media keep their size, tiny or odd, and stand upright."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from tests.evaluation.degrade.degraded import OF_PICTURES, OF_VIDEOS, read
from tests.media.clips import Clip, write_clip

from unmask.errors import UnmaskError
from unmask.evaluation.degrade import (
    SEVERITIES,
    degrade_file,
)


@pytest.mark.parametrize("kind", OF_VIDEOS)
def test_odd_sizes_lose_their_last_row_and_column(kind: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", Clip(codec="ffv1", frames=4, size=(97, 65), pixels="yuv444p"))
    for severity in (1, 5):
        frames = read(degrade_file(source, tmp_path / "out.mp4", kind, severity))
        assert frames[0].image.shape == (64, 96, 3)
    assert len(frames) == (1 if kind == "frame_rate" else 4)


@pytest.mark.parametrize("size", [(2, 2), (3, 40), (16, 16), (34, 6)])
@pytest.mark.parametrize("kind", OF_VIDEOS)
def test_tiny_videos_come_out_or_are_refused_with_a_reason(
    kind: str, size: tuple[int, int], tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "in.mkv", Clip(codec="ffv1", frames=3, size=size, pixels="yuv444p"))
    refused = None
    try:
        frames = read(degrade_file(source, tmp_path / "out.mp4", kind, 5))
        assert frames[0].image.shape == (size[1] // 2 * 2, size[0] // 2 * 2, 3)
    except UnmaskError as error:
        refused = error
    assert refused is None or kind == "h265"
    assert refused is None or "too small" in refused.message
    assert (tmp_path / "out.mp4").exists() is (refused is None)


@pytest.mark.parametrize("kind", OF_PICTURES)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (31, 17)])
def test_tiny_pictures_keep_their_size(kind: str, size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, (200, 120, 90)).save(tmp_path / "in.png")
    for severity in SEVERITIES:
        with Image.open(degrade_file(tmp_path / "in.png", tmp_path / "out.png", kind, severity)) as result:
            assert result.size == size


def test_a_turned_photo_comes_out_upright(photo_path: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photo_path).crop((0, 0, 300, 200)).save(tmp_path / "in.jpg", exif=exif, quality=95)
    with Image.open(degrade_file(tmp_path / "in.jpg", tmp_path / "out.png", "gamma", 1)) as result:
        assert result.size == (200, 300)
        assert result.format == "PNG"
        assert 0x0112 not in result.getexif()
