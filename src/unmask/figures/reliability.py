"""Whether probabilities mean what they say, and what abstaining buys."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """Samples of neighbouring P(fake): how many, what was said on average, and the share that was fake."""

    count: int
    said: float
    fake: float


def reliability(fake: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> tuple[Bin, ...]:
    """Bins of (nearly) equal mass in order of P(fake); equal probabilities stay in one bin.

    Fewer samples than `bins` give a bin each.
    """
    labels, p = np.asarray(fake, dtype=bool), np.asarray(probabilities, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    labels, p = labels[order], p[order]
    edges = np.linspace(0, len(p), min(bins, len(p)) + 1).round().astype(int)
    # An edge within a run of equal values moves to the run's end.
    inner = [int(np.searchsorted(p, p[edge - 1], side="right")) for edge in edges[1:]]
    cuts = sorted({0, *inner})
    return tuple(
        Bin(b - a, float(p[a:b].mean()), float(labels[a:b].mean())) for a, b in itertools.pairwise(cuts)
    )


def expected_calibration_error(fake: ArrayLike, probabilities: ArrayLike, bins: int = BINS) -> float:
    """The mean distance of what was said from what was so, over bins of equal mass."""
    parts = reliability(fake, probabilities, bins)
    total = sum(part.count for part in parts)
    return float(sum(part.count * abs(part.said - part.fake) for part in parts) / total)


def risk_coverage(
    fake: ArrayLike, probabilities: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(coverage (N,), risk (N,)): the error rate at 0.5 on the share of samples that are told most surely.

    Samples are taken in order of their distance from 0.5; the last point is everything.
    """
    labels, p = np.asarray(fake, dtype=bool), np.asarray(probabilities, dtype=np.float64)
    order = np.argsort(-np.abs(p - 0.5), kind="stable")
    wrong = ((p >= 0.5) != labels)[order]
    taken = np.arange(1, len(p) + 1)
    return taken / len(p), np.cumsum(wrong) / taken
