"""Intervals by drawing recordings again and again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

DRAWS = 1000
"""Resamplings behind an interval."""


class Resampling:
    """A bootstrap over sources: the same `draws` resamplings for every figure of the same N samples.

    Frames of one recording are not independent: whole sources are drawn, within each label, never rows.
    """

    def __init__(
        self, labels: ArrayLike, sources: Sequence[str], *, draws: int = DRAWS, seed: int = 0
    ) -> None:
        self.fake = np.asarray(labels, dtype=bool)
        names = np.asarray(sources, dtype=str)
        rng = np.random.default_rng(seed)
        # How often each sample is drawn in each resampling: counting is much faster than drawing rows.
        self._counts = np.empty((draws, len(self.fake)))
        for label in (False, True):
            rows = np.flatnonzero(self.fake == label)
            blocks, block = np.unique(names[rows], return_inverse=True)
            times = rng.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), size=draws)
            self._counts[:, rows] = times[:, block]

    def share_interval(self, true: NDArray[np.bool_]) -> tuple[float, float]:
        """The 95 % interval of the share of samples of which something is `true` (N,)."""
        return _middle(self._counts @ true / self._counts.sum(axis=1))

    def auc_interval(self, scores: NDArray[np.float64]) -> tuple[float, float]:
        """The 95 % interval of the AUC of `scores` (N,); ties count half."""
        order = np.argsort(scores, kind="stable")
        values, fake, counts = scores[order], self.fake[order], self._counts[:, order]
        ties = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        fakes = np.add.reduceat(counts * fake, ties, axis=1)
        reals = np.add.reduceat(counts * ~fake, ties, axis=1)
        below = np.cumsum(reals, axis=1) - reals
        won = (fakes * (below + reals / 2)).sum(axis=1)
        return _middle(won / (fakes.sum(axis=1) * reals.sum(axis=1)))


def _middle(drawn: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
