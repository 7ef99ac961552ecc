"""What programs are told: of uploads good and bad, of scans that are there and that are not."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import Engine

from unmask.options import ScanOptions
from unmask.web import printing, settings
from unmask.web.app import make_app
from unmask.web.options import MIB, ServeOptions
from unmask.web.store import Store


class Usage(NamedTuple):
    """As `shutil.disk_usage` tells it."""

    total: int
    used: int
    free: int


def hand_in(client: TestClient, content: bytes, name: str = "a.png", **fields: str) -> Response:
    return client.post("/api/v1/scans", data=fields, files={"file": (name, content)})


@pytest.fixture
def png(photo_path: Path) -> bytes:
    return photo_path.read_bytes()


def problem(response: Response, status: int) -> dict[str, object]:
    """The problem details of a refused request, checked for their form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    told: dict[str, object] = response.json()
    assert set(told) == {"type", "title", "status", "detail", "hint"}
    assert told["status"] == status
    return told


def kept(options: ServeOptions) -> list[Path]:
    """All files that uploads have left behind."""
    return [
        path
        for room in ("incoming", "scans", "trash")
        for path in (options.folder / room).rglob("*")
        if path.is_file()
    ]


def test_a_photo_handed_in_is_queued_and_its_scan_can_be_looked_up(client: TestClient, png: bytes) -> None:
    response = hand_in(client, png, "Ann & Bob.png", stride="5")
    assert response.status_code == 201
    scan = response.json()
    assert scan["name"] == "Ann & Bob.png"
    assert scan["state"] == "queued"
    assert scan["settings"] == {"stride": 5}
    assert response.headers["location"] == scan["links"]["self"]
    assert client.get(scan["links"]["self"]).json() == scan
    assert hand_in(client, png, stride="5").status_code == 200
    assert hand_in(client, png, stride="5", again="true").status_code == 201
    listed = client.get("/api/v1/scans", params={"limit": 1}).json()
    assert listed["total"] == 2
    following = client.get(listed["next"]).json()
    assert [s["id"] for s in following["scans"]] == [scan["id"]]


def test_a_browser_without_scripts_is_led_to_the_page(client: TestClient, png: bytes) -> None:
    response = client.post(
        "/api/v1/scans",
        files={"file": ("a.png", png)},
        headers={"accept": "text/html"},
        follow_redirects=False,
    )
    assert response.status_code == 303
    assert response.headers["location"].startswith("/scans/")


def test_a_refused_form_of_a_browser_without_scripts_is_a_page(client: TestClient) -> None:
    answer = client.post("/api/v1/scans", files={"file": ("a.png", b"no")}, headers={"accept": "text/html"})
    assert answer.status_code == 415
    assert answer.headers["content-type"].startswith("text/html")
    assert "neither an image nor a video" in answer.text


def test_settings_left_as_they_are_make_no_other_scan(client: TestClient, png: bytes) -> None:
    first = hand_in(client, png).json()
    assert hand_in(client, png, stride="10", min_face="40", frames="").json()["id"] == first["id"]


def test_an_upload_larger_than_allowed_is_refused_whatever_it_claims(
    client: TestClient, png: bytes, options: ServeOptions
) -> None:
    too_large = png + bytes(MIB)
    problem(hand_in(client, too_large), 413)
    boundary = "b" * 20
    start = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
    taken = 0

    def body() -> Iterator[bytes]:
        nonlocal taken
        yield start + png
        for _ in range(400):
            taken += 1
            yield bytes(65536)

    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    problem(client.post("/api/v1/scans", content=body(), headers=headers), 413)
    assert kept(options) == []


def test_a_full_disk_is_left_as_it_is(
    client: TestClient, png: bytes, options: ServeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = options.free_bytes + len(png) // 2
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(1 << 50, 0, free))
    told = problem(hand_in(client, png), 507)
    assert "no room" in str(told["detail"])
    assert told["hint"]
    free += 2 * len(png)
    assert hand_in(client, png).status_code == 201


