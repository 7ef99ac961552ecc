"""Where things stand in a report's drawings; the templates only draw.

All positions are percentages of the drawing's width and height, from its upper left corner, so that the same
drawing fits any screen without its text being stretched.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from unmask.report import words
from unmask.report.change import change_of
from unmask.types import Band, FaceReport, Report, TrackReport, Verdict

UNSEEN_AFTER = 1.5
"""Sampling intervals without a face after which it counts as not seen there."""

MOST_DOTS = 400
"""More faces than this are drawn as the mean and range of equal stretches: dots would hide each other."""

MOST_TICKS = 7
"""Labels that fit under a chart on a phone."""

MOST_TOLD = 12
"""Stretches of time told one by one under a chart; more are a wall of text, and the chart shows them all."""

TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
"""Seconds between labels that people read easily."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle over the full height (a stretch of time) or width (a range of P(fake))."""

    start: float
    size: float
    title: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    verdict: Verdict
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    label: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Timeline:
    """One person's P(fake) against time; `summary` says the same in a sentence."""

    lines: tuple[Line, ...]
    ranges: tuple[Line, ...]
    dots: tuple[Dot, ...]
    small: tuple[Tick, ...]
    unseen: tuple[Rect, ...]
    fake: tuple[Rect, ...]
    band: Rect | None
    ticks: tuple[Tick, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class Gauge:
    """P(fake) on the scale from 0 to 1 with the three zones of the band."""

    at: float
    real: Rect
    unsure: Rect
    fake: Rect
    ticks: tuple[Tick, ...]
    summary: str


def most_fake_first(track: TrackReport) -> tuple[float, int]:
    """Sorts people: those most likely fake first, those not judged last."""
    return (1.0 if track.probability is None else -track.probability), track.id


def picture_size(report: Report) -> tuple[int, int] | None:
    """(width, height) where a map of the faces in a still says something: there is more than one."""
    file = report.file
    if file is None or not words.is_image(file) or len(report.tracks) < 2:
        return None
    return (file.width, file.height) if file.width and file.height else None


def gauge(probability: float, band: Band) -> Gauge:
    """The gauge of a P(fake) in [0, 1]."""
    low, high = 100 * band.real_below, 100 * band.fake_above
    return Gauge(
        at=100 * probability,
        real=Rect(0, low),
        unsure=Rect(low, high - low),
        fake=Rect(high, 100 - high),
        # Limits near an end or near each other: the labels turn away.
        ticks=(
            Tick(low, f"{band.real_below:.2f}", "end" if low > 10 else "start"),
            Tick(high, f"{band.fake_above:.2f}", "start" if high < 90 else "end"),
        ),
        summary=f"P(fake) {words.probability(probability)} on a scale from 0, real, to 1, fake. "
        + words.band(band)[0],
    )


def timelines(report: Report, people: Container[int] | None = None) -> dict[int, Timeline]:
    """One timeline per judged track, by track id, all over the same stretch of time; none for a still. Only
    those of `people`, by track id, where given."""
    times = sorted({face.time for track in report.tracks for face in track.faces})
    if len(times) < 2 or words.is_image(report.file):
        return {}
    duration = report.file.duration if report.file is not None else None
    end = max(times[-1], duration or 0.0)
    if end <= 0:
        return {}
    interval = sampling_interval(times)
    return {
        track.id: _timeline(track, report.band, end, interval)
        for track in report.tracks
        if track.judged and (people is None or track.id in people)
    }


def sampling_interval(times: Sequence[float]) -> float:
    """Seconds between looks: the median step between sorted, different times; 0 for fewer than two."""
    return median(b - a for a, b in pairwise(times)) if len(times) > 1 else 0.0


def _timeline(track: TrackReport, band: Band | None, end: float, interval: float) -> Timeline:
    def x(time: float) -> float:
        return round(100 * time / end, 3)

    def y(probability: float) -> float:
        return round(100 * (1 - probability), 2)

    stretches = _stretches(track.faces, UNSEEN_AFTER * interval)
    unseen = _unseen(stretches, end, UNSEEN_AFTER * interval)
    judged = track.judged
    dense = len(judged) > MOST_DOTS
    lines: list[Line] = []
    ranges: list[Line] = []
    for stretch in stretches:
        if dense:
            bins = list(_bins(stretch, end / MOST_DOTS))
            points = [(x(t), y(mean)) for t, mean, _, _ in bins]
            ranges += [Line(x(t), y(low), x(t), y(high)) for t, _, low, high in bins]
        else:
            points = [(x(f.time), y(f.probability)) for f in stretch if f.probability is not None]
        lines += [Line(*a, *b) for a, b in pairwise(points)]
    return Timeline(
        lines=tuple(lines),
        ranges=tuple(ranges),
        dots=()
        if dense
        else tuple(Dot(x(f.time), y(f.probability or 0.0), f.verdict, _title(f)) for f in judged),
        small=tuple(Tick(x(f.time), _title(f)) for f in track.faces if f.probability is None),
        unseen=tuple(
            Rect(x(a), x(b) - x(a), f"Not seen from {words.clock(a)} to {words.clock(b)}") for a, b in unseen
        ),
        fake=tuple(
            Rect(x(s.start), max(x(s.end) - x(s.start), 0.5), f"Fake: {words.span(s)}")
            for s in track.fake_spans
        ),
        band=None
        if band is None
        else Rect(y(band.fake_above), y(band.real_below) - y(band.fake_above), "Unsure"),
        ticks=tuple(Tick(x(t), label) for t, label in _ticks(end)),
        summary=_summary(track, unseen),
    )


def _stretches(faces: Iterable[FaceReport], gap: float) -> list[list[FaceReport]]:
    """The faces, in time, cut where none was seen for longer than `gap` seconds."""
    stretches: list[list[FaceReport]] = []
    for face in sorted(faces, key=lambda face: face.time):
        if stretches and face.time - stretches[-1][-1].time <= gap:
            stretches[-1].append(face)
        else:
            stretches.append([face])
    return stretches


def _unseen(stretches: list[list[FaceReport]], end: float, gap: float) -> list[tuple[float, float]]:
    edges = [0.0, *(t for stretch in stretches for t in (stretch[0].time, stretch[-1].time)), end]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > gap]


