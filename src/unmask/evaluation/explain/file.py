"""One file explained: its most telling faces, what in them moves the score, and whether the maps say so."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unmask.detector.model import load_model
from unmask.errors import UnmaskError
from unmask.evaluation.explain import DEFAULT_MAPS, FACES_OF_FILE
from unmask.evaluation.explain.check import Check, Curve, check
from unmask.evaluation.explain.cutting import Cutter
from unmask.evaluation.explain.judge import Crop, Fill, Grid, Judge
from unmask.evaluation.explain.maps import MAPS, agreement
from unmask.options import ScanOptions
from unmask.people import deciding
from unmask.report.charts import most_fake_first
from unmask.scanner import Scanner
from unmask.types import FaceReport, ModelFacts, Report, TrackReport, Verdict

Progress = Callable[[int, int], None]
"""Called with how many of how many steps are done."""

Rows = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Map:
    """A map over a crop: rows of equal length that cover it evenly, in log-odds; above 0 means fake."""

    name: str
    rows: Rows


@dataclass(frozen=True, slots=True)
class FaceExplained:
    """One face. `fake` says whether the checks follow P(fake) or P(real): the verdict's side, or where it is
    UNSURE the likelier one. `why` says why this face was taken. `agreement` is the rank correlation of the
    first two maps, None where there are not two or one says nothing."""

    person: int
    why: str
    frame: int
    time: float
    size: float
    verdict: Verdict
    probability: float
    fake: bool
    maps: tuple[Map, ...]
    agreement: float | None
    blank: dict[Fill, float]
    checks: tuple[Check, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True)
class FileExplained:
    """One file by one model. `name` is without its folders, `kind` is image or video. `lacking` are the maps
    asked for that the model does not give."""

    name: str
    sha256: str
    kind: str
    verdict: Verdict
    probability: float
    model: ModelFacts
    people: int
    lacking: tuple[str, ...]
    faces: tuple[FaceExplained, ...]
    unmask_version: str
    format: str = "unmask-explain-file/1"


MOST_SUSPICIOUS, MOST_GENUINE = "most suspicious face", "most genuine face"


def explain_file(
    model: str,
    path: Path,
    *,
    maps: Sequence[str] = DEFAULT_MAPS,
    faces: int = FACES_OF_FILE,
    frames: int | None = None,
    progress: Progress = lambda done, total: None,
) -> tuple[FileExplained, list[Crop]]:
    """What moves the score of the most telling `faces` of the file at `path`, and their crops.

    It is scanned as a user would, looking at `frames` of a video if given. `model` is a name or the path of a
    model file.

    Raises:
        ModelError: the model cannot be had, or gives no number for a face.
        UnmaskError: no such map, or the file cannot be judged: the message says why.
    """
    for name in maps:
        _ = MAPS[name]
    cutter = Cutter(Scanner(ScanOptions(model=(model,), frames=frames, evidence=0)))
    report = cutter.scan(path)
    probability = report.probability
    if probability is None or math.isnan(probability):
        said = report.message if probability is None else "the network gives no number for its faces"
        raise UnmaskError(f"{path.name}: {said}", hint=report.hint)
    chosen = telling_faces(report, faces)
    crops = cutter.crops(path, [face for _, _, face in chosen])
    judge = Judge(load_model(model, threads=os.cpu_count() or 1))
    progress(0, len(chosen))
    explained = []
    for (track, why, face), crop in zip(chosen, crops, strict=True):
        explained.append(_explained(judge, track, why, face, crop, maps))
        progress(len(explained), len(chosen))
    found = {map_.name for face in explained for map_ in face.maps}
    return FileExplained(
        name=path.name,
        sha256=report.file.sha256 if report.file else "",
        kind=report.file.kind if report.file else "",
        verdict=report.verdict,
        probability=round(probability, 4),
        model=report.models[0],
        people=sum(bool(track.judged) for track in report.tracks),
        lacking=tuple(name for name in maps if name not in found),
        faces=tuple(explained),
        unmask_version=report.unmask_version,
    ), crops


def telling_faces(report: Report, count: int) -> list[tuple[TrackReport, str, FaceReport]]:
    """Whom to explain: the most suspicious face of each person, whoever decides on the file first and then
    the most suspicious persons, and last the most genuine face of all; at most `count`, at least one."""
    who = deciding(report.tracks)
    ordered = sorted(report.tracks, key=lambda track: (track is not who, most_fake_first(track)))
    people = [track for track in ordered if track.judged]
    worst = [(track, MOST_SUSPICIOUS, max(track.judged, key=_suspicion)) for track in people]
    best = min(
        ((track, MOST_GENUINE, face) for track in people for face in track.judged),
        key=lambda found: _suspicion(found[2]),
    )
    if count == 1 or best[2] in [face for _, _, face in worst[:count]]:
        return worst[:count]
    return [*worst[: count - 1], best]


def maps_of(judge: Judge, crop: Crop, names: Iterable[str]) -> tuple[float, dict[str, Grid]]:
    """The log-odds of a crop, and the maps of these names that the model gives."""
    odds, own = judge.whole(crop)
    made = {name: MAPS[name](judge, crop, odds, own) for name in names}
    return odds, {name: rows for name, rows in made.items() if rows is not None}


def rows_of(grid: Grid) -> Rows:
    """A map as plain numbers."""
    return tuple(tuple(round(float(value), 4) for value in row) for row in grid)


def looks_fake(verdict: Verdict, odds: float) -> bool:
    """Whether P(fake) is what a face's score is followed by."""
    return verdict is Verdict.FAKE or (verdict is Verdict.UNSURE and odds > 0)


def _explained(
    judge: Judge, track: TrackReport, why: str, face: FaceReport, crop: Crop, names: Sequence[str]
) -> FaceExplained:
    odds, maps = maps_of(judge, crop, names)
    fake = looks_fake(face.verdict, odds)
    checked = check(judge, crop, maps, odds=odds, fake=fake)
    first_two = list(maps.values())[:2]
    agree = agreement(*first_two) if len(first_two) == 2 else None
    return FaceExplained(
        person=track.id,
        why=why,
        frame=face.frame,
        time=round(face.time, 3),
        size=round(face.size, 1),
        verdict=face.verdict,
        probability=round(face.probability or 0.0, 4),
        fake=fake,
        maps=tuple(Map(name, rows_of(grid)) for name, grid in maps.items()),
        agreement=None if agree is None else round(agree, 4),
        blank={fill: round(value, 4) for fill, value in checked.blank.items()},
        checks=checked.checks,
        curves=checked.curves,
    )


def _suspicion(face: FaceReport) -> float:
    return face.probability or 0.0
