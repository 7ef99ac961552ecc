"""Curves are those of scikit-learn, also on tied scores, and their areas are the figures beside them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from unmask.errors import DataError
from unmask.figures.curves import Curve, precision_recall, risk_by_coverage, roc, steps
from unmask.figures.draws import area
from unmask.figures.reliability import risk_coverage

NEAR = 1e-9

drawn = given(st.integers(0, 10_000), st.integers(4, 200), st.sampled_from([2, 5, 50, 10**9]))


def sample(seed: int, count: int, values: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities, tied where there are few `values`."""
    random = np.random.default_rng(seed)
    fake = random.random(count) < 0.4
    fake[:2] = [False, True]
    return fake, np.round((random.random(count) + 0.4 * fake) / 1.4 * values) / values


@settings(max_examples=40, deadline=None)
@drawn
def test_the_area_under_the_roc_is_the_auc_and_its_points_are_those_of_the_thresholds(
    seed: int, count: int, values: int
) -> None:
    fake, p = sample(seed, count, values)
    curve = roc(fake, p)
    assert area(curve) == pytest.approx(roc_auc_score(fake, p), abs=NEAR)
    thresholds = np.unique(p)[::-1]
    for rows, told in ((~fake, curve.x), (fake, curve.y)):
        shares = [0.0, *((p[rows] >= threshold).mean() for threshold in thresholds)]
        assert told == pytest.approx(shares, abs=NEAR)


@settings(max_examples=40, deadline=None)
@drawn
def test_the_area_under_the_steps_is_the_average_precision(seed: int, count: int, values: int) -> None:
    fake, p = sample(seed, count, values)
    curve = precision_recall(fake, p)
    precision, recall, _ = precision_recall_curve(fake, p)
    # Theirs falls, and ends with a point of no alarm at all.
    assert curve.x == pytest.approx(recall[-2::-1], abs=NEAR)
    assert curve.y == pytest.approx(precision[-2::-1], abs=NEAR)
    assert area(steps(curve)) == pytest.approx(average_precision_score(fake, p), abs=NEAR)


@settings(max_examples=40, deadline=None)
@drawn
def test_the_order_of_equally_sure_samples_does_not_change_the_risk(
    seed: int, count: int, values: int
) -> None:
    fake, p = sample(seed, count, values)
    curve = risk_by_coverage(fake, p)
    turned = risk_by_coverage(fake[::-1], p[::-1])
    assert np.array_equal(curve.x, turned.x)
    assert np.array_equal(curve.y, turned.y)
    assert curve.x[-1] == 1
    assert curve.y[-1] == pytest.approx(((p >= 0.5) != fake).mean(), abs=NEAR)
    for x, y in zip(curve.x, curve.y, strict=True):
        surest = np.abs(p - 0.5) >= np.sort(np.abs(p - 0.5))[::-1][round(x * count) - 1]
        assert y == pytest.approx(((p >= 0.5) != fake)[surest].mean(), abs=NEAR)


def test_without_ties_the_risk_is_told_at_every_sample() -> None:
    fake, p = sample(1, 150, 10**9)
    coverage, risk = risk_coverage(fake, p)
    curve = risk_by_coverage(fake, p)
    assert curve.x == pytest.approx(coverage)
    assert curve.y == pytest.approx(risk)


def test_an_upright_curve_has_its_upper_end() -> None:
    curve = Curve(np.array([0.0, 0.0, 0.5, 0.5, 1.0]), np.array([0.0, 0.4, 0.4, 0.8, 1.0]))
    assert curve.at([0.0, 0.25, 0.5, 0.75]) == pytest.approx([0.4, 0.4, 0.8, 0.9])


@pytest.mark.parametrize("label", [False, True])
def test_one_label_has_no_curve_of_rank_but_a_risk(label: bool) -> None:
    fake, p = np.full(4, label), np.array([0.1, 0.4, 0.6, 0.9])
    for curve in (roc, precision_recall):
        with pytest.raises(DataError, match="both real and fake"):
            curve(fake, p)
    assert risk_by_coverage(fake, p).y[-1] == 0.5
