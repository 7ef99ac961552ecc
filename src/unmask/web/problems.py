"""Errors as programs read them (RFC 9457 problem details) and as people do (a page); never a stack trace."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from unmask.errors import UnmaskError
from unmask.web.scans import NoRoomError, NotReadyError, TooManyError

log = logging.getLogger("unmask.web")

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER = 5
"""Seconds after which it is worth handing in again when too many files wait."""


class ProblemError(Exception):
    """An answer that is an error: its HTTP status, what is wrong, and what to do."""

    def __init__(
        self, status: int, detail: str, *, hint: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.hint, self.headers = status, detail, hint, dict(headers or {})


class ProblemOut(BaseModel):
    """RFC 9457 problem details, with a hint at the way out."""

    type: str = Field("about:blank", description="What kind of problem; about:blank: as the status says.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong.")
    hint: str = Field("", description="What to do about it.")


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """How a route's OpenAPI description says that it may answer with these errors."""
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
        }
        for status in statuses
    }


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem."""

    @app.exception_handler(ProblemError)
    async def known(request: Request, error: ProblemError) -> Response:
        return _answer(request, error)

    @app.exception_handler(HTTPException)
    async def of_http(request: Request, error: HTTPException) -> Response:
        detail = "there is nothing here" if error.status_code == 404 else str(error.detail)
        return _answer(request, ProblemError(error.status_code, detail, headers=error.headers))

    @app.exception_handler(RequestValidationError)
    async def wrong_input(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return _answer(request, ProblemError(422, f"{where}: {first['msg']}", hint="see /api/docs"))

    @app.exception_handler(TooManyError)
    async def too_many(request: Request, error: TooManyError) -> Response:
        status = 503 if error.of_all else 429
        headers = {"Retry-After": str(RETRY_AFTER)}
        return _answer(request, ProblemError(status, error.message, hint=error.hint, headers=headers))

    @app.exception_handler(NoRoomError)
    async def no_room(request: Request, error: NoRoomError) -> Response:
        return _answer(request, ProblemError(507, error.message, hint=error.hint))

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    @app.exception_handler(PoolTimeoutError)
    async def no_database(request: Request, error: Exception) -> Response:
        return _answer(request, unanswered(error))

    @app.exception_handler(NotReadyError)
    async def not_ready(request: Request, error: NotReadyError) -> Response:
        return _answer(request, ProblemError(409, error.message, hint=error.hint))

    @app.exception_handler(UnmaskError)
    async def ours(request: Request, error: UnmaskError) -> Response:
        return _answer(request, ProblemError(422, error.message, hint=error.hint))

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        log.error("a fault of unmask's own", exc_info=error)
        return _answer(request, ProblemError(500, "a fault in unmask", hint="please report it"))


def unanswered(error: Exception) -> ProblemError:
    """What is said while the database does not answer; why goes into the log."""
    log.warning("the database does not answer: %s", getattr(error, "orig", None) or type(error).__name__)
    return ProblemError(
        503,
        "the server's database does not answer",
        hint="try again in a moment",
        headers={"Retry-After": str(RETRY_AFTER)},
    )


def problem_response(problem: ProblemError) -> Response:
    """The problem as JSON."""
    body = ProblemOut(
        type="about:blank",
        title=HTTPStatus(problem.status).phrase,
        status=problem.status,
        detail=problem.detail,
        hint=problem.hint,
    )
    return JSONResponse(
        body.model_dump(), status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE
    )


def _answer(request: Request, problem: ProblemError) -> Response:
    if wants_page(request):
        page: Response = request.app.state.error_page(request, problem)
        return page
    return problem_response(problem)


def wants_page(request: Request) -> bool:
    """True where a person asks with a browser; a form may be sent to the API by itself, without scripts."""
    path = request.scope["path"]
    is_form = request.method == "POST" and path == "/api/v1/scans"
    return "text/html" in request.headers.get("accept", "") and (is_form or not path.startswith("/api/v1/"))
