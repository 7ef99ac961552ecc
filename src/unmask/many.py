"""Scan many files, several at a time, each in a process that may crash or hang without harming the rest."""

from __future__ import annotations

import itertools
import multiprocessing
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from unmask.options import ScanOptions
from unmask.scanner import Progress, Scanner
from unmask.types import Report, Verdict

if TYPE_CHECKING:
    from pebble import ProcessFuture

GRACE = 30.0
"""Seconds past a file's own time limit before its process is killed: for a decoder stuck in one call."""

AHEAD = 4
"""Files handed out per worker before the first of them is done."""

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
    one worker per core (at most one per file) for more. A file that crashes or hangs its worker gets a
    report that says so. `progress` is called with the share done of the current file, in this process only.

    Raises:
        UnmaskError: at the first step, when a model or detector cannot be had.
    """
    options = options or ScanOptions()
    waiting = iter(paths)
    first = list(itertools.islice(waiting, 2))
    waiting = itertools.chain(first, waiting)
    cores = os.cpu_count() or 1
    count = workers if workers is not None else (0 if len(first) < 2 else cores)
    scanner = Scanner(options)
    if count == 0:
        for path in waiting:
            yield scanner.scan(path, progress)
        return
    del scanner  # made only so that a wrong model or detector is told before any work
    yield from _in_processes(waiting, options, count)


def _in_processes(waiting: Iterator[str | Path], options: ScanOptions, workers: int) -> Iterator[Report]:
    # Most scans are of one file: they need not wait for the pool's modules.
    from pebble import ProcessPool

    threads = options.threads or max(1, (os.cpu_count() or 1) // workers)
    options = replace(options, threads=threads)
    pool = ProcessPool(
        max_workers=workers,
        context=multiprocessing.get_context("spawn"),
        initializer=_open_scanner,
        initargs=[options],
    )
    pending: deque[tuple[str | Path, ProcessFuture[Report]]] = deque()
    try:
        while True:
            for path in itertools.islice(waiting, workers * AHEAD - len(pending)):
                pending.append(
                    (path, pool.schedule(_scan_one, args=[str(path)], timeout=options.timeout + GRACE))
                )
            if not pending:
                break
            path, future = pending.popleft()
            yield _result(path, future, options)
    finally:
        # Reached on Ctrl-C and when the caller stops early, too: nothing is left running.
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _result(path: str | Path, future: ProcessFuture[Report], options: ScanOptions) -> Report:
    from pebble import ProcessExpired

    try:
        return future.result()
    except FutureTimeoutError:
        return Report(
            str(path),
            Verdict.TIMED_OUT,
            None,
            f"not finished after {options.timeout + GRACE:g} s, stopped",
            hint="the file may be made to hang decoders; allow more with --timeout if you trust it",
        )
    except ProcessExpired as error:
        return Report(
            str(path),
            Verdict.UNREADABLE,
            None,
            f"the decoder crashed on this file (exit code {error.exitcode})",
            hint="the file is damaged or hostile: do not open it in other programs",
        )


def _open_scanner(options: ScanOptions) -> None:
    global _scanner
    _scanner = Scanner(options)


def _scan_one(path: str) -> Report:
    assert _scanner is not None
    return _scanner.scan(path)
