"""Drawings by group and by degradation: forests of AUC, and what severities cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from unmask.evaluation.figures import FULL, MEDIUM, Line
from unmask.evaluation.outcome_text import ABSENT, number
from unmask.evaluation.page.drawing import Axis, Key, Mark, Plot, Tick, line, mark, upward
from unmask.evaluation.page.looks import Look
from unmask.evaluation.robustness import Robustness, mean_relative

TITLES = {
    "dataset": "By data set",
    "method": "By how the fakes were made",
    "size": "By size of the face",
    "compression": "By compression",
}

ROW_GAP = 12
"""Pixels between the models of one group."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """One model's AUC in a group, in percent of the width; `y` in pixels. Without an interval, `low` and
    `high` are the value."""

    style: str
    outline: str
    y: float
    at: float
    low: float
    high: float
    title: str


@dataclass(frozen=True, slots=True)
class Twig:
    """One group: its name and counts, its models, and the height in pixels."""

    name: str
    counts: str
    strokes: tuple[Stroke, ...]
    height: int
    summary: str


@dataclass(frozen=True, slots=True)
class Forest:
    """The groups of one kind over one axis; `chance` is where 0.5 stands."""

    title: str
    ticks: tuple[Tick, ...]
    chance: float
    twigs: tuple[Twig, ...]


def forests(lines: Sequence[Line], kind: str, looks: Mapping[str, Look]) -> list[Forest]:
    """AUC on files by everything that figures are broken down by, as far as there is an AUC; one axis for
    all."""
    shown = [
        line
        for line in lines
        if (line.kind, line.level) == (kind, MEDIUM) and line.by and looks[line.model].own and _has_auc(line)
    ]
    if not shown:
        return []
    least = min(_bounds(line)[0] for line in shown)
    start = min(0.4, math.floor(10 * least + 1e-9) / 10)
    told = []
    for by, title in TITLES.items():
        groups = dict.fromkeys(line.group for line in shown if line.by == by)
        twigs = [
            _twig([x for x in shown if (x.by, x.group) == (by, group)], looks, start) for group in groups
        ]
        if twigs:
            told.append(Forest(title, _auc_ticks(start), _across(0.5, start), tuple(twigs)))
    return told


def _twig(lines: Sequence[Line], looks: Mapping[str, Look], start: float) -> Twig:
    strokes = []
    for at, one in enumerate(lines):
        assert one.summary is not None
        look, auc = looks[one.model], one.summary.auc
        low, high = _bounds(one)
        strokes.append(
            Stroke(
                look.style,
                look.outline,
                ROW_GAP * (at + 0.5) + 3,
                _across(auc.value, start),
                _across(low, start),
                _across(high, start),
                f"{one.model}: {number(auc)}",
            )
        )
    first = lines[0]
    told = first.summary
    assert told is not None
    judged = "" if all(one.is_full for one in lines) else " !"
    return Twig(
        name=first.group + (" *" if first.against_all else ""),
        counts=f"{told.real} real, {told.fake} fake{judged}",
        strokes=tuple(strokes),
        height=ROW_GAP * len(lines) + 6,
        summary=f"AUC on {first.group}: " + "; ".join(stroke.title for stroke in strokes),
    )


def _has_auc(one: Line) -> bool:
    return one.summary is not None and not math.isnan(one.summary.auc.value)


def _bounds(one: Line) -> tuple[float, float]:
    assert one.summary is not None
    auc = one.summary.auc
    return (auc.value, auc.value) if math.isnan(auc.low) else (auc.low, auc.high)


def _auc_ticks(start: float) -> tuple[Tick, ...]:
    step = 0.1 if start >= 0.4 else 0.2
    first = math.ceil(start / step - 1e-9)
    values = [round(n * step, 1) for n in range(first, round(1 / step) + 1)]
    return tuple(Tick(_across(value, start), f"{value:g}") for value in values)


def _across(auc: float, start: float) -> float:
    """An AUC in percent of an axis from `start` to 1."""
    return round(100 * (auc - start) / (1 - start), 2)


def degradation_plots(rows: Sequence[Robustness], kind: str, looks: Mapping[str, Look]) -> list[Plot]:
    """AUC by severity, a drawing per degradation, all models in each and one axis for all."""
    of_kind = [row for row in rows if row.kind == kind]
    values = [value for row in of_kind for value in (row.plain, *row.at) if not math.isnan(value)]
    if not values:
        return []
    start = min(0.4, math.floor(10 * min(values) + 1e-9) / 10)
    most = max(severity for row in of_kind for severity in row.severities)
    x = Axis("severity", tuple(Tick(100 * n / most, str(n) if n else "none") for n in range(most + 1)))
    y = upward(Axis("AUC", _auc_ticks(start)))
    plots = []
    for degradation in dict.fromkeys(row.degradation for row in of_kind):
        shapes, marks = [], []
        drawn = [row for row in of_kind if row.degradation == degradation]
        for row in sorted(drawn, key=lambda row: looks[row.model].own):
            look = looks[row.model]
            points = _points(row)
            for stretch in _without_holes(points):
                across = [severity / most for severity, _, _ in stretch]
                shapes.append(line(look.style, across, [(v - start) / (1 - start) for _, v, _ in stretch]))
            if look.own:
                marks += [_degraded_mark(row, look, point, most, start) for point in points if point[0]]
        plots.append(
            Plot(
                title=degradation,
                x=x,
                y=y,
                shapes=tuple(shapes),
                marks=tuple(mark for mark in marks if mark is not None),
                summary="; ".join(
                    f"{row.model} {_three(row.plain)}, then {', '.join(map(_three, row.at))}"
                    for row in drawn
                    if looks[row.model].own
                ),
                format="small",
            )
        )
    return plots


Point = tuple[int, float, float]
"""Severity, AUC and share judged."""


def _points(row: Robustness) -> list[Point]:
    return [(0, row.plain, 1.0), *zip(row.severities, row.at, row.judged, strict=True)]


def _without_holes(points: Sequence[Point]) -> list[list[Point]]:
    """The points in stretches between those without a value."""
    stretches: list[list[Point]] = [[]]
    for point in points:
        if math.isnan(point[1]):
            stretches.append([])
        else:
            stretches[-1].append(point)
    return [stretch for stretch in stretches if len(stretch) > 1]


def _degraded_mark(row: Robustness, look: Look, point: Point, most: int, start: float) -> Mark | None:
    severity, auc, judged = point
    if math.isnan(auc):
        return None
    full = judged >= FULL
    title = f"{row.model}, {row.degradation} {severity}: AUC {auc:.3f}, {100 * judged:.1f} % judged"
    style = look.style if full else f"{look.style} hollow"
    return mark(look.outline, style, severity / most, (auc - start) / (1 - start), title)


@dataclass(frozen=True, slots=True)
class Cost:
    """What degradations cost a model on one kind: its mean relative AUC, and that of each degradation."""

    model: str
    look: Look
    mean: str
    each: tuple[str, ...]


def costs(rows: Sequence[Robustness], kind: str, looks: Mapping[str, Look]) -> tuple[list[str], list[Cost]]:
    """The degradations, and a row per model."""
    of_kind = [row for row in rows if row.kind == kind]
    kinds = list(dict.fromkeys(row.degradation for row in of_kind))
    told = []
    for model in dict.fromkeys(row.model for row in of_kind):
        own = {row.degradation: row for row in of_kind if row.model == model}
        each = [_cost(own.get(degradation)) for degradation in kinds]
        told.append(Cost(model, looks[model], _three(mean_relative(list(own.values()))), tuple(each)))
    return kinds, told


def _cost(row: Robustness | None) -> str:
    return ABSENT if row is None else _three(row.relative) + ("" if row.coverage >= FULL else " !")


def _three(value: float) -> str:
    return ABSENT if math.isnan(value) else f"{value:.3f}"


def legend(looks: Mapping[str, Look], names: Sequence[str]) -> tuple[Key, ...]:
    """The models' looks alone."""
    own = [Key(looks[name].style, looks[name].outline, name) for name in names if looks[name].own]
    rest = sum(not looks[name].own for name in names)
    return (*own, Key("rest", "", f"{rest} more model{'' if rest == 1 else 's'}")) if rest else tuple(own)
