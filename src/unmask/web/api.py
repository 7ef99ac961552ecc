"""The REST API under /api/v1: hand in, watch, fetch, delete. The page uses nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from unmask.options import ScanOptions
from unmask.report.document import to_json
from unmask.types import Report, Verdict
from unmask.web import asked, events, settings
from unmask.web.options import ServeOptions
from unmask.web.pictures import playable
from unmask.web.printing import Printer
from unmask.web.problems import ProblemError, responses
from unmask.web.scans import PAGE, NotReadyError, Received, ScanInfo, TooManyError
from unmask.web.store import ID_FORM, Store
from unmask.web.tables import State, Task
from unmask.web.upload import Upload, drain

router = APIRouter(prefix="/api/v1", tags=["scans"])

ScanId = Annotated[str, Field(pattern=f"^{ID_FORM.pattern}$", description="As given when it was handed in.")]

ARRIVING_EACH = 16
"""Uploads of one user that are taken in at once; further ones wait unread, so that none of them takes up
disk."""

SANDBOX = "default-src 'none'; sandbox"
"""For files that users handed in, should a browser open one by itself."""


class LinksOut(BaseModel):
    """Where the parts of a scan are."""

    self: str
    page: str
    events: str
    media: str
    thumbnail: str
    report_json: str
    report_html: str
    report_pdf: str
    annotated: str


class ScanOut(BaseModel):
    """A scan as it stands."""

    id: str
    name: str = Field(description="What the file was called.")
    state: State
    sha256: str
    size_bytes: int
    created: datetime
    started: datetime | None = Field(description="When the file began to be looked at, the last time.")
    finished: datetime | None = Field(description="When that was over.")
    kind: str = Field(description="image or video; empty while it is not known.")
    duration: float | None = Field(description="Seconds, of a video.")
    verdict: Verdict | None = Field(description="Known once the state is done.")
    probability: float | None = Field(
        description="P(fake); none where the verdict is no judgement.", ge=0, le=1
    )
    message: str = Field(description="Why, in a sentence.")
    reason: str = Field(description="Why it failed, where it did.")
    hint: str = Field(description="What to do about it.")
    ahead: int = Field(description="Jobs that will be begun before it, while it is queued.")
    settings: dict[str, Any] = Field(description="Options chosen for this file.")
    links: LinksOut


class ScansOut(BaseModel):
    """One page of scans, newest first; `next` is where the following page is, if there is one."""

    scans: list[ScanOut]
    total: int = Field(description="How many scans you have in all.")
    next: str | None


class DeletedOut(BaseModel):
    """How many scans were deleted."""

    deleted: int


def described(info: ScanInfo, ahead: int = 0) -> ScanOut:
    """A scan as programs see it."""
    here = f"/api/v1/scans/{info.id}"
    return ScanOut(
        id=info.id,
        name=info.name,
        state=info.state,
        sha256=info.sha256,
        size_bytes=info.size_bytes,
        created=info.created,
        started=info.job.started,
        finished=info.job.finished,
        kind=info.kind,
        duration=info.duration,
        verdict=info.verdict,
        probability=info.probability,
        message=info.message,
        reason=info.job.reason,
        hint=info.job.hint,
        ahead=ahead,
        settings=dict(info.settings),
        links=LinksOut(
            self=here,
            page=f"/scans/{info.id}",
            events=f"{here}/events",
            media=f"{here}/media",
            thumbnail=f"{here}/thumbnail.jpg",
            report_json=f"{here}/report.json",
            report_html=f"{here}/report.html",
            report_pdf=f"{here}/report.pdf",
            annotated=f"{here}/annotated",
        ),
    )


def _number(field: settings.Field) -> dict[str, Any]:
    """A setting as the description of the form says it."""
    return {"type": "integer", "minimum": field.least, "maximum": field.most, "description": field.help}


FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary", "description": "An image or a video."},
                        **{field.name: _number(field) for field in settings.form_fields(ScanOptions())},
                        "again": {
                            "type": "boolean",
                            "description": "Judge the file anew, though it was judged before.",
                        },
                    },
                }
            }
        },
    }
}


@router.post(
    "/scans",
    status_code=201,
    response_model=ScanOut,
    openapi_extra=FORM,
    responses={
        200: {"model": ScanOut, "description": "The same file was handed in before; this is its scan."},
        303: {"description": "The page of the scan, for browsers that send the form by themselves."},
        **responses(400, 408, 413, 415, 422, 429, 503, 507),
    },
)
async def create(request: Request) -> Response:
    """Hand in an image or a video. The same file with the same settings is not judged twice unless asked."""
    try:
        info, new = await _taken_in(request)
    except (ProblemError, TooManyError):
        # A client that is still sending would see a broken connection instead of the answer.
        await drain(request)
        raise
    request.app.state.notify()
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse(f"/scans/{info.id}", status_code=303)
    ahead = await run_in_threadpool(asked.scans(request).ahead, info)
    return JSONResponse(
        described(info, ahead).model_dump(mode="json"),
        status_code=201 if new else 200,
        headers={"Location": f"/api/v1/scans/{info.id}"},
    )


async def _taken_in(request: Request) -> tuple[ScanInfo, bool]:
    scans, owner = asked.scans(request), asked.owner(request)
    await run_in_threadpool(scans.check_room, owner)
    arriving: dict[str, asyncio.Semaphore] = request.app.state.arriving
    room = arriving.setdefault(owner, asyncio.Semaphore(ARRIVING_EACH))
    async with room, _receiving(scans.store) as path:
        options: ServeOptions = request.app.state.options
        upload = Upload(path, options.max_bytes, options.free_bytes)
        await upload.receive(request)
        chosen = settings.checked(upload.fields, request.app.state.scan_options)
        received = Received(path, upload.name, upload.sha256, upload.size, chosen)
        again = upload.fields.get("again", "").lower() in ("true", "1", "on", "yes")
        return await run_in_threadpool(scans.create, owner, received, again=again)


@contextlib.asynccontextmanager
async def _receiving(store: Store) -> AsyncIterator[Path]:
    """`Store.receiving` in a thread: removing a large upload that was refused would hold everyone up."""
    receiving = store.receiving()
    path = await asyncio.to_thread(receiving.__enter__)
    try:
        yield path
    finally:
        await asyncio.shield(asyncio.to_thread(receiving.__exit__, None, None, None))


@router.get("/scans", responses=responses(422))
def search(
    request: Request,
    search: asked.Search = "",
    verdict: Verdict | None = None,
    state: State | None = None,
    before: asked.Before = None,
    before_id: asked.BeforeId = "",
    limit: Annotated[int, Query(ge=1, le=200)] = PAGE,
) -> ScansOut:
    """Your scans, newest first."""
    scans, owner = asked.scans(request), asked.owner(request)
    found = scans.list(
        owner, search=search, verdict=verdict, state=state, before=before, before_id=before_id, limit=limit
    )
    following = None
    if len(found) == limit:
        asked_for = {
            **request.query_params,
            "before": found[-1].created.isoformat(),
            "before_id": found[-1].id,
        }
        following = f"{router.prefix}/scans?{urlencode(asked_for)}"
    return ScansOut(scans=[described(info) for info in found], total=scans.count(owner), next=following)


@router.delete("/scans")
def delete_all(request: Request) -> DeletedOut:
    """Delete all your scans, with their files and all that was made of them."""
    return DeletedOut(deleted=asked.scans(request).delete_all(asked.owner(request)))


def _streams(request: Request) -> events.Streams:
    known: events.Streams = request.app.state.streams
    return known


async def _place(request: Request) -> AsyncIterator[None]:
    """Held as long as a stream is open."""
    with _streams(request).place(asked.owner(request)):
        yield


STREAM: dict[str, Any] = {"response_class": EventSourceResponse, "dependencies": [Depends(_place)]}
"""Of routes that answer with events."""


@router.get("/events", responses=responses(429), **STREAM)
async def all_events(request: Request) -> AsyncIterable[ServerSentEvent]:
    """Changes of your scans from now on: `scan` events, each a scan with the `share` done, and `deleted` ones
    with an `id`. A stream ends after ten minutes: ask for it again."""

    def told(info: ScanInfo) -> dict[str, Any]:
        return described(info).model_dump(mode="json")

    news = events.OfAll(asked.scans(request), asked.owner(request), told)
    async for event in _streams(request).follow(news, 2 * events.LOOK):
        yield event


@router.get("/scans/{scan_id}", responses=responses(404, 422))
def get(request: Request, scan_id: ScanId) -> ScanOut:
    """A scan as it stands."""
    info = asked.scan(request, scan_id)
    return described(info, asked.scans(request).ahead(info) if info.state is State.QUEUED else 0)


@router.delete("/scans/{scan_id}", status_code=204, responses=responses(404, 422))
def delete(request: Request, scan_id: ScanId) -> Response:
    """Delete a scan, its file and all that was made of it; work on it stops."""
    if not asked.scans(request).delete(asked.owner(request), scan_id):
        raise _missing()
    return Response(status_code=204)


@router.post("/scans/{scan_id}/cancel", responses=responses(404, 422))
def cancel(request: Request, scan_id: ScanId) -> ScanOut:
    """Stop all work on a scan."""
    info = asked.scans(request).cancel(asked.owner(request), scan_id)
    if info is None:
        raise _missing()
    request.app.state.notify()
    return described(info)


@router.post("/scans/{scan_id}/retry", responses=responses(404, 409, 422, 429, 503))
def retry(request: Request, scan_id: ScanId) -> ScanOut:
    """Look at the file again where that failed or was cancelled."""
    return _ask(request, scan_id, Task.SCAN)


@router.get("/scans/{scan_id}/events", responses=responses(422, 429), **STREAM)
async def scan_events(request: Request, scan_id: ScanId) -> AsyncIterable[ServerSentEvent]:
    """What happens to a scan: `queued`, `started`, `progress`, and at the end `done`, `failed`, `cancelled`
    or `deleted` (also where there never was one). A stream ends after ten minutes: ask for it again."""
    news = events.OfScan(asked.scans(request), asked.owner(request), scan_id)
    async for event in _streams(request).follow(news):
        yield event


@router.get("/scans/{scan_id}/report.json", responses=responses(404, 409, 422))
def report_json(request: Request, scan_id: ScanId, evidence: bool = False) -> Response:
    """The report as JSON; with `evidence` also the face crops and heatmaps."""
    info, report = _report(request, scan_id)
    return _download(to_json(report, evidence=evidence), info, ".json", "application/json")


@router.get("/scans/{scan_id}/report.html", responses=responses(404, 409, 422))
def report_html(request: Request, scan_id: ScanId) -> Response:
    """The report as one self-contained page."""
    from unmask.report.html import render_html

    info, report = _report(request, scan_id)
    return _download(render_html(report).encode(), info, ".html", "text/html; charset=utf-8")


@router.get("/scans/{scan_id}/report.pdf", responses=responses(404, 409, 422, 503))
async def report_pdf(request: Request, scan_id: ScanId) -> Response:
    """The report as PDF."""
    info = await run_in_threadpool(asked.scan, request, scan_id)
    printer: Printer = request.app.state.printer
    return _download(await printer.pdf(request, info), info, ".pdf", "application/pdf")


@router.get("/scans/{scan_id}/thumbnail.jpg", responses=responses(404, 422))
def thumbnail(request: Request, scan_id: ScanId) -> Response:
    """A small picture of the file."""
    return _file(asked.scans(request).files(asked.scan(request, scan_id)).thumbnail, "image/jpeg")


@router.get("/scans/{scan_id}/picture.jpg", responses=responses(404, 422))
def picture(request: Request, scan_id: ScanId) -> Response:
    """A still as JPEG, at most 2048 pixels long."""
    return _file(asked.scans(request).files(asked.scan(request, scan_id)).picture, "image/jpeg")


@router.get("/scans/{scan_id}/media", responses=responses(404, 409, 422))
def media(request: Request, scan_id: ScanId) -> Response:
    """The file itself where browsers play it, else a copy that they play; parts of it by `Range`."""
    info, report = _report(request, scan_id)
    folder, facts = asked.scans(request).files(info), report.file
    if facts is None or facts.kind != "video":
        return _file(folder.picture, "image/jpeg")
    if playable(facts):
        kind = "video/webm" if "webm" in facts.container else "video/mp4"
        return _file(folder.original, kind)
    job = info.jobs.get(Task.PREVIEW)
    if job is not None and not job.state.is_final:
        raise NotReadyError("a copy that browsers play is being prepared", hint="try again in a moment")
    return _file(folder.preview, "video/mp4")


@router.get("/scans/{scan_id}/annotated", responses=responses(404, 409, 422))
def annotated(request: Request, scan_id: ScanId) -> Response:
    """The file once more with what was found drawn in; it is made when asked for with POST."""
    info = asked.scan(request, scan_id)
    job = info.jobs.get(Task.ANNOTATE)
    if job is None or job.state is not State.DONE:
        failed = job is not None and job.state is State.FAILED
        raise NotReadyError(
            job.reason if failed and job else "it has not been made", hint="ask for it with POST"
        )
    path = asked.scans(request).files(info).annotated(info.kind)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return _file(path, kind, f"{Path(info.name).stem}-annotated{path.suffix}")


@router.post("/scans/{scan_id}/annotated", status_code=202, responses=responses(404, 409, 422, 429, 503))
def annotate(request: Request, scan_id: ScanId) -> ScanOut:
    """Have the annotated file made."""
    return _ask(request, scan_id, Task.ANNOTATE)


def _report(request: Request, scan_id: str) -> tuple[ScanInfo, Report]:
    info = asked.scan(request, scan_id)
    return info, asked.report(request, info)


def _ask(request: Request, scan_id: str, task: Task) -> ScanOut:
    info = asked.scans(request).ask(asked.owner(request), scan_id, task)
    if info is None:
        raise _missing()
    request.app.state.notify()
    return described(info)


def _file(path: Path, media_type: str, name: str | None = None) -> Response:
    if not path.is_file():
        raise ProblemError(
            404, "there is no such file", hint="it may not be made yet, or not for this kind of file"
        )
    headers = {"Content-Security-Policy": SANDBOX, "Cache-Control": "private, max-age=3600"}
    return FileResponse(path, media_type=media_type, filename=name, headers=headers)


def _download(data: bytes, info: ScanInfo, ending: str, media_type: str) -> Response:
    name = quote(f"{Path(info.name).stem}-unmask{ending}", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}"}
    return Response(data, media_type=media_type, headers=headers)


def _missing() -> ProblemError:
    return ProblemError(404, "there is no such scan", hint="it may have been deleted, or be someone else's")
