"""Drawings of rank: ROC with its band, precision and recall, risk and coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.evaluation.judged import JudgedFiles
from unmask.evaluation.outcome_text import share
from unmask.evaluation.page.drawing import (
    Axis,
    Key,
    Mark,
    Plot,
    Shape,
    Tick,
    band,
    line,
    mark,
    percent_axis,
    upward,
)
from unmask.evaluation.page.looks import Look
from unmask.figures.curves import Curve, precision_recall, risk_by_coverage, roc, steps
from unmask.figures.draws import SourceDraws, roc_band
from unmask.types import Verdict

Array = NDArray[np.float64]

LEAST_RATE, MOST_LEAST_RATE = 1e-4, 1e-1
"""Between these the logarithmic axis of false alarms begins: at the power of ten under one real of all."""

EVEN = np.linspace(0, 1, 101)
"""False-alarm rates at which a band is known on an even axis."""

PER_DECADE = 24
"""The same to a power of ten of a logarithmic axis."""

RISK_TOPS = {0.1: 5, 0.2: 4, 0.3: 3, 0.4: 4, 0.5: 5, 0.6: 6, 0.8: 4, 1.0: 5}
"""Where the axis of risk may end, and into how many parts it is divided then."""

FEW = 3
"""Models whose bands are drawn in one plot; more hide each other."""


@dataclass(frozen=True, slots=True)
class Band:
    """The 95 % band of a ROC at some false-alarm rates."""

    at: Array
    low: Array
    high: Array


@dataclass(frozen=True, slots=True)
class Ranked:
    """What is drawn of one model on the files of one kind. `roc` and `precision` are None where one label
    alone was judged, `band` where there are too few sources."""

    name: str
    look: Look
    real: int
    fake: int
    roc: Curve | None
    band: Band | None
    precision: Curve | None
    risk: Curve
    threshold: float
    called: tuple[float, float]
    """The shares of reals and of fakes at or above the threshold."""
    decided: tuple[float, float]
    """The share of files called real or fake, and the share of those that were called wrongly."""


def ranked(files: JudgedFiles, looks: Mapping[str, Look], *, draws: int, seed: int) -> list[Ranked]:
    """The models that judged any of these files, with their curves."""
    told = []
    drawn: tuple[NDArray[np.bool_], SourceDraws] | None = None
    for number, model in enumerate(files.models):
        known = files.judged(number)
        if not known.any():
            continue
        fake, p = files.fake[known], files.p[number][known]
        both = bool(fake.any() and not fake.all())
        curve = roc(fake, p) if both else None
        spread = None
        if curve is not None:
            # Most models have judged the same files, and are drawn alike.
            if drawn is None or not np.array_equal(drawn[0], known):
                drawn = known, SourceDraws(fake, files.source[known], draws=draws, seed=seed)
            if drawn[1].enough:
                at = np.unique(np.concatenate([EVEN, _even_in_log(least_rate(int((~fake).sum())))]))
                spread = Band(at, *roc_band(p, curve, drawn[1], at))
        wrong = files.said(number, Verdict.FAKE) & ~files.fake | files.said(number, Verdict.REAL) & files.fake
        decided = files.said(number, Verdict.FAKE, Verdict.REAL) & known
        told.append(
            Ranked(
                name=model.name,
                look=looks[model.name],
                real=int((~fake).sum()),
                fake=int(fake.sum()),
                roc=curve,
                band=spread,
                precision=precision_recall(fake, p) if both else None,
                risk=risk_by_coverage(fake, p),
                threshold=model.fake_above,
                called=(_share(p[~fake] >= model.fake_above), _share(p[fake] >= model.fake_above)),
                decided=(float(decided.sum() / known.sum()), _share(wrong[decided])),
            )
        )
    return told


def roc_plots(models: Sequence[Ranked], figures: Mapping[str, str]) -> list[Plot]:
    """The ROC of all models on an even and on a logarithmic axis of false alarms; `figures` is what
    the legend says of each."""
    able = [model for model in models if model.roc is not None]
    if not able:
        return []
    least = least_rate(max(model.real for model in able))
    banded = sum(model.look.own for model in able) <= FEW
    summary = "; ".join(
        f"{model.name}: AUC {figures[model.name]}" + _operating(model) for model in able if model.look.own
    )
    keys = _keys(able, {name: f"AUC {figure}" for name, figure in figures.items()})
    even = Plot(
        title="ROC",
        x=percent_axis("reals called fake (FPR)"),
        y=upward(percent_axis("Fakes found (TPR)")),
        shapes=(line("guide", [0, 1], [0, 1]), *_roc_shapes(able, 0.0, banded)),
        marks=tuple(_roc_mark(model, 0.0) for model in able if model.look.own),
        keys=keys,
        summary=summary,
    )
    at = _even_in_log(least)
    close = Plot(
        title="ROC at few false alarms",
        x=_log_axis("reals called fake (FPR), logarithmic", least),
        y=upward(percent_axis("Fakes found (TPR)")),
        shapes=(line("guide", _in_log(at, least), at), *_roc_shapes(able, least, banded)),
        marks=tuple(_roc_mark(model, least) for model in able if model.look.own),
        summary=summary,
    )
    return [even, close]


def roc_of_one(model: Ranked) -> Plot | None:
    """One model's ROC with its band."""
    if model.roc is None:
        return None
    return Plot(
        title="ROC",
        x=percent_axis("reals called fake (FPR)"),
        y=upward(percent_axis("Fakes found (TPR)")),
        shapes=(line("guide", [0, 1], [0, 1]), *_roc_shapes([model], 0.0, banded=True, always=True)),
        marks=(_roc_mark(model, 0.0),),
        summary=f"{model.name}{_operating(model)}",
    )


