"""The pages in a real browser, over a real server: what a person at a newsroom's desk would do."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, Request, expect, sync_playwright
from tests.web.browsers import CHROMIUM, Chromium
from tests.web.processes import PATIENCE, children, until
from tests.web.served import Served

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"),
    pytest.mark.timeout(120),
]

WAIT = 1000 * PATIENCE

LIMIT = 100.0
"""Seconds of a test after which the browser is killed: before the test's own limit is reached."""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        playwright.selectors.set_test_id_attribute("data-test")
        chromium = Chromium(playwright)
        yield chromium
        with chromium.at_most(LIMIT):
            chromium.close()


@pytest.fixture
def browser(chromium: Chromium) -> Iterator[Browser]:
    with chromium.at_most(LIMIT) as browser:
        yield browser


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("served") / "data", ("--max-upload", "8"))
    served.start()
    yield served
    served.stop()


@pytest.fixture(scope="module")
def judged(server: Served, photo_path: Path, video_path: Path) -> dict[str, str]:
    """The names of finished scans of the example photo and video."""
    ids = {"photo": server.hand_in(photo_path), "video": server.hand_in(video_path)}
    for scan_id in ids.values():
        assert server.wait(scan_id, "done", "failed")["state"] == "done"
    return ids


@pytest.fixture
def page(browser: Browser, server: Served, tmp_path: Path) -> Iterator[Page]:
    """A fresh page; it must not have complained, and must have asked nobody but the server."""
    base = str(server.client.base_url).rstrip("/")
    context = browser.new_context(base_url=base, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    complaints: list[str] = []
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", note)
    yield page
    page.screenshot(path=tmp_path / "last.png", full_page=True)
    # Ends what the page still plays or listens to.
    page.goto("about:blank")
    context.close()
    # Refusals are what some tests are about; the browser logs each.
    real = [text for text in complaints if "Failed to load resource" not in text]
    assert real == []
    assert [url for url in asked if not url.startswith((base, "blob:", "data:", "about:"))] == []


def hand_in(page: Page, *paths: Path) -> None:
    page.goto("/")
    page.set_input_files("#file", list(paths))


def wait_for(page: Page, script: str) -> None:
    """Wait until an expression is true. (Playwright's own way is refused by the pages' policy.)"""
    until(lambda: page.evaluate(script))


def no_serious_findings(page: Page) -> None:
    found: Any = Axe().run(page)
    serious = [
        (finding["id"], [node["html"][:160] for node in finding["nodes"]][:3])
        for finding in found.response["violations"]
        if finding["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_a_photo_handed_in_ends_with_its_verdict(page: Page, photo_path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "Ann & Bob <i>.png"
    copy.write_bytes(photo_path.read_bytes() + b"another")
    hand_in(page, copy)
    expect(page.get_by_test_id("verdict")).to_have_text("✓Real", timeout=WAIT)
    expect(page.locator(".file .name")).to_have_text("Ann & Bob <i>.png")
    expect(page.get_by_test_id("probability")).to_contain_text(re.compile(r"0\.\d\d"))
    expect(page.locator("canvas")).to_be_visible()


def test_a_video_is_watched_being_looked_at(page: Page, server: Served, long_video: Path) -> None:
    scan_id = server.hand_in(long_video, stride="3")
    page.goto(f"/scans/{scan_id}")
    expect(page.locator("#so-far")).to_be_visible(timeout=WAIT)
    assert 0 < float(page.locator("#progress").evaluate("bar => bar.value")) < 1
    expect(page.get_by_test_id("player")).to_be_visible(timeout=WAIT)
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-verdict", re.compile("[A-Z]+"))


def test_several_files_handed_in_at_once_are_listed_as_they_end(
    page: Page, photo_path: Path, video_path: Path, tmp_path: Path
) -> None:
    photo, video = tmp_path / "one of two.png", tmp_path / "two of two.mp4"
    photo.write_bytes(photo_path.read_bytes() + b"several")
    video.write_bytes(video_path.read_bytes() + b"\0\0\0\x10freeseveral.")
    hand_in(page, photo, video)
    for path, verdict in ((photo, "Real"), (video, "Unsure")):
        card = page.get_by_test_id("card").filter(has_text=path.name)
        expect(card).to_be_visible(timeout=WAIT)
        expect(card.locator(".chip")).to_contain_text(verdict)


def test_a_scan_that_is_deleted_elsewhere_says_so_and_asks_for_nothing_more(
    page: Page, server: Served, long_video: Path
) -> None:
    scan_id = server.hand_in(long_video, stride="1")
    refused: list[str] = []
    page.on("response", lambda answer: refused.append(answer.url) if answer.status >= 400 else None)
    page.goto(f"/scans/{scan_id}")
    expect(page.get_by_test_id("cancel")).to_be_visible()
    server.client.delete(f"/api/v1/scans/{scan_id}")
    expect(page.get_by_test_id("verdict")).to_contain_text("Deleted", timeout=WAIT)
    expect(page.locator("#doing")).to_contain_text("was deleted")
    expect(page.get_by_test_id("cancel")).to_have_count(0)
    # Longer than browsers and pages wait until they ask again.
    page.wait_for_timeout(4000)
    page.goto("/")
    listed = server.hand_in(long_video, stride="2")
    page.reload()
    row = page.get_by_test_id("rows").locator(f"[data-id='{listed}']")
    expect(row).to_contain_text("looked at, ", timeout=WAIT)
    server.client.delete(f"/api/v1/scans/{listed}")
    expect(row).to_have_count(0)
    assert refused == []


def test_a_scan_is_cancelled_and_tried_again(page: Page, server: Served, long_video: Path) -> None:
    scan_id = server.hand_in(long_video, stride="1")
    page.goto(f"/scans/{scan_id}")
    page.get_by_test_id("cancel").click()
    expect(page.get_by_test_id("verdict")).to_contain_text("ancelled", timeout=WAIT)
    page.get_by_test_id("retry").click()
    expect(page.get_by_test_id("cancel")).to_be_visible()
    page.goto("/about")
    server.client.delete(f"/api/v1/scans/{scan_id}")


def test_the_timeline_seeks_by_click_and_by_key(page: Page, judged: dict[str, str]) -> None:
    page.goto(f"/scans/{judged['video']}")
    video = page.locator("video")
    wait_for(page, "document.querySelector('video').readyState >= 1")
    duration = video.evaluate("v => v.duration")
    slider = page.get_by_role("slider").first
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    slider.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    wait_for(page, "document.querySelector('video').currentTime > 1")
    middle = video.evaluate("v => v.currentTime")
    assert middle == pytest.approx(duration / 2, abs=0.6)
    slider.focus()
    page.keyboard.press("ArrowRight")
    wait_for(page, f"document.querySelector('video').currentTime > {middle} + 0.01")
    assert slider.get_attribute("aria-valuetext")
    page.keyboard.press("Home")
    wait_for(page, "document.querySelector('video').currentTime < 0.2")


def test_boxes_and_heatmaps_are_switched(page: Page, judged: dict[str, str]) -> None:
    page.goto(f"/scans/{judged['photo']}")
    wait_for(page, "document.querySelector('canvas').width > 0")

    def drawn() -> int:
        count: int = page.locator("canvas").evaluate(
            "c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; }"
        )
        return count

    page.wait_for_timeout(300)
    boxes = drawn()
    assert boxes > 0
    page.get_by_test_id("heat").check()
    page.wait_for_timeout(700)
    assert drawn() > 2 * boxes
    page.get_by_test_id("heat").uncheck()
    page.get_by_test_id("boxes").uncheck()
    page.wait_for_timeout(300)
    assert drawn() == 0


def test_another_threshold_states_its_measured_rates(page: Page, judged: dict[str, str]) -> None:
    page.goto(f"/scans/{judged['video']}")
    before = page.get_by_test_id("restated").inner_text()
    page.locator("#point").get_by_label(re.compile("fewer", re.IGNORECASE)).first.check()
    until(lambda: page.get_by_test_id("restated").inner_text() != before)
    assert "validation data" in page.get_by_test_id("restated").inner_text()


def test_two_files_stand_side_by_side(page: Page, judged: dict[str, str], tmp_path: Path) -> None:
    page.goto("/")
    for scan_id in judged.values():
        page.locator(f"[data-id='{scan_id}'] input[type=checkbox]").check()
    page.get_by_test_id("compare").click()
    expect(page.get_by_test_id("side")).to_have_count(2)
    expect(page.get_by_test_id("facts").locator("tr.differs").first).to_be_visible()
    no_serious_findings(page)


def test_reports_and_the_annotated_picture_are_taken_along(page: Page, judged: dict[str, str]) -> None:
    page.goto(f"/scans/{judged['photo']}")
    for name, start in (("pdf", b"%PDF"), ("html", b"<!doctype html>"), ("json", b"{")):
        with page.expect_download() as download:
            page.get_by_test_id(name).click()
        assert Path(download.value.path()).read_bytes().startswith(start)
    page.get_by_test_id("annotate").click()
    expect(page.get_by_test_id("annotated")).to_be_visible(timeout=WAIT)
    with page.expect_download() as download:
        page.get_by_test_id("annotated").click()
    assert download.value.suggested_filename == "astronaut-annotated.png"


def test_deleting_asks_first_and_leaves_nothing(
    page: Page, server: Served, photo_path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "to delete.png"
    copy.write_bytes(photo_path.read_bytes() + b"delete")
    scan_id = server.hand_in(copy)
    server.wait(scan_id, "done")
    page.goto("/")
    card = page.locator(f"[data-id='{scan_id}']")
    card.get_by_test_id("delete").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Keep").click()
    expect(card).to_be_visible()
    card.get_by_test_id("delete").click()
    dialog.get_by_test_id("confirm").click()
    expect(card).to_have_count(0)
    assert not (server.folder / "scans" / scan_id).exists()


def test_bad_and_too_large_files_are_refused_in_words(page: Page, tmp_path: Path) -> None:
    bad, large, empty = tmp_path / "bad.mp4", tmp_path / "large.mp4", tmp_path / "empty.png"
    bad.write_bytes(b"no video at all")
    large.write_bytes(b"\0\0\0\x18ftypmp42" + bytes(9 << 20))
    empty.write_bytes(b"")
    hand_in(page, bad, large, empty)
    rows = page.get_by_test_id("rows")
    expect(rows).to_contain_text("neither an image nor a video", timeout=WAIT)
    expect(rows).to_contain_text("8 MiB")
    expect(rows).to_contain_text("empty")


def test_a_file_that_is_no_medium_inside_says_so(page: Page, tmp_path: Path, photo_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(photo_path.read_bytes()[:300])
    hand_in(page, broken)
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-verdict", "UNREADABLE", timeout=WAIT)


def test_history_is_searched(page: Page, judged: dict[str, str]) -> None:
    page.goto("/")
    page.fill("#search", "half-forged")
    expect(page.locator(f"[data-id='{judged['photo']}']")).to_have_count(0)
    expect(page.locator(f"[data-id='{judged['video']}']")).to_be_visible()
    assert "search=half-forged" in page.url


def test_everything_is_reached_by_keyboard(page: Page, judged: dict[str, str]) -> None:
    page.goto(f"/scans/{judged['video']}")
    reached: set[str] = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                "() => { const e = document.activeElement;"
                "return e.dataset.test || e.getAttribute('role') || e.className || e.tagName; }"
            )
        )
    assert {"skip", "slider", "boxes", "heat", "face", "pdf", "annotate", "copy", "delete"} <= reached
    page.goto(f"/scans/{judged['video']}")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "where", ["/", "/scans/{photo}", "/scans/{video}", "/about", "/api/docs", "/nothing"]
)
def test_pages_have_no_serious_findings(page: Page, judged: dict[str, str], where: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(where.format(**judged))
    no_serious_findings(page)


@pytest.mark.parametrize("where", ["/", "/scans/{video}", "/about", "/compare?a={photo}&b={video}"])
def test_pages_fit_a_phone(page: Page, judged: dict[str, str], where: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(where.format(**judged))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_what_was_loaded_of_the_history_stays_when_a_file_is_done(
    page: Page, server: Served, photo_path: Path, tmp_path: Path
) -> None:
    start = photo_path.read_bytes()[:300]
    for n in range(26):
        broken = tmp_path / f"crowd {n:02}.png"
        broken.write_bytes(start + bytes([n]))
        server.hand_in(broken)
    until(lambda: not server.client.get("/api/v1/scans?state=queued").json()["scans"])
    until(lambda: not server.client.get("/api/v1/scans?state=running").json()["scans"])
    page.goto("/?search=crowd")
    cards = page.get_by_test_id("card")
    expect(cards).to_have_count(24)
    page.get_by_test_id("more").click()
    expect(cards).to_have_count(26)
    another = tmp_path / "crowd, later.png"
    another.write_bytes(start + b"another")
    page.set_input_files("#file", [another, tmp_path / "crowd 00.png"])
    expect(cards).to_have_count(27, timeout=WAIT)
    assert "search=crowd" in page.url


def test_a_browser_that_hangs_ends_its_test_and_no_other(chromium: Chromium) -> None:
    with chromium.at_most(5) as browser:
        page = browser.new_page()
        for driver in children(os.getpid(), "run-driver"):
            for process in children(driver, "chromium"):
                os.kill(process, signal.SIGSTOP)
        with pytest.raises(Error):
            page.evaluate("1 + 1")
    with chromium.at_most(LIMIT) as browser:
        page = browser.new_page()
        assert page.evaluate("1 + 1") == 2
        page.close()


def test_the_page_works_without_scripts(
    browser: Browser, server: Served, photo_path: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "plain.png"
    copy.write_bytes(photo_path.read_bytes() + b"plain")
    context = browser.new_context(base_url=str(server.client.base_url), java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(WAIT)
    page.goto("/")
    page.set_input_files("#file", copy)
    page.get_by_role("button", name="Hand in", exact=True).click()
    assert "/scans/" in page.url
    server.wait(page.url.rsplit("/", 1)[1], "done")
    page.reload()
    expect(page.get_by_test_id("verdict")).to_contain_text("Real")
    context.close()
