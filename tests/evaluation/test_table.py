"""The score file: what is in it can be believed, and comes back as it went in."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from tests.report.reports import face, track

from unmask.errors import DataError
from unmask.evaluation.table import (
    FACE,
    FILE,
    TRACK,
    JudgedBy,
    Medium,
    found_in,
    labelled,
    read_scores,
    table,
    write_scores,
)
from unmask.types import Report, Verdict

MODEL = JudgedBy("fast", "0" * 64, 0.8, 0.2)


def medium(name: str, fake: bool = True) -> Medium:
    return Medium(Path(name), f"set/{name}", fake, "video", "set", "swap" if fake else "", name)


def rows(name: str, p: float, fake: bool = True) -> list[dict[str, object]]:
    faces = [face(float(n), p) for n in range(3)]
    report = Report(name, Verdict.UNSURE, p, "", tracks=(track(1, faces, p),))
    return labelled("fast", medium(name, fake), found_in(report))


def test_a_report_gives_a_row_per_face_track_and_file(tmp_path: Path) -> None:
    scores = table([*rows("a.mp4", 0.6), *rows("b.mp4", 0.4, fake=False)], [MODEL])
    counts = dict(scores.rows.group_by("level").len().iter_rows())
    assert counts == {FACE: 6, TRACK: 2, FILE: 2}
    back = read_scores(write_scores(scores, tmp_path / "scores.parquet"))
    assert back.rows.equals(scores.rows)
    assert back.models == scores.models


def test_what_was_not_judged_is_there_with_its_reason() -> None:
    report = Report("x", Verdict.NO_FACE, None, "no face was found")
    (row,) = labelled("fast", medium("x.mp4"), found_in(report))
    assert (row["verdict"], row["probability"]) == ("NO_FACE", None)
    assert len(table([row], [MODEL]).rows) == 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"probability": float("nan")}, "P\\(fake\\)"),
        ({"probability": 1.5}, "P\\(fake\\)"),
        ({"probability": None}, "UNSURE"),
        ({"verdict": "NO_FACE"}, "NO_FACE"),
        ({"model": "other"}, "other"),
    ],
)
def test_rows_that_cannot_be_believed_are_refused(change: dict[str, object], word: str) -> None:
    broken = rows("a.mp4", 0.6)
    broken[-1] |= change
    with pytest.raises(DataError, match=word):
        table(broken, [MODEL])


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(DataError, match="twice"):
        table([*rows("a.mp4", 0.6), *rows("a.mp4", 0.6)], [MODEL])
    with pytest.raises(DataError, match="both real and fake"):
        table([*rows("a.mp4", 0.6)[:1], *rows("a.mp4", 0.6, fake=False)], [MODEL])


def test_other_files_are_no_score_files(tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(other)
    (tmp_path / "text").write_text("hello")
    for path in (other, tmp_path / "text", tmp_path / "absent"):
        with pytest.raises(DataError):
            read_scores(path)
