"""Who decides on a file, and what a stretch of fake faces is."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from unmask.detector.detector import Detector
from unmask.faces.crop import CropSpec
from unmask.media import MediaFacts
from unmask.options import ScanOptions
from unmask.people import Person, Sighting, deciding, glimpsed_fake
from unmask.scanner import Scanner, _Seen
from unmask.types import Band, Coverage, Face, Report, TrackReport, Verdict

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


def judged_file(make_model: Callable[..., Path], *people: list[float], left_out: int = 0) -> Report:
    """What is said of a video in which each of `people` has these raw scores, a second apart."""
    scanner = Scanner(ScanOptions(model=(str(make_model()),), aggregation="mean"))
    known = {}
    for number, raws in enumerate(people, start=1):
        known[number] = Person(number, keep=0, crop=CropSpec())
        for frame, raw in enumerate(raws):
            known[number].sightings.append(Sighting(frame, float(frame), FACE, np.array([raw])))
    judged = sum(map(len, people))
    coverage = Coverage(faces_found=judged + left_out, faces_judged=judged)
    facts = MediaFacts("video", "mp4", "h264", "", 8, 640, 480, 0, 30.0, False, 8.7, 260, False, (), 1, "")
    return scanner._judge(_Seen(Path("x.mp4"), facts, coverage, known), scanner.detector)


def test_the_file_is_unsure_where_a_fake_person_was_only_glimpsed(make_model: Callable[..., Path]) -> None:
    report = judged_file(make_model, [-3.0] * 20, [4.0] * 2)
    assert report.verdict is Verdict.UNSURE
    assert "person 2" in report.message
    assert "only 2" in report.message
    assert [track.verdict for track in report.tracks] == [Verdict.REAL, Verdict.UNSURE]


def test_nobody_is_real_who_is_fake_for_a_while(make_model: Callable[..., Path]) -> None:
    report = judged_file(make_model, [-9.0] * 40 + [6.0] * 6, [-3.0] * 46)
    assert report.tracks[0].fake_spans
    assert [track.verdict for track in report.tracks] == [Verdict.UNSURE, Verdict.REAL]
    assert report.verdict is Verdict.UNSURE
    assert re.match(r"person 1 of 2 cannot be told as a whole, but .* at \d\d\.0-45\.0 s", report.message)


def test_a_file_is_not_real_where_faces_were_left_out(make_model: Callable[..., Path]) -> None:
    assert judged_file(make_model, [-3.0] * 20).verdict is Verdict.REAL
    report = judged_file(make_model, [-3.0] * 20, left_out=7)
    assert report.verdict is Verdict.UNSURE
    assert report.message.startswith("7 faces were not judged")
    assert "--max-faces" in report.hint
    assert judged_file(make_model, [4.0] * 20, left_out=7).verdict is Verdict.FAKE