def precision_plot(models: Sequence[Ranked], figures: Mapping[str, str]) -> Plot | None:
    """Precision against recall for all models, as steps."""
    able = [model for model in models if model.precision is not None]
    if not able:
        return None
    shapes, marks = [], []
    prevalence = able[0].fake / (able[0].fake + able[0].real)
    for model in _grey_first(able):
        assert model.precision is not None
        drawn = steps(model.precision)
        shapes.append(line(model.look.style, drawn.x, drawn.y))
        alarms, found = model.called[0] * model.real, model.called[1] * model.fake
        if model.look.own and alarms + found:
            precision = found / (alarms + found)
            title = (
                f"{model.name} says FAKE from P(fake) {model.threshold:g}: {share(model.called[1])} of fakes "
                f"found, {share(precision)} of what is called fake is"
            )
            marks.append(mark(model.look.outline, model.look.style, model.called[1], precision, title))
    return Plot(
        title="Precision and recall",
        x=percent_axis("fakes found (recall)"),
        y=upward(percent_axis("Fakes among what is called fake (precision)")),
        shapes=(line("guide", [0, 1], [prevalence, prevalence]), *shapes),
        marks=tuple(marks),
        keys=_keys(able, {name: f"AP {figure}" for name, figure in figures.items()}),
        summary="; ".join(
            f"{model.name}: average precision {figures[model.name]}" for model in able if model.look.own
        )
        + f". Always saying fake: {share(prevalence)}",
    )


def risk_plot(models: Sequence[Ranked]) -> Plot | None:
    """The error rate among the files told most surely, against their share, and what cards decide."""
    if not models:
        return None
    top = _top_risk(models)
    shapes, marks, words = [], [], {}
    for model in _grey_first(models):
        curve = model.risk
        shapes.append(line(model.look.style, curve.x, curve.y / top))
    for model in models:
        coverage, risk = model.decided
        said = f"{share(coverage)} decided" + ("" if math.isnan(risk) else f", {share(risk)} wrong")
        words[model.name] = said
        if model.look.own and not math.isnan(risk):
            title = f"{model.name} with its band for UNSURE: {said}"
            marks.append(mark(model.look.outline, model.look.style, coverage, min(risk / top, 1), title))
    return Plot(
        title="Risk and coverage",
        x=percent_axis("files decided, the surest first (coverage)"),
        y=upward(percent_axis("Wrong among what is decided (risk)", top, count=RISK_TOPS[top])),
        shapes=tuple(shapes),
        marks=tuple(marks),
        keys=_keys(models, words),
        summary="; ".join(f"{name}: {said}" for name, said in words.items()),
    )


