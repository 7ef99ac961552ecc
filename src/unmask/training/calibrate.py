"""Choose the aggregation, fit the calibration and set the UNSURE band, all on `val` and nothing else.

A unit is what a user gets a verdict on: one photo, or one recording of one person. Every unit counts once
as it is and once degraded, because users' media come both ways.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from unmask.data.corpus import Sample
from unmask.detector.aggregate import AGGREGATIONS, WINDOW
from unmask.detector.card import Calibration, Figure
from unmask.figures.scores import auc, auc_estimate, macro_auc
from unmask.training.fit import Scored
from unmask.types import RECORDING, Band, OperatingPoint

FALSE_ALARM_RATE = 0.05
"""Of real units, the share that may be called FAKE; sets the upper end of the UNSURE band."""

MISS_RATE = 0.05
"""Of fake units, the share that may be called REAL; sets the lower end."""

OPERATING_RATES = (0.01, 0.05, 0.10)

PARTLY = 1 / 3
"""The forged share of the partly forged recordings that the aggregation is tried on."""

LEAST_FRAMES = 9
"""Recordings with fewer frames say nothing about aggregation through time."""

BY_RUNS = ("window", "stretch")
"""Aggregations by the best run of `WINDOW` faces."""

LEAST_RUNS = 3
"""Runs that half of the real recordings must be long for these to be tried: in shorter ones, as thinned ones
are, the best run is hardly more than all of it, and what chance makes of many runs is not seen."""

FEWEST_METHODS, FEWEST_UNITS = 2, 20
"""Methods that were not trained on, and units of them, from which on they alone stand for fakes."""

FEWEST_OF_KIND = 20
"""Units of a kind and label from which on the band keeps its rate for the kind by itself."""

WITHOUT_RECORDINGS = "mean"
"""The aggregation of models whose `val` has no recordings to choose by."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A photo or a recording: raw scores (T,) in time, its label and where it comes from."""

    scores: NDArray[np.float64]
    fake: bool
    method: str
    dataset: str
    source: str
    recording: bool


def units_of(scored: Scored) -> list[Unit]:
    """The units of scored samples, in a fixed order, their scores in that of time."""
    rows: dict[tuple[tuple[str, ...], str], list[tuple[Sample, float]]] = defaultdict(list)
    for sample, logit in zip(scored.samples, scored.logits, strict=True):
        single = sample.path.name if sample.kind == "photo" else ""
        rows[sample.recording, single].append((sample, logit))
    for members in rows.values():
        members.sort(key=lambda member: (member[0].time, member[0].frame))
    return [
        Unit(
            scores=np.array([logit for _, logit in members]),
            fake=members[0][0].fake,
            method=members[0][0].method,
            dataset=members[0][0].dataset,
            source=members[0][0].source,
            recording=not single,
        )
        for (_, single), members in sorted(rows.items(), key=lambda item: item[0])
    ]


def aggregated(units: Iterable[Unit], aggregation: str) -> NDArray[np.float64]:
    """One raw score per unit."""
    aggregate = AGGREGATIONS[aggregation]
    return np.array([aggregate(unit.scores) for unit in units])


@dataclass(frozen=True, slots=True)
class AggregationTrial:
    """How an aggregation does on `val`: on whole recordings, and on real ones that are forged in part."""

    name: str
    whole: float
    partly: float


def try_aggregations(units: Sequence[Unit]) -> list[AggregationTrial]:
    """All aggregations that these can judge, best first by the mean of both AUCs; none where `val` lacks
    recordings to try."""
    recordings = [u for u in units if u.recording and len(u.scores) >= LEAST_FRAMES]
    reals = [u for u in recordings if not u.fake]
    fakes = [u for u in recordings if u.fake]
    partly = [_spliced(real, fake) for fake in fakes for real in reals if real.dataset == fake.dataset]
    if not partly:
        return []
    trials = []
    long = float(np.median([len(unit.scores) for unit in reals])) >= LEAST_RUNS * WINDOW
    for name in AGGREGATIONS:
        if name in BY_RUNS and not long:
            continue
        whole = [*reals, *fakes]
        spliced = [*reals, *partly]
        trials.append(
            AggregationTrial(
                name,
                auc([u.fake for u in whole], aggregated(whole, name)),
                auc([u.fake for u in spliced], aggregated(spliced, name)),
            )
        )
    return sorted(trials, key=lambda trial: -(trial.whole + trial.partly))


def _spliced(real: Unit, fake: Unit) -> Unit:
    """The real recording with its middle third taken from the fake one."""
    count = max(1, round(len(real.scores) * PARTLY))
    first = (len(real.scores) - count) // 2
    scores = real.scores.copy()
    scores[first : first + count] = np.resize(fake.scores, count)
    return Unit(scores, True, fake.method, real.dataset, real.source, recording=True)


def unseen(units: Sequence[Unit], trained: Collection[str]) -> list[Unit]:
    """The units that tell how a model fares on what it was not trained on: the reals, and the fakes of
    methods other than `trained`. All, where there are too few such."""
    held_out = [unit for unit in units if unit.fake and unit.method not in trained]
    if len({unit.method for unit in held_out}) < FEWEST_METHODS or len(held_out) < FEWEST_UNITS:
        return list(units)
    return [unit for unit in units if not unit.fake or unit.method not in trained]


