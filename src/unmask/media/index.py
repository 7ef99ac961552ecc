"""The packet index: one walk over a video without decoding tells when each picture is shown."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import av.error
import numpy as np

from unmask.errors import UnsupportedError
from unmask.media.container import LIBAV_ERRORS, MAX_READ_ERRORS
from unmask.media.deadline import check_deadline
from unmask.media.entry import Entry, entry_kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

KEY, ENTRY, HIDDEN, CORRUPT, RESET = 1, 2, 4, 8, 16
"""Bits of `PacketIndex.flags`: flagged as keyframe; an empty decoder can start here; shows no picture;
damaged; any decoder can go on from here (`Entry.ALWAYS`)."""

NO_PTS = np.iinfo(np.int64).min
MAX_REORDER = 64
"""Presentation order differs from packet order by 16 at most (H.264, HEVC); more is a broken clock."""
DEADLINE_PACKETS = 256
MAX_FRAME_RATE = 1000
"""Frames per second beyond which a file is held to be hostile; bounds the index with `max_seconds`."""
_ORDERLESS_FORMATS = frozenset(("avi", "h264", "hevc", "m4v", "mpegvideo"))
"""Formats without presentation times: what libav makes up for pictures out of order is not to be trusted."""


class ReadLog:
    """What went wrong while packets were read."""

    def __init__(self) -> None:
        self.errors = 0


def read_packets(
    container: InputContainer, stream: VideoStream, deadline: float | None, name: str, log: ReadLog
) -> Iterator[Packet[VideoStream]]:
    """The packets of `stream` that hold data, in file order; read errors go to `log`.

    Both passes read with this function, so that the n-th packet is the same one in both.
    """
    in_a_row = number = 0
    while in_a_row < MAX_READ_ERRORS:
        try:
            for packet in container.demux(stream):
                if number % DEADLINE_PACKETS == 0:
                    check_deadline(deadline, name)
                if packet.size:
                    number += 1
                    in_a_row = 0
                    yield packet
            return
        except (av.error.EOFError, av.error.ExitError):
            return
        except LIBAV_ERRORS:
            log.errors += 1
            in_a_row += 1
            check_deadline(deadline, name)


@dataclass(frozen=True, eq=False)
class PacketIndex:
    """One entry per packet in file (decoding) order; all arrays are (P,)."""

    pts: NDArray[np.int64]
    """Presentation time in stream ticks, `NO_PTS` where unknown."""
    pos: NDArray[np.int64]
    """Offset in the file in bytes, -1 where unknown."""
    size: NDArray[np.int32]
    flags: NDArray[np.uint8]
    tick: float
    """Seconds."""
    last_duration: int
    """How long the last packet's picture is shown, in ticks; 0 where unknown."""
    has_order: bool
    """Presentation times are complete, unique and sane; without it only a full pass counts frames right."""
    read_errors: int

    @cached_property
    def shown(self) -> NDArray[np.int64]:
        """Packets in presentation order (N,): `shown[rank]` is the packet of the frame with that index.

        In file order where presentation times cannot be trusted.
        """
        visible = np.flatnonzero((self.flags & HIDDEN) == 0)
        if not self.has_order:
            return visible
        return visible[np.argsort(self.pts[visible], kind="stable")]

    @property
    def frame_count(self) -> int:
        """Frames the file shows; without `has_order` an estimate by the number of packets."""
        return len(self.shown)

    @cached_property
    def times(self) -> NDArray[np.float64]:
        """Seconds from the first frame for each frame in presentation order (N,); needs `has_order`."""
        ticks = self.pts[self.shown]
        first = ticks[0] if len(ticks) else 0
        seconds: NDArray[np.float64] = (ticks - first).astype(np.float64) * self.tick
        return seconds

    @cached_property
    def timing(self) -> Timing | None:
        """Rate and length, where presentation times tell them."""
        if not self.has_order or len(self.shown) == 0:
            return None
        ticks = self.pts[self.shown]
        if len(ticks) == 1:
            return Timing(None, None, self.last_duration * self.tick or None)
        steps = np.diff(ticks)
        typical = float(np.median(steps))
        last = self.last_duration or int(typical)
        span = float(ticks[-1] - ticks[0])
        # Millisecond clocks (Matroska) make 33 and 34 of one rate: two ticks of difference are no variation.
        spread = float(steps.max() - steps.min())
        return Timing(
            frame_rate=(len(ticks) - 1) / (span * self.tick),
            variable=spread > max(2.0, 0.1 * typical),
            duration_s=(span + last) * self.tick,
        )


