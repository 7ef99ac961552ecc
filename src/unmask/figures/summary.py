"""All figures of one set of scores, each with an interval by drawing sources, at any size of set.

Every figure is a function of weighted counts: a resampling only changes how much a source counts. Figures
that are sums over samples are drawn as sums per source; figures of rank are drawn on the counts of real and
fake in many narrow steps of the score. The figures themselves are exact; only how they vary uses the steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import DataError
from unmask.figures.estimate import Estimate
from unmask.figures.reliability import BINS
from unmask.figures.sources import DRAWS, FEWEST_SOURCES, Sources

Array = NDArray[np.float64]

STEPS = 1024
"""Steps of the score for the intervals of rank figures: 1/1024 is far below any interval's width."""

RATES = (0.01, 0.1)
"""False-alarm rates at which detections are counted."""

TINY = 1e-12
"""Probabilities are taken no closer to 0 and 1 than this in the log loss."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures over N samples with their 95 % intervals, NaN where they cannot be had.

    `majority` is the accuracy of always saying the more frequent label; `accuracy` and `balanced_accuracy`
    are at `threshold`; `detection_at_1` and `_10` are the shares of fakes found where 1 and 10 % of reals are
    called fake: their intervals need so many sources of reals that one of them may be called fake. AUC to
    `detection_at_10` need both labels. The interval of `calibration_error` begins at 0, since the figure is
    too high in small sets even of perfect probabilities.
    """

    real: int
    fake: int
    real_sources: int
    fake_sources: int
    threshold: float
    majority: float
    auc: Estimate
    average_precision: Estimate
    equal_error_rate: Estimate
    detection_at_1: Estimate
    detection_at_10: Estimate
    accuracy: Estimate
    balanced_accuracy: Estimate
    false_alarm_rate: Estimate
    log_loss: Estimate
    brier: Estimate
    calibration_error: Estimate


RANKED = ("auc", "average_precision", "equal_error_rate", "detection_at_1", "detection_at_10")
SUMMED = ("accuracy", "balanced_accuracy", "false_alarm_rate", "log_loss", "brier", "calibration_error")
AT_RATE = {"detection_at_1": RATES[0], "detection_at_10": RATES[1]}
assert {f.name for f in fields(Summary)} >= {*RANKED, *SUMMED}


def summarise(
    fake: ArrayLike,
    probabilities: ArrayLike,
    sources: Sequence[str] | NDArray[np.str_] | NDArray[np.int64],
    *,
    threshold: float = 0.5,
    draws: int = DRAWS,
    seed: int = 0,
) -> Summary:
    """All figures of P(fake) (N,) against labels (N,); resampled by `sources` (N,), within each label.

    Raises:
        DataError: there is no sample, or a probability is not a number in [0, 1].
    """
    labels, p = np.asarray(fake, dtype=bool), np.asarray(probabilities, dtype=np.float64)
    if not len(labels):
        raise DataError("there is nothing to measure", hint="see the coverage: no file may have been judged")
    if not (np.isfinite(p).all() and p.min() >= 0 and p.max() <= 1):
        raise DataError(
            "a probability is not a number from 0 to 1", hint="leave failures out; they are coverage"
        )
    alone = _Units(labels, p, np.zeros(len(p), dtype=np.int64), 1, threshold)
    exact = alone.ranked_exactly() | alone.summed(np.ones(1))
    drawn_from = Sources(labels, sources, draws=draws, seed=seed)
    bounds = _bounds(exact, labels, p, drawn_from, threshold)
    told = {name: Estimate(exact[name], *bounds[name]) for name in (*RANKED, *SUMMED)}
    count = int(labels.sum())
    return Summary(
        real=len(labels) - count,
        fake=count,
        real_sources=drawn_from.real_sources,
        fake_sources=drawn_from.fake_sources,
        threshold=threshold,
        majority=max(count, len(labels) - count) / len(labels),
        **told,
    )


def _bounds(
    exact: Mapping[str, float], labels: NDArray[np.bool_], p: Array, sources: Sources, threshold: float
) -> dict[str, tuple[float, float]]:
    """The 95 % interval of every figure, NaN where it would not hold what it says."""
    rows = sources.rows
    units = _Units(labels[rows], p[rows], sources.block, sources.blocks, threshold)
    own = units.figures(np.ones(sources.blocks))
    varied: dict[str, list[float]] = {name: [] for name in own}
    for counts in sources:
        for name, value in units.figures(counts).items():
            varied[name].append(sources.narrower * (value - own[name]))
    told = {}
    for name, differences in varied.items():
        if not _can_be_told(name, sources):
            told[name] = (np.nan, np.nan)
            continue
        low, high = np.percentile(differences, [2.5, 97.5])
        if name == "calibration_error":
            # By chance alone it is above 0, in a resampling even more so: what it may be at most can be told.
            low = -np.inf
        most = np.inf if name == "log_loss" else 1.0
        told[name] = (float(max(exact[name] + low, 0.0)), float(min(exact[name] + high, most)))
    return told


