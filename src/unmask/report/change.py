"""Where a person's P(fake) changes for good: what a cut from a real to a forged part looks like in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.types import TrackReport

Array = NDArray[np.float64]

LEAST_SIDE = 4
"""Judged faces there must be on each side of a change."""

LEAST_STEP = 0.15
"""Difference of the mean P(fake) of both sides from which a change is worth a sentence."""

LEAST_CLEAR = 6.0
"""The difference in units of its standard error: chance gives this in none of 10,000 steady tracks."""


LEAST_ERROR = 1e-3
"""Standard error below which none is believed: equal values have none at all."""


@dataclass(frozen=True, slots=True)
class Change:
    """P(fake) is `before` on average up to `time` (seconds) and `after` from then on."""

    time: float
    before: float
    after: float


def change_of(track: TrackReport) -> Change | None:
    """The clearest change of level of a track, None where there is none worth telling."""
    faces = track.judged
    p = np.array([face.probability or 0.0 for face in faces])
    if len(p) < 2 * LEAST_SIDE:
        return None
    # Means and variances of both sides of every cut at once, from running sums.
    cut = np.arange(LEAST_SIDE, len(p) - LEAST_SIDE + 1)
    total, squares = np.cumsum(p), np.cumsum(p**2)
    left, right = total[cut - 1] / cut, (total[-1] - total[cut - 1]) / (len(p) - cut)
    left_error = _error(squares[cut - 1], left, cut)
    right_error = _error(squares[-1] - squares[cut - 1], right, len(p) - cut)
    step = np.abs(right - left)
    clear = step / (np.sqrt(left_error + right_error) + LEAST_ERROR)
    clear[step < LEAST_STEP] = 0
    best = int(np.argmax(clear))
    if clear[best] < LEAST_CLEAR:
        return None
    return Change(faces[int(cut[best])].time, float(left[best]), float(right[best]))


def _error(squares: Array, mean: Array, count: NDArray[np.int64]) -> Array:
    """The squared standard error of means from sums of squares, each over `count` values."""
    variance = np.maximum(squares - count * mean**2, 0) / (count - 1)
    return np.asarray(variance / count)
