"""Scan many files, several at a time, each in a process that may crash or hang without harming the rest."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from unmask.errors import UnmaskError
from unmask.isolated import Lost, isolated
from unmask.options import ScanOptions
from unmask.scanner import Progress, Scanner
from unmask.types import Report, Verdict

_scanner: Scanner | None = None
"""The scanner of a worker process, made once."""


def scan_many(
    paths: Iterable[str | Path],
    options: ScanOptions | None = None,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Report]:
    """One report per path, in the order given, each as soon as it and those before it are done.

    `workers` processes share the cores; 0 scans in this process; None takes this process for one file and
    one worker per core (at most one per file) for more. A file that crashes or hangs its worker, or on which
    a scan fails as it should not, gets a report that says so; a file that is scanned alone in this process
    raises such a fault. `progress` is called with the share done of the current file, in this process only.

    Raises:
        UnmaskError: at the first step, when a model or detector cannot be had.
    """
    options = options or ScanOptions()
    waiting = iter(paths)
    cores = os.cpu_count() or 1
    first = list(itertools.islice(waiting, max(2, cores)))
    waiting = itertools.chain(first, waiting)
    count = workers if workers is not None else (0 if len(first) < 2 else min(cores, len(first)))
    scanner = Scanner(options)
    if count == 0:
        for path in waiting:
            yield scanner.scan(path, progress) if len(first) < 2 else _scanned(scanner, path, progress)
        return
    del scanner  # made only so that a wrong model or detector is told before any work
    yield from _in_processes(waiting, options, count)


def _in_processes(waiting: Iterator[str | Path], options: ScanOptions, workers: int) -> Iterator[Report]:
    threads = options.threads or max(1, (os.cpu_count() or 1) // workers)
    options = replace(options, threads=threads)
    results = isolated(
        map(str, waiting),
        _scan_one,
        workers=workers,
        timeout=options.timeout,
        prepare=_open_scanner,
        prepared_with=[options],
    )
    with contextlib.closing(results):
        for path, result in results:
            yield _lost(path, result) if isinstance(result, Lost) else result


def _lost(path: str, lost: Lost) -> Report:
    """The report on a file whose process was lost."""
    if lost.hung:
        return Report(
            path,
            Verdict.TIMED_OUT,
            None,
            f"not finished after {lost.seconds:g} s, stopped",
            hint="the file may be made to hang decoders; allow more with --timeout if you trust it",
        )
    return Report(
        path,
        Verdict.UNREADABLE,
        None,
        f"the decoder crashed on this file (exit code {lost.exit_code})",
        hint="the file is damaged or hostile: do not open it in other programs",
    )


def _open_scanner(options: ScanOptions) -> None:
    global _scanner
    _scanner = Scanner(options)


def _scan_one(path: str) -> Report:
    assert _scanner is not None
    return _scanned(_scanner, path)


def _scanned(scanner: Scanner, path: str | Path, progress: Progress | None = None) -> Report:
    """The report on one of several files: a fault of ours must not take the others with it."""
    try:
        return scanner.scan(path, progress)
    except UnmaskError:
        # Of the models or detectors, so it holds for the others too.
        raise
    except Exception as error:
        return Report(
            str(path),
            Verdict.UNREADABLE,
            None,
            f"its scan failed ({type(error).__name__}: {error})",
            hint="scan it alone to see where, and please report it",
        )
