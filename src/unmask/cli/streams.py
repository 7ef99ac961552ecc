"""Standard output and error, which may fill up, or lose their reader, while something is printed."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Error numbers that only writing gives, and that are no fault of the program."""


class ReaderGoneError(Exception):
    """Whoever read the output has gone away."""


@contextlib.contextmanager
def broken_pipes_told() -> Iterator[None]:
    """Raise `ReaderGoneError` where click and rich would make of a broken pipe an exit with code 1, which
    would be taken for a verdict."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except SystemExit as exit_:
        if isinstance(exit_.__context__, BrokenPipeError):
            raise ReaderGoneError from exit_
        raise


def flush() -> None:
    """Write out what was printed, so that a failure shows now and not when Python ends."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


def give_up() -> None:
    """Drop what a stream could not write: Python would fail at it once more, with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
