"""What a request is about: whose it is, which scan it names, and that scan's report."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from fastapi import Query, Request
from pydantic import AfterValidator

from unmask.types import Report
from unmask.web.problems import ProblemError
from unmask.web.scans import ScanInfo, Scans

MOST_REPORTS = 4
"""Reports kept in memory: a page asks for the same one again for each of its pictures."""


def _in_utc(when: datetime | None) -> datetime | None:
    """A time as it is compared with others; one near the ends of the calendar may have none."""
    try:
        return when if when is None or when.tzinfo is None else when.astimezone(UTC)
    except OverflowError:
        raise ValueError("there is no such time") from None


Search = Annotated[
    str,
    # PostgreSQL takes no NUL in a text.
    Query(max_length=200, pattern=r"^[^\x00]*$", description="Part of a name, or the start of a SHA-256."),
]

Before = Annotated[
    datetime | None,
    AfterValidator(_in_utc),
    Query(description="Only those handed in before this time."),
]

BeforeId = Annotated[
    str,
    Query(
        pattern=r"^[A-Za-z0-9_-]{0,32}$",
        description="Of that very time, those listed after this one as well.",
    ),
]


def scans(request: Request) -> Scans:
    """All scans of the server."""
    known: Scans = request.app.state.scans
    return known


def owner(request: Request) -> str:
    """Who asks."""
    who: str = request.state.owner
    return who


def scan(request: Request, scan_id: str) -> ScanInfo:
    """The scan of this name, if it is whose who asks.

    Raises:
        ProblemError: there is none.
    """
    info = scans(request).get(owner(request), scan_id)
    if info is None:
        raise ProblemError(
            404, "there is no such scan", hint="it may have been deleted, or be someone else's"
        )
    return info


def report(request: Request, info: ScanInfo) -> Report:
    """The report of a scan.

    Raises:
        NotReadyError: it has none.
    """
    return _reports.of(scans(request), info)


class _Reports:
    """The reports last asked for. Those whose file is gone are forgotten at the next look."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Path, tuple[int, Report]] = OrderedDict()

    def of(self, all_scans: Scans, info: ScanInfo) -> Report:
        path = all_scans.files(info).report
        with self._lock:
            for known in [known for known in self._known if not _changed(known)]:
                del self._known[known]
            changed = _changed(path)
            if path in self._known and self._known[path][0] == changed:
                self._known.move_to_end(path)
                return self._known[path][1]
        found = all_scans.report(info)
        with self._lock:
            self._known[path] = changed, found
            while len(self._known) > MOST_REPORTS:
                self._known.popitem(last=False)
        return found


def _changed(path: Path) -> int:
    """When a file changed, in ns; 0 where there is none: it may be deleted at any moment."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


_reports = _Reports()
