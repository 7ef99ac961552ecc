"""What a report on paper says and shows, piece by piece and in its order; the template only sets it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from unmask.report import charts, words
from unmask.report.evidence import Shown, scale_of, show, telling
from unmask.types import Band, BoxXYXY, FaceReport, Report, TrackReport, Verdict

SMALL_STEP = 1.5
"""Percent of a timeline's width: crosses for faces too small that lie closer would print as a smear."""

PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">'
    '<image href="{}" width="1" height="1" preserveAspectRatio="xMidYMid slice"/></svg>'
)
"""A square with a JPEG in it: typst takes only text as files in memory, and faces should not touch the
disk."""

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Said:
    """A verdict as it is printed: a tone to colour it, and the sign and word that say it without colour."""

    tone: str
    sign: str
    word: str
    number: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture in the PDF: the name of its file in memory, and what it shows, in words."""

    file: str
    alt: str


@dataclass(frozen=True, slots=True)
class FaceOnPaper:
    """A telling face with its caption; `when` is empty for a still."""

    said: Said
    when: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, slots=True)
class Drawing:
    """A timeline with its strokes joined: `curve` and `ranges` are paths of (x, y) in percent."""

    curve: tuple[tuple[tuple[float, float], ...], ...]
    ranges: tuple[tuple[tuple[float, float], ...], ...]
    dots: tuple[tuple[float, float, str], ...]
    small: tuple[float, ...]
    unseen: tuple[charts.Rect, ...]
    fake: tuple[charts.Rect, ...]
    band: charts.Rect | None
    ticks: tuple[charts.Tick, ...]
    summary: str


@dataclass(frozen=True, slots=True)
class PersonOnPaper:
    """One person: a line in the table, and what stands below it if `told`."""

    name: str
    number: int
    said: Said
    seen: str
    judged: str
    size: str
    told: bool
    drawing: Drawing | None
    faces: tuple[FaceOnPaper, ...]
    boxes: tuple[BoxXYXY, ...]


@dataclass(frozen=True, slots=True)
class ModelOnPaper:
    name: str
    description: str
    facts: Pairs


@dataclass(frozen=True, slots=True)
class Document:
    """All that the template prints, in its order.

    `stamp` is when the scan began, in seconds since 1970, None where the report does not say; `picture` is
    the width and height of a still with several faces.
    """

    title: str
    author: str
    name: str
    scanned: str
    stamp: int | None
    still: bool
    said: Said
    why: str
    hint: str
    meaning: str
    gauge: charts.Gauge | None
    limits_of_verdicts: str
    people: tuple[PersonOnPaper, ...]
    picture: tuple[int, int] | None
    heat: str
    reading: str
    coverage: tuple[str, ...]
    how_sure: str
    limits: tuple[str, ...]
    file: Pairs
    models: tuple[ModelOnPaper, ...]
    scan: Pairs


def lay_out(report: Report) -> tuple[Document, dict[str, bytes]]:
    """What to print, and the pictures in it by file name."""
    tracks = sorted(report.tracks, key=charts.most_fake_first)
    chosen = {track.id: telling(track) for track in tracks}
    scale = scale_of(face for faces in chosen.values() for face in faces)
    drawings = charts.timelines(report)
    pictures: dict[str, bytes] = {}
    name = Path(report.path).name or report.path
    still = words.is_image(report.file)
    band = None if report.probability is None else report.band
    version = f"unmask {report.unmask_version}".strip()
    document = Document(
        title=f"{words.HEADLINE[report.verdict]}: {name} (unmask report)",
        author=version,
        name=name,
        scanned=dict(words.scan_facts(report)).get("Scanned", ""),
        stamp=_stamp(report),
        still=still,
        said=_said(report.verdict, report.probability, report.band),
        why=words.sentence(report.message),
        hint=words.sentence(report.hint),
        meaning=words.meaning(report),
        gauge=None if band is None else charts.gauge(report.probability or 0.0, band),
        limits_of_verdicts="" if band is None else " ".join((words.SCALE, *words.band(band))),
        people=tuple(
            _person(
                track,
                report,
                drawings.get(track.id),
                tuple(_faces(track, chosen[track.id], scale, still, pictures)),
            )
            for track in tracks
        ),
        picture=charts.picture_size(report),
        heat=f"{scale:.1f}" if scale > 0 else "",
        reading=words.HEATMAP
        + (f" It shows the first of the {len(report.models)} models." if len(report.models) > 1 else ""),
        coverage=tuple(words.sentence(line) for line in words.coverage(report.coverage, report.file)),
        how_sure=words.how_sure(report),
        limits=words.limits(report) if report.verdict.is_judgement else (),
        file=words.facts(report.file) if report.file is not None else (),
        models=tuple(
            ModelOnPaper(words.model(m), words.sentence(m.description), words.model_facts(m))
            for m in report.models
        ),
        scan=words.scan_facts(report),
    )
    return document, pictures


def _said(verdict: Verdict, probability: float | None, band: Band | None = None) -> Said:
    tone = verdict.lower() if verdict.is_judgement else "none"
    return Said(
        tone,
        words.SYMBOL[verdict],
        words.HEADLINE[verdict],
        "" if probability is None else words.probability(probability, band),
    )


def _person(
    track: TrackReport, report: Report, timeline: charts.Timeline | None, faces: tuple[FaceOnPaper, ...]
) -> PersonOnPaper:
    start, end = words.clock(track.start), words.clock(track.end)
    return PersonOnPaper(
        name=words.person(track),
        number=track.id,
        said=_said(track.verdict, track.probability, report.band),
        seen=f"once, at {start}" if len(track.faces) == 1 else f"{start} to {end}",
        judged=f"{len(track.judged):,} of {len(track.faces):,}",
        size=f"{round(track.faces[0].size)} px" if track.faces else "–",
        told=bool(track.judged) or len(report.tracks) == 1,
        drawing=None if timeline is None else _drawing(timeline),
        faces=faces,
        boxes=tuple(face.box for face in track.faces) if charts.picture_size(report) else (),
    )


def _drawing(timeline: charts.Timeline) -> Drawing:
    steps = {round(tick.x / SMALL_STEP) for tick in timeline.small}
    return Drawing(
        curve=tuple(_joined(timeline.lines)),
        ranges=tuple(((line.x1, line.y1), (line.x2, line.y2)) for line in timeline.ranges),
        dots=tuple((dot.x, dot.y, dot.verdict.lower()) for dot in timeline.dots),
        small=tuple(step * SMALL_STEP for step in sorted(steps)),
        unseen=timeline.unseen,
        fake=timeline.fake,
        band=timeline.band,
        ticks=timeline.ticks,
        summary=timeline.summary,
    )


def _joined(lines: Iterable[charts.Line]) -> Iterator[tuple[tuple[float, float], ...]]:
    """Lines that follow on each other as paths: one stroke instead of hundreds keeps the file small."""
    path: list[tuple[float, float]] = []
    for line in lines:
        if path and path[-1] != (line.x1, line.y1):
            yield tuple(path)
            path = []
        path += [(line.x1, line.y1)] * (not path) + [(line.x2, line.y2)]
    if path:
        yield tuple(path)


def _faces(
    track: TrackReport, faces: list[FaceReport], scale: float, still: bool, pictures: dict[str, bytes]
) -> Iterator[FaceOnPaper]:
    """The telling faces of one person; their pictures are put into `pictures`."""
    for n, face in enumerate(faces):
        shown = show(face, scale)
        if shown is None:
            continue
        when = "" if still else f"{words.clock(face.time)}, frame {face.frame}"
        names = tuple(_pair(track, shown, f"face-{track.id}-{n}", pictures))
        yield FaceOnPaper(_said(face.verdict, face.probability), when, names)


def _pair(track: TrackReport, shown: Shown, stem: str, pictures: dict[str, bytes]) -> Iterator[Picture]:
    alts = (
        f"Face of {words.person(track)} as it was judged",
        "The same face in grey, red where it spoke for a fake and blue where it spoke for a real face",
    )
    for kind, address, alt in zip("ab", (shown.crop, shown.overlay), alts, strict=True):
        if address is not None:
            name = f"{stem}{kind}.svg"
            pictures[name] = PICTURE.format(address).encode("ascii")
            yield Picture(name, alt)


def _stamp(report: Report) -> int | None:
    try:
        time = datetime.fromisoformat(report.scanned)
    except ValueError:
        return None
    return int((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp())
