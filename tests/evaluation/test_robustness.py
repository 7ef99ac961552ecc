"""What degradations cost: a curve per model and kind, without figures that cannot be had."""

from __future__ import annotations

import math

import pytest
from tests.evaluation.made import judge, made, row

from unmask.evaluation.figures import MEDIUM, lines
from unmask.evaluation.robustness import Robustness, mean_relative, robustness, robustness_table
from unmask.evaluation.table import table


def test_every_severity_is_compared_with_plain_media() -> None:
    scores = made(["a", "b"], reals=60, fakes=60, degradations=["jpeg", "gamma"])
    told = robustness(scores)
    assert [(one.model, one.degradation) for one in told] == [
        ("a", "gamma"),
        ("b", "gamma"),
        ("a", "jpeg"),
        ("b", "jpeg"),
    ]
    first = told[0]
    assert first.severities == (1, 3, 5)
    assert first.plain > first.at[1] > first.at[2]
    assert first.relative == pytest.approx(sum(first.at) / 3 / first.plain)
    state = {"degradation": "gamma", "severity": 3, "draws": 1}
    line = next(lines(scores, levels=[MEDIUM], groups=(), **state))
    assert line.summary is not None
    assert first.at[1] == line.summary.auc.value


def test_media_as_they_are_cost_nothing() -> None:
    assert robustness(made(["a"])) == []
    assert robustness(table([], [judge("a")])) == []


def test_what_was_no_longer_judged_is_told_and_marked() -> None:
    rows = [row("a", f"d/{n}", n % 2 == 1, n / 40 + n % 2 / 2) for n in range(20)]
    for severity, lost in ((1, 0), (2, 4), (4, 20)):
        rows += [
            one
            | {"degradation": "box", "severity": severity}
            | ({"probability": None, "verdict": "NO_FACE"} if n < lost else {})
            for n, one in enumerate(rows[:20])
        ]
    (told,) = robustness(table(rows, [judge("a")]))
    assert told.severities == (1, 2, 4)
    assert told.judged == (1.0, 0.8, 0.0)
    # Of ten reals and ten fakes two of each are lost: 64 of 100 pairs are right, and of 36 a half.
    assert told.at == pytest.approx((1.0, 0.82, 0.5))
    assert told.relative == pytest.approx((1.0 + 0.82 + 0.5) / 3)
    text = robustness_table([told])
    assert "| model | media | degradation | plain | 1 | 2 | 4 | relative | least judged |" in text
    assert "| a | images | box | 1.000 | 1.000 | 0.820 | 0.500 | 0.773 | 0.0 % ! |" in text
    assert "Mean relative AUC of a on images, 1 degradation: 0.773" in text


def test_who_loses_every_face_does_not_look_better_than_who_guesses() -> None:
    plain = [row(name, f"d/{n}", n % 2 == 1, n % 2 * 0.8 + 0.1) for name in "ab" for n in range(40)]
    worse = [
        one
        | {"degradation": "resize", "severity": 5}
        | (
            {"probability": 0.5, "verdict": "UNSURE"}
            if one["model"] == "a"
            else {"probability": None, "verdict": "NO_FACE"}
        )
        for one in plain
    ]
    guesses, loses = robustness(table(plain + worse, [judge("a"), judge("b")]))
    assert loses.relative == guesses.relative == 0.5


def test_one_label_has_no_cost() -> None:
    assert robustness(made(["a"], reals=0, degradations=["jpeg"])) == []


def test_kinds_of_media_have_means_of_their_own() -> None:
    images = Robustness("a", "image", "jpeg", 0.8, (1, 2), (0.8, 0.4), (1.0, 1.0))
    videos = Robustness("a", "video", "jpeg", 0.8, (1, 2), (0.8, 0.8), (1.0, 1.0))
    # Kinds may have been tried at other severities: each stands in its own column.
    other = Robustness("a", "image", "box", 0.8, (3,), (0.6,), (1.0,))
    text = robustness_table([images, videos, other])
    assert "| a | images | box | 0.800 | – | – | 0.600 | 0.750 | 100.0 % |" in text
    assert "Mean relative AUC of a on images, 2 degradations: 0.750" in text
    assert "Mean relative AUC of a on videos, 1 degradation: 1.000" in text
    assert math.isnan(mean_relative([]))