def _can_be_told(name: str, sources: Sources) -> bool:
    reals, fakes = sources.real_sources, sources.fake_sources
    if name in AT_RATE and reals * AT_RATE[name] < 1:
        return False
    if name == "false_alarm_rate":
        return reals >= FEWEST_SOURCES
    if name in RANKED:
        return sources.enough
    return all(count >= FEWEST_SOURCES for count in (reals, fakes) if count)


class _Units:
    """Samples in blocks that are drawn together."""

    def __init__(
        self, labels: NDArray[np.bool_], p: Array, block: NDArray[np.int64], blocks: int, threshold: float
    ) -> None:
        self.labels, self.p, self.block, self.blocks = labels, p, block, blocks
        self.order = np.argsort(p, kind="stable")
        ordered = p[self.order]
        edges = np.linspace(0, len(p), min(BINS, len(p)) + 1).round().astype(int)[1:]
        ends = np.unique(np.searchsorted(ordered, ordered[edges - 1], side="right"))
        bins = len(ends)
        place = np.empty(len(p), dtype=np.int64)
        place[self.order] = np.repeat(np.arange(bins), np.diff(ends, prepend=0))
        called = p >= threshold
        clipped = np.clip(p, TINY, 1 - TINY)
        parts = {
            "reals": ~labels,
            "fakes": labels,
            "alarms": called & ~labels,
            "found": called & labels,
            "log": -np.log(np.where(labels, clipped, 1 - clipped)),
            "brier": (p - labels) ** 2,
        }
        self.sums = {name: np.bincount(block, weights=part, minlength=blocks) for name, part in parts.items()}
        surplus = np.bincount(block * bins + place, weights=p - labels, minlength=blocks * bins)
        self.surplus = surplus.reshape(blocks, bins)
        at = np.linspace(0, len(p) - 1, STEPS)[1:-1].astype(int)
        self.steps = np.searchsorted(np.unique(ordered[at]), p, side="right") + STEPS * labels

    def figures(self, counts: Array) -> dict[str, float]:
        """All figures where each block (B,) counts as often as `counts` says."""
        weights = np.bincount(self.steps, weights=counts[self.block], minlength=2 * STEPS).astype(np.float64)
        return _ranked(weights[:STEPS], weights[STEPS:]) | self.summed(counts)

    def ranked_exactly(self) -> dict[str, float]:
        """The figures of rank of the samples as they are."""
        ordered, labels = self.p[self.order], self.labels[self.order]
        first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        fake = np.add.reduceat(labels.astype(float), first)
        return _ranked(np.diff(first, append=len(ordered)) - fake, fake)

    def summed(self, counts: Array) -> dict[str, float]:
        """The figures that are sums over samples."""
        sums = {name: float(counts @ part) for name, part in self.sums.items()}
        reals, fakes = sums["reals"], sums["fakes"]
        alarms = sums["alarms"] / reals if reals else np.nan
        found = sums["found"] / fakes if fakes else np.nan
        total = reals + fakes
        return {
            "accuracy": (reals - sums["alarms"] + sums["found"]) / total,
            "balanced_accuracy": (1 - alarms + found) / 2,
            "false_alarm_rate": alarms,
            "log_loss": sums["log"] / total,
            "brier": sums["brier"] / total,
            "calibration_error": float(np.abs(counts @ self.surplus).sum() / total),
        }


def _ranked(real: Array, fake: Array) -> dict[str, float]:
    """The figures of rank from the weight of reals and fakes at each score, ascending (M,); ties count
    half."""
    reals, fakes = real.sum(), fake.sum()
    if not reals or not fakes:
        return dict.fromkeys(RANKED, float("nan"))
    below = np.cumsum(real) - real
    auc = float((fake * (below + real / 2)).sum() / (reals * fakes))
    # From here on by a falling threshold: what is called fake at each score and above.
    found, alarms = np.cumsum(fake[::-1]), np.cumsum(real[::-1])
    some = (found + alarms) > 0
    precision = found[some] / (found + alarms)[some]
    recall_step = fake[::-1][some] / fakes
    tpr = np.concatenate([[0.0], found / fakes])
    fpr = np.concatenate([[0.0], alarms / reals])
    missed = 1 - tpr
    cross = int(np.argmax(fpr >= missed))
    gap_before, gap = missed[cross - 1] - fpr[cross - 1], missed[cross] - fpr[cross]
    part = gap_before / (gap_before - gap) if cross and gap_before != gap else 0.0
    eer = fpr[cross - 1] + part * (fpr[cross] - fpr[cross - 1]) if cross else fpr[0]
    at_1, at_10 = (float(tpr[np.searchsorted(fpr, rate, side="right") - 1]) for rate in RATES)
    return {
        "auc": auc,
        "average_precision": float((precision * recall_step).sum()),
        "equal_error_rate": float(eer),
        "detection_at_1": at_1,
        "detection_at_10": at_10,
    }
