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
