"""What stands before every request: whom it is for, where it comes from, who sends it; and what every answer
tells the browser to refuse."""

from __future__ import annotations

import asyncio
import ipaddress
import re

from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unmask.web.problems import ProblemError, problem_response, unanswered, wants_page
from unmask.web.scans import LOCAL
from unmask.web.tokens import Tokens

COOKIE = "unmask_token"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Pages show what is theirs and run what is theirs; what an uploaded file holds can do neither."""

HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}

SAFE = ("GET", "HEAD", "OPTIONS")

OPEN = ("/login", "/static/", "/health")
"""What is answered without a token."""

HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]{1,5})?", re.IGNORECASE)
"""RFC 9110 Host: a name or an address, IPv6 in brackets, and perhaps a port. Nothing else can be in one: what
comes after it would be taken for a path by all who put a URL together from it."""


class Guard:
    """An ASGI application around ours.

    Requests must name one of our `hosts` (in lower case; more may be added later): a page elsewhere could
    otherwise point its own name at this machine and read what is here. Requests that change something must
    not come from another site's page. Where tokens are required, one must be held. `state.owner` and
    `state.signed_in` tell the rest who asks.
    """

    def __init__(self, app: ASGIApp, *, hosts: set[str], tokens: Tokens | None) -> None:
        self.app, self.tokens = app, tokens
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if scope["path"].startswith("/static/"):
                    # Ours, the same for all: kept, but asked for every time whether it has changed.
                    headers.setdefault("cache-control", "no-cache")
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refused = self._refused(request) or await self._unknown(request)
        await (refused or self.app)(scope, receive, send_guarded)

    def _refused(self, request: Request) -> Response | None:
        host = _host(request.headers)
        if host is None:
            return problem_response(ProblemError(400, "the Host header names no host", hint="see RFC 9110"))
        if host not in self.hosts and not is_loopback(host):
            return problem_response(
                ProblemError(421, "this server is not known by that name", hint="start it with --name for it")
            )
        if request.method not in SAFE and _from_elsewhere(request.headers):
            return problem_response(
                ProblemError(403, "asked by another site's page", hint="use our own page")
            )
        return None

    async def _unknown(self, request: Request) -> Response | None:
        """An answer to someone who holds no token where one is required; else remember who it is."""
        state = request.scope.setdefault("state", {})
        state["owner"], state["signed_in"] = LOCAL, False
        # Not `request.url`, which is put together from what the client calls us.
        path: str = request.scope["path"]
        if self.tokens is None:
            return None
        if any(path == known or (known.endswith("/") and path.startswith(known)) for known in OPEN):
            return None
        held = request.cookies.get(COOKIE, "")
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        token = given.strip() if scheme.lower() == "bearer" else held
        try:
            name = await asyncio.to_thread(self.tokens.holder, token) if token else None
        except SQLAlchemyError as error:
            return problem_response(unanswered(error))
        if name is not None:
            state["owner"], state["signed_in"] = name, bool(held) and token == held
            return None
        if wants_page(request):
            return RedirectResponse("/login", status_code=303)
        return problem_response(
            ProblemError(
                401,
                "a token is needed",
                hint="send it as `Authorization: Bearer …`; `unmask tokens add NAME` makes one",
                headers={"WWW-Authenticate": "Bearer"},
            )
        )


def _host(headers: Headers) -> str | None:
    """The name by which we were called, without port and brackets; None where it is none, or are several."""
    given = headers.getlist("host")
    form = HOST.fullmatch(given[0]) if len(given) == 1 else None
    return None if form is None else (form["v6"] or form["name"]).lower()


def is_loopback(host: str) -> bool:
    """True for the names and addresses by which a machine calls itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_elsewhere(headers: Headers) -> bool:
    """True where a browser says that another site's page sent the request; programs say nothing of the
    kind."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.split("//", 1)[-1].lower() != headers.get("host", "").lower()
