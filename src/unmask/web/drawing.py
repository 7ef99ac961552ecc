"""Timelines as few strokes: what `charts` places point by point, joined to paths that stay small on a
page."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from unmask.report import charts
from unmask.types import Report


@dataclass(frozen=True, slots=True)
class Drawing:
    """One person's timeline. Paths are in percent of its width and height; `dots` are by verdict. `end` is
    the time at its right edge, in seconds."""

    curve: str
    ranges: str
    dots: tuple[tuple[str, str], ...]
    small: str
    unseen: tuple[charts.Rect, ...]
    fake: tuple[charts.Rect, ...]
    band: charts.Rect | None
    ticks: tuple[charts.Tick, ...]
    summary: str
    end: float


def drawings(report: Report, people: Container[int]) -> dict[int, Drawing]:
    """The drawings of those `people` who were judged, by track id; none for a still."""
    end = last_moment(report)
    return {number: _drawing(line, end) for number, line in charts.timelines(report, people).items()}


def last_moment(report: Report) -> float:
    """Where timelines end, in seconds: at the end of the file, or with the last face where that is later."""
    latest = max((face.time for track in report.tracks for face in track.faces), default=0.0)
    return max(latest, (report.file.duration if report.file is not None else None) or 0.0)


def _drawing(timeline: charts.Timeline, end: float) -> Drawing:
    dots: dict[str, list[str]] = {}
    for dot in timeline.dots:
        dots.setdefault(dot.verdict.lower(), []).append(_dot(dot.x, dot.y))
    return Drawing(
        curve=_joined(timeline.lines),
        ranges="".join(_joined([line]) for line in timeline.ranges),
        dots=tuple((verdict, "".join(path)) for verdict, path in sorted(dots.items())),
        # Crosses that lie closer than a thousandth of the width could not be told apart.
        small="".join(_dot(x / 10, 98.5) for x in sorted({round(10 * tick.x) for tick in timeline.small})),
        unseen=timeline.unseen,
        fake=timeline.fake,
        band=timeline.band,
        ticks=timeline.ticks,
        summary=timeline.summary,
        end=round(end, 3),
    )


def _joined(lines: Iterable[charts.Line]) -> str:
    """Lines that follow on each other as one path."""
    path, last = [], None
    for line in lines:
        if last != (line.x1, line.y1):
            path.append(f"M{line.x1:g} {line.y1:g}")
        path.append(f"L{line.x2:g} {line.y2:g}")
        last = line.x2, line.y2
    return "".join(path)


def _dot(x: float, y: float) -> str:
    """A line without length: with round ends it is a dot, whatever the drawing is stretched to."""
    return f"M{x:g} {y:g}h0"
