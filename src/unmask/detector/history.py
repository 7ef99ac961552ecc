"""What a model has seen, stored beside its card: the file itself tells whether a figure on some set says how
well it detects or how well it remembers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

HISTORY_KEY = "unmask.history"
"""The ONNX metadata property that holds the history as JSON; files without one were made before there was
any."""

FINGERPRINT = 6
"""Bytes of a recording's fingerprint. Of 100,000 recordings that a model has seen and 10,000 it is tested on,
two are taken for the same by chance once in 280,000 times."""


@dataclass(frozen=True)
class Seen:
    """Recordings of one data set and split that a model was trained on (`train`), or by which its weights,
    calibration or thresholds were chosen (`choose`).

    `table_sha256` is of the table that named them. `recordings` holds the fingerprints of their names, one
    after the other in ascending order; of partners in swaps, too.
    """

    role: Literal["train", "choose"]
    dataset: str
    split: str
    table_sha256: str
    recordings: bytes

    def prints(self) -> Iterator[bytes]:
        """The fingerprints one by one."""
        return (self.recordings[at : at + FINGERPRINT] for at in range(0, len(self.recordings), FINGERPRINT))


@dataclass(frozen=True)
class History:
    """All that a model has seen; not `complete` where part of it is not known."""

    parts: tuple[Seen, ...] = ()
    complete: bool = True

    def datasets(self, *roles: str) -> tuple[str, ...]:
        """The data sets seen in these roles, in order of name."""
        return tuple(sorted({part.dataset for part in self.parts if part.role in roles}))

    def __add__(self, other: History) -> History:
        return History(tuple(dict.fromkeys((*self.parts, *other.parts))), self.complete and other.complete)


UNKNOWN = History(complete=False)


def parse_history(text: str | None) -> History:
    """The history in a model file's metadata; `UNKNOWN` where there is none that can be read."""
    if not text:
        return UNKNOWN
    try:
        return msgspec.json.decode(text, type=History)
    except msgspec.MsgspecError:
        return UNKNOWN


def fingerprint(recording: str) -> bytes:
    """What stands for the name of a recording."""
    return hashlib.sha256(recording.encode(errors="surrogateescape")).digest()[:FINGERPRINT]


def fingerprints(recordings: Iterable[str]) -> bytes:
    """The fingerprints of these recordings, each once, in ascending order."""
    return b"".join(sorted({fingerprint(name) for name in recordings if name}))
