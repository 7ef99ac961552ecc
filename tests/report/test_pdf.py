"""What the PDF promises: the page's words on paper, readable by people and machines, and believing nobody."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from tests.report.pdfreader import pages, squeezed, starts
from tests.report.reports import BAND, HOSTILE, face, image_report, reason_report, track, video_report

from unmask.errors import UnmaskError
from unmask.report import charts, pdf, words
from unmask.report.pdf import render_pdf
from unmask.types import Band, Report, Span, Verdict

typst = pytest.importorskip("typst")

MARKUP = '#panic("x") *b* $x$ \\` @ref <a> = H // c /* #import "@preview/x:1" \\u{41} [c] https:x -- ~.mp4'
"""A file name that means something in every mode of typst."""

CUNEIFORM = "\U00012000\U00012001"
"""Writing that no font has which comes with typst."""


def dated(report: Report) -> Report:
    return dataclasses.replace(report, scanned="2026-11-02T10:11:12+00:00")


def named(name: str) -> Report:
    """The video's report with `name` wherever text comes from the file."""
    report = video_report(name)
    assert report.file is not None
    file = dataclasses.replace(report.file, tags=(("comment", name), (name, "x")))
    return dataclasses.replace(report, file=file, message=f"{name} is odd", hint=name)


def text(report: Report) -> str:
    return "".join(pages(render_pdf(report)))


def test_video_says_who_when_how_sure_and_what_was_looked_at() -> None:
    found = text(video_report())
    for said in (
        "✗ Fake P(fake) 0.93",
        "Person 1 of 2 shows traces of manipulation at 20.0-30.0 s.",
        words.MEANING[Verdict.FAKE],
        words.SCALE,
        "Person 2 ✓ Real 0.12 73 of 76 0:25.0 to 0:59.7",
        "Fake from 0:20.0 to 0:30.0",
        "Not seen 0:00.0 to 0:25.0, 0:40.0 to 0:50.0.",
        "0:23.3, frame 700 ✗ Fake 0.95",
        words.HEATMAP,
        "180 of 1,800 frames were looked at, every 10th.",
        *words.LIMITS,
        "Knows nothing.",
        "0f" * 32,
        "Lavf <60>",
        "AUC 0.900 [0.880, 0.920] on nothing (10 videos)",
        "Face detector centerface",
    ):
        assert squeezed(said) in found


def test_still_says_where_each_face_is_and_how_large() -> None:
    found = text(image_report())
    for said in ("? Unsure P(fake) 0.50", "Where the faces are in the picture", "Face too small – 50 px"):
        assert squeezed(said) in found


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if not verdict.is_judgement])
def test_reason_for_no_judgement_fits_on_one_page_without_a_number(verdict: Verdict) -> None:
    (found,) = pages(render_pdf(reason_report(verdict)))
    assert squeezed(f"{words.SYMBOL[verdict]} {words.HEADLINE[verdict]} There is nothing to judge.") in found
    assert squeezed(f"What may help: Try another file. {words.MEANING[verdict]}") in found
    assert "P(fake)" not in found


def test_every_page_bears_its_number_the_file_and_the_time_of_the_scan() -> None:
    found = pages(render_pdf(dated(video_report())))
    assert len(found) > 1
    for n, page in enumerate(found, 1):
        assert page.endswith(squeezed(f"street.mp4 Page {n} of {len(found)} Scanned 2026-11-02 10:11:12 UTC"))


@pytest.mark.parametrize("band", [BAND, Band(0.02, 0.97, 0.05, 0.05), Band(0.5, 0.5, 0.05, 0.05)])
def test_zones_of_the_gauge_are_named_in_words_however_slim(band: Band) -> None:
    report = dataclasses.replace(video_report(), band=band, tracks=())
    drawn = text(report).split("Peopl")[0]
    for word in ("Real", "Unsure", "Fake"):
        assert word in drawn.split(squeezed(words.MEANING[Verdict.FAKE]))[1].split(squeezed(words.SCALE))[0]


def test_text_from_a_file_is_printed_and_never_interpreted() -> None:
    found = text(named(MARKUP.replace("/", "|")))
    assert found.count(squeezed(MARKUP.replace("/", "|"))) >= 5
    assert squeezed(MARKUP) in text(dataclasses.replace(video_report(), message=MARKUP))


