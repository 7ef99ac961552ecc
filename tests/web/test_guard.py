"""Who is answered and who is not, and what answers tell the browser to refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.web.app import make_app
from unmask.web.guard import COOKIE
from unmask.web.options import ServeOptions
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


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1:1", "[::1]:8765", "LOCALHOST"])
def test_this_machine_is_answered_by_its_own_names(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/scans", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]"]
)
def test_a_name_pointed_at_this_machine_from_elsewhere_is_not_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/v1/scans", headers={"host": host}).status_code == 421


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
    assert tokens.remove("her")
    assert not tokens.remove("her")
    assert guarded.get("/api/v1/scans", headers=bearer(token)).status_code == 401


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


PAGES = ("/", "/about", "/compare", "/scans/{scan_id}", "/api/docs", "/api/openapi.json", "/nothing")


def test_no_route_is_open_by_accident(guarded: TestClient, client: TestClient) -> None:
    description = client.get("/api/openapi.json").json()["paths"]
    routes = [(path, method) for path, methods in description.items() for method in methods]
    assert len(routes) > 12
    for path, method in [*routes, *((page, "get") for page in PAGES)]:
        answer = guarded.request(method, path.replace("{scan_id}", "x" * 22), follow_redirects=False)
        assert answer.status_code == 401, (method, path)
