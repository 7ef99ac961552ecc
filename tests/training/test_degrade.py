"""Degradation: same shape, seeded, and really worse."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.training.degrade import Odds, degrade, h264, record


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


def test_a_frame_of_a_recording_stays_where_it_was(photo: NDArray[np.uint8]) -> None:
    face = np.ascontiguousarray(photo[30:231, 120:319])
    moved = np.roll(face, 6, axis=1).astype(int)
    for seed in range(12):
        filmed = record(face, np.random.default_rng(seed)).astype(int)
        assert filmed.shape == face.shape
        assert 0 < np.abs(filmed - face).mean() < np.abs(filmed - moved).mean()
        assert np.array_equal(filmed, record(face, np.random.default_rng(seed)))


def test_what_is_not_recorded_is_degraded_as_before_there_was_recording(photo: NDArray[np.uint8]) -> None:
    face = np.ascontiguousarray(photo[30:231, 120:319])
    changed = 0
    for seed in range(20):
        before = degrade(face, np.random.default_rng(seed), 0.9)
        same = degrade(face, np.random.default_rng(seed), 0.9, Odds(record=0.0))
        assert np.array_equal(before, same)
        changed += not np.array_equal(
            before, degrade(face, np.random.default_rng(seed), 0.9, Odds(record=1.0))
        )
    assert changed > 10
