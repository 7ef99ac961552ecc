"""How well scores tell fake from real."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from unmask.errors import DataError
from unmask.figures.estimate import Estimate
from unmask.figures.resampling import DRAWS, Resampling


def auc(fake: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve.

    Raises:
        DataError: only one of the two labels is present, or a score is not a number.
    """
    labels, values = np.asarray(fake, dtype=bool), np.asarray(scores, dtype=np.float64)
    if labels.all() or not labels.any():
        raise DataError("AUC needs both real and fake samples")
    if not np.isfinite(values).all():
        raise DataError("a score is not a finite number", hint="leave failures out and report coverage")
    return float(roc_auc_score(labels, values))


def auc_estimate(
    fake: ArrayLike, scores: ArrayLike, sources: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """AUC with a percentile bootstrap over sources, drawn within each label."""
    value = auc(fake, scores)
    resampled = Resampling(fake, sources, draws=draws, seed=seed)
    return Estimate(value, *resampled.auc_interval(np.asarray(scores, dtype=np.float64)))


def macro_auc(
    fake: ArrayLike, scores: ArrayLike, methods: Sequence[str], kinds: Sequence[str] | None = None
) -> float:
    """The mean over fake methods of AUC(this method's fakes against all reals); what networks are chosen by.

    So a method with many crops weighs no more than one with few. With `kinds` of media, a method's fakes of
    one kind are compared with the reals of that kind (with all where it has none): to tell a compressed frame
    from a photo finds no forgery.
    """
    labels, values = np.asarray(fake, dtype=bool), np.asarray(scores, dtype=np.float64)
    names = np.asarray(methods)
    kind = np.zeros(len(labels), dtype=int) if kinds is None else np.unique(kinds, return_inverse=True)[1]
    found = []
    for method, of in sorted(set(zip(names[labels].tolist(), kind[labels].tolist(), strict=True))):
        alike = ~labels & (kind == of)
        chosen = (labels & (names == method) & (kind == of)) | (alike if alike.any() else ~labels)
        found.append(auc(labels[chosen], values[chosen]))
    return float(np.mean(found))


def equal_error_rate(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The rate at which false alarms and misses are equal, on the straight lines between the ROC's points."""
    false_alarms, hits, _ = roc_curve(np.asarray(labels, bool), np.asarray(probabilities))
    gaps = false_alarms - (1 - hits)
    after = int(np.argmax(gaps >= 0))
    if after == 0 or gaps[after] == 0:
        return float(false_alarms[after])
    share = -gaps[after - 1] / (gaps[after] - gaps[after - 1])
    return float(false_alarms[after - 1] + share * (false_alarms[after] - false_alarms[after - 1]))


def true_positive_rate(fake: ArrayLike, scores: ArrayLike, at: float) -> float:
    """The share of fakes found where the share of reals called fake is at most `at`, both in [0, 1]."""
    false_alarms, hits, _ = roc_curve(np.asarray(fake, bool), np.asarray(scores), drop_intermediate=False)
    return float(hits[np.searchsorted(false_alarms, at, side="right") - 1])


def average_precision(fake: ArrayLike, scores: ArrayLike) -> float:
    """The mean precision over the ranks of the fakes (the area under the precision-recall steps)."""
    return float(average_precision_score(np.asarray(fake, bool), np.asarray(scores, dtype=np.float64)))
