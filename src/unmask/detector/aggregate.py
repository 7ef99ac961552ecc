"""From the scores of one person's faces through time to one score, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from unmask.registry import Registry

Scores = NDArray[np.float64]

WINDOW = 12
"""Faces in a run for `window`: about four seconds at every 10th of 30 frames a second."""

CAUTION = 2.0
"""How many times larger `stretch` takes chance to be than among independent faces: neighbours are alike."""

AGGREGATIONS: Registry[Callable[[Scores], float]] = Registry("aggregation")
"""Name → function from the raw scores (T,) of one track, in time, T ≥ 1, to one score."""


@AGGREGATIONS.register("mean")
def mean(scores: Scores) -> float:
    """All faces count alike: the steadiest, and blind to a short forged stretch in a long clip."""
    return float(scores.mean())


@AGGREGATIONS.register("median")
def median(scores: Scores) -> float:
    """The middle face: single odd frames do not count at all."""
    return float(np.median(scores))


@AGGREGATIONS.register("top")
def top(scores: Scores) -> float:
    """The mean of the highest third: sees forgeries that come and go, at the price of false alarms."""
    count = max(1, round(len(scores) / 3))
    return float(np.sort(scores)[-count:].mean())


@AGGREGATIONS.register("window")
def window(scores: Scores) -> float:
    """The highest mean of any `WINDOW` consecutive faces: a forged stretch shows however long the clip."""
    size = min(WINDOW, len(scores))
    sums = np.cumsum(np.concatenate([[0.0], scores]))
    return float((sums[size:] - sums[:-size]).max() / size)


@AGGREGATIONS.register("stretch")
def stretch(scores: Scores) -> float:
    """The mean or, where it is higher, the best run of `WINDOW` less what the best of so many runs owes to
    chance: a forged stretch shows, and a long genuine clip does not look worse than a short one.

    Chance is that of the greatest of n normal means, √(2 ln n), with the spread of a single face taken from
    neighbours' differences (von Neumann, 1941), which a change of level leaves alone.
    """
    middle = mean(scores)
    if len(scores) <= WINDOW:
        return middle
    spread = float(np.sqrt(np.mean(np.diff(scores) ** 2) / 2))
    chance = CAUTION * spread * float(np.sqrt(2 * np.log(len(scores) / WINDOW) / WINDOW))
    return max(middle, window(scores) - chance)