def test_an_upload_ends_where_the_disk_is_full_meanwhile(
    client: TestClient, png: bytes, options: ServeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = iter((len(png) * 2, -1))
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(1 << 50, 0, options.free_bytes + next(room)))
    monkeypatch.setattr("unmask.web.upload.LOOK_EVERY", len(png) // 2)
    problem(hand_in(client, png), 507)
    assert next(room, None) is None
    assert kept(options) == []


def test_refused_uploads_are_removed_by_a_thread(
    client: TestClient, png: bytes, options: ServeOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[bool] = []
    unlink = Path.unlink

    def noted(path: Path, missing_ok: bool = False) -> None:
        if path.parent.name == "incoming":
            with contextlib.suppress(RuntimeError):
                asyncio.get_running_loop()
                threads.append(False)
            threads.append(True)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", noted)
    problem(hand_in(client, png + bytes(MIB)), 413)
    problem(hand_in(client, b"nothing"), 415)
    assert threads == [True, True]
    assert kept(options) == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"hello", 415),
        (b"PK\x03\x04" + bytes(100), 415),
        (b"<svg onload=alert(1)>", 415),
        (b"%PDF-1.7", 415),
    ],
)
def test_what_is_no_medium_is_refused(
    client: TestClient, content: bytes, status: int, options: ServeOptions
) -> None:
    assert problem(hand_in(client, content, "a.mp4"), status)["hint"]
    assert kept(options) == []


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"stride": "0"}, "stride"),
        ({"frames": "many"}, "frames"),
        ({"min_face": "-3"}, "min_face"),
        ({"x": "y" * 2000}, "long"),
    ],
)
def test_settings_out_of_range_are_refused(
    client: TestClient, png: bytes, fields: dict[str, str], word: str, options: ServeOptions
) -> None:
    assert word in str(problem(hand_in(client, png, **fields), 422)["detail"])
    assert kept(options) == []


def test_settings_have_an_upper_bound_that_the_description_states(
    client: TestClient, png: bytes, options: ServeOptions
) -> None:
    description = client.get("/api/openapi.json").json()
    form = description["paths"]["/api/v1/scans"]["post"]["requestBody"]["content"]["multipart/form-data"]
    for name, most in settings.MOST.items():
        assert form["schema"]["properties"][name]["maximum"] == most
        for beyond in (most + 1, 10**30):
            assert name in str(problem(hand_in(client, png, **{name: str(beyond)}), 422)["detail"])
        assert hand_in(client, png, **{name: str(most)}).json()["settings"] == {name: most}
    assert len(kept(options)) == len(settings.MOST)


def test_text_that_a_database_cannot_take_is_refused(engine: Engine, options: ServeOptions) -> None:
    client = TestClient(make_app(engine, options, ScanOptions()), base_url="http://localhost")
    for query in (
        "search=a%00b",
        "before_id=%00",
        f"before_id={'x' * 33}",
        "before=0001-01-01T00:00:00%2B14:00",
    ):
        problem(client.get(f"/api/v1/scans?{query}"), 422)
        for page in ("/", "/history"):
            assert client.get(f"{page}?{query}").status_code == 422, (page, query)
    problem(client.get(f"/api/v1/scans/{'x' * 21}%00"), 422)
    assert client.get(f"/compare?a={'x' * 21}%00&b={'x' * 22}").status_code == 422
    # No byte sequence is UTF-8 for half of a pair: it is looked for as a sign of its own.
    assert client.get("/api/v1/scans?search=%ED%A0%80").json()["scans"] == []
    assert client.get(f"/compare?a={'x' * 19}%ED%A0%80&b={'x' * 22}").status_code == 422


def test_settings_of_the_server_are_not_the_users_to_choose(client: TestClient, png: bytes) -> None:
    response = hand_in(client, png, model="/etc/passwd", timeout="1e9", threads="999")
    assert response.json()["settings"] == {}


def test_broken_forms_are_refused(client: TestClient, png: bytes, options: ServeOptions) -> None:
    url, multi = "/api/v1/scans", "multipart/form-data; boundary=xyz"
    problem(client.post(url, content=b"x"), 415)
    problem(client.post(url, content=b"x", headers={"content-type": "multipart/form-data"}), 415)
    problem(client.post(url, content=b"x", headers={"content-type": multi}), 422)
    cut = b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + png
    problem(client.post(url, content=cut, headers={"content-type": multi}), 422)
    problem(client.post(url, data={"file": "no file"}), 415)
    problem(client.post(url, files={"other": ("a.png", png)}), 422)
    two = [("file", ("a.png", png)), ("file", ("b.png", png))]
    problem(client.post(url, files=two), 422)
    assert kept(options) == []


