"""The curves behind the figures, with a point for every distinct score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_curve

from unmask.errors import DataError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (K,) in order; `x` never falls."""

    x: Array
    y: Array

    def at(self, x: ArrayLike) -> Array:
        """The height at `x`, on straight lines between points; the upper end where the curve is upright."""
        return np.asarray(np.interp(np.asarray(x, dtype=np.float64), self.x, self.y))


def roc(fake: ArrayLike, scores: ArrayLike) -> Curve:
    """The share of fakes found against the share of reals called fake, both from 0 to 1; ties are a slope.

    The area under its straight lines is the AUC.

    Raises:
        DataError: only one of the two labels is present.
    """
    labels, values = _checked(fake, scores)
    false_alarms, found, _ = roc_curve(labels, values, drop_intermediate=False)
    return Curve(false_alarms, found)


def precision_recall(fake: ArrayLike, scores: ArrayLike) -> Curve:
    """The share of true alarms against the share of fakes found, a point for every threshold at which there
    is an alarm.

    A point's height holds back to the point before it (`steps`): the area under those is the average
    precision, and lines from point to point would promise more (Davis & Goadrich, ICML 2006).

    Raises:
        DataError: only one of the two labels is present.
    """
    labels, values = _checked(fake, scores)
    false_alarms, found, _ = roc_curve(labels, values, drop_intermediate=False)
    true = found[1:] * labels.sum()
    return Curve(found[1:], true / (true + false_alarms[1:] * (~labels).sum()))


def steps(curve: Curve) -> Curve:
    """The curve from 0 on whose height before each point is that of the point."""
    return Curve(np.concatenate([[0.0], np.repeat(curve.x, 2)[:-1]]), np.repeat(curve.y, 2))


def risk_by_coverage(fake: ArrayLike, probabilities: ArrayLike) -> Curve:
    """The error rate at 0.5 among the samples that are told most surely, against their share of all.

    Sure is what lies far from 0.5 (El-Yaniv & Wiener, JMLR 2010). Samples that are equally sure come
    together, so that their order changes nothing. Last is everything.
    """
    labels, p = np.asarray(fake, dtype=bool), np.asarray(probabilities, dtype=np.float64)
    sure = np.abs(p - 0.5)
    order = np.argsort(-sure, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(sure[order])), len(p) - 1)
    wrong = np.cumsum(((p >= 0.5) != labels)[order])[ends]
    return Curve((ends + 1) / len(p), wrong / (ends + 1))


def _checked(fake: ArrayLike, scores: ArrayLike) -> tuple[NDArray[np.bool_], Array]:
    labels, values = np.asarray(fake, dtype=bool), np.asarray(scores, dtype=np.float64)
    if labels.all() or not labels.any():
        raise DataError("a curve of rank needs both real and fake samples")
    return labels, values
