"""How long each frame of an animation is shown, read from the file's blocks without decoding a pixel."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from unmask.media.sniff import Signature

SHORTEST_SECONDS = 0.02
UNSTATED_SECONDS = 0.1
"""Browsers show frames that ask for less than 20 ms (0 mostly: none stated) for 100 ms; so do we."""

MAX_FRAMES = 1_000_000


@dataclass(frozen=True, slots=True)
class Timeline:
    """`durations` in seconds, one per frame found, whole or not; `complete` if the file's end was."""

    durations: tuple[float, ...]
    complete: bool


def read_timeline(file: BinaryIO, kind: Signature) -> Timeline | None:
    """Of a GIF, PNG or WebP; None for other formats. Raises OSError."""
    reader = {Signature.GIF: _gif, Signature.PNG: _png, Signature.WEBP: _webp}.get(kind)
    if reader is None:
        return None
    durations: list[float] = []
    complete = False
    try:
        for seconds in reader(file):
            if seconds is None:
                complete = True
                break
            durations.append(shown_for(seconds))
            if len(durations) >= MAX_FRAMES:
                break
    except (struct.error, IndexError):
        pass
    return Timeline(tuple(durations), complete)


def shown_for(seconds: float) -> float:
    """The time a viewer shows a frame that asks for `seconds`."""
    return seconds if seconds >= SHORTEST_SECONDS else UNSTATED_SECONDS


def _gif(file: BinaryIO) -> Iterator[float | None]:
    """GIF89a: colour tables, then blocks; the graphic control extension has the next delay in 1/100 s."""
    head = file.read(13)
    _skip_colours(file, head[10])
    delay = 0.0
    while True:
        block = file.read(1)[0]
        if block == 0x3B:
            yield None
            return
        if block == 0x21:
            label = file.read(1)[0]
            data = _sub_block(file)
            if label == 0xF9:
                delay = struct.unpack_from("<H", data, 1)[0] / 100
            while data:
                data = _sub_block(file)
        elif block == 0x2C:
            descriptor = file.read(9)
            _skip_colours(file, descriptor[8])
            file.read(1)
            yield delay
            delay = 0.0
            while _sub_block(file):
                pass
        elif block != 0:
            return


def _skip_colours(file: BinaryIO, flags: int) -> None:
    if flags & 0x80:
        file.seek(3 << ((flags & 7) + 1), 1)


def _sub_block(file: BinaryIO) -> bytes:
    return file.read(file.read(1)[0])


def _png(file: BinaryIO) -> Iterator[float | None]:
    """PNG 3rd edition, fcTL: delay as a fraction whose denominator 0 means 100."""
    file.seek(8)
    while True:
        length, kind = struct.unpack(">I4s", file.read(8))
        if kind == b"IEND":
            yield None
            return
        if kind == b"fcTL" and length == 26:
            data = file.read(26)
            over, under = struct.unpack_from(">HH", data, 20)
            yield over / (under or 100)
            file.seek(4, 1)
        else:
            file.seek(length + 4, 1)


def _webp(file: BinaryIO) -> Iterator[float | None]:
    """RFC 9649, ANMF: frame duration in ms as 24 bits at offset 12."""
    stated = struct.unpack_from("<I", file.read(12), 4)[0] + 8
    while file.tell() + 8 <= stated:
        kind, length = struct.unpack("<4sI", file.read(8))
        start = file.tell()
        if kind == b"ANMF":
            data = file.read(16)
            yield int.from_bytes(data[12:15], "little") / 1000 if len(data) == 16 else 0.0
        file.seek(start + length + (length & 1))
    yield None
