"""Gather the judged faces of a file by person while it streams past, and sum each person up at the end."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.detector.detector import Detector, FaceScore
from unmask.faces.crop import CropSpec, crop_corners
from unmask.types import Band, Evidence, Face, FaceReport, PartialPerson, Point, Span, TrackReport, Verdict

SPAN_FACES = 5
"""Consecutive faces averaged before a stretch of time is called fake: single odd frames are not news."""

LONGEST_GAP = 2.5
"""Usual steps between two sightings after which a person counts as not seen in between."""

LEAST_FACES = 3
"""A person seen in fewer samples than this does not decide on a video in which others are seen for longer."""

CROP_QUALITY = 90
"""JPEG quality of the crops kept as evidence."""


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One face in one frame, before or after it was judged (`raw` is None where it is too small)."""

    frame: int
    time: float
    face: Face
    raw: NDArray[np.float64] | None = None


@dataclass(order=True, slots=True)
class _Kept:
    """Evidence of one face, ordered by how much it is worth keeping."""

    worth: float
    frame: int
    evidence: Evidence = field(compare=False)


class Person:
    """All sightings of one track, and the few crops kept as evidence. Memory: some 300 bytes a sighting."""

    def __init__(self, track_id: int, keep: int, crop: CropSpec) -> None:
        self.id = track_id
        self.crop = crop
        self.sightings: list[Sighting] = []
        self._most_fake: list[_Kept] = []
        self._most_real: list[_Kept] = []
        self._keep_fake = (keep + 1) // 2
        self._keep_real = keep // 2

    def add(self, sighting: Sighting) -> None:
        """A face too small to judge."""
        self.sightings.append(sighting)

    def add_judged(self, sighting: Sighting, score: FaceScore, crop: NDArray[np.uint8]) -> None:
        """A judged face; its crop is kept while it is among the most telling ones."""
        self.sightings.append(sighting)
        worth = float(score.raw.mean())
        for heap, value, room in (
            (self._most_fake, worth, self._keep_fake),
            (self._most_real, -worth, self._keep_real),
        ):
            if room and (len(heap) < room or value > heap[0].worth):
                corners = crop_corners(sighting.face.landmarks, self.crop)
                kept = _Kept(value, sighting.frame, _evidence(crop, score.evidence, corners))
                (heapq.heappush if len(heap) < room else heapq.heapreplace)(heap, kept)

    def so_far(self, detector: Detector, band: Band) -> PartialPerson | None:
        """The person as judged until now, None where no face was."""
        raws = [s.raw for s in self.sightings if s.raw is not None and detector.gives_number(s.raw)]
        if not raws:
            return None
        probability = detector.probability(raws)
        return PartialPerson(
            self.id, band.verdict(probability), probability, len(raws), self.sightings[-1].time
        )

    def report(self, detector: Detector, band: Band) -> TrackReport:
        """The person summed up."""
        evidence = {kept.frame: kept.evidence for kept in (*self._most_real, *self._most_fake)}
        sightings = sorted(self.sightings, key=lambda s: s.frame)
        faces = tuple(_face_report(s, evidence.get(s.frame), detector, band) for s in sightings)
        raws = [s.raw for s in sightings if s.raw is not None]
        probability = detector.probability(raws) if raws else None
        spans = tuple(_fake_spans([s for s in sightings if s.raw is not None], detector, band))
        verdict = Verdict.FACE_TOO_SMALL if probability is None else band.verdict(probability)
        return TrackReport(
            id=self.id,
            # Who is fake for a while is not real, whatever all of it together says.
            verdict=Verdict.UNSURE if verdict is Verdict.REAL and spans else verdict,
            probability=probability,
            start=sightings[0].time,
            end=sightings[-1].time,
            faces=faces,
            fake_spans=spans,
        )


def deciding(tracks: tuple[TrackReport, ...]) -> TrackReport | None:
    """The person who decides on the whole file: the one most likely fake, None where nobody was judged.

    One manipulated person in a crowd makes a file fake, so the highest probability counts; persons glimpsed
    in fewer than `LEAST_FACES` samples count only where nobody was seen for longer.
    """
    judged = [track for track in tracks if track.probability is not None]
    if not judged:
        return None
    enough = _enough(judged)
    return max(
        (track for track in judged if len(track.judged) >= enough),
        key=lambda track: track.probability or 0.0,
    )