def least_rate(reals: int) -> float:
    """Where a logarithmic axis begins for so many reals."""
    return float(np.clip(10.0 ** math.floor(math.log10(1 / reals)), LEAST_RATE, MOST_LEAST_RATE))


def _roc_shapes(models: Sequence[Ranked], least: float, banded: bool, *, always: bool = False) -> list[Shape]:
    """Bands, then lines; on an even axis where `least` is 0."""
    bands, lines = [], []
    for model in _grey_first(models):
        assert model.roc is not None
        own = model.look.own or always
        style = "alone" if always and not model.look.own else model.look.style
        if banded and own and model.band is not None:
            at = model.band.at if not least else _even_in_log(least)
            low, high = (np.interp(at, model.band.at, bound) for bound in (model.band.low, model.band.high))
            bands.append(band(f"band {style}", at if not least else _in_log(at, least), low, high))
        x, y = model.roc.x, model.roc.y
        if least:
            x, y = _for_log(model.roc, least)
        lines.append(line(style, x, y))
    return bands + lines


def _roc_mark(model: Ranked, least: float) -> Mark:
    alarms, found = model.called
    x = float(_in_log(np.array([max(alarms, least)]), least)[0]) if least else alarms
    title = f"{model.name}{_operating(model)}"
    if not model.look.own:
        return mark("o0", "alone", x, found, title)
    return mark(model.look.outline, model.look.style, x, found, title)


def _operating(model: Ranked) -> str:
    alarms, found = model.called
    return (
        f", saying FAKE from P(fake) {model.threshold:g}: {share(found)} of fakes found, {share(alarms)} of "
        "reals called fake"
    )


def _for_log(curve: Curve, least: float) -> tuple[Array, Array]:
    """The curve from `least` on for a logarithmic axis, its slopes bent as they must be."""
    at = _even_in_log(least)
    inner = curve.x > least
    x = np.concatenate([at, curve.x[inner]])
    y = np.concatenate([curve.at(at), curve.y[inner]])
    order = np.lexsort((y, x))
    return _in_log(x[order], least), y[order]


def _even_in_log(least: float) -> Array:
    decades = -math.log10(least)
    return np.logspace(-decades, 0, round(PER_DECADE * decades) + 1)


def _in_log(x: Array, least: float) -> Array:
    return np.asarray(1 - np.log10(np.maximum(x, least)) / math.log10(least))


def _log_axis(label: str, least: float) -> Axis:
    decades = round(-math.log10(least))
    return Axis(
        label,
        tuple(
            Tick(round(100 * n / decades, 3), f"{100 * 10.0 ** (n - decades):g} %")
            for n in range(decades + 1)
        ),
    )


def _top_risk(models: Sequence[Ranked]) -> float:
    """The end of the risk axis: above all that is drawn from a tenth of the files on."""
    shown = [float(model.risk.y[model.risk.x >= 0.1].max()) for model in models]
    points = [model.decided[1] for model in models if not math.isnan(model.decided[1])]
    most = max([*shown, *points])
    return next(top for top in RISK_TOPS if top >= most - 1e-9)


def _grey_first(models: Sequence[Ranked]) -> list[Ranked]:
    """So that no grey line lies over one that is meant to be seen."""
    return sorted(models, key=lambda model: model.look.own)


def _keys(models: Sequence[Ranked], figures: Mapping[str, str]) -> tuple[Key, ...]:
    own = [
        Key(model.look.style, model.look.outline, model.name, figures[model.name])
        for model in models
        if model.look.own
    ]
    rest = sum(not model.look.own for model in models)
    if rest:
        own.append(Key("rest", "", f"{rest} more model{'' if rest == 1 else 's'}"))
    return tuple(own)


def _share(true: NDArray[np.bool_]) -> float:
    return float(true.mean()) if len(true) else math.nan
