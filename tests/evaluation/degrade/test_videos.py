"""Degraded videos keep their times, turn upright, and need no more memory the longer they are."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import pytest
from PIL import Image
from tests.evaluation.degrade.degraded import OF_VIDEOS, likeness, read, seconds, times
from tests.media.clips import Clip, write_clip

from unmask.evaluation.degrade import (
    DEGRADATIONS,
    degrade_file,
)
from unmask.media import open_media


def test_the_carrier_itself_loses_next_to_nothing(short_video: Path, tmp_path: Path) -> None:
    frames = read(degrade_file(short_video, tmp_path / "out.mp4", "frame_rate", 1))
    source = {round(frame.time * 1000): frame.image for frame in read(short_video)}
    assert min(likeness(source[round(f.time * 1000)], f.image) for f in frames) > 39


def test_the_whole_example_video_comes_out_without_its_sound(video_path: Path, tmp_path: Path) -> None:
    shares: list[float] = []
    path = degrade_file(video_path, tmp_path / "out.mp4", "social", 5, progress=shares.append)
    with open_media(path) as media, open_media(video_path) as source:
        assert source.facts.has_audio
        assert not media.facts.has_audio
        assert media.facts.frame_count == source.facts.frame_count == 200
        assert media.facts.duration_s == pytest.approx(source.facts.duration_s)
        assert media.facts.container.startswith("mov,mp4")
    assert shares == sorted(shares)
    assert shares[0] < 0.01
    assert shares[-1] == 1.0
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize(("severity", "kept"), [(1, 45), (2, 30), (3, 15), (4, 6), (5, 3)])
def test_frames_are_dropped_to_the_rate_and_those_kept_keep_their_times(
    severity: int, kept: int, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "in.mp4", Clip(frames=75))
    result = degrade_file(source, tmp_path / "out.mp4", "frame_rate", severity)
    stayed = times(result)
    rate = DEGRADATIONS["frame_rate"].levels[severity - 1]
    assert len(stayed) == kept
    assert stayed[0] == 0.0
    assert {round(time * 25, 3) for time in stayed} <= set(range(75))
    # Each is the first frame of its span, so none is further from its span's start than a frame is long.
    assert all(time - n / rate < 1 / 25 for n, time in enumerate(stayed))  # type: ignore[operator]
    assert seconds(result) == pytest.approx(3.0)


def test_a_video_slower_than_the_rate_keeps_all_frames(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Clip(frames=9, rate=2))
    assert len(times(degrade_file(source, tmp_path / "out.mp4", "frame_rate", 4))) == 9


@pytest.mark.parametrize("kind", ["gamma", "h264", "h265", "social"])
def test_variable_frame_times_are_kept(kind: str, tmp_path: Path) -> None:
    steps = [512, 512, 1536, 300, 700, 512, 40, 2000] * 4
    ticks = [0, *itertools.accumulate(steps)]
    source = write_clip(tmp_path / "in.mp4", Clip(clock=12800, ticks=ticks))
    result = degrade_file(source, tmp_path / "out.mp4", kind, 2)
    assert times(result) == pytest.approx([tick / 12800 for tick in ticks], abs=1e-5)
    with open_media(source) as media:
        assert seconds(result) == pytest.approx(media.facts.duration_s, abs=1e-4)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_video_comes_out_upright(rotation: int, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Clip(frames=8, rotation=rotation))
    result = degrade_file(source, tmp_path / "out.mp4", "h264", 1)
    with open_media(result) as media:
        assert media.facts.rotation_degrees == 0
    before, after = read(source), read(result)
    assert after[3].image.shape == before[3].image.shape
    assert likeness(before[3].image, after[3].image) > 20


def test_an_animation_is_a_video(tmp_path: Path) -> None:
    colours = [Image.new("RGB", (64, 48), (60 * n, 90, 120)) for n in range(4)]
    colours[0].save(
        tmp_path / "in.gif", save_all=True, append_images=colours[1:], duration=[100, 300, 200, 400]
    )
    result = degrade_file(tmp_path / "in.gif", tmp_path / "out.mp4", "h264", 1)
    assert times(result) == pytest.approx([0.0, 0.1, 0.4, 0.6])
    assert seconds(result) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", OF_VIDEOS)
def test_the_same_video_gives_the_same_bytes(kind: str, short_video: Path, tmp_path: Path) -> None:
    one = degrade_file(short_video, tmp_path / "1.mp4", kind, 4)
    two = degrade_file(short_video, tmp_path / "2.mp4", kind, 4)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("kind", ["blur", "social", "h265"])
def test_memory_does_not_grow_with_the_video(kind: str, tmp_path: Path) -> None:
    peaks = []
    for frames in (20, 120):
        source = write_clip(tmp_path / "in.mp4", Clip(frames=frames, size=(320, 240)))
        tracemalloc.start()
        degrade_file(source, tmp_path / "out.mp4", kind, 1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 5 * 320 * 240 * 3


def test_nothing_is_printed(short_video: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    degrade_file(short_video, tmp_path / "out.mp4", "h265", 5)
    degrade_file(short_video, tmp_path / "out.mp4", "webp", 5)
    assert capfd.readouterr() == ("", "")