def _bins(stretch: list[FaceReport], width: float) -> Iterable[tuple[float, float, float, float]]:
    """(time, mean, lowest, highest) P(fake) of each `width` seconds that hold a judged face."""
    together: dict[int, list[float]] = {}
    for face in stretch:
        if face.probability is not None:
            together.setdefault(int(face.time / width), []).append(face.probability)
    for n, values in together.items():
        yield (n + 0.5) * width, sum(values) / len(values), min(values), max(values)


def _ticks(end: float) -> list[tuple[float, str]]:
    step = next((s for s in TICK_STEPS if end / s <= MOST_TICKS), end / MOST_TICKS)
    times = [n * step for n in range(int(end / step + 1e-6) + 1)]
    return [(t, words.clock(t) if step < 1 else words.clock(t)[:-2]) for t in times]


def _title(face: FaceReport) -> str:
    said = (
        words.HEADLINE[face.verdict]
        if face.probability is None
        else f"P(fake) {words.probability(face.probability)}"
    )
    return f"{words.clock(face.time)}, frame {face.frame}: {said}"


def _summary(track: TrackReport, unseen: list[tuple[float, float]]) -> str:
    values = [face.probability or 0.0 for face in track.judged]
    parts = [
        f"{words.number(len(values), 'face')} judged, P(fake) from {words.probability(min(values))} "
        f"to {words.probability(max(values))}, median {words.probability(median(values))}."
    ]
    parts += [f"Fake from {words.span(span)}." for span in track.fake_spans[:MOST_TOLD]]
    if len(track.fake_spans) > MOST_TOLD:
        parts.append(
            f"Fake in {words.number(len(track.fake_spans) - MOST_TOLD, 'more stretch', 'more stretches')}."
        )
    change = change_of(track)
    if change is not None:
        parts.append(words.change(change))
    if unseen:
        told = ", ".join(f"{words.clock(a)} to {words.clock(b)}" for a, b in unseen[:MOST_TOLD])
        more = f" and {words.number(len(unseen) - MOST_TOLD, 'more time')}" if len(unseen) > MOST_TOLD else ""
        parts.append(f"Not seen {told}{more}.")
    return " ".join(parts)
