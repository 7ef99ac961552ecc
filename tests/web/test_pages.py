"""The pages as they leave the server: what they say in each state, and what they never hold."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from tests.report.reports import (
    HOSTILE,
    evidence,
    face,
    image_report,
    reason_report,
    track,
    video_report,
    with_points,
)

from unmask.options import ScanOptions
from unmask.report.document import to_json
from unmask.types import Report, Verdict
from unmask.web import asked, render, settings
from unmask.web.drawing import drawings
from unmask.web.options import ServeOptions
from unmask.web.overlay import overlay
from unmask.web.problems import ProblemError
from unmask.web.queue import Outcome, Queue
from unmask.web.scans import LOCAL, Received, Scans
from unmask.web.store import Store

STATIC = Path(render.__file__).parent / "static"

PAGE_BYTES = 200_000
"""More than this for one page is felt on a phone."""


@dataclass
class Desk:
    """Puts scans into the server, in any state."""

    scans: Scans
    queue: Queue
    count: int = 0

    def hand_in(self, name: str = "a.mp4", owner: str = LOCAL) -> str:
        self.count += 1
        content = f"upload {self.count}".encode()
        with self.scans.store.receiving() as path:
            path.write_bytes(content)
            upload = Received(path, name, hashlib.sha256(content).hexdigest(), len(content))
            return self.scans.create(owner, upload)[0].id

    def begin(self, scan_id: str) -> None:
        work = self.queue.take()
        assert work is not None
        assert work.scan == scan_id

    def done(self, report: Report, name: str | None = None, owner: str = LOCAL) -> str:
        scan_id = self.hand_in(name or report.path, owner)
        work = self.queue.take()
        assert work is not None
        folder = self.scans.store.folder(scan_id)
        folder.report.write_bytes(to_json(replace(report, path=name or report.path), evidence=True))
        kind = report.file.kind if report.file else ""
        self.queue.done(work, Outcome(report.verdict, report.probability, report.message, kind, None))
        return scan_id

    def failed(self, reason: str, hint: str) -> str:
        scan_id = self.hand_in()
        work = self.queue.take()
        assert work is not None
        self.queue.failed(work, reason, hint)
        return scan_id


@pytest.fixture
def desk(client: TestClient, app_engine: Engine, options: ServeOptions) -> Desk:
    scans = Scans(app_engine, Store(options.folder), most=1000, most_each=1000)
    return Desk(scans, Queue(app_engine))


def shown(client: TestClient, address: str, status: int = 200) -> str:
    answer = client.get(address, headers={"accept": "text/html"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    return answer.text


def all_pages(desk: Desk) -> list[str]:
    """The addresses of pages and their parts, in every state there is."""
    video, photo = desk.done(with_points(video_report())), desk.done(image_report(), HOSTILE)
    nothing, failed = desk.done(reason_report()), desk.failed("it broke", "mend it")
    cancelled = desk.hand_in()
    desk.scans.cancel(LOCAL, cancelled)
    running = desk.hand_in()
    desk.begin(running)
    waiting = desk.hand_in(HOSTILE)
    ids = (video, photo, nothing, failed, cancelled, running, waiting)
    parts = ("result", "downloads", "people", "player", "point?point=0", "delete")
    return [
        *("/", "/history", "/about", "/api/docs", "/delete", "/nothing-here", "/?search=zzz"),
        f"/compare?a={video}&b={photo}",
        *(f"/scans/{scan_id}" for scan_id in ids),
        *(f"/scans/{scan_id}/{part}" for scan_id in (video, photo) for part in parts),
    ]


class Tags(HTMLParser):
    """All tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_no_page_holds_scripts_or_styles_of_its_own(client: TestClient, desk: Desk) -> None:
    for address in all_pages(desk):
        page = client.get(address, headers={"accept": "text/html"}).text
        for tag, attributes in Tags(page).found:
            assert tag != "style", address
            assert tag != "script" or attributes.get("src", "").startswith("/static/"), address  # type: ignore[union-attr]
            for name, value in attributes.items():
                assert name != "style", (address, tag)
                assert not name.startswith(("on", "hx-on")), (address, tag, name)
                assert not (value or "").strip().lower().startswith(("javascript:", "js:")), (address, name)


def test_everything_that_pages_name_is_there(client: TestClient, desk: Desk) -> None:
    named = {
        value
        for address in all_pages(desk)
        for _, attributes in Tags(client.get(address, headers={"accept": "text/html"}).text).found
        for value in (attributes.get("src"), attributes.get("href"))
        if value and value.startswith("/static/")
    }
    assert len(named) >= 5
    for script in STATIC.glob("*.js"):
        if script.name != "htmx.min.js":
            named |= {f"/static/{name}" for name in re.findall(r'from "\./([^"]+)"', script.read_text())}
    for address in named:
        assert client.get(address).status_code == 200, address


