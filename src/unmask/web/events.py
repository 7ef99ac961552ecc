"""What happens to scans, as server-sent events: read from the file a worker writes and from the row."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from fastapi.sse import ServerSentEvent

from unmask.web.scans import ScanInfo, Scans
from unmask.web.tables import State

LOOK = 0.2
"""Seconds between two looks at what a worker has written."""

LOOK_AT_ROWS = 5
"""Looks at the row, one for this many at the file: the database has other things to do."""

TAIL = 65536
"""Bytes from the end of a worker's file in which the last partial result is."""


async def of_scan(scans: Scans, owner: str, scan_id: str) -> AsyncIterator[ServerSentEvent]:
    """What happens to one scan until it is over, from its beginning: `queued`, `started`, `progress`, and at
    the end one of `done`, `failed`, `cancelled`."""
    path, read, ahead, looks = scans.store.folder(scan_id).events, 0, -1, 0
    while True:
        info = None
        if looks % LOOK_AT_ROWS == 0:
            info = await asyncio.to_thread(scans.get, owner, scan_id)
            if info is None:
                yield ServerSentEvent(event="failed", data={"reason": "deleted", "hint": ""})
                return
            if info.state is State.QUEUED:
                waiting = await asyncio.to_thread(scans.ahead, info)
                if waiting != ahead:
                    ahead = waiting
                    yield ServerSentEvent(event="queued", data={"ahead": ahead})
        if info is None or info.state is not State.QUEUED:
            lines, read = _new_lines(path, read)
            for line in lines:
                try:
                    said = json.loads(line)
                except ValueError:
                    continue  # two attempts wrote at once, the earlier one while it was being stopped
                yield ServerSentEvent(event=said.pop("event"), data=said)
                # The worker goes on to write its report: ask the row at once.
                looks = -1 if said.get("share") == 1.0 else looks
        if info is not None and info.state.is_final:
            yield final(info)
            return
        looks += 1
        await asyncio.sleep(LOOK)


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


async def of_all(
    scans: Scans, owner: str, described: Callable[[ScanInfo], dict[str, Any]]
) -> AsyncIterator[ServerSentEvent]:
    """Every change of this owner's scans, from those that are unfinished now on: `scan` events."""
    told: dict[str, dict[str, Any]] = {}
    while True:
        open_ = {info.id: info for info in await asyncio.to_thread(scans.unfinished, owner)}
        for scan_id in [known for known in told if known not in open_]:
            del told[scan_id]
            over = await asyncio.to_thread(scans.get, owner, scan_id)
            if over is not None:
                yield ServerSentEvent(event="scan", data={**described(over), "share": 1.0})
        for info in open_.values():
            so_far = described(info) | _last_partial(scans.files(info).events, info)
            if told.get(info.id) != so_far:
                told[info.id] = so_far
                yield ServerSentEvent(event="scan", data=so_far)
        await asyncio.sleep(LOOK * 2)


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
