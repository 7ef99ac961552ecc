"""Labelled media explained: what a model looks at on real faces and on each method's fakes, on average."""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unmask.detector.detector import Detector
from unmask.detector.model import load_model
from unmask.errors import DataError
from unmask.evaluation.explain import DEFAULT_MAPS, FACES_OF_MEDIUM, LIMIT
from unmask.evaluation.explain.check import Rival, Several, check
from unmask.evaluation.explain.cutting import Cutter
from unmask.evaluation.explain.file import Rows, looks_fake, maps_of, rows_of
from unmask.evaluation.explain.judge import Crop, Judge
from unmask.evaluation.explain.maps import MAPS
from unmask.evaluation.explain.means import (
    OWN,
    GroupCheck,
    OneFace,
    group_checks,
    map_against,
    mean_map,
)
from unmask.faces.crop import CropSpec
from unmask.isolated import Lost, isolated
from unmask.options import ScanOptions
from unmask.people import deciding
from unmask.scanner import Scanner
from unmask.types import FaceReport, ModelFacts, Report
from unmask.version import __version__

if TYPE_CHECKING:
    # Its module needs polars, which explaining single files must not.
    from unmask.evaluation.table import Medium

REAL = "real"
NOT_STATED = "fake, method not stated"

ORDERS, COPIES = 2, 1
"""Random orders, and moved copies of each map, that every face is held against: here the faces are many."""

Progress = Callable[[int, int], None]
"""Called with how many of how many media are done."""


@dataclass(frozen=True, slots=True)
class MeanMap:
    """The mean of a map over a group, in log-odds, and `against_real`: in standard deviations of single real
    recordings, how far it lies from theirs (empty where there are too few, and for the reals)."""

    name: str
    rows: Rows
    against_real: Rows


@dataclass(frozen=True, slots=True)
class Group:
    """Real faces, or the fakes of one method. `odds` is the mean of the faces' log-odds, `called_fake` the
    share of them whose P(fake) was followed by the checks."""

    name: str
    fake: bool
    media: int
    judged: int
    recordings: int
    faces: int
    odds: float
    called_fake: float
    maps: tuple[MeanMap, ...]
    checks: tuple[GroupCheck, ...]


@dataclass(frozen=True, slots=True)
class MediaExplained:
    """Labelled media by one model, reals first; groups of which no face was judged are left out and counted
    in `unjudged`, by the reason. `left_out` media were beyond the limit."""

    on: str
    model: ModelFacts
    crop: CropSpec
    groups: tuple[Group, ...]
    left_out: int
    unjudged: dict[str, int]
    lacking: tuple[str, ...]
    unmask_version: str
    format: str = "unmask-explain-media/1"


def explain_media(
    model: str,
    media: Sequence[Medium],
    on: str,
    *,
    maps: Sequence[str] = DEFAULT_MAPS,
    limit: int = LIMIT,
    faces: int = FACES_OF_MEDIUM,
    frames: int | None = None,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> MediaExplained:
    """Mean maps and their checks by method, over at most `limit` media of each. Of a video `faces` count,
    spread evenly over time.

    `on` is what the media are called in the outcome.

    Raises:
        ModelError: the model cannot be had, or gives no number for a face.
        UnmaskError: no such map.
        DataError: not one of the media has a face that could be judged.
    """
    for name in maps:
        _ = MAPS[name]
    # Opened here so that a wrong model is told before any work.
    detector = Detector.load([model])
    chosen = chosen_media(media, limit)
    found: dict[str, list[OneFace]] = {}
    judged: Counter[str] = Counter()
    unjudged: Counter[str] = Counter()
    progress(0, len(chosen))
    for done, (medium, outcome) in enumerate(_work(chosen, model, maps, faces, frames, workers), start=1):
        if isinstance(outcome, str):
            unjudged[outcome] += 1
        else:
            judged[group_of(medium)] += 1
            found.setdefault(group_of(medium), []).extend(outcome)
        progress(done, len(chosen))
    if not found:
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(unjudged.items()))
        raise DataError(f"no face in {on} could be judged: {why}", hint="see with `unmask scan` why not")
    media_of = Counter(group_of(medium) for medium in chosen)
    reals = found.get(REAL, [])
    given = [name for name in maps if name in next(iter(found.values()))[0].maps]
    names = sorted(found, key=lambda name: (name != REAL, name))
    groups = tuple(
        _group(name, found[name], reals, given, media=media_of[name], judged=judged[name]) for name in names
    )
    return MediaExplained(
        on=on,
        model=detector.facts[0],
        crop=detector.models[0].card.crop,
        groups=groups,
        left_out=len(media) - len(chosen),
        unjudged=dict(sorted(unjudged.items())),
        lacking=tuple(name for name in maps if name not in given),
        unmask_version=__version__,
    )


def group_of(medium: Medium) -> str:
    """The group that a medium belongs to."""
    return (medium.method or NOT_STATED) if medium.fake else REAL


