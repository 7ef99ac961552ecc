"""Where things stand in a page's drawings; templates only draw. Positions are percentages, y downward."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from unmask.evaluation.explain.check import CENTRED, RANDOM, Check, Curve, Rival, Way
from unmask.evaluation.explain.file import FaceExplained
from unmask.evaluation.explain.judge import Fill
from unmask.evaluation.explain.means import GroupCheck
from unmask.evaluation.explain.media import MediaExplained
from unmask.evaluation.explain.words import FILLED, estimate, followed
from unmask.figures.estimate import Estimate


@dataclass(frozen=True, slots=True)
class Line:
    """One order's curve as an SVG path; `order` is its class."""

    order: str
    path: str


@dataclass(frozen=True, slots=True)
class Panel:
    """The curves of one face with one fill, one way; `band` is an SVG path round all random orders."""

    title: str
    axis: str
    lines: tuple[Line, ...]
    band: str
    summary: str


@dataclass(frozen=True, slots=True)
class Dot:
    """One group on a scale from 0 to 100: the map's area with its interval, and its rivals'."""

    name: str
    at: float
    low: float
    high: float
    random: float
    moved: float
    text: str
    summary: str


def panels(face: FaceExplained) -> list[Panel]:
    """The four panels of a face: deletion and insertion, blurred and painted over."""
    found = []
    for fill in Fill:
        for way in Way:
            curves = {curve.order: curve for curve in face.curves if (curve.fill, curve.way) == (fill, way)}
            checks = [check for check in face.checks if (check.fill, check.way) == (fill, way)]
            found.append(_panel(face, fill, way, curves, checks))
    return found


def _panel(
    face: FaceExplained, fill: Fill, way: Way, curves: dict[str, Curve], checks: Sequence[Check]
) -> Panel:
    first = [map_.name for map_ in face.maps]
    verb = "Deletion" if way is Way.DELETION else "Insertion"
    what = "taken out" if way is Way.DELETION else "put back"
    areas = [f"{check.map} {check.area:.2f}" for check in checks]
    rest = [f"random {checks[0].random}", f"middle first {checks[0].centred:.2f}"] if checks else []
    return Panel(
        title=f"{verb}, {FILLED[fill]}",
        axis=f"{followed(face)} against the share of the face {what}",
        lines=tuple(Line(order, _path(curves[order].values)) for order in (RANDOM, CENTRED, *first)),
        band=_band(curves[RANDOM]),
        summary=f"Areas under the curves: {', '.join([*areas, *rest])}.",
    )


def dots(told: MediaExplained, map_: str, fill: Fill, way: Way) -> list[Dot]:
    """The groups' areas of one map with one fill, one way."""
    found = []
    for group in told.groups:
        check = next(c for c in group.checks if (c.map, c.fill, c.way) == (map_, fill, way))
        random, moved = (_theirs(check, rival) for rival in (Rival.RANDOM, Rival.MOVED))
        area = check.area
        known = not math.isnan(area.low)
        found.append(
            Dot(
                name=group.name,
                at=round(100 * area.value, 1),
                low=round(100 * (area.low if known else area.value), 1),
                high=round(100 * (area.high if known else area.value), 1),
                random=round(100 * random, 1),
                moved=round(100 * moved, 1),
                text=estimate(area),
                summary=f"{group.name}: area {estimate(area)}, random {random:.2f}, moved {moved:.2f}",
            )
        )
    return found


def _theirs(check: GroupCheck, rival: Rival) -> float:
    """A rival's own mean area."""
    lead: Estimate = check.lead[rival]
    return check.area.value + lead.value if check.way is Way.DELETION else check.area.value - lead.value


def _path(values: Sequence[float]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in _points(values))


def _band(curve: Curve) -> str:
    there, back = _points(curve.high), _points(curve.low)[::-1]
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in (*there, *back)) + " Z"


def _points(values: Sequence[float]) -> list[tuple[float, float]]:
    last = len(values) - 1
    return [(round(100 * n / last, 2), round(100 * (1 - value), 2)) for n, value in enumerate(values)]
