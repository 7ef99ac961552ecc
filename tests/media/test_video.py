"""What a video tells about itself, and that its frames come upright, in true colours, at true times."""

from __future__ import annotations

import gc
import hashlib
import threading
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.clips import Clip, picture

from unmask.errors import TimedOutError
from unmask.media import Sampling, open_media

MakeClip = Callable[[str, Clip], Path]


def corners(image: NDArray[np.uint8]) -> list[int]:
    """Mean brightness of the four quarters: top left, top right, bottom left, bottom right."""
    h, w = image.shape[0] // 2, image.shape[1] // 2
    return [int(part.mean()) for part in (image[:h, :w], image[:h, w:], image[h:, :w], image[h:, w:])]


def write_quarters(path: Path, matrix: tuple[int, bool, bool]) -> None:
    """One frame whose quarters get brighter in reading order, with rotation and flips in its container."""
    image = np.zeros((64, 96, 3), np.uint8)
    image[:32, :48], image[:32, 48:], image[32:, :48], image[32:, 48:] = 40, 90, 140, 190
    degrees, hflip, vflip = matrix
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_rotation(degrees, hflip=hflip, vflip=vflip)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("matrix", "order", "clockwise"),
    [
        ((0, False, False), (0, 1, 2, 3), 0),
        ((90, False, False), (1, 3, 0, 2), 270),
        ((180, False, False), (3, 2, 1, 0), 180),
        ((270, False, False), (2, 0, 3, 1), 90),
        ((0, True, False), (1, 0, 3, 2), 0),
    ],
)
def test_rotated_video_comes_upright(
    matrix: tuple[int, bool, bool], order: tuple[int, ...], clockwise: int, tmp_path: Path
) -> None:
    path = tmp_path / "turned.mp4"
    write_quarters(path, matrix)
    with open_media(path) as media:
        (frame,) = media.frames(Sampling())
    greys = [40, 90, 140, 190]
    assert corners(frame.image) == pytest.approx([greys[i] for i in order], abs=4)
    assert frame.image.shape == (media.facts.height, media.facts.width, 3)
    assert media.facts.rotation_degrees == clockwise
    assert frame.image.flags.c_contiguous


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mkv"])
def test_variable_frame_rate_gives_true_times(name: str, make_clip: MakeClip) -> None:
    ticks = [0, 40, 80, 200, 240, 900, 940, 980, 1500, 2000]
    path = make_clip(name, Clip(clock=1000, ticks=ticks))
    with open_media(path) as media:
        frames = list(media.frames(Sampling(stride=1)))
    assert [frame.time for frame in frames] == pytest.approx([tick / 1000 for tick in ticks], abs=1e-3)
    assert media.facts.variable_frame_rate is True
    assert media.facts.frame_rate == pytest.approx(4.5)


def test_constant_rate_of_30000_1001_is_not_called_variable(tmp_path: Path) -> None:
    path = tmp_path / "ntsc.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30000, 1001))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(60):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
        container.mux(stream.encode(None))
    facts = open_media(path).facts
    assert facts.variable_frame_rate is False
    assert facts.frame_rate == pytest.approx(29.97, abs=0.01)


def test_clip_that_does_not_begin_at_zero_is_timed_from_its_first_frame(make_clip: MakeClip) -> None:
    path = make_clip("late.mkv", Clip(ticks=range(50, 80)))
    with open_media(path) as media:
        assert [frame.time for frame in media.frames(Sampling())] == pytest.approx([0, 0.4, 0.8], abs=1e-3)


def test_facts_of_a_video(make_clip: MakeClip) -> None:
    path = make_clip("фильм 🎬.mp4", Clip(frames=50, audio=True, rotation=-90))
    facts = open_media(str(path)).facts
    assert (facts.kind, facts.codec, facts.pixel_format, facts.bit_depth) == ("video", "h264", "yuv420p", 8)
    assert (facts.width, facts.height, facts.rotation_degrees) == (64, 96, 90)
    assert facts.frame_count == 50
    assert facts.frame_rate == pytest.approx(25)
    assert facts.duration_s == pytest.approx(2)
    assert facts.has_audio
    assert facts.size_bytes == path.stat().st_size
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert any(name == "encoder" and value.startswith("Lavf") for name, value in facts.tags)


