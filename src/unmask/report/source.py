"""Reading the video that is to be annotated: its streams, its packets, and which way up it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.stream import Disposition

from unmask.errors import UnreadableError, UnsupportedError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.sidedata.sidedata import SideDataContainer
    from av.stream import Stream
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_READ_ERRORS = 50
"""Read errors in a row after which the rest of a damaged file is given up."""


def open_source(source: Path) -> InputContainer:
    try:
        return av.open(
            f"file:{source}", container_options={"protocol_whitelist": "file"}, metadata_errors="replace"
        )
    except (av.error.FFmpegError, OSError) as error:
        raise UnreadableError(
            f"{source.name}: cannot be read: {error.strerror}", hint="give the file that was scanned"
        ) from error


def video_stream(container: InputContainer, source: Path) -> VideoStream:
    """The moving picture: the first video stream that is no cover art."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    for stream in container.streams.video:
        if not stream.disposition & still and stream.codec_context is not None:
            return stream
    raise UnsupportedError(
        f"{source.name}: holds no video that can be decoded", hint="convert it to H.264 first"
    )


def packets(container: InputContainer, streams: Sequence[Stream]) -> Iterator[Packet[Any]]:
    """The packets of the streams in file order; unreadable places are passed over."""
    errors = 0
    while errors < MAX_READ_ERRORS:
        try:
            for packet in container.demux(streams):
                errors = 0
                yield packet
            return
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            errors += 1


def turn(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """(transpose, then mirror left-right, then mirror up-down) that make a stored frame upright.

    The display matrix is QuickTime's: nine native 32-bit integers (a b u, c d v, x y w), x' = a·x + c·y.
    """
    side_data = cast("SideDataContainer", frame.side_data)
    if Type.DISPLAYMATRIX not in side_data:
        return False, False, False
    matrix = bytes(side_data[Type.DISPLAYMATRIX])
    if len(matrix) < 36:
        return False, False, False
    a, b, _, c, d = np.frombuffer(matrix[:20], np.int32).tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, a < 0, d < 0
    return True, c < 0, b < 0