def fit_calibration(units: Sequence[Unit], scores: NDArray[np.float64]) -> Calibration:
    """Platt scaling with both labels, and within a label every data set and method, weighing alike."""
    labels = np.array([unit.fake for unit in units])
    weights = _weights(units)
    fit = LogisticRegression(C=1e3).fit(scores[:, None], labels, sample_weight=weights * len(units))
    return Calibration(scale=float(fit.coef_[0, 0]), offset=float(fit.intercept_[0]))


def _weights(units: Sequence[Unit]) -> NDArray[np.float64]:
    """Weights that sum to one: half each label, shared by the square root of each group's size."""
    sizes: dict[tuple[bool, str, str], int] = defaultdict(int)
    for unit in units:
        sizes[unit.fake, unit.dataset, unit.method] += 1
    roots = {key: size**0.5 for key, size in sizes.items()}
    totals = {label: sum(root for key, root in roots.items() if key[0] is label) for label in (True, False)}
    return np.array(
        [
            0.5 * roots[key] / totals[unit.fake] / sizes[key]
            for unit in units
            for key in [(unit.fake, unit.dataset, unit.method)]
        ]
    )


def fit_band(units: Sequence[Unit], probabilities: NDArray[np.float64]) -> Band:
    """The band between a threshold that few reals reach and one that few fakes stay under: few of all, and
    few of photos and of recordings by themselves. Of reals, few of each data set, too: media that nobody
    trained on are like the strangest of these rather than like their average.

    It always holds 0.5, however well the two are separated on `val`: elsewhere they will be less so.
    """
    labels = np.array([unit.fake for unit in units])
    recordings = np.array([unit.recording for unit in units])
    everything = np.ones(len(units), dtype=bool)

    def by_kind(chosen: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
        parts = [probabilities[chosen & kind] for kind in (everything, recordings, ~recordings)]
        return [parts[0], *(part for part in parts[1:] if len(part) >= FEWEST_OF_KIND)]

    makes = np.array([unit.dataset for unit in units])
    of_makes = [probabilities[~labels & (makes == make)] for make in np.unique(makes[~labels])]
    reals = [*by_kind(~labels), *(part for part in of_makes if len(part) >= FEWEST_OF_KIND)]
    upper = _rounded_up(max(0.5, *(_threshold(part, FALSE_ALARM_RATE) for part in reals)))
    lower = min(0.5, *(float(np.quantile(part, MISS_RATE)) for part in by_kind(labels)))
    return Band(
        real_below=round(lower, 4),
        fake_above=upper,
        false_alarm_rate=round(float((probabilities[~labels] >= upper).mean()), 4),
        miss_rate=round(float((probabilities[labels] <= round(lower, 4)).mean()), 4),
    )


def operating_points(units: Sequence[Unit], probabilities: NDArray[np.float64]) -> tuple[OperatingPoint, ...]:
    """Thresholds at false-alarm rates of 1, 5 and 10 % with the measured rates: of everything, and of
    recordings by themselves where there are enough of both labels."""
    labels = np.array([unit.fake for unit in units])
    recordings = np.array([unit.recording for unit in units])
    points = []
    for on, chosen in (("", np.ones(len(units), dtype=bool)), (RECORDING, recordings)):
        real, fake = probabilities[chosen & ~labels], probabilities[chosen & labels]
        if on and min(len(real), len(fake)) < FEWEST_OF_KIND:
            continue
        for rate in OPERATING_RATES:
            threshold = _rounded_up(_threshold(real, rate))
            points.append(
                OperatingPoint(
                    threshold=threshold,
                    false_alarm_rate=round(float((real >= threshold).mean()), 4),
                    detection_rate=round(float((fake >= threshold).mean()), 4),
                    on=on,
                )
            )
    return tuple(points)


def _threshold(real: NDArray[np.float64], rate: float) -> float:
    """The smallest threshold that at most a share `rate` of the real probabilities reaches."""
    allowed = int(rate * len(real))
    return float(np.nextafter(np.sort(real)[len(real) - 1 - allowed], np.inf))


def _rounded_up(threshold: float) -> float:
    """To four digits, so that the promised rate holds for the rounded threshold as well."""
    return math.ceil(threshold * 1e4) / 1e4


def probabilities_of(scores: NDArray[np.float64], calibration: Calibration) -> NDArray[np.float64]:
    """P(fake) of aggregated raw scores."""
    return np.asarray(expit(calibration.scale * scores + calibration.offset), dtype=np.float64)


def figures_of(units: Sequence[Unit], scores: NDArray[np.float64], on: str) -> tuple[Figure, ...]:
    """AUC with its interval on photos and on recordings apart, where there are both labels of them."""
    figures = []
    for level, chosen in (("photo", False), ("recording", True)):
        rows = [i for i, unit in enumerate(units) if unit.recording is chosen]
        members = [units[i] for i in rows]
        if len({u.fake for u in members}) < 2:
            continue
        estimate = auc_estimate([u.fake for u in members], scores[rows], [u.source for u in members])
        figures.append(Figure(on, level, *_rounded(estimate.value, estimate.low, estimate.high), len(rows)))
    return tuple(figures)


def macro_auc_of(units: Sequence[Unit], scores: NDArray[np.float64]) -> float:
    """Mean over methods of the AUC against all reals that are photos or recordings, too."""
    kinds = ["recording" if u.recording else "photo" for u in units]
    return macro_auc([u.fake for u in units], scores, [u.method for u in units], kinds)


def _rounded(*values: float) -> tuple[float, float, float]:
    first, second, third = (round(value, 4) for value in values)
    return first, second, third
