"""The pages that people use, and the parts of them that change while they are looked at."""

from __future__ import annotations

import functools
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

import unmask.report
from unmask.types import ModelFacts, Report, Verdict
from unmask.web import asked, forms, overlay, points, settings, view
from unmask.web.forms import ScanId
from unmask.web.options import ServeOptions
from unmask.web.problems import ProblemError
from unmask.web.render import page
from unmask.web.scans import ScanInfo
from unmask.web.store import ID_FORM
from unmask.web.tables import State

router = APIRouter(include_in_schema=False)
router.include_router(forms.router)

REPORT_STYLE = Path(unmask.report.__file__).parent / "templates" / "style.css"
"""The look of reports, which the pages add to: what is handed on looks as it did here."""

HISTORY = 24
"""Scans listed at once."""

MOST_SHOWN = 20 * HISTORY
"""Scans that a list is made anew with: further ones are asked for again."""

PRIVATE = {"Cache-Control": "private, max-age=3600"}
"""For pictures of faces: the reader's own browser may keep them for a while, nothing in between."""

Shown = Annotated[int, Query(ge=0, le=10**9)]
"""How many scans a page lists already: what it lists again is not to be less."""


@router.get("/static/report.css")
def report_style() -> Response:
    """The style sheet of reports."""
    return FileResponse(REPORT_STYLE, media_type="text/css")


@router.get("/")
def home(
    request: Request,
    search: asked.Search = "",
    verdict: str = "",
    before: asked.Before = None,
    before_id: asked.BeforeId = "",
    shown: Shown = 0,
) -> Response:
    """Hand in, follow, look up."""
    options: ServeOptions = request.app.state.options
    scans, owner = asked.scans(request), asked.owner(request)
    return page(
        request,
        "home.html.j2",
        options=options,
        fields=settings.form_fields(request.app.state.scan_options),
        unfinished=[(info, scans.ahead(info)) for info in scans.unfinished(owner)],
        **_history(request, search, verdict, before, before_id, shown),
    )


@router.get("/history")
def history(
    request: Request,
    search: asked.Search = "",
    verdict: str = "",
    before: asked.Before = None,
    before_id: asked.BeforeId = "",
    shown: Shown = 0,
) -> Response:
    """The list of scans that are over, as a part of the page."""
    answer = page(request, "history.html.j2", **_history(request, search, verdict, before, before_id, shown))
    if before is None and request.headers.get("hx-request") == "true":
        # The address of the page says what is looked for, so that one can come back to it.
        query = urlencode({"search": search, "verdict": verdict})
        answer.headers["HX-Replace-Url"] = f"/?{query}" if search or verdict else "/"
    return answer


@router.get("/scans/{scan_id}")
def scan(request: Request, scan_id: ScanId, point: str = "") -> Response:
    """A scan, wherever it is on its way."""
    info = asked.scan(request, scan_id)
    if info.state is State.DONE:
        return page(request, "result.html.j2", **_result(request, info, point))
    return page(request, "unfinished.html.j2", **_unfinished(request, info))


@router.get("/scans/{scan_id}/result")
def result(request: Request, scan_id: ScanId) -> Response:
    """What the page of a scan shows below its head, as things stand."""
    info = asked.scan(request, scan_id)
    if info.state is State.DONE:
        return page(request, "result_part.html.j2", **_result(request, info, ""))
    return page(request, "unfinished_part.html.j2", **_unfinished(request, info))


@router.get("/scans/{scan_id}/point")
def point(request: Request, scan_id: ScanId, point: str = "") -> Response:
    """The report under another threshold."""
    info, report = _report(request, scan_id)
    again = points.restated(report, point, view.OVERVIEW)
    return page(request, "point.html.j2", base=f"/scans/{info.id}", restated=again)


@router.get("/scans/{scan_id}/people")
def people(request: Request, scan_id: ScanId, start: Annotated[int, Query(ge=0)] = 0) -> Response:
    """More people of a report."""
    info, report = _report(request, scan_id)
    some, rest = view.people_after(info, report, start)
    return page(
        request,
        "people.html.j2",
        base=f"/scans/{info.id}",
        report=report,
        people=some,
        rest=rest,
        start=start,
    )


@router.get("/scans/{scan_id}/player")
def player(request: Request, scan_id: ScanId) -> Response:
    """The player, once there is something to play."""
    info, report = _report(request, scan_id)
    shown = view.player(info, report, asked.scans(request).files(info))
    return page(request, "player.html.j2", info=info, report=report, player=shown, base=f"/scans/{info.id}")


@router.get("/scans/{scan_id}/downloads")
def downloads(request: Request, scan_id: ScanId) -> Response:
    """What can be taken along, and what is still being made."""
    info = asked.scan(request, scan_id)
    return page(request, "downloads.html.j2", info=info, base=f"/scans/{info.id}")


@router.get("/scans/{scan_id}/overlay.json")
def overlay_json(request: Request, scan_id: ScanId) -> Response:
    """What the player draws over the picture."""
    info, report = _report(request, scan_id)
    data = overlay.overlay(report, f"/scans/{info.id}")
    return Response(msgspec.json.encode(data), media_type="application/json", headers=PRIVATE)


