"""Two models on the same samples: is the difference more than chance?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from unmask.errors import DataError
from unmask.figures.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Difference:
    """AUC of the first minus that of the second, its 95 % interval, and the two-sided p-value."""

    auc: Estimate
    p_value: float


def delong(fake: ArrayLike, first: ArrayLike, second: ArrayLike) -> Difference:
    """DeLong's test for two correlated AUCs (DeLong et al., Biometrics 1988), by ranks (Sun & Xu, 2014).

    It takes samples for independent: use one row per source, or the bootstrap over sources.

    Raises:
        DataError: fewer than two samples of a label.
    """
    labels = np.asarray(fake, dtype=bool)
    if labels.sum() < 2 or (~labels).sum() < 2:
        raise DataError("DeLong's test needs at least two real and two fake samples")
    scores = np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)])
    by_fake, by_real = _placements(labels, scores)
    aucs = by_fake.mean(axis=1)
    covariance = np.cov(by_fake) / by_fake.shape[1] + np.cov(by_real) / by_real.shape[1]
    error = float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0)))
    value = float(aucs[0] - aucs[1])
    if error == 0.0:
        return Difference(Estimate(value, value, value), 1.0 if value == 0 else 0.0)
    reach = float(norm.ppf(0.975)) * error
    return Difference(Estimate(value, value - reach, value + reach), float(2 * norm.sf(abs(value) / error)))


def _placements(
    labels: NDArray[np.bool_], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each fake the share of reals below it (2, fakes), and for each real the share of fakes above it
    (2, reals); ties count half."""
    fakes, reals = scores[:, labels], scores[:, ~labels]
    together = rankdata(np.concatenate([fakes, reals], axis=1), axis=1)
    count_fake, count_real = fakes.shape[1], reals.shape[1]
    by_fake = (together[:, :count_fake] - rankdata(fakes, axis=1)) / count_real
    by_real = 1 - (together[:, count_fake:] - rankdata(reals, axis=1)) / count_fake
    return np.asarray(by_fake), np.asarray(by_real)
