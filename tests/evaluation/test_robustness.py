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
    assert told.at[:2] == (1.0, 1.0)
    assert math.isnan(told.at[2])
    assert math.isnan(told.relative)
    text = robustness_table([told])
    assert "| model | media | degradation | plain | 1 | 2 | 4 | relative | least judged |" in text
    assert "| a | images | box | 1.000 | 1.000 | 1.000 | – | – | 0.0 % ! |" in text
    assert "Mean relative AUC of a: –" in text


def test_one_label_has_no_cost() -> None:
    assert robustness(made(["a"], reals=0, degradations=["jpeg"])) == []


def test_the_mean_is_over_what_is_known() -> None:
    known = Robustness("a", "image", "jpeg", 0.8, (1, 2), (0.8, 0.4), (1.0, 1.0))
    holes = Robustness("a", "image", "gamma", 0.8, (1, 2), (0.8, math.nan), (1.0, 0.0))
    assert mean_relative([known, holes]) == pytest.approx(0.75)
    assert math.isnan(mean_relative([holes]))
    assert known.coverage == 1
    # Kinds may have been tried at other severities: each stands in its own column.
    other = Robustness("a", "image", "box", 0.8, (3,), (0.6,), (1.0,))
    assert "| a | images | box | 0.800 | – | – | 0.600 | 0.750 | 100.0 % |" in robustness_table(
        [known, other]
    )
