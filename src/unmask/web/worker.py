"""What runs in a worker process: one job at a time, under limits, on files that may be hostile.

Only this process decodes uploads. It writes into the scan's folder and to no database; it may be killed at
any time, and what is half-written then is not taken for finished.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.report.atomic import write
from unmask.report.document import from_json, to_json
from unmask.scanner import Scanner
from unmask.types import Partial, Report
from unmask.web.disk import flush
from unmask.web.options import MIB, ServeOptions
from unmask.web.pictures import Pictures, playable
from unmask.web.queue import Failure, Outcome, Work
from unmask.web.store import Folder
from unmask.web.tables import Task

log = logging.getLogger("unmask.web")

NICENESS = 10
"""Pages are answered before files are looked at."""

CPU_SPARE = 60.0
"""Seconds of processor time past what the time limit allows, before the kernel ends the worker."""

LEAST_ROOM = 1024 * MIB
"""Bytes that must be left for a file under the limit on memory once the networks are open: a short video in
small format takes 800 MiB."""

LARGEST_FILE = 4
"""What a worker may write into one file, as a multiple of the largest upload: made to be played everywhere,
a video may grow."""

PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""

_scanners: dict[ScanOptions, Scanner] = {}
_options = ScanOptions()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may take: address space, and room for any one file it writes, in bytes. It is told no
    more of how the server runs: hostile files are decoded here, and the database's URL may hold a secret."""

    memory: int
    file: int

    @staticmethod
    def of(serve: ServeOptions) -> Limits:
        """Those of a server."""
        return Limits(memory=serve.memory * MIB, file=LARGEST_FILE * serve.max_bytes)


def open_worker(options: ScanOptions, limits: Limits) -> None:
    """Prepare this process: open the networks once and take on its limits.

    Raises:
        UnmaskError: the networks cannot be opened, or leave no room under the limit on memory.
    """
    global _options
    _options = options
    die_with_parent()
    with contextlib.suppress(OSError, AttributeError):  # Windows has no such thing.
        os.nice(NICENESS)
    _scanner(options)
    taken = _address_space()
    if limits.memory < taken + LEAST_ROOM:
        raise UnmaskError(
            f"{limits.memory // MIB} MiB of memory are too little: a worker takes {taken // MIB} MiB before "
            "it looks at anything",
            hint=f"give at least --memory {(taken + LEAST_ROOM) // MIB + 1}",
        )
    _limit("RLIMIT_AS", limits.memory)
    _limit("RLIMIT_FSIZE", limits.file)
    _limit("RLIMIT_CORE", 0)


def perform(work: Work, folder: Folder, name: str) -> Outcome | Failure | None:
    """Do one job; of a scan, what it found. Nothing is raised: see `Failure`."""
    try:
        with _processor_time(_options):
            return _perform(work, folder, name)
    except UnmaskError as error:
        return Failure(type(error).__name__, _nameless(error.message, folder, name), error.hint)
    except BaseException as error:  # Some libraries raise what is no Exception.
        if not isinstance(error, MemoryError):
            log.exception("%s of %s: a fault of unmask's own", work.task, work.scan)
        return Failure(type(error).__name__)


def _perform(work: Work, folder: Folder, name: str) -> Outcome | None:
    match work.task:
        case Task.SCAN:
            return _scan(work, folder, name)
        case Task.PREVIEW:
            from unmask.report.video import write_plain

            write_plain(folder.original, folder.preview)
        case Task.ANNOTATE:
            from unmask.report.annotate import annotate

            report = from_json(folder.report.read_bytes())
            annotate(folder.original, report, folder.annotated(report.file.kind if report.file else ""))
    return None


def _nameless(text: str, folder: Folder, name: str) -> str:
    """What is said of a file under the name its user knows: where it lies here is nobody's business."""
    text = text.replace(str(folder.original), name).replace(str(folder.path), name)
    for model in _options.model:
        text = text.replace(model, Path(model).name)
    return text


def _scan(work: Work, folder: Folder, name: str) -> Outcome:
    options = with_settings(_options, work.settings)
    with _Events(folder.events) as events:
        events.say("started", attempt=work.attempt)
        report = _scanner(options).scan(folder.original, watch=events.partial, look=Pictures(folder))
        report = _as_handed_in(report, folder, name)
        write(folder.report, to_json(report, evidence=True, indent=None))
        # The row that says it is done must not outlast it.
        flush(folder.report)
        flush(folder.path)
    facts = report.file
    return Outcome(
        verdict=report.verdict,
        probability=report.probability,
        message=report.message,
        kind=facts.kind if facts else "",
        duration=facts.duration if facts else None,
        playable=facts is None or facts.kind != "video" or playable(facts),
    )


def with_settings(options: ScanOptions, settings: Mapping[str, object]) -> ScanOptions:
    """The server's options with what the user chose for one file."""
    chosen: ScanOptions = msgspec.convert({**msgspec.to_builtins(options), **settings}, ScanOptions)
    return chosen


def _scanner(options: ScanOptions) -> Scanner:
    if options not in _scanners:
        _scanners.clear()
        _scanners[options] = Scanner(options)
    return _scanners[options]


def _as_handed_in(report: Report, folder: Folder, name: str) -> Report:
    """The report under the name the user knows, without any folder of this machine."""
    file = None if report.file is None else replace(report.file, name=name)
    models = ", ".join(Path(model).name for model in _options.model)
    options = tuple((key, models if key == "model" else value) for key, value in report.options)
    message = _nameless(report.message, folder, name)
    return replace(report, path=name, file=file, options=options, message=message)


class _Events:
    """What happens, a line of JSON each, for whoever watches."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w", encoding="utf-8")

    def __enter__(self) -> _Events:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def say(self, kind: str, **facts: Any) -> None:
        self.file.write(json.dumps({"event": kind, **facts}, allow_nan=False) + "\n")
        self.file.flush()

    def partial(self, known: Partial) -> None:
        self.say("progress", **msgspec.to_builtins(known))


@contextlib.contextmanager
def _processor_time(options: ScanOptions) -> Iterator[None]:
    """End this process when one job has taken far more processor time than its time limit allows."""
    used = sum(os.times()[:2])
    allowed = options.timeout * max(1, options.threads or os.cpu_count() or 1) + CPU_SPARE
    _limit("RLIMIT_CPU", int(used + allowed))
    yield


def die_with_parent() -> None:
    """Have this process end with the dispatcher, at once: its jobs will be begun by the next one."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    if sys.platform == "linux":
        # The kernel does it even where this process is stuck or stopped.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent.pid:  # It died before it could be watched.
            os._exit(1)

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _address_space() -> int:
    """Bytes of address space that this process has, which is what the limit on memory counts; 0 where the
    system does not say, or has no such limit."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _limit(name: str, value: int) -> None:
    """Lower a limit of this process where the system has it."""
    try:
        import resource
    except ImportError:  # Windows has none; the time limit still holds there.
        return
    with contextlib.suppress(ValueError, OSError):
        hard = resource.getrlimit(getattr(resource, name))[1]
        resource.setrlimit(getattr(resource, name), (value, hard))
