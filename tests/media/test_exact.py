"""Sampled frames are, to the bit, those of a full decode, and only what they need is decoded."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.media.clips import Clip, decode_all, write_clip

from unmask.media import Sampling, open_media

CLIPS = {
    "h264.mp4": Clip(options={"x264-params": "bframes=3:b-pyramid=normal:keyint=24"}),
    "h264-open.mp4": Clip(options={"x264-params": "bframes=4:b-pyramid=normal:open-gop=1:keyint=20"}),
    "h264-open.mkv": Clip(options={"x264-params": "bframes=4:open-gop=1:keyint=20:scenecut=0"}),
    "h264-refresh.mkv": Clip(options={"x264-params": "intra-refresh=1:keyint=20"}),
    "h264-interlaced.mp4": Clip(options={"x264-params": "interlaced=1:keyint=24"}),
    "h264-fragments.mp4": Clip(container_options={"movflags": "frag_keyframe+empty_moov"}),
    "h264-intra.mp4": Clip(options={"x264-params": "keyint=1"}),
    "h264-short.mp4": Clip(options={"x264-params": "keyint=12:bframes=2:scenecut=0"}),
    "h264.ts": Clip(options={"x264-params": "keyint=24:bframes=3"}),
    "h264.mov": Clip(),
    "h264.flv": Clip(),
    "hevc.mp4": Clip("libx265", options={"x265-params": "log-level=none:keyint=24:bframes=4"}),
    "hevc-open.mkv": Clip("libx265", options={"x265-params": "log-level=none:keyint=20:open-gop=1"}),
    "hevc-layers.mp4": Clip(
        "libx265", options={"x265-params": "log-level=none:keyint=24:temporal-layers=3:b-adapt=0:bframes=7"}
    ),
    "hevc.ts": Clip("libx265", options={"x265-params": "log-level=none:keyint=24"}),
    "mpeg4.mp4": Clip("mpeg4", options={"bf": "2"}),
    "mpeg4.avi": Clip("mpeg4", options={"bf": "2"}),
    "mpeg2.mpg": Clip("mpeg2video", options={"bf": "2"}, gop=12),
    "mpeg2.ts": Clip("mpeg2video", options={"bf": "2"}, gop=12),
    "mpeg1.mpg": Clip("mpeg1video", options={"bf": "2"}, gop=12),
    "vp8.webm": Clip("libvpx", options={"deadline": "realtime", "auto-alt-ref": "1", "lag-in-frames": "12"}),
    "vp9.webm": Clip("libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}),
    "av1.mp4": Clip("libsvtav1", options={"preset": "12"}, frames=60),
    "mjpeg.avi": Clip("mjpeg", pixels="yuvj420p"),
    "mjpeg.mov": Clip("mjpeg", pixels="yuvj420p"),
    "prores.mov": Clip("prores_ks", pixels="yuv422p10le", frames=40),
    "ffv1.mkv": Clip("ffv1", frames=40),
    "wmv.wmv": Clip("wmv2"),
    "flv1.flv": Clip("flv1"),
    "tenbit.mp4": Clip(pixels="yuv420p10le"),
    "full-chroma.mp4": Clip(pixels="yuv444p"),
    "grey.mkv": Clip("ffv1", pixels="gray", frames=30),
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Name in `CLIPS` → its file, encoded once."""
    folder = tmp_path_factory.mktemp("clips")

    def clip(name: str) -> Path:
        path = folder / name
        return path if path.exists() else write_clip(path, CLIPS[name])

    return clip


@pytest.mark.parametrize("name", sorted(CLIPS))
def test_sampled_frames_are_those_of_a_full_decode(
    name: str, clips: Callable[[str], Path], noisy: None
) -> None:
    path = clips(name)
    every = decode_all(path)
    for sampling in (Sampling(), Sampling(stride=1), Sampling(stride=7), Sampling(frames=3)):
        with open_media(path, threads=2) as media:
            frames = list(media.frames(sampling))
            counts = media.counts
        assert media.facts.frame_count == len(every)
        assert [frame.index for frame in frames] == sampling.ranks(len(every)).tolist()
        assert all(np.array_equal(frame.image, every[frame.index]) for frame in frames)
        assert (counts.sampled, counts.failed, counts.truncated) == (len(frames), 0, False)


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system has no such scheduling")
def test_encoding_leaves_this_process_as_it_was(clips: Callable[[str], Path], noisy: None) -> None:
    clips("av1.mp4")
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mp4", "mpeg4.mp4", "mpeg2.mpg"])
def test_pictures_nothing_refers_to_are_not_decoded(
    name: str, clips: Callable[[str], Path], noisy: None
) -> None:
    with open_media(clips(name), threads=2) as media:
        list(media.frames(Sampling()))
        assert media.counts.decoded <= 75


@pytest.mark.parametrize("name", ["h264.mp4", "h264.ts", "vp9.webm", "h264-open.mkv", "mpeg2.mpg"])
def test_groups_without_a_wanted_frame_are_not_decoded(name: str, clips: Callable[[str], Path]) -> None:
    with open_media(clips(name), threads=2) as media:
        (frame,) = media.frames(Sampling(frames=1))
        assert frame.index == 50
        assert media.counts.decoded <= 31


@pytest.mark.parametrize("name", ["mjpeg.mov", "h264-intra.mp4"])
def test_all_intra_videos_decode_only_wanted_frames(name: str, clips: Callable[[str], Path]) -> None:
    with open_media(clips(name), threads=2) as media:
        assert len(list(media.frames(Sampling()))) == media.counts.decoded == 10


LONG_X264 = Clip(frames=600, gop=30, options={"preset": "ultrafast", "bf": "2"})
LONG_INTRA = Clip("mjpeg", pixels="yuvj420p", frames=600)


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("long.mp4", LONG_X264),
        ("long.mkv", LONG_X264),
        ("long.ts", LONG_X264),
        ("long.mov", LONG_INTRA),
        ("long.avi", LONG_INTRA),
    ],
)
def test_few_frames_of_a_long_file_are_reached_by_seeking(
    name: str, clip: Clip, make_clip: Callable[[str, Clip], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip(name, clip)
    every = decode_all(path)
    monkeypatch.setattr("unmask.media.decode.SEEK_PACKETS", 40)
    read: list[int] = []
    monkeypatch.setattr("unmask.media.decode.check_deadline", lambda *_: read.append(1))
    with open_media(path, threads=2) as media:
        frames = list(media.frames(Sampling(frames=4)))
        assert [frame.index for frame in frames] == [75, 225, 375, 525]
        assert all(np.array_equal(frame.image, every[frame.index]) for frame in frames)
        assert media.counts.decoded <= 4 * 40
        assert len(read) <= 4 * 40


def test_frames_can_be_read_again(clips: Callable[[str], Path]) -> None:
    with open_media(clips("h264.mp4"), threads=2) as media:
        first = [frame.image for frame in media.frames(Sampling(stride=30))]
        again = [frame.image for frame in media.frames(Sampling(stride=30))]
    assert len(first) == 4
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