def chosen_media(media: Sequence[Medium], limit: int) -> list[Medium]:
    """At most `limit` media of each group, of as many recordings and data sets as can be, in the order they
    were given."""
    groups: dict[str, list[Medium]] = {}
    for medium in media:
        groups.setdefault(group_of(medium), []).append(medium)
    chosen: set[str] = set()
    for group in groups.values():
        of_source: Counter[tuple[str, str]] = Counter()
        of_dataset: Counter[tuple[str, int]] = Counter()
        ranked = []
        for medium in sorted(group, key=lambda medium: _draw(medium.id)):
            turn = of_source[medium.dataset, medium.source]
            of_source[medium.dataset, medium.source] += 1
            ranked.append((turn, of_dataset[medium.dataset, turn], _draw(medium.id), medium.id))
            of_dataset[medium.dataset, turn] += 1
        chosen.update(name for *_, name in sorted(ranked)[:limit])
    return [medium for medium in media if medium.id in chosen]


def _draw(name: str) -> bytes:
    """An order that says nothing and stays the same."""
    return hashlib.sha256(name.encode(errors="surrogateescape")).digest()


def _group(
    name: str,
    faces: Sequence[OneFace],
    reals: Sequence[OneFace],
    maps: Sequence[str],
    *,
    media: int,
    judged: int,
) -> Group:
    fake = name != REAL
    told = []
    for map_ in maps:
        against = map_against(faces, reals, map_) if fake else None
        told.append(
            MeanMap(map_, rows_of(mean_map(faces, map_)), () if against is None else rows_of(against))
        )
    return Group(
        name=name,
        fake=fake,
        media=media,
        judged=judged,
        recordings=len({face.source for face in faces}),
        faces=len(faces),
        odds=round(float(np.mean([face.odds for face in faces])), 4),
        called_fake=round(float(np.mean([face.fake for face in faces])), 4),
        maps=tuple(told),
        checks=tuple(group_checks(faces)),
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every worker is asked to do with a medium."""

    maps: tuple[str, ...]
    faces: int


_cutter: Cutter
_judge: Judge
_asked: _Asked
"""Of a worker process."""


def _work(
    media: Sequence[Medium],
    model: str,
    maps: Sequence[str],
    faces: int,
    frames: int | None,
    workers: int | None,
) -> Iterator[tuple[Medium, list[OneFace] | str]]:
    cores = os.cpu_count() or 1
    count = min(workers or cores, len(media))
    options = ScanOptions(model=(model,), frames=frames, evidence=0, threads=max(1, cores // count))
    results = isolated(
        media,
        _explain_one,
        workers=count,
        timeout=options.timeout,
        prepare=_open,
        prepared_with=[options, _Asked(tuple(maps), faces)],
    )
    with contextlib.closing(results):
        for medium, result in results:
            if isinstance(result, Lost):
                yield medium, "TIMED_OUT" if result.hung else "UNREADABLE"
            else:
                yield medium, result


def _open(options: ScanOptions, asked: _Asked) -> None:
    global _cutter, _judge, _asked
    _cutter, _asked = Cutter(Scanner(options)), asked
    _judge = Judge(load_model(options.model[0], threads=options.threads))


def _explain_one(medium: Medium) -> list[OneFace] | str:
    """What the faces of a medium give, or why there is none."""
    report = _cutter.scan(Path(medium.path))
    faces = spread_faces(report, _asked.faces)
    if not faces:
        return "NO_NUMBER" if report.verdict.is_judgement else report.verdict.value
    crops = _cutter.crops(medium.path, faces)
    return [_one_face(medium, face, crop) for face, crop in zip(faces, crops, strict=True)]


def spread_faces(report: Report, count: int) -> list[FaceReport]:
    """At most `count` faces of the person who decides on the file, from the middles of equal stretches of
    those judged; not the most telling, which would make means of extremes."""
    who = deciding(report.tracks)
    judged = [] if who is None else [f for f in who.judged if not math.isnan(f.probability or 0.0)]
    if len(judged) <= count:
        return judged
    return [judged[(2 * n + 1) * len(judged) // (2 * count)] for n in range(count)]


def _one_face(medium: Medium, face: FaceReport, crop: Crop) -> OneFace:
    odds, maps = maps_of(_judge, crop, _asked.maps)
    fake = looks_fake(face.verdict, odds)
    seed = int.from_bytes(_draw(f"{medium.id}\0{face.frame}")[:8])
    checked = check(_judge, crop, maps, odds=odds, fake=fake, orders=ORDERS, copies=COPIES, seed=seed)
    areas = {}
    for found in checked.checks:
        rivals = {rival: getattr(found, rival) for rival in Rival}
        areas[found.map, found.fill, found.way] = {OWN: found.area} | {
            str(rival): value.mean if isinstance(value, Several) else value for rival, value in rivals.items()
        }
    source = f"{medium.dataset}/{medium.source}"
    return OneFace(source=source, odds=odds, fake=fake, maps=maps, areas=areas)
