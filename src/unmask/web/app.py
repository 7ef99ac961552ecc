"""The web application put together: API, pages, errors, and the guard around them."""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from sqlalchemy import Engine
from starlette.types import ASGIApp

from unmask.options import ScanOptions
from unmask.version import __version__
from unmask.web import api, pages, problems
from unmask.web.docs import install_docs
from unmask.web.events import Streams
from unmask.web.guard import COOKIE, Guard
from unmask.web.options import ServeOptions
from unmask.web.printing import Printer
from unmask.web.problems import ProblemError
from unmask.web.scans import Scans
from unmask.web.store import Store
from unmask.web.tokens import Tokens

STATIC = Path(__file__).parent / "static"

DESCRIPTION = """Hand in an image or a video and learn whether the faces in it are real or manipulated.

`POST /api/v1/scans` answers at once; follow `events` or ask again until `state` is `done`, then fetch the
report. Errors are RFC 9457 problem details. Where tokens are required, send `Authorization: Bearer …`."""

COOKIE_SECONDS = 30 * 24 * 3600


def make_app(
    engine: Engine,
    serve: ServeOptions,
    scan: ScanOptions,
    *,
    fingerprint: str = "",
    require_token: bool = False,
    hosts: set[str] | None = None,
    notify: Callable[[], None] = lambda: None,
    alive: Callable[[], bool] = lambda: True,
) -> ASGIApp:
    """The application over a database that is up to date.

    `fingerprint` stands for the models; `hosts` are names it may be called by besides its own; `notify` is
    called when there may be something to do; `alive` tells whether there is anyone to do it.
    """
    app = FastAPI(
        title="unmask",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    told = fingerprint + msgspec.json.encode(scan).decode()
    app.state.options, app.state.scan_options = serve, scan
    app.state.scans = Scans(
        engine,
        Store(serve.folder),
        fingerprint=hashlib.sha256(told.encode()).hexdigest(),
        most=serve.max_waiting,
        most_each=serve.max_waiting_each,
    )
    app.state.notify = notify
    app.state.arriving = {}
    app.state.printer = Printer()
    app.state.streams = Streams()
    app.state.tokens_required = require_token
    app.state.error_page = pages.error_page
    problems.install(app)
    app.include_router(api.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    install_docs(app)
    tokens = Tokens(engine) if require_token else None
    _install_login(app, tokens)
    _describe_problems(app)

    @app.get("/health", include_in_schema=False)
    def health() -> Response:
        if not alive():
            raise ProblemError(
                503,
                "nobody looks at files at the moment",
                hint="this is being seen to; the server's log says more",
                headers={"Retry-After": str(problems.RETRY_AFTER)},
            )
        return JSONResponse({"status": "ok", "version": __version__})

    called = set() if hosts is None else hosts
    called.update(name.lower().strip("[]") for name in (*serve.name, serve.host))
    return Guard(app, hosts=called, tokens=tokens)


def _install_login(app: FastAPI, tokens: Tokens | None) -> None:
    @app.get("/login", include_in_schema=False)
    def ask(request: Request) -> Response:
        if tokens is None:
            return RedirectResponse("/", status_code=303)
        return pages.login_page(request, "")

    @app.post("/login", include_in_schema=False)
    async def login(request: Request) -> Response:
        body = (await _small_body(request)).decode("utf-8", "replace")
        token = _field(body, "token")
        known = tokens is not None and await asyncio.to_thread(tokens.holder, token) is not None
        if not known:
            # Guessing is hopeless anyway; this makes it slow as well.
            await asyncio.sleep(1)
            return pages.login_page(request, "This token is not known here.", status_code=403)
        answer = RedirectResponse("/", status_code=303)
        secure = "https" in (request.url.scheme, request.headers.get("x-forwarded-proto"))
        answer.set_cookie(
            COOKIE, token, max_age=COOKIE_SECONDS, httponly=True, samesite="strict", secure=secure
        )
        return answer

    @app.post("/logout", include_in_schema=False)
    def logout() -> Response:
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer


LONGEST_BODY = 4096


async def _small_body(request: Request) -> bytes:
    body = b""
    async for block in request.stream():
        body += block
        if len(body) > LONGEST_BODY:
            raise ProblemError(413, "the form is too long")
    return body


def _field(body: str, name: str) -> str:
    try:
        return parse_qs(body, max_num_fields=4).get(name, [""])[0].strip()
    except ValueError:
        raise ProblemError(422, "the form has too many fields") from None


def _describe_problems(app: FastAPI) -> None:
    """Put the form of errors into the OpenAPI description in place of FastAPI's own."""
    original = app.openapi

    @functools.cache
    def described() -> dict[str, object]:
        schema = original()
        schemas = schema["components"]["schemas"]
        schemas["ProblemOut"] = problems.ProblemOut.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        return schema

    app.openapi = described  # type: ignore[method-assign]
