"""The errors unmask raises on purpose: each says what is wrong, with which file, and a way out."""

from __future__ import annotations


class UnmaskError(Exception):
    """Base of all errors that are the input's or the user's to mend.

    `hint` is one sentence that tells what to do next; it may be empty.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword arguments do not pickle by themselves; workers send ours home.
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind: type[UnmaskError], message: str, hint: str) -> UnmaskError:
    return kind(message, hint=hint)


class UnreadableError(UnmaskError):
    """The file should be readable but is empty, damaged, or may not be opened."""


class UnsupportedError(UnmaskError):
    """The file is not an image or video we read, or goes beyond a limit."""


class TimedOutError(UnmaskError):
    """The work on one file took longer than its time limit."""


class ModelError(UnmaskError):
    """A model file is missing, of another kind, or its card is not usable."""


class DataError(UnmaskError):
    """A manifest, recipe or corpus does not hold what the work needs."""
