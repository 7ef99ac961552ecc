"""Run a program of others: a time limit, a limit on what it prints, and nothing of it left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import IO

from unmask.errors import UnmaskError

MAX_OUTPUT = 1024**2
"""Bytes a program may print before it is stopped: an answer about one file has a few thousand."""

TAIL = 4096
"""Bytes kept of the end of what it says on its standard error."""

LOOK_EVERY = 0.1
"""Seconds between looks at whether it has ended, where it prints nothing."""

CHUNK = 65536


class Why(Enum):
    """Why a program is no longer running."""

    ENDED = auto()
    TIMED_OUT = auto()
    PRINTED_TOO_MUCH = auto()


@dataclass(frozen=True, slots=True)
class Ended:
    """What is left of a program: its exit code (negative: the signal that ended it), what it printed, and the
    end of what it said on its standard error."""

    why: Why
    code: int
    output: bytes
    errors: bytes


def run(command: Sequence[str], folder: Path, seconds: float) -> Ended:
    """Run `command`, without a shell, in `folder`, for at most `seconds`.

    It gets no input. When this returns or raises, as by Ctrl-C, the program and all that it started are
    ended, unless they left its process group on purpose.

    Raises:
        UnmaskError: it cannot be started, or this system has no process groups.
    """
    if os.name != "posix":
        raise UnmaskError(
            "programs of others can be run on Linux and macOS only",
            hint="measure it there, or import its scores",
        )
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        raise UnmaskError(
            f"{command[0]!r} cannot be started: {error}", hint="see whether it runs in a terminal"
        ) from error
    listening = _Listening(process)
    try:
        why = listening.until(time.monotonic() + seconds)
    finally:
        # It has not been waited for yet, so its number cannot be another program's by now.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        listening.close()
    return Ended(why, code, bytes(listening.output), bytes(listening.errors))


class _Listening:
    """Takes in what a program prints, as it comes: a full pipe would stop it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.output, self.errors = bytearray(), bytearray()
        self._process = process
        self._pipes = selectors.DefaultSelector()
        for pipe in (process.stdout, process.stderr):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._pipes.register(pipe, selectors.EVENT_READ)

    def until(self, deadline: float) -> Why:
        """Listen until it has ended, printed too much, or `deadline` (of `time.monotonic`) has passed."""
        while len(self.output) <= MAX_OUTPUT:
            # Asked first: what it printed before it ended has arrived by then.
            ended = self._has_ended()
            left = deadline - time.monotonic()
            heard = self._listen(0.0 if ended else min(LOOK_EVERY, max(0.0, left)))
            if ended and not heard:
                return Why.ENDED
            if left <= 0:
                return Why.ENDED if ended else Why.TIMED_OUT
        return Why.PRINTED_TOO_MUCH

    def close(self) -> None:
        """Close its pipes."""
        self._pipes.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _has_ended(self) -> bool:
        """Whether it has, without taking notice of it: it keeps its number until then."""
        if not hasattr(os, "waitid"):  # macOS, before Python 3.13
            return self._process.poll() is not None
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _listen(self, seconds: float) -> bool:
        """Take in what is there, wait for it up to `seconds`; False where there was nothing."""
        if not self._pipes.get_map():
            time.sleep(seconds)
            return False
        heard = False
        for key, _ in self._pipes.select(seconds):
            pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
            data = os.read(pipe.fileno(), CHUNK)
            heard = heard or bool(data)
            if not data:
                self._pipes.unregister(pipe)
            elif pipe is self._process.stdout:
                self.output += data
            else:
                self.errors = (self.errors + data)[-TAIL:]
        return heard
