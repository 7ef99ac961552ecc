"""What the pages' own forms do, for browsers with and without scripts: cancel, try again, delete, make
more."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi import Path as InPath
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from unmask.web import asked, settings
from unmask.web.problems import ProblemError
from unmask.web.render import page
from unmask.web.scans import Received, ScanInfo
from unmask.web.store import ID_FORM
from unmask.web.tables import Task

router = APIRouter(include_in_schema=False)

ScanId = Annotated[str, InPath(pattern=f"^{ID_FORM.pattern}$")]

LONGEST_FORM = 4096
"""Bytes of a form without a file."""


@router.post("/scans/{scan_id}/cancel")
def cancel(request: Request, scan_id: ScanId) -> Response:
    """Stop all work on a scan."""
    asked.scan(request, scan_id)
    asked.scans(request).cancel(asked.owner(request), scan_id)
    request.app.state.notify()
    return _to(f"/scans/{scan_id}")


@router.post("/scans/{scan_id}/retry")
def retry(request: Request, scan_id: ScanId) -> Response:
    """Look at the same upload once more where that failed or was cancelled."""
    _ask(request, scan_id, Task.SCAN)
    return _to(f"/scans/{scan_id}")


@router.post("/scans/{scan_id}/again")
async def again(request: Request, scan_id: ScanId) -> Response:
    """Judge the same upload anew, as a scan of its own, with the options that the form names."""
    info = await run_in_threadpool(asked.scan, request, scan_id)
    chosen = settings.checked(await _fields(request), request.app.state.scan_options)
    new = await run_in_threadpool(_hand_in_again, request, info, chosen)
    request.app.state.notify()
    return _to(f"/scans/{new.id}")


@router.post("/scans/{scan_id}/annotated")
def annotate(request: Request, scan_id: ScanId) -> Response:
    """Have the annotated file made."""
    _ask(request, scan_id, Task.ANNOTATE)
    if request.headers.get("hx-request") == "true":
        return _to(f"/scans/{scan_id}/downloads")
    return _to(f"/scans/{scan_id}#downloads")


@router.get("/scans/{scan_id}/delete")
def ask_to_delete(request: Request, scan_id: ScanId) -> Response:
    """Ask whether that is meant."""
    return page(request, "delete.html.j2", info=asked.scan(request, scan_id), count=1)


@router.post("/scans/{scan_id}/delete")
def delete(request: Request, scan_id: ScanId) -> Response:
    """Delete a scan, its file and all that was made of it."""
    asked.scan(request, scan_id)
    asked.scans(request).delete(asked.owner(request), scan_id)
    return _to("/")


@router.get("/delete")
def ask_to_delete_all(request: Request) -> Response:
    """Ask whether that is meant."""
    count = asked.scans(request).count(asked.owner(request))
    return page(request, "delete.html.j2", info=None, count=count)


@router.post("/delete")
def delete_all(request: Request) -> Response:
    """Delete everything of who asks."""
    asked.scans(request).delete_all(asked.owner(request))
    return _to("/")


def _ask(request: Request, scan_id: str, task: Task) -> None:
    asked.scan(request, scan_id)
    asked.scans(request).ask(asked.owner(request), scan_id, task)
    request.app.state.notify()


def _hand_in_again(request: Request, info: ScanInfo, chosen: dict[str, object]) -> ScanInfo:
    scans, owner = asked.scans(request), asked.owner(request)
    scans.check_room(owner)
    with scans.store.receiving() as path:
        try:
            _copy(scans.files(info).original, path)
        except OSError as error:
            raise ProblemError(409, "the upload is not there any more", hint="hand it in again") from error
        upload = Received(path, info.name, info.sha256, info.size_bytes, chosen)
        return scans.create(owner, upload, again=True)[0]


def _copy(original: Path, path: Path) -> None:
    """A second name for the same bytes where the disk can do that: uploads are large and never change."""
    with contextlib.suppress(OSError):
        os.link(original, path)
        return
    shutil.copyfile(original, path)


async def _fields(request: Request) -> dict[str, str]:
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > LONGEST_FORM:
            raise ProblemError(413, "the form is too long")
    try:
        pairs = parse_qs(body.decode("utf-8", "replace"), max_num_fields=16)
    except ValueError:
        raise ProblemError(422, "the form has too many fields") from None
    return {name: values[0] for name, values in pairs.items()}


def _to(address: str) -> Response:
    return RedirectResponse(address, status_code=303)
