"""Writing frames as a video: real encoders, true times, no sound, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from unmask.errors import UnmaskError, UnsupportedError
from unmask.types import Frame

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

CLOCK = 90_000
"""Ticks per second of the files written: the clock of MPEG systems. Frames of most rates last a whole number
of ticks; times of others are off by 6 microseconds at most."""

USUAL_RATE = 25
"""Frames per second told to the encoder where the file does not say; frame times are true anyway."""

RATE_PARTS = 1001
"""Largest denominator of a frame rate: that of NTSC video."""

BT601 = 6
"""ITU-T H.273 matrix coefficients that the colours are written with, and that the file names."""

OPTIONS = {
    "libx264": {"preset": "fast"},
    # Without a pool of threads and frames in parallel the result does not hang on the number of cores.
    "libx265": {"preset": "fast", "x265-params": "log-level=none:pools=none:frame-threads=1"},
}
"""Encoder → its options. `fast` costs half the time of the encoders' own choice at the same quality."""

LEAST_SIDE = {"libx264": 2, "libx265": 16}
"""Encoder → pixels in a row or column that it asks for."""

TAGS = {"libx265": "hvc1"}
"""Encoder → the name of the codec in MP4, where the usual one is not played everywhere."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoder of libavcodec and its constant rate factor: 0 (best) to 51 (worst).

    `reorders` allows frames that refer to later ones (B-frames), as encoders make them by themselves.
    """

    codec: str
    crf: int
    reorders: bool = True


CARRIER = Encoding("libx264", 18, reorders=False)
"""What frames that were degraded one by one, or thinned out, are stored with: no visible loss at a bearable
size, and every frame of the same quality."""


@dataclass(frozen=True, slots=True)
class Step:
    """One trip of a video through an encoder: what happens to its frames before, and the encoder."""

    change: Callable[[Iterator[Frame]], Iterator[Frame]]
    encoding: Encoding = CARRIER


def require_encoder(codec: str) -> None:
    """Raises UnmaskError where the installed PyAV cannot encode with it."""
    try:
        av.Codec(codec, "w")
    except ValueError as error:
        raise UnmaskError(
            f"the installed PyAV has no encoder {codec}", hint="install PyAV's own wheel: pip install av"
        ) from error


def encode(
    frames: Iterator[Frame],
    target: Path,
    encoding: Encoding,
    *,
    rate: float | None,
    steady: bool,
    duration: float | None,
) -> None:
    """Write the frames to `target` as an MP4 file without sound, each at its own time.

    `rate` is frames per second on average, `steady` whether all are shown equally long: otherwise the encoder
    must not reorder them. The last frame is shown until `duration` seconds. Frames of
    another size than the first are brought to its size; an odd last row or column is left out, because the
    colours have half the resolution. Memory does not grow with the number of frames.

    Raises:
        UnmaskError: there is no such encoder.
        UnsupportedError: the frames are too small to be encoded.
        av.error.FFmpegError: the file cannot be written.
    """
    require_encoder(encoding.codec)
    reformatter = VideoReformatter()
    stream: VideoStream | None = None
    with av.open(f"file:{target}", "w", format="mp4") as output:
        for frame, start, shown in _timed(frames, rate or USUAL_RATE, duration):
            if stream is None:
                stream = _open(output, encoding, frame, rate or USUAL_RATE, steady)
            picture = av.VideoFrame.from_ndarray(_fitting(frame.image, stream), format="rgb24")
            picture = reformatter.reformat(
                picture, format="yuv420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.MPEG
            )
            picture.pts, picture.time_base, picture.duration = start, Fraction(1, CLOCK), shown
            output.mux(stream.encode(picture))
        if stream is not None:
            output.mux(stream.encode(None))


def _timed(frames: Iterator[Frame], rate: float, duration: float | None) -> Iterator[tuple[Frame, int, int]]:
    """Each frame with the tick it is shown at and the ticks it is shown for."""
    held: tuple[Frame, int] | None = None
    for frame in frames:
        now = round(frame.time * CLOCK)
        if held is not None:
            now = max(now, held[1] + 1)
            yield *held, now - held[1]
        held = (frame, now)
    if held is not None:
        frame, now = held
        end = round(CLOCK * duration) if duration else 0
        yield frame, now, end - now if end > now else round(CLOCK / rate)


def _open(
    output: OutputContainer, encoding: Encoding, frame: Frame, rate: float, steady: bool
) -> VideoStream:
    height, width = (side // 2 * 2 for side in frame.image.shape[:2])
    if min(height, width) < LEAST_SIDE[encoding.codec]:
        raise UnsupportedError(
            f"frames of {width}x{height} are too small for {encoding.codec}", hint="leave this file out"
        )
    options = {"crf": str(encoding.crf), **OPTIONS[encoding.codec]}
    if not (steady and encoding.reorders):
        # MP4 adds up durations in coding order: the sum is the length only where all are equal or in order.
        options["bf"] = "0"
    exact = max(Fraction(rate).limit_denominator(RATE_PARTS), Fraction(1, RATE_PARTS))
    added = output.add_stream(encoding.codec, rate=exact, options=options)
    stream = cast("VideoStream", added)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = Fraction(1, CLOCK)
    # More threads would cut the work differently on every machine, and so the bytes.
    context.thread_count = 1
    # Else the encoder makes up how long the last frame is shown.
    context.flags |= Flags.frame_duration
    context.colorspace, context.color_range = BT601, int(ColorRange.MPEG)
    if encoding.codec in TAGS:
        context.codec_tag = TAGS[encoding.codec]
    return stream


def _fitting(image: NDArray[np.uint8], stream: VideoStream) -> NDArray[np.uint8]:
    """The picture in the size of the stream."""
    size = (stream.width, stream.height)
    height, width = (side // 2 * 2 for side in image.shape[:2])
    if (width, height) == size:
        return np.ascontiguousarray(image[:height, :width])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
