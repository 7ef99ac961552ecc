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
    scores = np.stack([np.asarray(first, np.float64), np.asarray(second, np.float64)])
    by_fake, by_real = _placements(labels, scores)
    aucs = by_fake.mean(axis=1)
    covariance = _covariance(by_fake - aucs[:, None], by_real - aucs[:, None], labels, names)
    error = float(np.sqrt(max(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1], 0.0)))
    value = float(aucs[0] - aucs[1])
    if error == 0.0:
        return Difference(Estimate(value, value, value), 1.0 if value == 0 else 0.0)
    reach = float(norm.ppf(0.975)) * error
    return Difference(Estimate(value, value - reach, value + reach), float(2 * norm.sf(abs(value) / error)))


def _covariance(
    of_fakes: NDArray[np.float64],
    of_reals: NDArray[np.float64],
    labels: NDArray[np.bool_],
    sources: NDArray[np.generic],
) -> NDArray[np.float64]:
    """The covariance (2, 2) of two AUCs from the fakes' and the reals' placements (2, n) around them, summed
    by source."""
    number = np.unique(sources, return_inverse=True)[1]
    total = int(number.max()) + 1
    sums = []
    for placements, rows in ((of_fakes, labels), (of_reals, ~labels)):
        present = len(np.unique(number[rows]))
        by_source = np.stack([np.bincount(number[rows], weights=p, minlength=total) for p in placements])
        sums.append((by_source / rows.sum(), present / (present - 1)))
    (fakes, widen_fakes), (reals, widen_reals) = sums
    across = fakes @ reals.T * (total / (total - 1))
    own = widen_fakes * (fakes @ fakes.T) + widen_reals * (reals @ reals.T)
    return np.asarray(own + across + across.T)


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
