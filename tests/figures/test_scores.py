"""Metrics agree with their definitions, and refuse what has none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from unmask.errors import DataError
from unmask.figures.scores import auc, auc_estimate, average_precision, macro_auc, true_positive_rate

PAIRS = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=40).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


@settings(max_examples=50)
@given(PAIRS)
def test_auc_is_the_chance_that_a_fake_scores_above_a_real(rows: list[tuple[bool, int]]) -> None:
    fakes = [score for label, score in rows if label]
    reals = [score for label, score in rows if not label]
    wins = sum((f > r) + 0.5 * (f == r) for f in fakes for r in reals)
    assert auc([r[0] for r in rows], [r[1] for r in rows]) == pytest.approx(wins / len(fakes) / len(reals))


def test_interval_holds_the_figure_and_is_wider_when_frames_share_sources() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([False, True], 200)
    scores = rng.normal(labels * 1.0, 1.0)
    alone = auc_estimate(labels, scores, [str(i) for i in range(400)], draws=300)
    clumped = np.repeat(scores.reshape(-1, 20)[:, :1], 20, axis=1).ravel()
    shared = auc_estimate(labels, clumped, [str(i // 20) for i in range(400)], draws=300)
    assert alone.low < alone.value < alone.high
    assert shared.high - shared.low > 2 * (alone.high - alone.low)


def test_one_label_or_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="both real and fake"):
        auc([True, True], [0.1, 0.2])
    with pytest.raises(DataError, match="finite"):
        auc([True, False], [0.1, float("nan")])


def test_macro_auc_weighs_methods_not_crops() -> None:
    labels = [False] * 10 + [True] * 90 + [True] * 10
    scores = [0.0] * 10 + [1.0] * 90 + [-1.0] * 10
    methods = ["original"] * 10 + ["easy"] * 90 + ["hard"] * 10
    assert macro_auc(labels, scores, methods) == pytest.approx(0.5)


def test_macro_auc_compares_like_with_like() -> None:
    # Frames score above photos, and within each kind the score says nothing, or everything.
    fake = [False, True, False, True, True]
    kinds = ["photo", "photo", "frame", "frame", "film"]
    methods = ["", "gan", "", "swap", "swap"]
    scores = [0.1, 0.2, 0.8, 0.7, 0.5]
    assert macro_auc(fake, scores, methods, kinds) == pytest.approx((1.0 + 0.0 + 0.5) / 3)
    assert macro_auc(fake, scores, methods) == pytest.approx((0.5 + 0.5) / 2)


@settings(max_examples=50)
@given(PAIRS)
def test_average_precision_and_rates_agree_with_their_definitions(rows: list[tuple[bool, int]]) -> None:
    labels = np.array([label for label, _ in rows])
    scores = np.array([score for _, score in rows], dtype=float)
    precision, recall = [], []
    for threshold in sorted(set(scores), reverse=True):
        called = scores >= threshold
        precision.append((called & labels).sum() / called.sum())
        recall.append((called & labels).sum() / labels.sum())
    steps = np.diff([0.0, *recall])
    assert average_precision(labels, scores) == pytest.approx(float(steps @ np.array(precision)), abs=1e-9)
    for allowed in (0.0, 0.1, 0.5, 1.0):
        found = [
            float((scores[labels] >= t).mean())
            for t in [*set(scores), np.inf]
            if (scores[~labels] >= t).mean() <= allowed
        ]
        assert true_positive_rate(labels, scores, allowed) == pytest.approx(max(found), abs=1e-9)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth, rng, covered = float(norm.cdf(1 / np.sqrt(2))), np.random.default_rng(0), 0
    labels = np.repeat([False, True], 150)
    for _ in range(200):
        estimate = auc_estimate(
            labels, rng.normal(labels * 1.0, 1.0), [str(i) for i in range(300)], draws=300
        )
        covered += estimate.low <= truth <= estimate.high
    assert 0.90 <= covered / 200 <= 0.985
