"""Every pair of models is compared once, and corrected for how many there are of its kind."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import pytest
from tests.evaluation.made import judge, made, row

from unmask.evaluation.judged import judged_files
from unmask.evaluation.pairs import MOST_SHOWN, Pair, most_telling, pairs, pairs_csv, pairs_table
from unmask.evaluation.table import table
from unmask.figures.estimate import Estimate
from unmask.figures.rivals import Compared, Contrast, holm


def pair(first: str, second: str, value: float, p: float, corrected: float = math.nan) -> Pair:
    contrast = Contrast(Estimate(value, value - 0.1, value + 0.1), p, p)
    return Pair("image", first, second, 10, Compared(4, 5, contrast, contrast), corrected, corrected)


def test_every_pair_is_compared_once_and_corrected_within_its_kind() -> None:
    images = made(["a", "b", "c"]).rows.iter_rows(named=True)
    clips = [
        row(model, f"clips/{n}", n % 2 == 1, (n + place) / 30, kind="video")
        for place, model in enumerate("ab")
        for n in range(20)
    ]
    told = pairs(judged_files(table([*images, *clips], [judge(name) for name in "abc"])), draws=20)
    assert [(one.kind, one.first, one.second) for one in told] == [
        ("image", "a", "b"),
        ("image", "a", "c"),
        ("image", "b", "c"),
        ("video", "a", "b"),
    ]
    of_images = told[:3]
    assert [one.auc_p for one in of_images] == holm([one.told.auc.p_value for one in of_images])
    assert told[3].auc_p == told[3].told.auc.p_value
    assert all((one.files, one.judged) == (48, 48) for one in of_images)


def test_models_without_a_file_in_common_are_no_pair() -> None:
    rows = [row(name, f"d/{name}{n}", n % 2 == 1, n / 20) for name in "ab" for n in range(20)]
    assert pairs(judged_files(table(rows, [judge("a"), judge("b")]))) == []
    assert pairs(judged_files(made(["a"]))) == []


def test_files_that_one_of_the_two_did_not_judge_count_beside() -> None:
    scores = made(["a", "b"])
    rows = list(scores.rows.iter_rows(named=True))
    for one in rows[:6]:
        one.update(probability=None, verdict="NO_FACE")
    (told,) = pairs(judged_files(table(rows, scores.models)), draws=20)
    assert (told.files, told.judged, told.told.real, told.told.fake) == (48, 42, 18, 24)


def test_a_difference_has_a_sign_only_beyond_chance() -> None:
    assert [pair("a", "b", value, 0.01, p).sign for value, p in ((0.2, 0.04), (-0.2, 0.04), (0.2, 0.05))] == [
        1,
        -1,
        0,
    ]
    assert pair("a", "b", math.nan, math.nan).sign == 0


def test_all_figures_are_in_the_csv_and_nothing_stands_for_what_is_not_known() -> None:
    scores = made(["a", "b"], reals=6, fakes=30)
    told = pairs(judged_files(scores), draws=20)
    (line,) = csv.DictReader(io.StringIO(pairs_csv(told)))
    assert (line["first"], line["second"], line["real"], line["fake"]) == ("a", "b", "6", "30")
    assert float(line["auc"]) == pytest.approx(told[0].told.auc.value.value, rel=1e-5)
    # Six reals are of three sources: too few for an interval or a test.
    assert [line[name] for name in ("auc_low", "auc_p_delong", "auc_p_draws", "auc_p_holm")] == [""] * 4
    assert pairs_csv([]).count("\n") == 1


def test_where_there_is_no_room_the_pairs_least_by_chance_are_shown_in_their_order() -> None:
    rows = [pair("a", f"b{n}", 0.1, (n * 37 % 100) / 100) for n in range(100)]
    rows[3] = pair("a", "b3", math.nan, math.nan)
    shown = most_telling(rows)
    assert len(shown) == MOST_SHOWN
    assert shown == [one for one in rows if one in shown]
    least = max(one.told.auc.p_value for one in shown)
    left = [one.told.auc.p_value for one in rows if one not in shown]
    assert all(math.isnan(p) or p >= least for p in left)
    assert rows[3] not in shown
    assert f"{MOST_SHOWN} of 100 pairs" in pairs_table(rows)
    assert most_telling(rows[:5]) == rows[:5]


def test_the_table_shows_signs_and_small_chances_and_keeps_its_columns() -> None:
    one = replace(pair("a|b", "c", -0.02, 0.0002, 0.03), balanced_accuracy_p=math.nan)
    line = next(line for line in pairs_table([one]).splitlines() if "images" in line)
    assert line == (
        r"| images | a\|b | c | 9 of 10 | −0.020 [−0.120, +0.080] | <0.001 | 0.030 "
        "| −2.0 [−12.0, +8.0] | <0.001 | – |"
    )
