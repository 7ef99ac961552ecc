"""All figures of one set of scores, each with an interval by drawing sources, at any size of set.

Every figure is a function of weighted counts: a resampling only changes how much a source counts. Figures
that are sums over samples are drawn as sums per source; figures of rank are drawn on the counts of real and
fake in many narrow steps of the score. The figures themselves are exact; only their intervals use the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.errors import DataError
from unmask.figures.estimate import Estimate
from unmask.figures.reliability import BINS

Array = NDArray[np.float64]

STEPS = 1024
"""Steps of the score for the intervals of rank figures: 1/1024 is far below any interval's width."""

DRAWS = 1000
"""Resamplings behind an interval."""

MOST_DRAWN = 10_000
"""Samples that are resampled at most. Of larger sets this many are taken, whole sources at random, and the
width of their interval is brought to the size of the set by the root of the share taken: with so many sources
an interval narrows with the root of their number (Politis, Romano & Wolf, "Subsampling", 1999)."""

DRAWS_OF_PART = 500
"""Resamplings of such a part at most: there are many figures where there are many samples."""

FEWEST_SOURCES = 5
"""Sources of a label under which no interval is given: it would be far too narrow."""

RATES = (0.01, 0.1)
"""False-alarm rates at which detections are counted."""

TINY = 1e-12
"""Probabilities are taken no closer to 0 and 1 than this in the log loss."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures over N samples with their 95 % intervals, NaN where they cannot be had.

    `majority` is the accuracy of always saying the more frequent label; `accuracy` and `balanced_accuracy`
    are at `threshold`; `detection_at_1` and `_10` are the shares of fakes found where 1 and 10 % of reals are
    called fake. AUC to `detection_at_10` need both labels.
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
    units = _Units(labels, p, _numbered(sources), threshold)
    exact = units.exactly()
    bounds = (
        units.intervals(draws, seed)
        if len(p) <= MOST_DRAWN
        else _of_part(units, exact, min(draws, DRAWS_OF_PART), seed)
    )
    told = {name: Estimate(exact[name], *bounds[name]) for name in (*RANKED, *SUMMED)}
    count = int(labels.sum())
    return Summary(
        real=len(labels) - count,
        fake=count,
        real_sources=units.real_blocks,
        fake_sources=units.blocks - units.real_blocks,
        threshold=threshold,
        majority=max(count, len(labels) - count) / len(labels),
        **told,
    )


def _numbered(sources: Sequence[str] | NDArray[np.str_] | NDArray[np.int64]) -> NDArray[np.int64]:
    """The sources as numbers from 0 on."""
    given = np.asarray(sources)
    if given.dtype.kind in "iu" and len(given) and given.min() >= 0:
        return given.astype(np.int64)
    return np.unique(given, return_inverse=True)[1]


def _of_part(units: _Units, exact: dict[str, float], draws: int, seed: int) -> dict[str, tuple[float, float]]:
    """Intervals around the exact figures, as wide as those of a random part say."""
    share = MOST_DRAWN / len(units.p)
    chosen = np.random.default_rng(seed).random(units.blocks) < share
    kept = chosen[units.block]
    part = _Units(units.labels[kept], units.p[kept], units.block[kept], units.threshold)
    figures, bounds = part.exactly(), part.intervals(draws, seed)
    narrower = np.sqrt(chosen.mean())
    least = {name: -np.inf if name == "log_loss" else 0.0 for name in exact}
    most = {name: np.inf if name == "log_loss" else 1.0 for name in exact}
    return {
        name: (
            float(max(exact[name] + narrower * (low - figures[name]), least[name])),
            float(min(exact[name] + narrower * (high - figures[name]), most[name])),
        )
        for name, (low, high) in bounds.items()
    }


class _Units:
    """Samples in blocks that are drawn together: real sources first, then fake ones."""

    def __init__(
        self, labels: NDArray[np.bool_], p: Array, sources: NDArray[np.int64], threshold: float
    ) -> None:
        self.labels, self.p, self.threshold = labels, p, threshold
        self.block = np.empty(len(p), dtype=np.int64)
        self.real_blocks = self._number(~labels, sources, 0)
        self.blocks = self.real_blocks + self._number(labels, sources, self.real_blocks)
        self.order = np.argsort(p, kind="stable")
        ordered = p[self.order]
        edges = np.linspace(0, len(p), min(BINS, len(p)) + 1).round().astype(int)[1:]
        ends = np.unique(np.searchsorted(ordered, ordered[edges - 1], side="right"))
        self.bins = len(ends)
        place = np.empty(len(p), dtype=np.int64)
        place[self.order] = np.repeat(np.arange(self.bins), np.diff(ends, prepend=0))
        called = p >= threshold
        clipped = np.clip(p, TINY, 1 - TINY)
        parts = {
            "n": np.ones(len(p)),
            "right": (called == labels).astype(float),
            "called": called.astype(float),
            "log": -np.log(np.where(labels, clipped, 1 - clipped)),
            "brier": (p - labels) ** 2,
        }
        self.sums = {
            name: np.bincount(self.block, weights=part, minlength=self.blocks) for name, part in parts.items()
        }
        size = self.blocks * self.bins
        surplus = np.bincount(self.block * self.bins + place, weights=p - labels, minlength=size)
        self.surplus = surplus.reshape(self.blocks, self.bins)

    def _number(self, rows: NDArray[np.bool_], sources: NDArray[np.int64], first: int) -> int:
        """Number the sources of these rows from `first` on; how many there are."""
        if not rows.any():
            return 0
        present = np.bincount(sources[rows]) > 0
        number = np.cumsum(present) - 1 + first
        self.block[rows] = number[sources[rows]]
        return int(present.sum())

    def exactly(self) -> dict[str, float]:
        """The figures of the samples as they are."""
        once = self.summed(np.ones((1, self.blocks)))
        return self._ranked_exactly() | {name: float(values[0]) for name, values in once.items()}

    def intervals(self, draws: int, seed: int) -> dict[str, tuple[float, float]]:
        """The middle 95 % of every figure over resamplings."""
        drawn: dict[str, list[Array]] = {name: [] for name in (*RANKED, *SUMMED)}
        steps = self._steps()
        for counts in self._draw(draws, seed):
            weights = np.bincount(steps, weights=counts[self.block], minlength=2 * STEPS).astype(float)
            for name, value in _ranked(weights[:STEPS], weights[STEPS:]).items():
                drawn[name].append(np.array([value]))
            for name, values in self.summed(counts[None]).items():
                drawn[name].append(values)
        enough = {
            "real": self.real_blocks >= FEWEST_SOURCES,
            "fake": self.blocks - self.real_blocks >= FEWEST_SOURCES,
        }
        told = {}
        for name, shown in drawn.items():
            needed = ("real",) if name == "false_alarm_rate" else ("real", "fake")
            known = all(enough[label] for label in needed if self._has(label) or name in RANKED)
            low, high = np.percentile(np.concatenate(shown), [2.5, 97.5]) if known else (np.nan, np.nan)
            told[name] = (float(low), float(high))
        return told

    def _has(self, label: str) -> bool:
        return bool(self.real_blocks) if label == "real" else self.blocks > self.real_blocks

    def _draw(self, draws: int, seed: int) -> Iterator[Array]:
        """How often each block (B,) is drawn, once per resampling."""
        rng = np.random.default_rng(seed)
        reals, fakes = self.real_blocks, self.blocks - self.real_blocks
        for _ in range(draws):
            yield np.concatenate(
                [
                    np.bincount(rng.integers(0, max(count, 1), count), minlength=count).astype(float)
                    for count in (reals, fakes)
                ]
            )

    def _steps(self) -> NDArray[np.int64]:
        """The step of the score (N,) that each sample lies in; fakes count on from `STEPS`."""
        at = np.linspace(0, len(self.p) - 1, STEPS)[1:-1].astype(int)
        edges = np.unique(self.p[self.order[at]])
        return np.searchsorted(edges, self.p, side="right") + STEPS * self.labels

    def _ranked_exactly(self) -> dict[str, float]:
        """The figures of rank of the samples as they are."""
        ordered, labels = self.p[self.order], self.labels[self.order]
        first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        fake = np.add.reduceat(labels.astype(float), first)
        return _ranked(np.diff(first, append=len(ordered)) - fake, fake)

    def summed(self, counts: Array) -> dict[str, Array]:
        """The figures that are sums, for each row of how often the blocks are drawn (D, B)."""
        sums = self.sums
        reals = np.arange(self.blocks) < self.real_blocks
        with np.errstate(invalid="ignore", divide="ignore"):
            total = counts @ sums["n"]
            of_real = counts @ (sums["n"] * reals)
            of_fake = counts @ (sums["n"] * ~reals)
            alarms = counts @ (sums["called"] * reals) / of_real
            found = counts @ (sums["called"] * ~reals) / of_fake
            rates = np.stack([1 - alarms, found])
            return {
                "accuracy": counts @ sums["right"] / total,
                "balanced_accuracy": rates.mean(axis=0),
                "false_alarm_rate": alarms,
                "log_loss": counts @ sums["log"] / total,
                "brier": counts @ sums["brier"] / total,
                "calibration_error": np.abs(counts @ self.surplus).sum(axis=1) / total,
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
