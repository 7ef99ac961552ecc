"""The calls most users need: one file, or many."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unmask.options import ScanOptions
from unmask.types import Report

if TYPE_CHECKING:
    from unmask.scanner import Scanner


def scan(path: str | Path, **options: Any) -> Report:
    """The report on one image or video.

    `options` are the fields of `ScanOptions`, such as `stride=5` or `model="fast"`. A file that cannot be
    judged gives a report whose verdict is the reason.

    Raises:
        UnmaskError: a model, detector or option that does not exist.
    """
    checked = options_from(options)
    return _scanner(checked, tuple(map(_state, checked.model))).scan(path)


def scan_many(paths: Iterable[str | Path], *, workers: int | None = None, **options: Any) -> Iterator[Report]:
    """Reports on many files, streamed in the order given; see `unmask.many.scan_many`.

    Call it under `if __name__ == "__main__":`, since it starts processes.
    """
    from unmask.many import scan_many as many

    files = [paths] if isinstance(paths, str | Path) else paths
    return many(files, options_from(options), workers=workers)


def options_from(values: dict[str, Any]) -> ScanOptions:
    """Typed options from keyword arguments, checked as the command line checks them.

    Raises:
        UnmaskError: an unknown name, or a value of the wrong type or out of range.
    """
    import msgspec

    from unmask.errors import UnmaskError

    known = {info.name for info in msgspec.inspect.type_info(ScanOptions).fields}  # type: ignore[attr-defined]
    unknown = sorted(set(values) - known)
    if unknown:
        raise UnmaskError(f"unknown option {unknown[0]!r}", hint=f"known: {', '.join(sorted(known))}")
    model = values.get("model")
    if isinstance(model, (str, Path)):
        values = {**values, "model": (str(model),)}
    try:
        return msgspec.convert(values, ScanOptions)
    except msgspec.ValidationError as error:
        raise UnmaskError(f"option out of range: {error}", hint="see `unmask scan --help`") from error


def _state(model: str) -> tuple[int, int] | None:
    """When a model file was last changed and its size; None where there is none, as for shipped models."""
    try:
        facts = Path(model).stat()
    except (OSError, ValueError):
        return None
    return facts.st_mtime_ns, facts.st_size


@functools.lru_cache(maxsize=2)
def _scanner(options: ScanOptions, _states: tuple[tuple[int, int] | None, ...]) -> Scanner:
    # Opening networks takes longer than judging a photo; a loop over `scan` should not pay it each time.
    # `_states` is there to tell a model file that was written anew from the one that is open.
    from unmask.scanner import Scanner

    return Scanner(options)
