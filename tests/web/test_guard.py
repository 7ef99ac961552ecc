"""Who is answered and who is not, and what answers tell the browser to refuse."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import unquote

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from starlette.types import Message

from unmask.cli.serve import command
from unmask.cli.tokens import command as tokens_command
from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.web.app import make_app
from unmask.web.guard import COOKIE
from unmask.web.options import ServeOptions
from unmask.web.serve import run
from unmask.web.tokens import Tokens


@pytest.fixture
def guarded(app_engine: Engine, options: ServeOptions) -> TestClient:
    """The application as it is with tokens required."""
    app = make_app(app_engine, options, ScanOptions(), require_token=True)
    return TestClient(app, base_url="http://localhost")


@pytest.fixture
def tokens(app_engine: Engine) -> Tokens:
    return Tokens(app_engine)


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8765", "127.0.0.1:1", "[::1]:8765", "[::1]", "LOCALHOST"]
)
def test_this_machine_is_answered_by_its_own_names(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/scans", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.1", "[::2]", "[.]"]
)
def test_a_name_pointed_at_this_machine_from_elsewhere_is_not_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/scans", headers={"host": host}).status_code == 421


ODD_HOSTS = (
    "",
    "localhost/",
    "localhost:/static/?",
    "localhost:8765/static/?",
    "localhost:80/login#",
    "localhost?",
    "localhost#",
    "localhost\\@evil.example",
    "ann@localhost",
    "ann:localhost@localhost:80",
    "localhost:80:80",
    "localhost:http",
    "localhost:123456",
    " localhost",
    "local host",
    "localhost,evil.example",
    "::1",
    "[::1",
    "[::1]]",
    "[::1]evil.example",
    "[::1%25lo]:80",
    "[localhost]",
    "http://localhost",
    "localhost\u00e9",
)
"""What can stand in a Host header and is no host: all would pass, or hide the path, if only their beginning
were looked at."""


@pytest.mark.parametrize("host", ODD_HOSTS)
def test_a_host_is_a_host_and_nothing_else(guarded: TestClient, host: str) -> None:
    answer = guarded.get("/api/v1/scans", headers={"host": host.encode("latin-1")})  # type: ignore[dict-item]
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_one_host_is_named(client: TestClient) -> None:
    both = [("host", "localhost"), ("host", "evil.example")]
    assert client.get("/api/v1/scans", headers=both).status_code == 400


PATHS = (
    "/static/../api/v1/scans",
    "/static/%2e%2e/api/v1/scans",
    "/static/..%2fapi/v1/scans",
    "/static%2f../api/v1/scans",
    "/login/../api/v1/scans",
    "/login%3f/../api/v1/scans",
    "//static/../api/v1/scans",
    "/api/v1/scans?x=/static/",
    "/%61pi/v1/scans",
    "/health/../api/v1/scans",
    "/login%00/api/v1/scans",
)


@pytest.mark.parametrize("path", PATHS)
def test_no_way_of_writing_a_path_gets_past_the_token(
    app_engine: Engine, options: ServeOptions, photo_path: Path, path: str
) -> None:
    app = make_app(app_engine, options, ScanOptions(), require_token=True)

    async def asked() -> tuple[int, bytes]:
        # As the server hands it on, without a client that tidies it up.
        raw, _, query = path.encode().partition(b"?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": unquote(raw.decode()),
            "raw_path": raw,
            "query_string": query,
            "root_path": "",
            "headers": [(b"host", b"localhost")],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 1),
        }
        told: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            told.append(message)

        await app(scope, receive, send)
        return told[0]["status"], b"".join(message.get("body", b"") for message in told)

    status, body = asyncio.run(asked())
    assert status in (401, 404)
    assert b'"scans"' not in body


def test_names_with_brackets_and_addresses_are_answered(app_engine: Engine, tmp_path: Path) -> None:
    options = ServeOptions(data=str(tmp_path / "data"), host="fe80::1", name=("[2001:db8::2]",))
    client = TestClient(make_app(app_engine, options, ScanOptions()))
    for host in ("[fe80::1]:8765", "[2001:DB8::2]"):
        assert client.get("/health", headers={"host": host}).status_code == 200


def test_more_names_are_answered_when_given(app_engine: Engine, tmp_path: Path) -> None:
    options = ServeOptions(data=str(tmp_path / "data"), name=("Desk.example",))
    client = TestClient(make_app(app_engine, options, ScanOptions()), base_url="http://desk.example:8765")
    assert client.get("/api/v1/scans").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_other_sites_pages_change_nothing(client: TestClient, headers: dict[str, str]) -> None:
    assert client.delete("/api/v1/scans", headers=headers).status_code == 403
    assert client.post("/api/v1/scans", headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"origin": "http://localhost"}, {"sec-fetch-site": "same-origin"}])
def test_our_own_page_and_programs_may(client: TestClient, headers: dict[str, str]) -> None:
    assert client.delete("/api/v1/scans", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/v1/scans", "/nothing", "/health"])
def test_every_answer_tells_the_browser_what_to_refuse(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "server" not in headers


def test_without_a_token_nothing_but_the_login_is_answered(guarded: TestClient) -> None:
    response = guarded.get("/api/v1/scans")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    page = guarded.get("/", headers={"accept": "text/html"}, follow_redirects=False)
    assert (page.status_code, page.headers["location"]) == (303, "/login")
    assert guarded.get("/login").status_code == 200
    assert guarded.get("/api/openapi.json").status_code == 401
    assert guarded.get("/api/v1/scans", headers=bearer("unmask_wrong")).status_code == 401


def test_holders_of_tokens_see_their_own_scans_alone(
    guarded: TestClient, tokens: Tokens, photo_path: Path
) -> None:
    hers, his = tokens.add("her"), tokens.add("him")
    png = photo_path.read_bytes()
    scan = guarded.post("/api/v1/scans", files={"file": ("a.png", png)}, headers=bearer(hers)).json()
    for part in ("", "/events", "/report.json", "/media", "/thumbnail.jpg", "/annotated"):
        answer = guarded.get(f"/api/v1/scans/{scan['id']}{part}", headers=bearer(his))
        assert answer.status_code == 404 or "deleted" in answer.text, part
        assert "a.png" not in answer.text
    assert guarded.delete(f"/api/v1/scans/{scan['id']}", headers=bearer(his)).status_code == 404
    assert guarded.get("/api/v1/scans", headers=bearer(his)).json()["total"] == 0
    assert guarded.get("/api/v1/scans", headers=bearer(hers)).json()["total"] == 1
    same = guarded.post("/api/v1/scans", files={"file": ("a.png", png)}, headers=bearer(his))
    assert same.status_code == 201
    assert same.json()["id"] != scan["id"]


def test_a_browser_signs_in_with_a_token_and_out_again(guarded: TestClient, tokens: Tokens) -> None:
    token = tokens.add("her")
    assert guarded.post("/login", data={"token": "unmask_wrong"}).status_code == 403
    answer = guarded.post("/login", data={"token": f" {token} "}, follow_redirects=False)
    assert answer.status_code == 303
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert guarded.get("/api/v1/scans").status_code == 200
    guarded.post("/logout", follow_redirects=False)
    guarded.cookies.delete(COOKIE)
    assert guarded.get("/api/v1/scans").status_code == 401


def test_a_token_taken_back_opens_nothing(guarded: TestClient, tokens: Tokens) -> None:
    token = tokens.add("her")
    assert guarded.get("/api/v1/scans", headers=bearer(token)).status_code == 200
    tokens.remove("her")
    with pytest.raises(UnmaskError, match="no token"):
        tokens.remove("her")
    assert guarded.get("/api/v1/scans", headers=bearer(token)).status_code == 401


def test_a_token_renewed_opens_the_same_scans_and_the_one_before_opens_nothing(
    guarded: TestClient, tokens: Tokens, options: ServeOptions, photo_path: Path
) -> None:
    before, his = tokens.add("her"), tokens.add("him")
    sent = {"file": ("a.png", photo_path.read_bytes())}
    scan = guarded.post("/api/v1/scans", files=sent, headers=bearer(before)).json()
    words = ["--data", str(options.folder), "renew"]
    after = CliRunner().invoke(tokens_command, [*words, "her"]).output.strip()
    assert guarded.get(scan["links"]["self"], headers=bearer(after)).json()["id"] == scan["id"]
    assert guarded.get("/api/v1/scans", headers=bearer(before)).status_code == 401
    assert guarded.get("/api/v1/scans", headers=bearer(his)).json()["total"] == 0
    refused = CliRunner().invoke(tokens_command, [*words, "nobody"])
    assert isinstance(refused.exception, UnmaskError)
    assert [name for name, _ in tokens.list()] == ["her", "him"]


def test_while_the_database_does_not_answer_everyone_is_told_when_to_come_back(
    guarded: TestClient, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tokens.add("her")

    def broken(*_: object, **__: object) -> None:
        raise OperationalError("SELECT", {}, Exception("connection refused: secret detail"))

    with monkeypatch.context() as patch:
        patch.setattr("unmask.web.tokens.Tokens.holder", broken)
        answers = [guarded.get("/api/v1/scans", headers=bearer(token))]
        assert guarded.get("/static/app.css", headers={"cookie": f"{COOKIE}={token}"}).status_code == 200
        assert guarded.get("/health", headers=bearer(token)).status_code == 200
    monkeypatch.setattr("unmask.web.scans.Scans.list", broken)
    answers.append(guarded.get("/api/v1/scans", headers=bearer(token)))
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
        assert "secret" not in answer.text


def test_tokens_are_kept_as_hashes_and_named_once(
    app_engine: Engine, tokens: Tokens, options: ServeOptions
) -> None:
    token = tokens.add("her")
    app_engine.dispose()
    for file in options.folder.glob("unmask.sqlite*"):
        assert token.encode() not in file.read_bytes()
    with pytest.raises(UnmaskError, match="her"):
        tokens.add("her")
    for name in ("local", "", "a b", "x" * 65, "<b>"):
        with pytest.raises(UnmaskError):
            tokens.add(name)
    assert [name for name, _ in tokens.list()] == ["her"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "desk.example", "localhost.example"])
def test_others_are_let_in_without_a_token_only_where_that_is_said(tmp_path: Path, host: str) -> None:
    options = ServeOptions(data=str(tmp_path / "data"), host=host, port=0)
    with pytest.raises(UnmaskError, match="everyone") as caught:
        run(options, ScanOptions())
    assert "--require-token" in caught.value.hint
    assert "--without-token" in caught.value.hint
    assert not (tmp_path / "data").exists()


def test_the_command_line_asks_for_that_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = 0

    def begin(*_: object, **__: object) -> None:
        nonlocal begun
        begun += 1
        raise SystemExit(0)

    monkeypatch.setattr("unmask.web.serve.prepared", begin)
    words = ["--host", "0.0.0.0", "--data", str(tmp_path)]
    refused = CliRunner().invoke(command, words)
    assert isinstance(refused.exception, UnmaskError)
    assert "--without-token" in refused.exception.hint
    assert CliRunner().invoke(command, [*words, "--without-token"]).exit_code == 0
    assert begun == 1


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("0.0.0.0", {"without_token": True}),
        ("0.0.0.0", {"require_token": True}),
        ("127.0.0.1", {}),
        ("localhost", {}),
        ("::1", {}),
    ],
)
def test_a_server_for_this_machine_or_one_that_is_meant_to_be_open_starts(
    tmp_path: Path, host: str, more: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Begun(Exception):  # noqa: N818
        pass

    def begin(*_: object, **__: object) -> None:
        raise Begun

    monkeypatch.setattr("unmask.web.serve.prepared", begin)
    with pytest.raises(Begun):
        run(ServeOptions(data=str(tmp_path), host=host), ScanOptions(), **more)  # type: ignore[arg-type]


PAGES = ("/", "/about", "/compare", "/scans/{scan_id}", "/api/docs", "/api/openapi.json", "/nothing")


def test_no_route_is_open_by_accident(guarded: TestClient, client: TestClient) -> None:
    description = client.get("/api/openapi.json").json()["paths"]
    routes = [(path, method) for path, methods in description.items() for method in methods]
    assert len(routes) > 12
    for path, method in [*routes, *((page, "get") for page in PAGES)]:
        answer = guarded.request(method, path.replace("{scan_id}", "x" * 22), follow_redirects=False)
        assert answer.status_code == 401, (method, path)
