"""Resamplings of whole sources, kept so that several models and figures are drawn alike."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.figures.curves import Curve
from unmask.figures.sources import DRAWS, Sources

Array = NDArray[np.float64]


class SourceDraws:
    """`draws` resamplings of N samples by their sources, as `Sources` makes them, with what is needed to draw
    curves."""

    def __init__(self, fake: ArrayLike, sources: ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> None:
        labels = np.asarray(fake, dtype=bool)
        drawn = Sources(labels, sources, draws=draws, seed=seed)
        self.enough = drawn.enough
        """Whether there are so many sources of both labels that an interval means something; else there is
        nothing to be had from the draws."""
        self.rows = drawn.rows
        """The samples that are drawn from."""
        self.fake: NDArray[np.bool_] = labels[self.rows]
        self._block, self._narrower = drawn.block, drawn.narrower
        self._counts = np.empty((drawn.draws, drawn.blocks), dtype=np.float32)
        for row, counts in zip(self._counts, drawn, strict=True):
            row[:] = counts

    def counts(self, true: NDArray[np.bool_]) -> Array:
        """How many samples of which something is `true` (rows,) are in each resampling (D,)."""
        by_source = np.bincount(self._block[true], minlength=self._counts.shape[1])
        return np.asarray(self._counts @ by_source.astype(np.float32), dtype=np.float64)

    def rocs(self, scores: Array) -> Iterator[Curve]:
        """The ROC of `scores` (rows,) as they are, and then in each resampling."""
        order = np.argsort(-scores, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
        fake, block = self.fake[order].astype(np.float64), self._block[order]
        yield _weighted(fake, np.ones(len(fake)), ends)
        for counts in self._counts:
            yield _weighted(fake, counts[block].astype(np.float64), ends)

    def around(self, exact: ArrayLike, own: ArrayLike, drawn: Array) -> Array:
        """What was `drawn` (D, …), moved to the figure of all samples and narrowed to their number. `own` is
        the figure of those that are drawn from."""
        return np.asarray(np.asarray(exact) + self._narrower * (drawn - np.asarray(own)))


def roc_band(scores: ArrayLike, exact: Curve, draws: SourceDraws, at: Array) -> tuple[Array, Array]:
    """The middle 95 % of the share of fakes found where the share of reals `at` (K,) is called fake, each
    point by itself: (low, high). `exact` is the curve of all `scores` (N,)."""
    values = np.asarray(scores, dtype=np.float64)[draws.rows]
    own, *drawn = (curve.at(at) for curve in draws.rocs(values))
    moved = np.clip(draws.around(exact.at(at), own, np.stack(drawn)), 0, 1)
    low, high = np.percentile(moved, [2.5, 97.5], axis=0)
    return low, high


def area(curve: Curve) -> float:
    """The area under the curve's straight lines."""
    return float(np.trapezoid(curve.y, curve.x))


def _weighted(fake: Array, weights: Array, ends: NDArray[np.int64]) -> Curve:
    found = np.cumsum(weights * fake)[ends]
    called = np.cumsum(weights)[ends]
    alarms = called - found
    return Curve(np.append(0.0, alarms / alarms[-1]), np.append(0.0, found / found[-1]))