@router.get("/scans/{scan_id}/faces/{track}/{frame}.jpg")
def face(request: Request, scan_id: ScanId, track: int, frame: int) -> Response:
    """A face as it was judged."""
    _, report = _report(request, scan_id)
    found = overlay.evidence_of(report, track, frame)
    crop = found.evidence.crop if found is not None and found.evidence is not None else b""
    return _picture(crop or None, "image/jpeg")


@router.get("/scans/{scan_id}/faces/{track}/{frame}/heat.png")
def heat(request: Request, scan_id: ScanId, track: int, frame: int) -> Response:
    """Where the network found its reasons in a face, to be laid over it."""
    _, report = _report(request, scan_id)
    found = overlay.evidence_of(report, track, frame)
    return _picture(None if found is None else overlay.heat_png(report, found), "image/png")


@router.get("/compare")
def compare(
    request: Request, a: str = "", b: str = "", ids: Annotated[list[str] | None, Query(alias="id")] = None
) -> Response:
    """Two files side by side."""
    if ids is not None and len(ids) == 2:
        return RedirectResponse("/compare?" + urlencode({"a": ids[0], "b": ids[1]}), status_code=303)
    if not all(ID_FORM.fullmatch(scan_id) for scan_id in (a, b)) or ids:
        raise ProblemError(422, "two files are compared", hint="select two in the list, then compare them")
    first, second = (_shown(request, asked.scan(request, scan_id)) for scan_id in (a, b))
    rows = view.compared(first, second)
    return page(request, "compare.html.j2", sides=(first, second), rows=rows)


@router.get("/about")
def about(request: Request) -> Response:
    """What this can and cannot do."""
    return page(
        request,
        "about.html.j2",
        models=_models(request.app.state.scan_options.model),
        options=request.app.state.options,
    )


def error_page(request: Request, problem: ProblemError) -> Response:
    """An error as people read it."""
    answer = page(
        request,
        "error.html.j2",
        problem.status,
        status=problem.status,
        title=HTTPStatus(problem.status).phrase,
        detail=str(problem),
        hint=problem.hint,
    )
    answer.headers.update(problem.headers)
    return answer


def login_page(request: Request, error: str, status_code: int = 200) -> Response:
    """Where a token is asked for."""
    return page(request, "login.html.j2", status_code, error=error)


def api_docs_page(request: Request, description: dict[str, Any]) -> Response:
    """The API explained from its own description."""
    return page(request, "api.html.j2", api=description)


def _history(
    request: Request, search: str, verdict: str, before: datetime | None, before_id: str, shown: int
) -> dict[str, Any]:
    """The scans that are over and fit, and where the list goes on."""
    scans, owner = asked.scans(request), asked.owner(request)
    known = verdict if verdict in set(Verdict) else ""
    limit = HISTORY if before is not None else min(max(shown, HISTORY), MOST_SHOWN)
    shown = limit if before is None else shown + limit
    found = scans.list(
        owner,
        search=search.strip(),
        verdict=Verdict(known) if known else None,
        before=before,
        before_id=before_id,
        limit=limit,
    )
    query = {"search": search, "verdict": known}
    more = None
    if len(found) == limit:
        more = {**query, "shown": shown, "before": found[-1].created.isoformat(), "before_id": found[-1].id}
    return {
        "search": search,
        "verdict": known,
        "before": before,
        "found": [(info, scans.files(info).thumbnail.is_file()) for info in found if info.state.is_final],
        "total": scans.count(owner),
        "shown": shown,
        "more": None if more is None else urlencode(more),
    }


def _unfinished(request: Request, info: ScanInfo) -> dict[str, Any]:
    scans = asked.scans(request)
    return {
        "info": info,
        "ahead": scans.ahead(info) if info.state is State.QUEUED else 0,
        "pictured": scans.files(info).thumbnail.is_file(),
        "fields": settings.form_fields(request.app.state.scan_options, info.settings),
    }


def _result(request: Request, info: ScanInfo, point: str) -> dict[str, Any]:
    shown = _shown(request, info)
    return {
        "info": info,
        "result": shown,
        "restated": points.restated(shown.report, point, view.OVERVIEW),
        "fields": settings.form_fields(request.app.state.scan_options, info.settings),
    }


def _shown(request: Request, info: ScanInfo) -> view.Result:
    return view.result(info, asked.report(request, info), asked.scans(request).files(info))


def _report(request: Request, scan_id: str) -> tuple[ScanInfo, Report]:
    info = asked.scan(request, scan_id)
    return info, asked.report(request, info)


def _picture(data: bytes | None, media_type: str) -> Response:
    if data is None:
        raise ProblemError(404, "there is no such picture", hint="only a few faces of each person are kept")
    return Response(data, media_type=media_type, headers=PRIVATE)


@functools.cache
def _models(names: tuple[str, ...]) -> tuple[ModelFacts, ...]:
    """The models that judge here, by their cards."""
    from unmask.detector.detector import Detector

    return Detector.load(names).facts