def test_names_from_outside_are_text_and_nothing_else(client: TestClient, desk: Desk) -> None:
    for name in (HOSTILE, '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)", "{{ 7 * 7 }}"):
        scan_id = desk.done(replace(video_report(), message=f"in {name}", hint=name), name)
        waiting = desk.hand_in(name)
        for address in ("/", f"/scans/{scan_id}", f"/scans/{waiting}", f"/scans/{scan_id}/delete"):
            page = shown(client, address)
            tags = Tags(page).found
            assert not [tag for tag, attributes in tags if tag == "img" and "onerror" in attributes]
            assert not [tag for tag, attributes in tags if tag == "script" and "src" not in attributes]
            assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
            assert "\u202e" not in page
            assert "\x1b" not in page
        desk.scans.delete_all(LOCAL)
        desk.queue.take()
    assert "{{ 7 * 7 }}" in shown(client, f"/scans/{desk.done(video_report(), '{{ 7 * 7 }}')}")


def test_the_scan_of_someone_else_is_not_there(client: TestClient, desk: Desk) -> None:
    hers = desk.done(video_report(), "hers.mp4", owner="her")
    mine = desk.done(video_report())
    frame = video_report().tracks[0].faces[10].frame
    for part in ("", "/result", "/point", "/people", "/player", "/downloads", "/overlay.json", "/delete"):
        assert client.get(f"/scans/{hers}{part}").status_code == 404, part
    assert client.get(f"/scans/{hers}/faces/1/{frame}.jpg").status_code == 404
    assert client.get(f"/compare?a={mine}&b={hers}").status_code == 404
    for action in ("cancel", "retry", "again", "annotated", "delete"):
        assert client.post(f"/scans/{hers}/{action}").status_code == 404, action
    assert "hers.mp4" not in shown(client, "/")
    assert desk.scans.get("her", hers) is not None


def test_every_state_has_its_page(client: TestClient, desk: Desk) -> None:
    done = desk.done(video_report())
    running = desk.hand_in("running.mp4")
    desk.begin(running)
    waiting, later = desk.hand_in("waiting.mp4"), desk.hand_in("later.mp4")
    page = shown(client, f"/scans/{done}")
    assert "Fake" in page
    assert "0.93" in page
    assert "20.0" in page
    assert "Being looked at" in shown(client, f"/scans/{running}")
    assert f"/api/v1/scans/{waiting}/events" in shown(client, f"/scans/{waiting}")
    assert "Others are looked at first: 1" in shown(client, f"/scans/{later}")
    assert "Waiting, 1 ahead" in shown(client, "/")
    desk.scans.cancel(LOCAL, later)
    page = shown(client, f"/scans/{later}")
    assert "Cancelled" in page
    assert f"/scans/{later}/retry" in page
    desk.scans.delete(LOCAL, waiting)
    page = shown(client, f"/scans/{desk.failed('the worker stopped', 'try a smaller copy')}")
    assert "The worker stopped." in page
    assert "Try a smaller copy." in page


@pytest.mark.parametrize("verdict", [v for v in Verdict if not v.is_judgement])
def test_where_nothing_was_judged_the_page_says_why(client: TestClient, desk: Desk, verdict: Verdict) -> None:
    page = shown(client, f"/scans/{desk.done(reason_report(verdict))}")
    assert "There is nothing to judge." in page
    assert "Try another file." in page
    assert "P(fake)" not in page.split("</main>")[0].split('class="verdict')[1].split("</section>")[0]


def test_the_overlay_has_all_boxes_as_bare_numbers(client: TestClient, desk: Desk) -> None:
    report = video_report()
    data = client.get(f"/scans/{desk.done(report)}/overlay.json").json()
    assert data["size"] == [320, 240]
    assert data["step"] == pytest.approx(1 / 3, abs=1e-3)
    first, second = data["tracks"]
    assert (first["id"], first["verdict"]) == (1, "FAKE")
    assert first["points"][0] == [0, 40, 30, 80, 80, 0.06]
    assert len(first["points"]) == len(report.tracks[0].faces)
    assert second["points"][0][5] is None
    assert [shown["frame"] for shown in first["evidence"]] == [100, 700]
    for shown in first["evidence"]:
        assert client.get(shown["crop"]).status_code == 200
        assert client.get(shown["heat"]).status_code == 200
    assert data["looks"]["FAKE"]["sign"] == "✗"


def test_corners_of_a_crop_reach_the_player(client: TestClient, desk: Desk) -> None:
    corners = ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0))
    report = replace(
        video_report(), tracks=(track(1, [face(0.0, 0.9, shown=replace(evidence(), corners=corners))], 0.9),)
    )
    assert overlay(report, "/x")["tracks"][0]["evidence"][0]["corners"] == [[1, 2], [3, 4], [5, 6], [7, 8]]