def settled(tracks: tuple[TrackReport, ...]) -> tuple[TrackReport, ...]:
    """`tracks`, where persons seen too shortly to decide are not called FAKE either."""
    judged = [track for track in tracks if track.probability is not None]
    enough = _enough(judged) if judged else 0
    return tuple(
        replace(track, verdict=Verdict.UNSURE)
        if track.verdict is Verdict.FAKE and len(track.judged) < enough
        else track
        for track in tracks
    )


def partly_fake(tracks: tuple[TrackReport, ...]) -> TrackReport | None:
    """The person with the stretch of time that is most likely fake, None where nobody has one."""
    return max(
        (track for track in tracks if track.fake_spans),
        key=lambda track: max(span.probability for span in track.fake_spans),
        default=None,
    )


def deciding_so_far(people: Sequence[PartialPerson]) -> PartialPerson | None:
    """The person who would decide if the file ended here, by the rule of `deciding`."""
    enough = min(LEAST_FACES, max((person.judged for person in people), default=0))
    return max(
        (person for person in people if person.judged >= enough),
        key=lambda person: person.probability,
        default=None,
    )


def glimpsed_fake(tracks: tuple[TrackReport, ...], band: Band) -> TrackReport | None:
    """The person most likely fake of those seen too shortly to decide, where that is FAKE; None otherwise."""
    judged = [track for track in tracks if track.probability is not None]
    enough = _enough(judged) if judged else 0
    short = [track for track in judged if len(track.judged) < enough]
    worst = max(short, key=lambda track: track.probability or 0.0, default=None)
    return worst if worst is not None and (worst.probability or 0.0) >= band.fake_above else None


def _enough(judged: Sequence[TrackReport]) -> int:
    """The samples a person must be seen in to decide on the file."""
    return min(LEAST_FACES, max(len(track.judged) for track in judged))


def _face_report(sighting: Sighting, evidence: Evidence | None, detector: Detector, band: Band) -> FaceReport:
    probability = None if sighting.raw is None else detector.probability([sighting.raw])
    return FaceReport(
        frame=sighting.frame,
        time=sighting.time,
        box=sighting.face.box,
        landmarks=sighting.face.landmarks,
        detection_score=sighting.face.score,
        size=sighting.face.size,
        verdict=Verdict.FACE_TOO_SMALL if probability is None else band.verdict(probability),
        probability=probability,
        evidence=evidence,
    )


def _fake_spans(sightings: list[Sighting], detector: Detector, band: Band) -> list[Span]:
    """Stretches in which runs of `SPAN_FACES` faces, taken together, are FAKE; touching ones are joined.

    A run does not reach over a time in which the person was not seen.
    """
    spans: list[Span] = []
    for run in _unbroken(sightings):
        spans += _spans_of_run(run, detector, band)
    return spans


def _unbroken(sightings: list[Sighting]) -> list[list[Sighting]]:
    """The sightings cut wherever the next one comes after more than `LONGEST_GAP` usual steps."""
    if len(sightings) < SPAN_FACES:
        return []
    steps = np.diff([s.frame for s in sightings])
    breaks = np.flatnonzero(steps > LONGEST_GAP * np.median(steps)) + 1
    edges = [0, *breaks.tolist(), len(sightings)]
    return [sightings[a:b] for a, b in itertools.pairwise(edges)]


def _spans_of_run(sightings: list[Sighting], detector: Detector, band: Band) -> list[Span]:
    spans: list[Span] = []
    raws = [s.raw for s in sightings if s.raw is not None]
    for first in range(len(sightings) - SPAN_FACES + 1):
        probability = detector.mean_probability(raws[first : first + SPAN_FACES])
        if probability < band.fake_above:
            continue
        start, end = sightings[first].time, sightings[first + SPAN_FACES - 1].time
        if spans and start <= spans[-1].end:
            spans[-1] = Span(spans[-1].start, end, max(spans[-1].probability, probability))
        else:
            spans.append(Span(start, end, probability))
    return spans


def _evidence(
    crop: NDArray[np.uint8], heatmap: NDArray[np.float32] | None, corners: tuple[Point, ...]
) -> Evidence:
    packed = cv2.imencode(".jpg", crop[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, CROP_QUALITY))[1]
    rows = () if heatmap is None else tuple(tuple(round(float(v), 4) for v in row) for row in heatmap)
    return Evidence(packed.tobytes(), rows, tuple((round(x, 1), round(y, 1)) for x, y in corners))