def test_transparent_video_is_laid_on_white(tmp_path: Path) -> None:
    path = tmp_path / "clear.mov"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "argb"
        clear = np.zeros((64, 96, 4), np.uint8)
        clear[:, 48:] = (10, 20, 30, 255)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(clear, format="rgba")))
        container.mux(stream.encode(None))
    (frame,) = open_media(path).frames(Sampling())
    assert frame.image[0, 0].tolist() == [255, 255, 255]
    assert frame.image[0, 60].tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("pixels", "options", "luma"),
    [
        ("yuv420p", {"colorspace": "bt709", "color_range": "tv"}, (0.2126, 0.0722)),
        ("yuv420p", {"colorspace": "smpte170m", "color_range": "pc"}, (0.299, 0.114)),
        ("yuv420p10le", {"colorspace": "bt709", "color_range": "tv"}, (0.2126, 0.0722)),
    ],
)
def test_colour_matrix_and_range_are_honoured(
    pixels: str, options: dict[str, str], luma: tuple[float, float], tmp_path: Path
) -> None:
    red, green, blue = 200, 60, 90
    depth = 10 if "10" in pixels else 8
    kr, kb = luma
    y = kr * red + (1 - kr - kb) * green + kb * blue
    u, v = (blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)
    limited = options["color_range"] == "tv"
    scale, offset, chroma = (219 / 255, 16, 224 / 255) if limited else (1, 0, 1)
    levels = [(y * scale + offset), u * chroma + 128, v * chroma + 128]
    frame = av.VideoFrame(96, 64, pixels)
    for plane, level in zip(frame.planes, levels, strict=True):
        size = plane.buffer_size if depth == 8 else plane.buffer_size // 2
        plane.update(np.full(size, round(level * 2 ** (depth - 8)), np.uint8 if depth == 8 else np.uint16))
    path = tmp_path / "colour.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "1", **options})
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    media = open_media(path)
    (decoded,) = media.frames(Sampling())
    assert decoded.image[30, 40].tolist() == pytest.approx([red, green, blue], abs=4)
    assert media.facts.bit_depth == depth


def test_pixels_that_are_not_square_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(0), format="rgb24")))
        container.mux(stream.encode(None))
    media = open_media(path)
    assert media.facts.width == 96
    assert any("4:3" in note for note in media.counts.notes)


def test_smallest_picture(make_clip: MakeClip) -> None:
    path = make_clip("dot.mov", Clip("png", size=(1, 1), pixels="rgb24", frames=3))
    assert [frame.image.shape for frame in open_media(path).frames(Sampling(1))] == [(1, 1, 3)] * 3


def test_consumer_that_stops_early_leaves_no_thread(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", Clip())
    before = set(threading.enumerate())
    for frame in open_media(path).frames(Sampling(stride=1)):
        if frame.index == 2:
            break
    media = open_media(path)
    iterator = media.frames(Sampling(stride=1))
    next(iterator)
    media.close()
    assert list(iterator) == []
    with open_media(path) as left_open:
        next(left_open.frames(Sampling(stride=1)))
    assert set(threading.enumerate()) == before


def test_decoding_waits_for_a_slow_consumer(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", Clip())
    with open_media(path, threads=1) as media:
        frames = media.frames(Sampling(stride=1))
        next(frames)
        time.sleep(0.2)
        # Given, one in hand, and at most three waiting, plus what the decoder keeps back to sort.
        assert media.counts.decoded <= 1 + 3 + 1
        assert sum(1 for _ in frames) == 99


@pytest.mark.parametrize("late", [False, True])
def test_deadline_ends_opening_and_decoding(late: bool, make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", Clip())
    if not late:
        with pytest.raises(TimedOutError):
            open_media(path, deadline=time.monotonic() - 1)
        return
    with open_media(path, deadline=time.monotonic() + 0.3) as media:
        frames = media.frames(Sampling(stride=1))
        next(frames)
        time.sleep(0.4)
        with pytest.raises(TimedOutError):
            list(frames)


def test_two_videos_are_read_side_by_side(make_clip: MakeClip) -> None:
    path = make_clip("clip.mp4", Clip())
    with open_media(path, threads=2) as one, open_media(path, threads=2) as two:
        both = zip(one.frames(Sampling(1)), two.frames(Sampling(1)), strict=True)
        assert sum(np.array_equal(a.image, b.image) for a, b in both) == 100


def test_changing_picture_size_is_followed(tmp_path: Path, make_clip: MakeClip) -> None:
    small = make_clip("small.ts", Clip("mpeg2video", frames=12, size=(96, 64)))
    large = make_clip("large.ts", Clip("mpeg2video", frames=12, size=(160, 96), ticks=range(12, 24)))
    path = tmp_path / "both.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    sizes = [frame.image.shape for frame in open_media(path).frames(Sampling(1))]
    assert set(sizes) == {(64, 96, 3), (96, 160, 3)}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        stream.set_display_rotation(90)
        frame = av.VideoFrame.from_ndarray(picture(0, (640, 360)), format="rgb24")
        for number in range(240):
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    # A frame is 0.3 MB as decoded and 0.7 MB as RGB: 200 of either kept would show.
    gc.disable()
    try:
        sizes = [resident_megabytes() for _ in open_media(path, threads=2).frames(Sampling(stride=1))]
    finally:
        gc.enable()
    assert sizes[-1] - sizes[40] < 20


def resident_megabytes() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
