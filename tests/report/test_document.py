"""What the JSON document promises."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import jsonschema
import pytest
from tests.report.reports import HOSTILE, image_report, reason_report, video_report

from unmask.errors import UnmaskError
from unmask.report import from_json, save, schema, to_json
from unmask.types import SCHEMA_VERSION, Report, Verdict

PUBLISHED = Path(__file__).resolve().parents[2] / f"docs/schema/report-{SCHEMA_VERSION}.json"

REPORTS = [video_report(), image_report(), video_report(HOSTILE)] + [
    reason_report(verdict) for verdict in Verdict if not verdict.is_judgement
]


def test_published_schema_is_current() -> None:
    """To make it again: python -m unmask schema > docs/schema/report-1.0.json"""
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == schema()


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: str(report.verdict))
@pytest.mark.parametrize("evidence", [False, True])
def test_documents_validate_against_the_schema(report: Report, evidence: bool) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    document = json.loads(to_json(report, evidence=evidence))
    jsonschema.Draft202012Validator(schema()).validate(document)


def test_schema_refuses_a_probability_above_one() -> None:
    document = json.loads(to_json(video_report()))
    document["tracks"][0]["faces"][0]["probability"] = 1.5
    with pytest.raises(jsonschema.ValidationError, match=r"1\.5"):
        jsonschema.validate(document, schema())


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: str(report.verdict))
def test_report_comes_back_from_its_json(report: Report) -> None:
    assert from_json(to_json(report, evidence=True)) == report


def test_faces_leave_the_program_only_when_asked_for() -> None:
    document = json.loads(to_json(video_report()))
    kept = [face["evidence"] for track in document["tracks"] for face in track["faces"]]
    assert kept
    assert set(kept) == {None}


def test_one_line_when_not_indented() -> None:
    assert b"\n" not in to_json(video_report(HOSTILE), indent=None)


def test_nan_is_refused_with_the_place_it_is_in() -> None:
    report = dataclasses.replace(video_report(), probability=math.nan)
    with pytest.raises(ValueError, match=r"report\.probability is nan"):
        to_json(report)


def test_name_that_is_not_unicode_is_written_with_escapes() -> None:
    assert json.loads(to_json(reason_report(path="a\udcff.mp4")))["path"] == "a\\udcff.mp4"


@pytest.mark.parametrize("data", [b"", b"{}", b"[1]", b'{"path": 3}', b"\xff\xfe"])
def test_what_is_no_report_is_refused_with_a_hint(data: bytes) -> None:
    with pytest.raises(UnmaskError, match="not an unmask report") as caught:
        from_json(data)
    assert caught.value.hint


def test_report_of_another_major_version_is_refused() -> None:
    data = to_json(dataclasses.replace(reason_report(), schema_version="2.0"))
    with pytest.raises(UnmaskError, match=r"format 2\.0"):
        from_json(data)


def test_save_chooses_by_ending_and_returns_the_path(tmp_path: Path) -> None:
    report = video_report()
    assert from_json((save(report, tmp_path / "a.JSON")).read_bytes()).verdict is report.verdict
    assert report.save(str(tmp_path / "a.html")).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.JSON", "a.html"]


def test_save_refuses_other_endings_and_places_with_a_hint(tmp_path: Path) -> None:
    for path in (tmp_path / "a.docx", tmp_path / "a", tmp_path / "missing" / "a.json"):
        with pytest.raises(UnmaskError) as caught:
            save(reason_report(), path)
        assert caught.value.hint


def test_failed_save_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="nan"):
        save(dataclasses.replace(reason_report(), seconds=math.nan), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
