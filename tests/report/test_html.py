"""What the HTML pages promise: they hold everything, ask for nothing, and believe nobody."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.report.reports import HOSTILE, face, image_report, reason_report, track, video_report

from unmask.report.charts import MOST_DOTS, timelines
from unmask.report.html import render_html, render_index
from unmask.types import Evidence, Report, Verdict

REPORTS = [video_report(), image_report(), video_report(HOSTILE)] + [
    reason_report(verdict) for verdict in Verdict if not verdict.is_judgement
]

LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}

VOID = {"meta", "img"}


class Page(HTMLParser):
    """Collects tags, attributes and text, and fails on tags that don't match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: str(report.verdict))
def test_page_loads_nothing_from_anywhere(report: Report) -> None:
    html = render_html(report)
    assert "http://" not in html
    assert "https://" not in html
    assert not re.search(r"url\((?!#)|@import", html)
    for tag, attributes in Page(html).tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in LOADING & attributes.keys():
            assert str(attributes[name]).startswith(("data:image/jpeg;base64,", "#"))


def test_policy_allows_only_the_pages_own_style() -> None:
    page = Page(render_html(video_report()))
    policy = next(a["content"] for t, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: str(report.verdict))
def test_page_has_landmarks_one_main_heading_and_alternatives(report: Report) -> None:
    tags = Page(render_html(report)).tags
    names = [tag for tag, _ in tags]
    assert (names.count("h1"), names.count("main"), names.count("header"), names.count("footer")) == (1,) * 4
    assert all(attributes.get("alt") for tag, attributes in tags if tag == "img")
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    drawn = [a for tag, a in tags if tag == "svg" and a.get("role") == "img"]
    assert all(attributes.get("aria-label") for attributes in drawn)


def test_hostile_name_is_text_and_visible() -> None:
    html = render_html(video_report(HOSTILE))
    assert "<script>" not in html
    assert not {"\x1b", "\u202e"} & set(html)
    assert '<script>alert(1)</script> [red]x[/red] \\x1b[31m\\u202egpj.\\n&".mp4' in Page(html).text


def test_name_that_is_not_unicode_can_be_saved(tmp_path: Path) -> None:
    report = video_report("a\udcff.mp4")
    assert "a\\udcff.mp4" in report.save(tmp_path / "a.html").read_text(encoding="utf-8")
    assert "./a%FF.html" in render_index([(report, "a\udcff.html")])


def test_video_page_says_who_when_how_sure_and_what_was_looked_at() -> None:
    text = " ".join(Page(render_html(video_report())).text.split())
    for said in (
        "Fake",
        "0.93",
        "Person 1 of 2 shows traces of manipulation at 20.0-30.0 s.",
        "5 % of the real inputs",
        "12 % of the fake ones",
        "Fake from 0:20.0 to 0:30.0",
        "Not seen 0:00.0 to 0:25.0, 0:40.0 to 0:50.0.",
        "180 of 1,800 frames were looked at, every 10th.",
        "3 too small to judge",
        "0f" * 32,
        "Lavf <60>",
        "Knows nothing.",
    ):
        assert said in text


def test_telling_faces_are_shown_with_and_without_reasons() -> None:
    html = render_html(video_report())
    assert len([tag for tag, _ in Page(html).tags if tag == "img"]) == 4


@pytest.mark.parametrize("broken", [Evidence(b"", ()), Evidence(b"<svg/>", ((1.0,), (1.0, 2.0)))])
def test_crop_that_is_no_picture_is_left_out(broken: Evidence) -> None:
    report = dataclasses.replace(video_report(), tracks=(track(1, [face(0, 0.9, shown=broken)], 0.9),))
    assert "<img" not in render_html(report)


def test_reason_page_claims_no_number() -> None:
    html = render_html(reason_report())
    assert 'class="gauge"' not in html
    assert "P(fake)" not in Page(html).text


def test_long_video_is_drawn_in_bounded_size() -> None:
    faces = [face(n / 3, 0.2 + 0.6 * (n % 2)) for n in range(10_000)]
    report = dataclasses.replace(video_report(), tracks=(track(1, faces, 0.5),))
    drawn = timelines(report)[1]
    assert not drawn.dots
    assert len(drawn.lines) <= len(drawn.ranges) <= MOST_DOTS + 1
    assert {round(line.y1 - line.y2) for line in drawn.ranges[:-1]} == {60}
    assert len(render_html(report)) < 1_000_000


def test_curve_stops_where_the_face_was_not_seen() -> None:
    drawn = timelines(video_report())[2]
    gap = drawn.unseen[1]
    assert (round(gap.start), round(gap.size)) == (67, 17)
    assert not [line for line in drawn.lines if line.x1 < gap.start + 1 < line.x2]


def test_index_leads_to_every_page_with_safe_addresses() -> None:
    pages = [(reason_report(), "empty.html"), (video_report(HOSTILE), "javascript:x#?%.html")]
    page = Page(render_index(pages))
    links = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert links == ["./javascript%3Ax%23%3F%25.html", "./empty.html"]
    assert "\\x1b[31m" in page.text