@dataclass(frozen=True, slots=True)
class Timing:
    """What the presentation times of a video amount to."""

    frame_rate: float | None
    variable: bool | None
    duration_s: float | None


def build_index(
    container: InputContainer,
    stream: VideoStream,
    *,
    name: str,
    max_seconds: float,
    deadline: float | None,
    on_keyframe: Callable[[Packet[VideoStream]], None],
) -> PacketIndex:
    """Walk over all packets; `on_keyframe` sees each keyframe's packet as it goes by.

    Raises UnsupportedError beyond `max_seconds`, TimedOutError.
    """
    codec = stream.codec.name
    extradata = stream.codec_context.extradata
    pts, pos, size, flags = array("q"), array("q"), array("i"), array("B")
    most = int(max_seconds * MAX_FRAME_RATE)
    last_duration = 0
    log = ReadLog()
    for packet in read_packets(container, stream, deadline, name, log):
        time = packet.pts
        place = packet.pos
        pts.append(NO_PTS if time is None else time)
        pos.append(-1 if place is None else place)
        size.append(packet.size)
        flags.append(_flags(packet, codec, extradata))
        last_duration = packet.duration or 0
        if flags[-1] & KEY:
            on_keyframe(packet)
        if len(pts) > most:
            raise UnsupportedError(f"{name}: holds more than {most} frames", hint="raise --max-seconds")
    marks = np.frombuffer(flags, dtype=np.uint8).copy() if flags else np.zeros(0, np.uint8)
    _hide_undecodable_start(marks)
    ticks = np.array(pts, dtype=np.int64)
    intra = bool(stream.codec.intra_only)
    format_has_order = intra or container.format.name not in _ORDERLESS_FORMATS
    index = PacketIndex(
        pts=ticks,
        pos=np.array(pos, dtype=np.int64),
        size=np.array(size, dtype=np.int32),
        flags=marks,
        tick=float(stream.time_base or 0),
        last_duration=last_duration,
        has_order=format_has_order and stream.time_base is not None and _is_sane(ticks, marks),
        read_errors=log.errors,
    )
    duration = index.timing.duration_s if index.timing else None
    if duration is not None and duration > max_seconds:
        raise UnsupportedError(
            f"{name}: lasts {duration:.0f} s, more than the limit of {max_seconds:.0f} s",
            hint="raise --max-seconds",
        )
    return index


_ENTRY_BITS = {Entry.NONE: 0, Entry.EMPTIED: ENTRY, Entry.ALWAYS: ENTRY | RESET}


def _flags(packet: Packet[VideoStream], codec: str, extradata: bytes | None) -> int:
    bits = 0
    if packet.is_keyframe:
        bits |= KEY
        bits |= _ENTRY_BITS[entry_kind(codec, extradata, packet)]
    if packet.is_discard or (codec == "vp8" and not _vp8_shows(packet)):
        bits |= HIDDEN
    if packet.is_corrupt:
        bits |= CORRUPT
    return bits


def _vp8_shows(packet: Packet[VideoStream]) -> bool:
    """RFC 6386 §9.1: bit 4 of the first byte; alternate reference frames are packets that show nothing."""
    return bool(memoryview(packet)[0] & 0x10)


def _hide_undecodable_start(flags: NDArray[np.uint8]) -> None:
    """A recording cut into the middle shows nothing before its first keyframe, where decoding begins."""
    keys = np.flatnonzero(flags & KEY)
    first = int(keys[0]) if len(keys) else 0
    flags[:first] |= HIDDEN
    if len(flags):
        flags[first] |= ENTRY


def _is_sane(pts: NDArray[np.int64], flags: NDArray[np.uint8]) -> bool:
    visible = pts[(flags & HIDDEN) == 0]
    if len(visible) == 0 or (visible == NO_PTS).any():
        return False
    order = np.argsort(visible, kind="stable")
    if (np.diff(visible[order]) == 0).any():
        return False
    return int(np.abs(order - np.arange(len(order))).max()) <= MAX_REORDER