def test_characters_that_hide_or_reorder_are_visible() -> None:
    found = text(dataclasses.replace(video_report(), message=HOSTILE))
    assert squeezed('<script>alert(1)</script> [red]x[/red] \\x1b[31m\\u202egpj.\\n&".mp4') in found
    assert "a\\udcff.mp4" in text(video_report("a\udcff.mp4"))


def test_name_without_a_space_stays_on_the_page() -> None:
    name = "w" * 251 + ".mp4"
    document = render_pdf(named(name))
    assert name in "".join(pages(document))
    left, right = 56, 540
    assert all(left <= x <= right for x in starts(document))


def test_characters_that_no_font_has_are_printed_as_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_fonts", lambda: typst.Fonts(include_system_fonts=False))
    document = render_pdf(named(f"a{CUNEIFORM}é.mp4"))
    assert "a\\U00012000\\U00012001é.mp4" in "".join(pages(document))
    assert b"pdfuaid" in document


def test_report_that_cannot_keep_the_standard_is_printed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pdf, "_fonts", lambda: typst.Fonts(include_system_fonts=False))
    monkeypatch.setattr(pdf, "_undisplayable", lambda error: frozenset())
    document = render_pdf(named(f"{CUNEIFORM}.mp4"))
    assert b"pdfuaid" not in document
    assert squeezed("✗ Fake P(fake) 0.93") in "".join(pages(document))


def test_document_is_tagged_and_has_a_title_an_author_and_a_language() -> None:
    document = render_pdf(video_report())
    for entry in (
        b"/Title(Fake: street.mp4 (unmask report))",
        b"/Author(unmask 0.1.0)",
        b"/Lang(en)",
        b"/Marked true",
        b"pdfuaid",
    ):
        assert entry in document


def test_pictures_and_drawings_have_alternatives() -> None:
    document = render_pdf(video_report())
    assert document.count(b"/Alt(Face of Person 1 as it was judged)") == 2
    assert document.count(b"/Alt(The same face in grey, red where") == 2
    assert document.count(b"/Alt(P\\(fake\\) of Person") + document.count(b"/Alt(P(fake) of Person") == 2
    assert b"on a scale from 0, real, to 1, fake" in document


def test_same_report_gives_the_same_bytes() -> None:
    assert render_pdf(dated(video_report())) == render_pdf(dated(video_report()))


def test_document_is_dated_by_its_scan_and_by_nothing_else() -> None:
    assert b"/CreationDate(D:20261102101112Z)" in render_pdf(dated(video_report()))
    assert b"/CreationDate" not in render_pdf(video_report())


def test_long_video_stays_small() -> None:
    faces = [face(2.0 * n, None if n % 7 == 0 else n % 100 / 100) for n in range(5400)]
    spans = [Span(30.0 * n, 30.0 * n + 5, 0.9) for n in range(300)]
    report = dataclasses.replace(video_report(), tracks=(track(1, faces, 0.9, *spans),))
    document = render_pdf(report)
    assert len(document) < 200_000
    assert len(pages(document)) <= 3


def test_of_many_stretches_the_first_are_told_and_the_rest_counted() -> None:
    faces = [face(10.0 * n, 0.5) for n in range(100)]
    spans = [Span(10.0 * n, 10.0 * n + 2, 0.9) for n in range(charts.MOST_TOLD + 5)]
    report = dataclasses.replace(video_report(), tracks=(track(1, faces, 0.9, *spans),))
    summary = charts.timelines(report)[1].summary
    assert summary.count("Fake from") == charts.MOST_TOLD
    assert "Fake in 5 more stretches." in summary


def test_report_is_saved_as_pdf_by_its_ending(tmp_path: Path) -> None:
    assert video_report().save(tmp_path / "a.PDF").read_bytes().startswith(b"%PDF-")
    with pytest.raises(UnmaskError, match=r"\.html, \.pdf or \.json"):
        video_report().save(tmp_path / "a.docx")


def test_without_typst_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(UnmaskError, match=r"pip install 'unmask\[web\]'"):
        video_report().save(tmp_path / "a.pdf")
    assert list(tmp_path.iterdir()) == []
