"""Who decides on a file, and what a stretch of fake faces is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from unmask.detector.detector import Detector
from unmask.faces.crop import CropSpec
from unmask.people import Person, Sighting, deciding, glimpsed_fake
from unmask.types import Band, Face, TrackReport, Verdict

BAND = Band(0.3, 0.7, 0.05, 0.05)
FACE = Face((0.0, 0.0, 80.0, 80.0), ((0.0, 0.0),) * 5, 0.9)


def track(number: int, probability: float, faces: int, make_model: Callable[..., Path]) -> TrackReport:
    detector = Detector.load([make_model()])
    person = Person(number, keep=0, crop=CropSpec())
    raw = np.array([np.log(probability / (1 - probability))])
    for frame in range(faces):
        person.sightings.append(Sighting(frame, frame / 3, FACE, raw))
    return person.report(detector, BAND)


def test_a_glimpsed_fake_does_not_decide_but_is_told(make_model: Callable[..., Path]) -> None:
    tracks = (track(1, 0.1, 20, make_model), track(2, 0.98, 2, make_model))
    who = deciding(tracks)
    assert who is not None
    assert who.id == 1
    glimpsed = glimpsed_fake(tracks, BAND)
    assert glimpsed is not None
    assert glimpsed.id == 2
    assert glimpsed_fake((tracks[0], track(2, 0.5, 2, make_model)), BAND) is None
    assert glimpsed_fake((tracks[1],), BAND) is None


def test_a_fake_stretch_does_not_reach_over_a_time_unseen(make_model: Callable[..., Path]) -> None:
    detector = Detector.load([make_model()])
    person = Person(1, keep=0, crop=CropSpec())
    for start in (0, 500):
        for frame in range(start, start + 100, 10):
            person.sightings.append(Sighting(frame, frame / 10, FACE, np.array([4.0])))
    spans = person.report(detector, BAND).fake_spans
    assert [(span.start, span.end) for span in spans] == [(0.0, 9.0), (50.0, 59.0)]


def test_the_file_is_unsure_where_a_fake_person_was_only_glimpsed(make_model: Callable[..., Path]) -> None:
    from unmask.media import MediaFacts
    from unmask.options import ScanOptions
    from unmask.scanner import Scanner, _Seen
    from unmask.types import Coverage

    scanner = Scanner(ScanOptions(model=(str(make_model()),)))
    people = {}
    for number, raw, faces in ((1, -3.0, 20), (2, 4.0, 2)):
        people[number] = Person(number, keep=0, crop=CropSpec())
        for frame in range(faces):
            people[number].sightings.append(Sighting(frame, frame / 3, FACE, np.array([raw])))
    facts = MediaFacts("video", "mp4", "h264", "", 8, 640, 480, 0, 30.0, False, 8.7, 260, False, (), 1, "")
    report = scanner._judge(_Seen(Path("x.mp4"), facts, Coverage(), people), scanner.detector)
    assert report.verdict is Verdict.UNSURE
    assert "person 2" in report.message
    assert "only 2" in report.message
