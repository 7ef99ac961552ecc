"""Drawings of what probabilities mean: reliability, and how those of reals and of fakes lie."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from unmask.evaluation.judged import JudgedFiles
from unmask.evaluation.outcome_text import share
from unmask.evaluation.page.drawing import (
    Axis,
    Plot,
    Shape,
    Tick,
    bars,
    line,
    mark,
    percent_axis,
    stretch,
    upward,
    whiskers,
)
from unmask.figures.reliability import Bin, expected_calibration_error, reliability

BINS = 40
"""Bars of a distribution, of equal width."""

P_FAKE = Axis("P(fake)", tuple(Tick(20 * n, f"{n / 5:g}") for n in range(6)))

MOST_ODDS = 7.0
"""Log-odds at which the axis of a distribution ends: P(fake) of 0.001 and 0.999. What lies beyond is in the
last bar."""

IN_ODDS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)

LOW = 0.16
"""Height of the bars at the foot of a reliability diagram."""


@dataclass(frozen=True, slots=True)
class Believed:
    """A bin of a reliability diagram with the 95 % interval of the share that was fake."""

    bin: Bin
    low: float
    high: float


def believed(files: JudgedFiles, model: int) -> list[Believed]:
    """The bins of what a model said of these files; the sum of their distances is the ECE.

    Intervals are Wilson's (1927), with as many samples as the bin would have were files of one source all
    alike (Kish, 1965): never too narrow.
    """
    known = files.judged(model)
    p, fake = files.p[model][known], files.fake[known]
    bins = reliability(fake, p)
    order = np.argsort(p, kind="stable")
    ends = np.cumsum([one.count for one in bins])
    sources = np.split(files.source[known][order], ends[:-1])
    return [
        Believed(one, *wilson(one.fake, effective(names))) for one, names in zip(bins, sources, strict=True)
    ]


def wilson(part: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a share that `part` of `count` samples have."""
    z = float(norm.ppf(0.975))
    middle = (part + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * math.sqrt(part * (1 - part) / count + z * z / (4 * count * count))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def effective(sources: NDArray[np.int64]) -> float:
    """How many samples these are worth if those of one source are all alike."""
    sizes = np.unique(sources, return_counts=True)[1].astype(np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def reliability_plot(files: JudgedFiles, model: int) -> Plot:
    """The share of fakes among files of about the same P(fake), against what was said of them."""
    parts = believed(files, model)
    known = files.judged(model)
    error = expected_calibration_error(files.fake[known], files.p[model][known])
    said = np.array([part.bin.said for part in parts])
    name = files.models[model].name
    edges = np.linspace(0, 1, BINS + 1)
    counts = np.histogram(files.p[model][known], edges)[0]
    return Plot(
        title="Reliability",
        x=P_FAKE,
        y=upward(percent_axis("Fakes among files of this P(fake)")),
        shapes=(
            bars("many", edges, np.zeros(BINS), LOW * counts / counts.max()),
            line("guide", [0, 1], [0, 1]),
            whiskers("whisker", said, [part.low for part in parts], [part.high for part in parts]),
        ),
        marks=tuple(
            mark(
                "dot",
                "bin",
                part.bin.said,
                part.bin.fake,
                f"{part.bin.count} files, P(fake) {part.bin.said:.2f} on average: {share(part.bin.fake)} "
                f"fake [{100 * part.low:.0f}, {100 * part.high:.0f}]",
            )
            for part in parts
        ),
        summary=f"{name}: expected calibration error {error:.3f} over {len(parts)} bins of equal mass",
    )


def distribution_plot(files: JudgedFiles, model: int) -> Plot:
    """How P(fake) of reals (upward) and of fakes (downward) is spread, as shares of each, and the band in
    which the model says UNSURE."""
    known = files.judged(model)
    p, fake = files.p[model][known], files.fake[known]
    edges = np.linspace(0, 1, BINS + 1)
    at = _across(p)
    counts = [np.histogram(at[rows], edges)[0] for rows in (~fake, fake)]
    shares = [count / max(count.sum(), 1) for count in counts]
    tallest = max(float(part.max()) for part in shares)
    reals, fakes = (part / tallest / 2.1 for part in shares)
    middle = np.full(BINS, 0.5)
    judge = files.models[model]
    below, above = (float(edge) for edge in _across(np.array([judge.real_below, judge.fake_above])))
    limits = dict.fromkeys((below, above))
    shapes: list[Shape] = []
    if below < above:
        shapes.append(stretch("unsure", below, above))
    shapes += [
        bars("real", edges, middle, middle + reals),
        bars("fake", edges, middle - fakes, middle),
        line("base", [0, 1], [0.5, 0.5]),
        whiskers("limit", list(limits), [0.0] * len(limits), [1.0] * len(limits)),
    ]
    inner = (p > judge.real_below) & (p < judge.fake_above)
    return Plot(
        title="Reals and fakes",
        x=Axis("P(fake), in log-odds", tuple(Tick(_place(p), f"{p:g}") for p in IN_ODDS)),
        y=Axis(
            f"Tallest bar: {share(tallest)} of the {'reals' if shares[0].max() >= tallest else 'fakes'}",
            (Tick(25, "real"), Tick(75, "fake")),
        ),
        shapes=tuple(shapes),
        summary=(
            f"{judge.name}: {_middle(p[~fake], 'reals')}{_middle(p[fake], 'fakes')}"
            f"{share(float(inner.mean()))} of the files lie between P(fake) {judge.real_below:g} and "
            f"{judge.fake_above:g}, where it says UNSURE"
        ),
        format="flat",
    )


def _across(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities as shares of the axis of log-odds."""
    with np.errstate(divide="ignore"):
        odds = np.log(p) - np.log1p(-p)
    return np.asarray(np.clip(odds / (2 * MOST_ODDS) + 0.5, 0, 1))


def _place(p: float) -> float:
    return round(100 * float(_across(np.array([p]))[0]), 2)


def _middle(p: NDArray[np.float64], name: str) -> str:
    """The median and the middle half, in words; nothing where there are none."""
    if not len(p):
        return ""
    low, middle, high = np.percentile(p, [25, 50, 75])
    return f"median P(fake) of {name} {middle:.2f} (middle half {low:.2f} to {high:.2f}); "
