"""Reports as PDF: set once per scan, and few at a time, since each takes a processor for a while."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from unmask.errors import UnmaskError
from unmask.report.atomic import write
from unmask.web import asked
from unmask.web.problems import RETRY_AFTER, ProblemError
from unmask.web.scans import ScanInfo

AT_ONCE = 2
"""Reports that are set at the same time."""

PATIENCE = 10.0
"""Seconds that a request waits for its turn."""


class Printer:
    """Sets reports and keeps what it has set beside them, to be deleted with them."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)

    async def pdf(self, request: Request, info: ScanInfo) -> bytes:
        """The report of a scan as PDF.

        Raises:
            NotReadyError: there is no report.
            ProblemError: too many others are being set.
        """
        files = asked.scans(request).files(info)
        kept = await run_in_threadpool(_kept, files.pdf, files.report)
        if kept is not None:
            return kept
        try:
            async with asyncio.timeout(PATIENCE):
                await self._room.acquire()
        except TimeoutError:
            raise ProblemError(
                503,
                "too many reports are being set",
                hint="try again in a moment",
                headers={"Retry-After": str(RETRY_AFTER)},
            ) from None
        try:
            return await run_in_threadpool(_made, request, info)
        finally:
            self._room.release()


def _made(request: Request, info: ScanInfo) -> bytes:
    from unmask.report.pdf import render_pdf

    files = asked.scans(request).files(info)
    kept = _kept(files.pdf, files.report)
    if kept is not None:
        return kept  # While this one waited for its turn.
    data = render_pdf(asked.report(request, info))
    # The scan may have been deleted meanwhile, or the disk be full: then it is not kept.
    with contextlib.suppress(UnmaskError):
        write(files.pdf, data)
    return data


def _kept(pdf: Path, report: Path) -> bytes | None:
    """What was set before, unless the report has changed since."""
    try:
        return pdf.read_bytes() if pdf.stat().st_mtime_ns >= report.stat().st_mtime_ns else None
    except OSError:
        return None