@pytest.mark.parametrize(
    ("claimed", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\pictures\\a.png", "a.png"),
        ("", "unnamed"),
        ("<img src=x onerror=alert(1)>.png", "<img src=x onerror=alert(1)>.png"),
        ("cod\u202egnp.exe", "cod\\u202egnp.exe"),
        ("a" * 400, "a" * 255),
        ("a\0b.png", "a\\x00b.png"),
        ("张伟.png", "张伟.png"),
        ("na\u00efve.png".encode("latin-1"), "naïve.png"),
        (b"half \xed\xa0\x80.png", "half í\xa0\\x80.png"),
    ],
)
def test_names_are_kept_without_folders_and_without_tricks(
    client: TestClient, png: bytes, claimed: str | bytes, shown: str
) -> None:
    boundary = "xyz"
    name = claimed if isinstance(claimed, bytes) else claimed.encode()
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="'.encode()
        + name
        + b'"\r\n\r\n'
        + png
        + f"\r\n--{boundary}--\r\n".encode()
    )
    response = client.post(
        "/api/v1/scans", content=body, headers={"content-type": f"multipart/form-data; boundary={boundary}"}
    )
    assert response.json()["name"].replace("%22", '"') == shown


def test_when_too_many_wait_everyone_is_told_when_to_come_back(client: TestClient, png: bytes) -> None:
    for n in range(4):
        assert hand_in(client, png + bytes([n])).status_code == 201
    response = hand_in(client, png + b"more")
    problem(response, 429)
    assert int(response.headers["retry-after"]) > 0


def test_a_finished_scan_gives_its_report_in_every_form(
    client: TestClient, png: bytes, finish: Callable[[str], None]
) -> None:
    scan = hand_in(client, png, 'a "quoted" näme.png').json()
    links = scan["links"]
    problem(client.get(links["report_json"]), 409)
    finish(scan["id"])
    assert client.get(links["self"]).json()["state"] == "done"
    report = client.get(links["report_json"])
    assert "evidence" not in report.text or '"crop"' not in report.text
    assert '"crop"' in client.get(links["report_json"], params={"evidence": True}).text
    assert report.headers["content-disposition"].startswith("attachment; filename*=UTF-8''a%20%22quoted")
    assert "<!doctype html>" in client.get(links["report_html"]).text
    assert client.get(links["report_pdf"]).content.startswith(b"%PDF")
    problem(client.get(links["annotated"]), 409)
    assert client.post(links["annotated"]).status_code == 202


