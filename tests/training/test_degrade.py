"""Degradation: same shape, seeded, and really worse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.training.degrade import degrade, h264


def test_degraded_picture_keeps_its_shape_and_is_seeded(photo: NDArray[np.uint8]) -> None:
    face = np.ascontiguousarray(photo[30:231, 120:321])
    for seed in range(30):
        result = degrade(face, np.random.default_rng(seed))
        assert result.shape == face.shape
        assert result.dtype == np.uint8
        assert np.array_equal(result, degrade(face, np.random.default_rng(seed)))


def test_strength_zero_changes_nothing(photo: NDArray[np.uint8]) -> None:
    assert np.array_equal(degrade(photo, np.random.default_rng(0), 0.0), photo)


def test_h264_is_worse_at_a_larger_factor_and_takes_odd_sides(photo: NDArray[np.uint8]) -> None:
    face = np.ascontiguousarray(photo[30:231, 120:319])
    error = [np.abs(h264(face, crf).astype(int) - face).mean() for crf in (18, 38)]
    assert 0 < error[0] < error[1] < 20
