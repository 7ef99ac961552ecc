"""Calibration error and risk against coverage, on probabilities whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.figures.reliability import expected_calibration_error, reliability, risk_coverage


def test_true_probabilities_are_reliable_and_overconfident_ones_are_not() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1, 20_000)
    fake = rng.uniform(0, 1, 20_000) < p
    assert expected_calibration_error(fake, p) < 0.02
    assert expected_calibration_error(fake, np.clip(p * 2 - 0.5, 0, 1)) > 0.08


def test_bins_hold_equal_mass_and_equal_values_stay_together() -> None:
    parts = reliability([0, 1] * 50, np.linspace(0, 1, 100), bins=10)
    assert [part.count for part in parts] == [10] * 10
    tied = reliability([0, 1, 1, 0], [0.5, 0.5, 0.5, 0.9], bins=4)
    assert [(part.count, part.said) for part in tied] == [(3, 0.5), (1, 0.9)]
    assert tied[0].fake == pytest.approx(2 / 3)


def test_risk_falls_when_the_least_sure_are_left_out() -> None:
    rng = np.random.default_rng(1)
    p = rng.uniform(0, 1, 5000)
    fake = rng.uniform(0, 1, 5000) < p
    coverage, risk = risk_coverage(fake, p)
    assert coverage[-1] == 1
    assert risk[2499] < risk[-1]
    assert risk[-1] == pytest.approx(float(((p >= 0.5) != fake).mean()))
