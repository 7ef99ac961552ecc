"""Where a file says it ends: containers state the size of their outermost boxes, so a cut is sure to show."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_MAX_BOXES = 100_000
"""Top-level boxes walked: fragmented files have one pair per second or so."""


def stated_end(path: Path) -> int | None:
    """The offset in bytes at which MP4/MOV, Matroska, AVI or WebP content ends by its own account.

    None for other formats and for live recordings that leave the size open. A file shorter than this has
    been cut. Raises OSError.
    """
    with path.open("rb") as file:
        head = file.read(16)
        if head[:4] == _EBML:
            return _matroska(file)
        if head[:4] == b"RIFF":
            return _riff(file)
        if head[4:8] in _FIRST_BOXES:
            return max(_box_ends(file), default=None)
    return None


def start_of_cut_box(path: Path) -> int | None:
    """The offset of the MP4/MOV box that a cut runs through; None where there is none. Raises OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(8)[4:] not in _FIRST_BOXES:
            return None
        start = 0
        for end in _box_ends(file):
            if end > size:
                return start or None
            start = end
    return None


def _box_ends(file: BinaryIO) -> Iterator[int]:
    """ISO/IEC 14496-12 §4.2: a 32-bit size and a type; size 1 means 64 bits follow, 0 up to the end."""
    end = 0
    for _ in range(_MAX_BOXES):
        file.seek(end)
        head = file.read(16)
        if 0 < len(head) < 8:
            # Cut within the header of a box, which is at least that long.
            yield end + 8
        if len(head) < 8:
            return
        size = int.from_bytes(head[:4], "big")
        if size == 1 and len(head) == 16:
            size = int.from_bytes(head[8:16], "big")
        # Stray bytes behind the last box are common and harmless: they end the walk.
        if size < 8 or not head[4:8].isalnum():
            return
        end += size
        yield end


def _riff(file: BinaryIO) -> int | None:
    """AVI beyond 1 GB is several RIFF chunks in a row (OpenDML)."""
    end = 0
    while True:
        file.seek(end)
        head = file.read(8)
        if len(head) < 8 or head[:4] != b"RIFF":
            return end or None
        end += 8 + int.from_bytes(head[4:8], "little")


def _matroska(file: BinaryIO) -> int | None:
    """RFC 8794: an element is its id, its size as a variable-length number, its content."""
    file.seek(4)
    header = _vint(file)
    if header is None:
        return None
    file.seek(header, 1)
    if file.read(4) != _SEGMENT:
        return None
    size = _vint(file)
    return None if size is None else file.tell() + size


def _vint(file: BinaryIO) -> int | None:
    """A variable-length number; None where all its bits are set, which means unknown."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0xFF >> length)]) + file.read(length - 1), "big")
    return None if value == (1 << (7 * length)) - 1 else value
