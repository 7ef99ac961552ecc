"""What programs are told: of uploads good and bad, of scans that are there and that are not."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx import Response

from unmask.web.options import MIB, ServeOptions


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
    ],
)
def test_names_are_kept_without_folders_and_without_tricks(
    client: TestClient, png: bytes, claimed: str, shown: str
) -> None:
    boundary = "xyz"
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{claimed}"\r\n\r\n'.encode()
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
