"""Two models on the same samples: is the difference more than chance?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from unmask.errors import DataError
from unmask.figures.estimate import Estimate

Array = NDArray[np.float64]

NOTHING = 1e-12
"""Differences smaller than this are rounding."""


@dataclass(frozen=True, slots=True)
class Difference:
    """AUC of the first minus that of the second, its 95 % interval, and the two-sided p-value."""

    auc: Estimate
    p_value: float


def delong(
    fake: ArrayLike, first: ArrayLike, second: ArrayLike, sources: ArrayLike | None = None
) -> Difference:
    """DeLong's test for two correlated AUCs (DeLong et al., Biometrics 1988), by ranks (Sun & Xu, 2014).

    Without `sources` (N,) it takes samples for independent. With them, samples of one source may depend on
    each other in any way, also across labels (Obuchowski, Biometrics 1997); with a source each, both agree.

    Raises:
        DataError: fewer than two samples, or sources, of a label.
    """
    labels = np.asarray(fake, dtype=bool)
    names = np.arange(len(labels)) if sources is None else np.asarray(sources)
    if len(np.unique(names[labels])) < 2 or len(np.unique(names[~labels])) < 2:
        what = "samples" if sources is None else "sources"
        raise DataError(f"DeLong's test needs at least two real and two fake {what}")
    number = np.unique(names, return_inverse=True)[1]
    one, other = (Standing.of_auc(labels, np.asarray(s, np.float64), number) for s in (first, second))
    value, error = one.value - other.value, one.error_of_difference(other)
    reach = float(norm.ppf(0.975)) * error
    return Difference(Estimate(value, value - reach, value + reach), p_value(value, error))


@dataclass(frozen=True, slots=True)
class Standing:
    """A figure that is a mean over fakes and over reals, and what each source adds to its error.

    `of_fakes` and `of_reals` (S,) are the sources' sums of what their samples lie above the mean, over the
    number of samples of the label; 0 for a source without any. `present` are the numbers of sources that have
    fakes and reals.
    """

    value: float
    of_fakes: Array
    of_reals: Array
    present: tuple[int, int]

    @classmethod
    def of_auc(cls, labels: NDArray[np.bool_], scores: Array, number: NDArray[np.int64]) -> Standing:
        """AUC; `number` (N,) are the sources, from 0 on."""
        by_fake, by_real = _placements(labels, scores)
        return cls._of(float(by_fake.mean()), by_fake, by_real, labels, number)

    @classmethod
    def of_balanced_accuracy(
        cls, labels: NDArray[np.bool_], called: NDArray[np.bool_], number: NDArray[np.int64]
    ) -> Standing:
        """The mean of the shares of fakes `called` fake and of reals not called so."""
        right = np.where(labels, called, ~called) / 2
        by_fake, by_real = right[labels], right[~labels]
        return cls._of(float(by_fake.mean() + by_real.mean()), by_fake, by_real, labels, number)

    @classmethod
    def _of(
        cls,
        value: float,
        by_fake: Array,
        by_real: Array,
        labels: NDArray[np.bool_],
        number: NDArray[np.int64],
    ) -> Standing:
        sums: list[Array] = []
        present: list[int] = []
        for shares, rows in ((by_fake, labels), (by_real, ~labels)):
            above = (shares - shares.mean()) / len(shares)
            sums.append(np.asarray(np.bincount(number[rows], above, int(number.max()) + 1), np.float64))
            present.append(len(np.unique(number[rows])))
        return cls(value, sums[0], sums[1], (present[0], present[1]))

    def error_of_difference(self, other: Standing) -> float:
        """The standard error of the difference to `other`, of the same samples (Obuchowski, 1997)."""
        fakes, reals = self.of_fakes - other.of_fakes, self.of_reals - other.of_reals
        count_fakes, count_reals = self.present
        total = len(fakes)
        variance = (
            count_fakes / (count_fakes - 1) * (fakes @ fakes)
            + count_reals / (count_reals - 1) * (reals @ reals)
            + 2 * total / (total - 1) * (fakes @ reals)
        )
        return math.sqrt(max(float(variance), 0.0))


def p_value(value: float, error: float) -> float:
    """The two-sided p-value of a difference with this standard error, by the normal distribution."""
    if abs(value) < NOTHING:
        return 1.0
    if error < NOTHING:
        return 0.0
    return float(2 * norm.sf(abs(value) / error))


def _placements(labels: NDArray[np.bool_], scores: Array) -> tuple[Array, Array]:
    """For each fake the share of reals below it (fakes,), and for each real the share of fakes above it
    (reals,); ties count half."""
    fakes, reals = scores[labels], scores[~labels]
    together = rankdata(np.concatenate([fakes, reals]))
    by_fake = (together[: len(fakes)] - rankdata(fakes)) / len(reals)
    by_real = 1 - (together[len(fakes) :] - rankdata(reals)) / len(fakes)
    return np.asarray(by_fake), np.asarray(by_real)
