"""Animations: whole composed pictures at the times viewers show them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unmask.errors import UnreadableError
from unmask.media import Sampling, open_media, opener
from unmask.media.source import Source, read_source

SHADES = [0, 50, 100, 150, 200]
PLATES = [Image.new("RGB", (40, 30), (shade,) * 3) for shade in SHADES]
DURATIONS = [50, 100, 150, 200, 250]


@pytest.mark.parametrize("extension", ["gif", "png", "webp", "avif"])
def test_frames_have_their_true_times(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"moving.{extension}"
    PLATES[0].save(path, save_all=True, append_images=PLATES[1:], duration=DURATIONS)
    with open_media(path) as media:
        frames = list(media.frames(Sampling(stride=1)))
        assert (media.facts.kind, media.facts.frame_count) == ("video", 5)
        assert (media.counts.sampled, media.counts.failed, media.counts.truncated) == (5, 0, False)
        assert [f.index for f in media.frames(Sampling(stride=2))] == [0, 2, 4]
        assert [f.index for f in media.frames(Sampling(frames=2))] == [1, 3]
    assert [frame.time for frame in frames] == pytest.approx([0, 0.05, 0.15, 0.3, 0.5])
    assert [int(frame.image.mean()) for frame in frames] == pytest.approx(SHADES, abs=3)
    if extension != "avif":
        assert media.facts.duration_s == pytest.approx(0.75)
        assert media.facts.variable_frame_rate is True


def test_a_file_that_vanishes_between_two_looks_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still, moving = tmp_path / "still.png", tmp_path / "moving.gif"
    PLATES[0].save(still)
    PLATES[0].save(moving, save_all=True, append_images=PLATES[1:], duration=DURATIONS)
    media = open_media(moving)
    moving.rename(tmp_path / "elsewhere.gif")
    with pytest.raises(UnreadableError, match="can no longer be read") as caught:
        list(media.frames(Sampling(stride=1)))
    assert caught.value.hint
    (tmp_path / "elsewhere.gif").rename(moving)

    def hashed_then_gone(path: Path, *rest: Any) -> Source:
        source = read_source(path, *rest)
        path.unlink()
        return source

    monkeypatch.setattr(opener, "read_source", hashed_then_gone)
    for path in (still, moving):
        with pytest.raises(UnreadableError, match="can no longer be read"):
            open_media(path)


def test_partial_gif_frames_are_composed(tmp_path: Path) -> None:
    path = tmp_path / "patch.gif"
    patched = PLATES[0].copy()
    patched.paste((255, 255, 255), (10, 10, 20, 20))
    PLATES[0].save(path, save_all=True, append_images=[patched], duration=100, disposal=1)
    _, second = open_media(path).frames(Sampling(1))
    assert np.array_equal(second.image, np.asarray(patched))


def test_gif_without_stated_times_runs_as_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / "fast.gif"
    PLATES[0].save(path, save_all=True, append_images=PLATES[1:], duration=0)
    assert [f.time for f in open_media(path).frames(Sampling(2))] == pytest.approx([0, 0.2, 0.4])


def test_default_image_of_an_apng_is_no_frame(tmp_path: Path) -> None:
    path = tmp_path / "default.png"
    PLATES[0].save(path, save_all=True, append_images=PLATES[1:], duration=100, default_image=True)
    frames = list(open_media(path).frames(Sampling(1)))
    assert [int(frame.image.mean()) for frame in frames] == SHADES[1:]


@pytest.mark.parametrize("extension", ["gif", "png", "webp"])
def test_animation_of_one_frame_is_an_image(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"one.{extension}"
    PLATES[1].save(path, save_all=True)
    assert open_media(path).facts.kind == "image"


@pytest.mark.parametrize("extension", ["gif", "png"])
def test_truncated_animation_is_scanned_up_to_the_damage(extension: str, tmp_path: Path) -> None:
    grain = np.random.default_rng(0)
    noise = [Image.fromarray(grain.integers(0, 255, (60, 80, 3), np.uint8)) for _ in range(10)]
    path = tmp_path / f"cut.{extension}"
    noise[0].save(path, save_all=True, append_images=noise[1:], duration=100)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    media = open_media(path)
    frames = list(media.frames(Sampling(1)))
    assert 4 <= len(frames) <= 7
    assert media.counts.truncated
    assert media.counts.sampled + media.counts.failed == media.facts.frame_count


def test_animation_cut_before_its_first_picture_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "cut.gif"
    PLATES[0].save(path, save_all=True, append_images=PLATES[1:], duration=100)
    path.write_bytes(path.read_bytes()[:25])
    with pytest.raises(UnreadableError):
        list(open_media(path).frames(Sampling(1)))


def test_consumer_that_stops_early_leaves_no_thread(tmp_path: Path) -> None:
    path = tmp_path / "moving.gif"
    PLATES[0].save(path, save_all=True, append_images=PLATES[1:], duration=100)
    before = set(threading.enumerate())
    for _ in open_media(path).frames(Sampling(1)):
        break
    assert set(threading.enumerate()) == before
