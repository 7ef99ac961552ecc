"""DeLong's test agrees with the definition and the bootstrap, and seldom takes chance for a find."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.errors import DataError
from unmask.figures.paired import delong
from unmask.figures.scores import auc


def draw(rng: np.random.Generator, gap: float, count: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    labels = np.repeat([False, True], count)
    shared = rng.normal(labels * 1.0, 1.0)
    first = shared + rng.normal(0, 0.7, 2 * count) + gap * labels
    return labels, first, shared + rng.normal(0, 0.7, 2 * count)


def test_the_difference_is_that_of_the_aucs_and_its_interval_that_of_the_bootstrap() -> None:
    rng = np.random.default_rng(0)
    labels, first, second = draw(rng, 0.5)
    found = delong(labels, first, np.round(second, 1))
    assert found.auc.value == pytest.approx(auc(labels, first) - auc(labels, np.round(second, 1)), abs=1e-12)
    drawn = []
    for _ in range(600):
        rows = np.concatenate([rng.choice(np.flatnonzero(labels == side), 120) for side in (False, True)])
        drawn.append(auc(labels[rows], first[rows]) - auc(labels[rows], np.round(second, 1)[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert (found.auc.low, found.auc.high) == (pytest.approx(low, abs=0.015), pytest.approx(high, abs=0.015))


def test_equal_models_are_told_apart_no_more_often_than_stated() -> None:
    rng = np.random.default_rng(1)
    found = [delong(*draw(rng, 0.0)).p_value < 0.05 for _ in range(400)]
    assert 0.02 < np.mean(found) < 0.09


def test_the_same_scores_differ_in_nothing_and_too_few_samples_are_refused() -> None:
    labels, first, _ = draw(np.random.default_rng(2), 0.0)
    assert delong(labels, first, first).p_value == 1.0
    with pytest.raises(DataError):
        delong([True, True, False], [1, 2, 3], [1, 2, 3])


def test_with_a_source_each_nothing_changes() -> None:
    labels, first, second = draw(np.random.default_rng(3), 0.5)
    alone = delong(labels, first, second)
    named = delong(labels, first, second, [f"s{n}" for n in range(len(labels))])
    assert (named.p_value, named.auc.low) == (pytest.approx(alone.p_value), pytest.approx(alone.auc.low))


def test_frames_of_one_recording_are_not_taken_for_independent() -> None:
    rng = np.random.default_rng(4)
    wrong = {False: 0, True: 0}
    for _ in range(300):
        # 40 recordings of each label with ten nearly equal frames, by two models that are equally good.
        labels, first, second = draw(rng, 0.0, 40)
        times = np.repeat(np.arange(80), 10)
        noisy = [scores[times] + rng.normal(0, 0.05, 800) for scores in (first, second)]
        for clustered in wrong:
            found = delong(labels[times], *noisy, times if clustered else None)
            wrong[clustered] += found.p_value < 0.05
    assert wrong[True] / 300 < 0.1
    assert wrong[False] / 300 > 0.4


def test_the_interval_is_that_of_drawing_whole_sources() -> None:
    rng = np.random.default_rng(5)
    # Each source has two fakes and a real that share how hard they are.
    sources = np.repeat(np.arange(150), 3)
    labels = np.tile([True, True, False], 150)
    hard = rng.normal(0, 1, (2, 150))[:, sources]
    first = labels * 1.2 + hard[0] + rng.normal(0, 0.6, 450)
    second = labels * 1.0 + (hard[0] + hard[1]) / 2 + rng.normal(0, 0.6, 450)
    found = delong(labels, first, second, sources)
    drawn = []
    for _ in range(800):
        rows = (3 * rng.integers(0, 150, 150)[:, None] + np.arange(3)).ravel()
        drawn.append(auc(labels[rows], first[rows]) - auc(labels[rows], second[rows]))
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert (found.auc.low, found.auc.high) == (pytest.approx(low, abs=0.012), pytest.approx(high, abs=0.012))
    with pytest.raises(DataError, match="sources"):
        delong(labels[:6], first[:6], second[:6], ["a"] * 6)
