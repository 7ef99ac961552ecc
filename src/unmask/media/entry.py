"""Where a decoder can start: keyframes from which every later picture comes out exactly as in a full pass."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

_SCAN_BYTES = 1 << 16
"""How far into a keyframe its first slice is looked for; only headers come before it."""

H264_SLICE, H264_IDR, H264_SEI = 1, 5, 6
_SEI_RECOVERY_POINT = 6
HEVC_IDR = (19, 20)
HEVC_FIRST_IRAP, HEVC_LAST_IRAP, HEVC_LAST_SLICE = 16, 21, 31


class Entry(enum.Enum):
    """What a keyframe is good for."""

    NONE = enum.auto()
    """Later pictures may still refer to earlier ones."""
    EMPTIED = enum.auto()
    """Decoding may start here with an empty decoder."""
    ALWAYS = enum.auto()
    """And the decoder forgets by itself what came before, so packets before it may be missing."""


def entry_kind(codec: str, extradata: bytes | None, packet: Packet[VideoStream]) -> Entry:
    """Whether decoding may start at this keyframe (pictures shown before it apart).

    H.264: an IDR picture, or a recovery point that is exact at once (ITU-T H.264 §D.2.8); streams with
    gradual refresh flag keyframes that are neither. HEVC: any IRAP picture. Other codecs: every keyframe.
    """
    if codec not in ("h264", "hevc"):
        return Entry.ALWAYS
    data = bytes(memoryview(packet)[:_SCAN_BYTES])
    return _h264(data, extradata) if codec == "h264" else _hevc(data, extradata)


def temporal_layers(extradata: bytes | None) -> int:
    """HEVC sub-layers by the `hvcC` record (ISO/IEC 14496-15 §8.3.3.1); 0 where it does not say."""
    if not extradata or extradata[0] != 1 or len(extradata) < 22:
        return 0
    return (extradata[21] >> 3) & 7


def _h264(data: bytes, extradata: bytes | None) -> Entry:
    exact = False
    for unit in _units(data, _length_size(extradata, 4)):
        kind = unit[0] & 0x1F
        if kind == H264_IDR:
            return Entry.ALWAYS
        if kind == H264_SEI:
            exact = exact or _is_exact_recovery_point(unit[1:])
        elif H264_SLICE <= kind < H264_IDR:
            break
    return Entry.EMPTIED if exact else Entry.NONE


def _hevc(data: bytes, extradata: bytes | None) -> Entry:
    for unit in _units(data, _length_size(extradata, 21)):
        kind = (unit[0] >> 1) & 0x3F
        if kind in HEVC_IDR:
            return Entry.ALWAYS
        if kind <= HEVC_LAST_SLICE:
            return Entry.EMPTIED if HEVC_FIRST_IRAP <= kind <= HEVC_LAST_IRAP else Entry.NONE
    return Entry.NONE


def _is_exact_recovery_point(sei: bytes) -> bool:
    """True for recovery_frame_cnt 0 (one bit: 1) with exact_match_flag 1, which are its first two bits."""
    at = 0
    while at + 2 < len(sei):
        kind, at = _sei_number(sei, at)
        size, at = _sei_number(sei, at)
        if kind == _SEI_RECOVERY_POINT:
            return at < len(sei) and sei[at] & 0xC0 == 0xC0
        at += size
    return False


def _sei_number(sei: bytes, at: int) -> tuple[int, int]:
    value = 0
    while at < len(sei) and sei[at] == 0xFF:
        value += 0xFF
        at += 1
    return (value + sei[at], at + 1) if at < len(sei) else (value, at)


def _length_size(extradata: bytes | None, at: int) -> int:
    """Bytes of the length before each unit; 0 for Annex B streams, which have start codes instead."""
    if not extradata or extradata[0] != 1 or len(extradata) <= at:
        return 0
    return (extradata[at] & 3) + 1


def _units(data: bytes, length_size: int) -> Iterator[bytes]:
    """The NAL units of an access unit, the last one possibly cut."""
    if length_size:
        at = 0
        while at + length_size < len(data):
            size = int.from_bytes(data[at : at + length_size], "big")
            at += length_size
            if size:
                yield data[at : at + size]
            at += size
        return
    at = data.find(b"\0\0\1")
    while at >= 0:
        following = data.find(b"\0\0\1", at + 3)
        unit = data[at + 3 : following if following >= 0 else len(data)]
        if unit:
            yield unit
        at = following