def test_pictures_of_faces_are_private_and_only_those_that_were_kept(client: TestClient, desk: Desk) -> None:
    report = video_report()
    scan_id = desk.done(report)
    kept = report.tracks[0].faces[10]
    assert kept.evidence is not None
    crop = client.get(f"/scans/{scan_id}/faces/1/{kept.frame}.jpg")
    assert crop.content == kept.evidence.crop
    assert crop.headers["content-type"] == "image/jpeg"
    assert crop.headers["cache-control"].startswith("private")
    heat = client.get(f"/scans/{scan_id}/faces/1/{kept.frame}/heat.png")
    assert heat.headers["content-type"] == "image/png"
    for part in ("1/1.jpg", "1/1/heat.png", f"2/{kept.frame}.jpg", f"99/{kept.frame}/heat.png"):
        assert client.get(f"/scans/{scan_id}/faces/{part}").status_code == 404, part


def test_heatmaps_are_red_for_fake_blue_for_real_and_clear_between(client: TestClient, desk: Desk) -> None:
    shown = replace(evidence(), heatmap=((4.0, 0.0, -4.0),) * 3)
    faint = replace(evidence(), heatmap=((1.0, 0.0, -1.0),) * 3)
    faces = [face(0.0, 0.9, shown=shown), face(1.0, 0.9, shown=faint)]
    scan_id = desk.done(replace(video_report(), tracks=(track(1, faces, 0.9),)))

    def colours(frame: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        data = client.get(f"/scans/{scan_id}/faces/1/{frame}/heat.png").content
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        middle: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = picture[picture.shape[0] // 2][:, ::-1]
        return middle

    strong = colours(0)
    alpha, blue, _, red = (strong[2].tolist()[n] for n in (0, 3, 2, 1))
    assert red > blue
    assert alpha > 150
    assert strong[-3].tolist()[3] > strong[-3].tolist()[1]
    assert strong[len(strong) // 2].tolist()[0] < 10
    # One scale for the whole report: what counted less is paler.
    assert colours(30)[2].tolist()[0] < alpha / 2


def test_another_threshold_restates_what_is_called_fake(client: TestClient, desk: Desk) -> None:
    scan_id = desk.done(with_points(video_report()))
    page = shown(client, f"/scans/{scan_id}")
    assert "Fewer false alarms (1 %)" in page
    assert "Fewer misses (10 % false alarms)" in page
    assert len(re.findall('type="radio"', page)) == 3
    few = shown(client, f"/scans/{scan_id}/point?point=0")
    assert "Not called fake" in few
    assert "about 1 of 100 real inputs were called fake" in few
    assert "41 % of the fakes were found" in few
    many = shown(client, f"/scans/{scan_id}/point?point=2")
    assert "Called fake" in many
    assert "Not called fake</b> 0.12" in many
    assert "0.12" in many
    assert "Not called fake" in shown(client, f"/scans/{scan_id}?point=0")
    assert "As calibrated" in shown(client, f"/scans/{scan_id}/point?point=nonsense")


def test_a_page_about_a_long_video_stays_light(client: TestClient, desk: Desk) -> None:
    faces = [
        face(n * 0.5, (n % 100) / 99, shown=evidence(n) if n % 4000 == 7 else None) for n in range(20_000)
    ]
    long = replace(video_report(), tracks=(track(1, faces, 0.9),))
    crowd = replace(
        video_report(),
        tracks=tuple(track(n + 1, [face(n + k / 3, 0.4) for k in range(60)], 0.4) for n in range(400)),
    )
    for report in (long, crowd):
        scan_id = desk.done(report)
        assert len(shown(client, f"/scans/{scan_id}")) < PAGE_BYTES
        assert len(client.get(f"/scans/{scan_id}/overlay.json").content) < 50 * 24_000


def test_more_people_come_when_asked_for(client: TestClient, desk: Desk) -> None:
    tracks = tuple(
        track(n + 1, [face(k / 3, 0.9 - n / 100) for k in range(9)], 0.9 - n / 100) for n in range(15)
    )
    scan_id = desk.done(replace(video_report(), tracks=tracks))
    seen: list[str] = []
    page = shown(client, f"/scans/{scan_id}")
    while True:
        seen += re.findall(r'data-person="(\d+)"', page)
        more = re.search(r'hx-get="(/scans/[^"]+people\?start=\d+)"', page)
        if more is None:
            break
        page = shown(client, more[1])
    assert seen == [str(n + 1) for n in range(15)]


def test_a_timeline_is_drawn_in_few_strokes() -> None:
    report = video_report()
    drawing = drawings(report, {1, 2})[1]
    assert drawing.end == 60
    assert drawing.curve.count("M") == 1
    assert drawing.curve.count("L") == 179
    assert dict(drawing.dots).keys() == {"fake", "real"}
    assert sum(path.count("h0") for _, path in drawing.dots) == 180
    assert list(drawings(report, {2})) == [2]


def test_history_is_searched_filtered_and_paged(client: TestClient, desk: Desk) -> None:
    for n in range(30):
        desk.done(video_report() if n % 2 else reason_report(), f"file {n:02}.mp4")
    page = shown(client, "/")
    names = re.findall(r"file \d\d", re.sub(r"<[^>]*>", "", page))
    more = re.search(r'hx-get="(/history\?[^"]*before[^"]*)"', page)
    assert more is not None
    names += re.findall(r"file \d\d", re.sub(r"<[^>]*>", "", shown(client, more[1].replace("&amp;", "&"))))
    assert sorted(set(names)) == [f"file {n:02}" for n in range(30)]
    assert "file 07" in shown(client, "/?search=FILE+07")
    assert "file 08" not in shown(client, "/?search=FILE+07")
    fakes = shown(client, "/history?verdict=FAKE")
    assert "No face" not in fakes
    assert "file 29" in fakes
    assert "Nothing fits." in shown(client, "/history?search=zzz")
    assert "Nothing fits." not in shown(client, "/history?verdict=NONSENSE")


def names_listed(page: str) -> list[str]:
    """The files in a list, and those alone."""
    return re.findall(r"file \d\d\.mp4", re.sub(r"<[^>]*>", "", page))


def test_what_was_loaded_of_the_history_stays_when_it_is_made_anew(client: TestClient, desk: Desk) -> None:
    for n in range(60):
        desk.done(reason_report(), f"file {n:02}.mp4")
    page = shown(client, "/")
    (parts,) = [tag for _, tag in Tags(page).found if tag.get("id") == "history"]
    # What the list is asked for again with: the search, and how many scans are in it.
    assert parts["hx-include"] == ".search, #history [name=shown]"
    loaded = len(set(names_listed(page)))
    for expected in (24, 48, 60):
        assert loaded == expected
        covered = max(int(n) for n in re.findall(r'name="shown" value="(\d+)"', page))
        again = shown(client, f"/history?search=&verdict=&shown={covered}")
        assert len(set(names_listed(again))) == expected
        assert f'name="shown" value="{covered}"' in again
        more = re.search(r'hx-get="(/history\?[^"]*before[^"]*)"', again)
        if more is not None:
            page = shown(client, more[1].replace("&amp;", "&"))
            loaded += len(set(names_listed(page)))
    assert more is None
    assert len(set(names_listed(shown(client, f"/history?shown={10**9}")))) == 60


def test_what_is_looked_for_is_in_the_address(client: TestClient, desk: Desk) -> None:
    answer = client.get("/history?search=a+b&verdict=", headers={"hx-request": "true"})
    assert answer.headers["hx-replace-url"] == "/?search=a+b&verdict="
    assert client.get("/history", headers={"hx-request": "true"}).headers["hx-replace-url"] == "/"


def test_forms_work_without_scripts(client: TestClient, desk: Desk) -> None:
    def sent(address: str, **fields: str) -> str:
        answer = client.post(address, data=fields, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        location: str = answer.headers["location"]
        return location

    waiting = desk.hand_in()
    assert sent(f"/scans/{waiting}/cancel") == f"/scans/{waiting}"
    assert client.get(f"/api/v1/scans/{waiting}").json()["state"] == "cancelled"
    assert sent(f"/scans/{waiting}/retry") == f"/scans/{waiting}"
    assert client.get(f"/api/v1/scans/{waiting}").json()["state"] == "queued"
    desk.scans.delete(LOCAL, waiting)
    done = desk.done(video_report())
    assert sent(f"/scans/{done}/annotated") == f"/scans/{done}#downloads"
    assert "is being made" in shown(client, f"/scans/{done}/downloads")
    again = sent(f"/scans/{done}/again", stride="3", frames="", min_face="40")
    told = client.get(f"/api/v1{again}").json()
    assert told["id"] != done
    assert told["settings"] == {"stride": 3}
    assert told["sha256"] == client.get(f"/api/v1/scans/{done}").json()["sha256"]
    assert "Delete this scan?" in shown(client, f"/scans/{done}/delete")
    assert sent(f"/scans/{done}/delete") == "/"
    assert client.get(f"/scans/{done}").status_code == 404
    assert client.get(f"/api/v1{again}").status_code == 200
    assert sent("/delete") == "/"
    assert desk.scans.count(LOCAL) == 0


def test_settings_are_the_fields_of_a_scan(client: TestClient) -> None:
    page = shown(client, "/")
    fields = settings.form_fields(ScanOptions())
    assert [field.name for field in fields] == ["stride", "frames", "min_face"]
    assert [(field.least, field.default) for field in fields] == [(1, "10"), (1, ""), (8, "40")]
    for field in fields:
        assert field.help in page
    assert settings.checked({"stride": "10", "min_face": " 50 "}, ScanOptions()) == {"min_face": 50}
    assert settings.checked({"stride": "10"}) == {"stride": 10}
    for wrong in ({"stride": "0"}, {"min_face": "7"}, {"frames": "many"}):
        with pytest.raises(ProblemError):
            settings.checked(wrong)


def test_two_files_are_compared_and_what_differs_is_marked(client: TestClient, desk: Desk) -> None:
    a, b = desk.done(video_report("one.mp4")), desk.done(image_report("two.png"))
    page = shown(client, f"/compare?a={a}&b={b}")
    rows = re.findall(r'<tr( class="differs")?><th scope="row">([^<]+?)\s*<', page)
    marked = {name.strip(): bool(differs) for differs, name in rows}
    assert marked["Verdict"]
    assert marked["Resolution"]
    same = shown(client, f"/compare?a={a}&b={a}")
    assert 'class="differs"' not in same
    chosen = client.get(f"/compare?id={a}&id={b}", follow_redirects=False)
    assert chosen.headers["location"] == f"/compare?a={a}&b={b}"
    assert "select two" in shown(client, f"/compare?id={a}", status=422).lower()


def test_a_copy_that_browsers_play_is_waited_for(client: TestClient, desk: Desk) -> None:
    report = video_report()
    assert report.file is not None
    scan_id = desk.hand_in("old.avi")
    work = desk.queue.take()
    assert work is not None
    old = replace(report, file=replace(report.file, container="avi", codec="mpeg4", pixel_format="yuv420p"))
    desk.scans.store.folder(scan_id).report.write_bytes(to_json(old, evidence=True))
    desk.queue.done(work, Outcome(Verdict.FAKE, 0.9, "why", "video", 60.0, playable=False))
    page = shown(client, f"/scans/{scan_id}/player")
    assert "is being made" in page
    assert "<video" not in page
    preview = desk.queue.take()
    assert preview is not None
    desk.queue.done(preview)
    assert "<video" in shown(client, f"/scans/{scan_id}/player")


def test_errors_are_told_in_words(client: TestClient) -> None:
    page = shown(client, "/nothing-here", status=404)
    assert "There is nothing here." in page
    assert "Traceback" not in page
    assert client.get("/scans/short").status_code == 422


def test_reports_of_deleted_scans_are_not_kept_in_memory(client: TestClient, desk: Desk) -> None:
    gone, stays = desk.done(video_report("gone.mp4")), desk.done(video_report())
    shown(client, f"/scans/{gone}")
    path = desk.scans.store.folder(gone).report
    assert path in asked._reports._known
    client.post(f"/scans/{gone}/delete")
    shown(client, f"/scans/{stays}")
    assert path not in asked._reports._known


def test_about_names_the_model_and_its_limits(client: TestClient) -> None:
    page = shown(client, "/about")
    assert "fast" in page
    assert "AUC" in page
    assert "Real ones called fake" in page
    assert "Only faces are judged" in page


def test_how_long_and_how_large_is_said(client: TestClient) -> None:
    page = shown(client, "/")
    assert "7 days" in page
    assert "1 MiB" in page
    assert "never leaves this machine" in page
    said: Callable[[float], str] = render.days
    assert [said(d) for d in (7, 1, 0.5, 0.01)] == ["7 days", "1 day", "12 hours", "1 hour"]
    assert [render.limit_of(n << 20) for n in (500, 2048, 1536)] == ["500 MiB", "2 GiB", "1.5 GiB"]
