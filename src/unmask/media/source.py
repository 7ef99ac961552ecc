"""A path on its way in: is it an ordinary, readable file of bearable size, and what is its hash?"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from unmask.errors import UnreadableError, UnsupportedError
from unmask.media.deadline import check_deadline
from unmask.media.limits import Limits

HASH_BLOCK = 1 << 20
HEAD_BYTES = 4096
"""Enough for every signature we look for, and for a whole `ftyp` box."""

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True, slots=True)
class Source:
    """A regular file that could be read from its first byte to its last."""

    path: Path
    size: int
    sha256: str
    head: bytes
    """The first `HEAD_BYTES` bytes, or all of a smaller file."""

    @property
    def name(self) -> str:
        """The path, fit to be printed."""
        return printable_path(self.path)


def printable_path(path: Path) -> str:
    """`path` with bytes that are no text, and characters that would upset a terminal, made visible."""
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def read_source(path: str | os.PathLike[str], limits: Limits, deadline: float | None) -> Source:
    """Look at the file, refuse what is no regular file, too large or empty, and hash the rest.

    Raises UnreadableError, UnsupportedError, TimedOutError.
    """
    place = Path(path)
    name = repr(str(place)) if "\0" in str(place) else printable_path(place)
    try:
        # A pipe without a writer would block an ordinary open: look before touching.
        facts = place.stat()
        if stat.S_ISDIR(facts.st_mode):
            os.scandir(place).close()  # what may not be entered is handed on in place of its files
        _refuse_irregular(facts, name)
        with open(place, "rb", opener=_open_without_waiting) as file:
            facts = os.fstat(file.fileno())
            _refuse_irregular(facts, name)
            _refuse_size(facts.st_size, limits, name)
            digest = hashlib.sha256()
            head = block = file.read(HASH_BLOCK)
            size = 0
            while block:
                digest.update(block)
                size += len(block)
                check_deadline(deadline, name)
                block = file.read(HASH_BLOCK)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableError(
            f"{name}: cannot be read ({reason})", hint="check the path and that you may read it"
        ) from error
    if size == 0:
        raise UnreadableError(f"{name}: the file is empty", hint="copy or download it again")
    return Source(path=place, size=size, sha256=digest.hexdigest(), head=head[:HEAD_BYTES])


def _open_without_waiting(path: str, flags: int) -> int:
    # Should the file have turned into a pipe since it was looked at, open must not wait for a writer.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_irregular(facts: os.stat_result, name: str) -> None:
    for test, kind in _KINDS:
        if test(facts.st_mode):
            raise UnsupportedError(f"{name}: is {kind}, not a file", hint="give image or video files")


def _refuse_size(size: int, limits: Limits, name: str) -> None:
    if size > limits.max_bytes:
        raise UnsupportedError(
            f"{name}: {size} bytes are more than the limit of {limits.max_bytes}",
            hint="raise --max-bytes if you trust the file",
        )