def test_a_pdf_is_set_once_and_goes_with_its_scan(
    client: TestClient,
    png: bytes,
    finish: Callable[[str], None],
    options: ServeOptions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scan = hand_in(client, png).json()
    address = scan["links"]["report_pdf"]
    problem(client.get(address), 409)
    finish(scan["id"])
    first = client.get(address).content
    with monkeypatch.context() as patch:
        patch.setattr("unmask.report.pdf.render_pdf", lambda _: pytest.fail("set once more"))
        assert client.get(address).content == first
    files = Store(options.folder).folder(scan["id"])
    os.utime(files.pdf, ns=(0, 0))
    monkeypatch.setattr("unmask.report.pdf.render_pdf", lambda _: b"%PDF of another report")
    assert client.get(address).content == b"%PDF of another report"
    client.delete(scan["links"]["self"])
    problem(client.get(address), 404)
    assert kept(options) == []


def test_few_pdfs_are_set_at_once_and_nobody_waits_for_ever(
    app_engine: Engine,
    options: ServeOptions,
    png: bytes,
    finish: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = make_app(app_engine, options, ScanOptions())
    go_on, begun = threading.Event(), 0

    def slow(_: object) -> bytes:
        nonlocal begun
        begun += 1
        assert go_on.wait(20)
        return b"%PDF"

    async def all_at_once(addresses: list[str], other: str) -> tuple[list[Response], int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as many:
            waiting = [asyncio.create_task(many.get(address)) for address in addresses]
            refused, _ = await asyncio.wait(waiting, timeout=5, return_when=asyncio.FIRST_COMPLETED)
            # Those that wait take no thread from the pages.
            answered = (await many.get(other)).status_code
            assert begun == printing.AT_ONCE
            go_on.set()
            await asyncio.wait(waiting)
            assert len(refused) >= 1
            return [task.result() for task in waiting], answered

    with TestClient(app, base_url="http://localhost") as client:
        scans = [hand_in(client, png + bytes([n])).json() for n in range(4)]
        for scan in scans:
            finish(scan["id"])
    monkeypatch.setattr("unmask.report.pdf.render_pdf", slow)
    monkeypatch.setattr(printing, "PATIENCE", 0.3)
    addresses = [scan["links"]["report_pdf"] for scan in scans]
    answers, page = asyncio.run(all_at_once(addresses, "/about"))
    assert page == 200
    assert sorted(answer.status_code for answer in answers) == [200, 200, 503, 503]
    refused = next(answer for answer in answers if answer.status_code == 503)
    problem(refused, 503)
    assert int(refused.headers["retry-after"]) > 0


def test_events_tell_how_it_ends(client: TestClient, png: bytes, finish: Callable[[str], None]) -> None:
    scan = hand_in(client, png).json()
    finish(scan["id"])
    lines = client.get(scan["links"]["events"]).text.splitlines()
    assert "event: done" in lines
    told = json.loads(next(line for line in lines if line.startswith("data:"))[5:])
    assert set(told) == {"verdict", "probability", "message"}


def test_deleting_and_cancelling(client: TestClient, png: bytes, options: ServeOptions) -> None:
    first, second = hand_in(client, png).json(), hand_in(client, png + b"2").json()
    assert client.post(f"{first['links']['self']}/cancel").json()["state"] == "cancelled"
    assert client.post(f"{first['links']['self']}/retry").json()["state"] == "queued"
    assert client.delete(first["links"]["self"]).status_code == 204
    problem(client.get(first["links"]["self"]), 404)
    problem(client.delete(first["links"]["self"]), 404)
    assert client.delete("/api/v1/scans").json() == {"deleted": 1}
    problem(client.get(second["links"]["self"]), 404)
    assert kept(options) == []


def test_nothing_of_this_machine_is_told(
    client: TestClient, png: bytes, finish: Callable[[str], None], options: ServeOptions
) -> None:
    scan = hand_in(client, png).json()
    finish(scan["id"])
    for path in ("", "/report.html", "/report.json?evidence=true", "/annotated", "/events", "/media"):
        assert str(options.folder) not in client.get(f"/api/v1/scans/{scan['id']}{path}").text


def test_a_fault_of_ours_tells_nothing_of_itself(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("unmask.web.scans.Scans.list", broken)
    quiet = TestClient(client.app, base_url="http://localhost", raise_server_exceptions=False)
    told = problem(quiet.get("/api/v1/scans"), 500)
    assert "secret" not in json.dumps(told)


def test_the_description_names_every_route_and_its_problems(client: TestClient) -> None:
    description = client.get("/api/openapi.json").json()
    assert "HTTPValidationError" not in json.dumps(description)
    assert {"/api/v1/scans", "/api/v1/scans/{scan_id}", "/api/v1/scans/{scan_id}/events"} <= set(
        description["paths"]
    )
    codes = set(description["paths"]["/api/v1/scans"]["post"]["responses"])
    assert {"200", "201", "413", "415", "422", "429", "503"} <= codes


def test_a_stream_of_unknown_length_is_taken_in_piece_by_piece(client: TestClient, png: bytes) -> None:
    boundary = "xyz"
    whole = io.BytesIO(
        f'--{boundary}\r\nContent-Disposition: form-data; name="stride"\r\n\r\n7\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
        + png
        + f"\r\n--{boundary}--\r\n".encode()
    )

    def body() -> Iterator[bytes]:
        while piece := whole.read(777):
            yield piece

    response = client.post(
        "/api/v1/scans", content=body(), headers={"content-type": f"multipart/form-data; boundary={boundary}"}
    )
    assert response.json()["settings"] == {"stride": 7}
    assert response.json()["size_bytes"] == len(png)
