"""Files side by side: every model's answer stands at its file, whatever it was asked and could judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.evaluation.made import judge, made, row

from unmask.evaluation.judged import UNASKED, judged_files
from unmask.evaluation.table import table
from unmask.types import Verdict


def test_answers_stand_at_their_files_in_whatever_order_they_come() -> None:
    scores = made(["a", "b"], lost=lambda number: number % 5 == 0)
    (files,) = judged_files(scores)
    assert files.table["file"].to_list() == sorted(files.table["file"])
    for number, model in enumerate(["a", "b"]):
        own = {one["file"]: one for one in scores.rows.iter_rows(named=True) if one["model"] == model}
        for at, name in enumerate(files.table["file"]):
            assert files.fake[at] == own[name]["fake"]
            assert files.verdicts[files.verdict[number, at]] == own[name]["verdict"]
            p = own[name]["probability"]
            assert np.isnan(files.p[number, at]) if p is None else files.p[number, at] == p
    mixed = replace(scores, rows=scores.rows.sample(fraction=1, shuffle=True, seed=1))
    (again,) = judged_files(mixed)
    assert np.array_equal(again.p, files.p, equal_nan=True)
    assert np.array_equal(again.source, files.source)
    assert np.array_equal(again.verdict, files.verdict)


def test_a_file_that_a_model_was_not_asked_about_is_no_failure_of_it() -> None:
    rows = [
        row("a", "d/1", False, 0.2),
        row("a", "d/2", True, None),
        row("b", "d/2", True, 0.9),
    ]
    (files,) = judged_files(table(rows, [judge("a"), judge("b")]))
    assert files.asked(0).tolist() == [True, True]
    assert files.asked(1).tolist() == [False, True]
    assert files.judged(0).tolist() == [True, False]
    assert files.judged(1).tolist() == [False, True]
    assert files.verdict[1, 0] == UNASKED
    assert files.said(0, Verdict.REAL, Verdict.FAKE).tolist() == [True, False]
    assert files.said(0, Verdict.NO_FACE).tolist() == [False, True]


def test_kinds_are_apart_and_so_are_states() -> None:
    images = made(["a"], degradations=["jpeg"]).rows
    clips = [row("a", f"clips/{number}", number > 2, 0.5, kind="video") for number in range(5)]
    both = table([*images.iter_rows(named=True), *clips], [judge("a")])
    stills, videos = judged_files(both)
    assert (stills.kind, len(stills.fake)) == ("image", 48)
    assert (videos.kind, len(videos.fake)) == ("video", 5)
    (worse,) = judged_files(both, degradation="jpeg", severity=5)
    assert len(worse.fake) == 48
    assert not np.array_equal(worse.p, stills.p)
    assert judged_files(both, degradation="jpeg", severity=2) == []


def test_a_reason_of_another_version_is_kept_as_it_is() -> None:
    rows = [row("a", "d/1", True, None, verdict="TOO_DARK"), row("a", "d/2", False, 0.1)]
    (files,) = judged_files(table(rows, [judge("a")]))
    assert [files.verdicts[place] for place in files.verdict[0]] == ["TOO_DARK", "REAL"]
    assert files.judged(0).tolist() == [False, True]


def test_nothing_measured_is_no_table() -> None:
    assert judged_files(table([], [judge("a")])) == []
