"""What happens to scans, as server-sent events: read from the file a worker writes and from the row."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from fastapi.sse import ServerSentEvent
from sqlalchemy.exc import SQLAlchemyError

from unmask.web.scans import ScanInfo, Scans, TooManyError
from unmask.web.tables import State

log = logging.getLogger("unmask.web")

LOOK = 0.2
"""Seconds between two looks at what a worker has written."""

LOOK_AT_ROWS = 5
"""Looks at the row, one for this many at the file: the database has other things to do."""

MOST_EACH = 64
"""Streams of one user that are open at once."""

LIFE = 600.0
"""Seconds after which a stream ends, whatever is still to come; browsers open it again by themselves. A token
that was taken back is asked for then."""

THREADS = 2
"""Threads that look for all streams together: what they wait for holds up no page."""

TAIL = 65536
"""Bytes from the end of a worker's file in which the last partial result is."""


class News(Protocol):
    """Something that is followed."""

    def look(self) -> tuple[list[ServerSentEvent], bool]:
        """What is new since the last look, and whether that was all."""
        ...


class Streams:
    """All streams of events of a server."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._threads = ThreadPoolExecutor(THREADS, "events")

    @contextlib.contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """Have one of the streams that this owner may have open.

        Raises:
            TooManyError: all of them are.
        """
        if self._open[owner] >= MOST_EACH:
            raise TooManyError(
                f"{MOST_EACH} streams of yours are open already",
                hint="close some, or follow all scans with /api/v1/events",
                of_all=False,
            )
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            self._open += Counter()  # Forgets those who have none.

    async def follow(self, news: News, every: float = LOOK) -> AsyncIterator[ServerSentEvent]:
        """What happens, looked for every so many seconds, until all has happened or the stream's life is
        over."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LIFE
        while loop.time() < end:
            try:
                events, over = await loop.run_in_executor(self._threads, news.look)
            except SQLAlchemyError as error:
                # Whoever follows asks again, and is told then.
                log.warning("the database does not answer: %s", error.__class__.__name__)
                return
            for event in events:
                yield event
            if over:
                return
            await asyncio.sleep(every)


class OfScan:
    """What happens to one scan until it is over, from its beginning: `queued`, `started`, `progress`, and at
    the end one of `done`, `failed`, `cancelled`, `deleted`."""

    def __init__(self, scans: Scans, owner: str, scan_id: str) -> None:
        self._scans, self._owner, self._id = scans, owner, scan_id
        self._path = scans.store.folder(scan_id).events
        self._read, self._ahead, self._looks = 0, -1, 0

    def look(self) -> tuple[list[ServerSentEvent], bool]:
        """See `News`."""
        info, events = None, []
        if self._looks % LOOK_AT_ROWS == 0:
            info = self._scans.get(self._owner, self._id)
            if info is None:
                return [ServerSentEvent(event="deleted", data={})], True
            if info.state is State.QUEUED:
                events += self._place_in_queue(info)
        self._looks += 1
        if info is None or info.state is not State.QUEUED:
            events += self._said()
        if info is not None and info.state.is_final:
            return [*events, final(info)], True
        return events, False

    def _place_in_queue(self, info: ScanInfo) -> list[ServerSentEvent]:
        before, self._ahead = self._ahead, self._scans.ahead(info)
        return [ServerSentEvent(event="queued", data={"ahead": self._ahead})] if self._ahead != before else []

    def _said(self) -> list[ServerSentEvent]:
        """What the worker has written since."""
        lines, self._read = _new_lines(self._path, self._read)
        events = []
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                continue  # two attempts wrote at once, the earlier one while it was being stopped
            events.append(ServerSentEvent(event=said.pop("event"), data=said))
            if said.get("share") == 1.0:
                # The worker goes on to write its report: ask the row at once.
                self._looks = 0
        return events


def final(info: ScanInfo) -> ServerSentEvent:
    """The last event of a scan that is over."""
    if info.state is State.DONE:
        said: dict[str, Any] = {
            "verdict": info.verdict,
            "probability": info.probability,
            "message": info.message,
        }
        return ServerSentEvent(event="done", data=said)
    if info.state is State.FAILED:
        return ServerSentEvent(event="failed", data={"reason": info.job.reason, "hint": info.job.hint})
    return ServerSentEvent(event="cancelled", data={})


class OfAll:
    """Every change of this owner's scans, from those that are unfinished now on: `scan` events, and `deleted`
    ones for those that are gone."""

    def __init__(self, scans: Scans, owner: str, described: Callable[[ScanInfo], dict[str, Any]]) -> None:
        self._scans, self._owner, self._described = scans, owner, described
        self._told: dict[str, dict[str, Any]] = {}

    def look(self) -> tuple[list[ServerSentEvent], bool]:
        """See `News`."""
        open_ = {info.id: info for info in self._scans.unfinished(self._owner)}
        events = [self._over(scan_id) for scan_id in [known for known in self._told if known not in open_]]
        for info in open_.values():
            so_far = self._described(info) | _last_partial(self._scans.files(info).events, info)
            if self._told.get(info.id) != so_far:
                self._told[info.id] = so_far
                events.append(ServerSentEvent(event="scan", data=so_far))
        return events, False

    def _over(self, scan_id: str) -> ServerSentEvent:
        del self._told[scan_id]
        info = self._scans.get(self._owner, scan_id)
        if info is None:
            return ServerSentEvent(event="deleted", data={"id": scan_id})
        return ServerSentEvent(event="scan", data={**self._described(info), "share": 1.0})


def _last_partial(path: Path, info: ScanInfo) -> dict[str, Any]:
    """How far a scan is, and what would be said of it now."""
    if info.state is not State.RUNNING:
        return {"share": 0.0}
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - TAIL))
            lines = file.read().splitlines()
    except OSError:
        return {"share": 0.0}
    for line in reversed(lines):
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if said["event"] == "progress":
            return {key: said[key] for key in ("share", "verdict", "probability")}
        break
    return {"share": 0.0}


def _new_lines(path: Path, read: int) -> tuple[list[bytes], int]:
    """The whole lines behind the first `read` bytes, and how many bytes are read now. A shorter file than
    that is a new attempt's, read from its beginning."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0 if size < read else read)
            read = file.tell()
            block = file.read()
    except OSError:
        return [], read
    whole = block[: block.rfind(b"\n") + 1]
    return whole.splitlines(), read + len(whole)
