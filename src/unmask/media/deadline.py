"""A time limit that is looked at between steps of the work."""

from __future__ import annotations

import time

from unmask.errors import TimedOutError


def check_deadline(deadline: float | None, name: str) -> None:
    """Raise TimedOutError, naming the file, once `time.monotonic()` has passed `deadline`."""
    if deadline is not None and time.monotonic() > deadline:
        raise TimedOutError(
            f"{name}: reading it took longer than the time limit",
            hint="allow more time with --timeout, or look at fewer frames with --frames",
        )
