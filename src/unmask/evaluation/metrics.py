"""Figures of merit for scores where larger means more likely fake, with intervals over sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from unmask.errors import DataError


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval; the bounds are NaN where none could be had."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


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
    fake: ArrayLike, scores: ArrayLike, sources: Sequence[str], *, draws: int = 1000, seed: int = 0
) -> Estimate:
    """AUC with a percentile bootstrap over sources, drawn within each label.

    Frames of one recording are not independent: whole sources are drawn, never single rows.
    """
    labels, values = np.asarray(fake, dtype=bool), np.asarray(scores, dtype=np.float64)
    rows_of: dict[tuple[bool, str], list[int]] = {}
    for row, (label, source) in enumerate(zip(labels, sources, strict=True)):
        rows_of.setdefault((bool(label), source), []).append(row)
    blocks: dict[bool, list[NDArray[np.int64]]] = {
        side: [np.array(rows) for (label, _), rows in rows_of.items() if label is side]
        for side in (False, True)
    }
    rng = np.random.default_rng(seed)
    values_drawn = []
    for _ in range(draws):
        rows = np.concatenate(
            [
                blocks[side][pick]
                for side in (False, True)
                for pick in rng.integers(len(blocks[side]), size=len(blocks[side]))
            ]
        )
        values_drawn.append(auc(labels[rows], values[rows]))
    low, high = np.percentile(values_drawn, [2.5, 97.5])
    return Estimate(auc(labels, values), float(low), float(high))


def macro_auc(fake: ArrayLike, scores: ArrayLike, methods: Sequence[str]) -> float:
    """The mean over fake methods of AUC(this method's fakes against all reals).

    So that a method with many crops weighs no more than one with few; what networks are chosen by.
    """
    labels, values = np.asarray(fake, dtype=bool), np.asarray(scores, dtype=np.float64)
    names = np.asarray(methods)
    per_method = [
        auc(labels[chosen], values[chosen])
        for method in sorted(set(names[labels]))
        for chosen in [~labels | (names == method)]
    ]
    return float(np.mean(per_method))
