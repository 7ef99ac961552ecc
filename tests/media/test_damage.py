"""Damaged videos: what is whole is scanned, what is not is counted, and nothing else breaks."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from tests.media.clips import Clip, decode_all, picture, write_clip

from unmask.errors import UnmaskError, UnreadableError
from unmask.media import Sampling, open_media

MakeClip = Callable[[str, Clip], Path]
FASTSTART = {"movflags": "faststart"}


def cut(path: Path, share: float) -> None:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def test_mp4_without_its_index_is_unreadable(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", Clip())
    cut(path, 0.6)
    with pytest.raises(UnreadableError, match="index is missing"):
        open_media(path)


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("clip.mp4", Clip(container_options=FASTSTART)),
        ("clip.mkv", Clip()),
        ("clip.avi", Clip("mpeg4")),
        ("fragments.mp4", Clip(gop=10, container_options={"movflags": "frag_keyframe+empty_moov"})),
        ("clip.ts", Clip()),
    ],
)
@pytest.mark.parametrize("share", [0.35, 0.8])
def test_truncated_video_is_scanned_up_to_the_damage(
    name: str, clip: Clip, share: float, make_clip: MakeClip
) -> None:
    path = make_clip(name, clip)
    every = decode_all(path)
    cut(path, share)
    with open_media(path, threads=2) as media:
        frames = list(media.frames(Sampling(stride=1)))
        counts = media.counts
    assert 15 < len(frames) < 98
    assert counts.sampled + counts.failed >= media.facts.frame_count - 1
    assert counts.failed <= 3
    whole = [frame for frame in frames[:-3] if np.array_equal(frame.image, every[frame.index])]
    assert len(whole) >= len(frames) - 6
    if not name.endswith(".ts"):
        assert counts.truncated
        assert any("cut off" in note for note in counts.notes)


def test_fragmented_recording_cut_anywhere_keeps_its_whole_fragments(make_clip: MakeClip) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"}
    path = make_clip("fragments.mp4", Clip(frames=40, gop=10, container_options=options))
    content = path.read_bytes()
    last = content.rindex(b"moof") - 4
    for kept in (*range(last - 9, last + 240, 11), last + 7, last + 8):
        path.write_bytes(content[:kept])
        with open_media(path, threads=1) as media:
            assert 29 <= len(list(media.frames(Sampling(stride=1)))) <= 31
            assert media.counts.truncated == (kept != last)


def test_damage_in_the_middle_costs_only_its_own_frames(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", Clip(gop=10))
    every = decode_all(path)
    data = bytearray(path.read_bytes())
    at = len(data) // 2
    data[at : at + 1500] = np.random.default_rng(0).bytes(1500)
    path.write_bytes(data)
    with open_media(path, threads=2) as media:
        frames = list(media.frames(Sampling(stride=1)))
        counts = media.counts
    assert counts.sampled + counts.failed == 100
    assert 80 <= len(frames) < 100
    assert sum(np.array_equal(f.image, every[f.index]) for f in frames) >= 75
    assert not counts.truncated


def test_video_with_nothing_but_damage_is_unreadable(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", Clip(frames=30))
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4
    data[start:end] = bytes(end - start)
    path.write_bytes(data)
    with pytest.raises(UnreadableError):
        list(open_media(path).frames(Sampling()))


VIDEOS = ["clip.mp4", "fast.mp4", "clip.mkv", "clip.ts", "clip.avi"]
SEEDS = [*VIDEOS, "a.gif", "a.png", "s.jpg", "s.png", "s.webp"]


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Small whole files to be damaged."""
    folder = tmp_path_factory.mktemp("seeds")
    write_clip(folder / "clip.mp4", Clip(frames=20, gop=8))
    write_clip(folder / "fast.mp4", Clip(frames=20, gop=8, container_options=FASTSTART))
    write_clip(folder / "clip.mkv", Clip("libvpx", frames=20, gop=8, options={"deadline": "realtime"}))
    write_clip(folder / "clip.ts", Clip(frames=20, gop=8))
    write_clip(folder / "clip.avi", Clip("mpeg4", frames=20, gop=8))
    plates = [Image.fromarray(picture(number, (32, 24))) for number in range(4)]
    for name in ("a.gif", "a.png"):
        plates[0].save(folder / name, save_all=True, append_images=plates[1:], duration=50)
    for name in ("s.jpg", "s.png", "s.webp"):
        plates[0].save(folder / name)
    return {name: (folder / name).read_bytes() for name in SEEDS}


@pytest.mark.parametrize("name", SEEDS)
@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_damage_ends_in_frames_or_an_error_of_ours(
    name: str, seeds: dict[str, bytes], tmp_path: Path, data: st.DataObject
) -> None:
    content = bytearray(seeds[name])
    # Half of the flips go to the first bytes, where the structure is.
    near = st.integers(0, min(200, len(content) - 1)) | st.integers(0, len(content) - 1)
    for at, value in data.draw(st.lists(st.tuples(near, st.integers(0, 255)), max_size=12)):
        content[at] = value
    kept = data.draw(st.integers(1, len(content)) | st.just(len(content)))
    path = tmp_path / "damaged"
    path.write_bytes(content[:kept])
    began = time.monotonic()
    try:
        with open_media(path, threads=2, deadline=began + 20) as media:
            for frame in media.frames(Sampling(stride=3)):
                assert frame.image.shape[2] == 3
                assert frame.image.dtype == np.uint8
                assert frame.time >= 0
            assert media.counts.sampled >= 1
    except UnmaskError:
        pass
    assert time.monotonic() - began < 10
