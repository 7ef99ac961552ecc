"""Reports made up for the tests: two people in a video, one of them fake for a while."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from unmask.types import (
    Band,
    BoxXYXY,
    Coverage,
    Evidence,
    FaceReport,
    FileFacts,
    ModelFacts,
    OperatingPoint,
    Report,
    Span,
    TrackReport,
    Verdict,
)

BAND = Band(real_below=0.3, fake_above=0.8, false_alarm_rate=0.05, miss_rate=0.125)

POINTS = (OperatingPoint(0.95, 0.0092, 0.412), OperatingPoint(0.8, 0.05, 0.6), OperatingPoint(0.5, 0.1, 0.74))
"""From few false alarms to many; the middle one is where the test reports' band begins."""

HOSTILE = '<script>alert(1)</script> [red]x[/red] \x1b[31m\u202egpj.\n&".mp4'
"""A file name that tries every trick at once: tags, rich markup, terminal codes, right-to-left override."""

LANDMARKS = ((10.0, 10.0), (20.0, 10.0), (15.0, 15.0), (11.0, 20.0), (19.0, 20.0))


def evidence(seed: int = 0) -> Evidence:
    """A noise picture as crop, and a heatmap with both signs."""
    rng = np.random.default_rng(seed)
    _, jpeg = cv2.imencode(".jpg", rng.integers(0, 255, (64, 64, 3), np.uint8))
    return Evidence(jpeg.tobytes(), tuple(tuple(float(v) for v in row) for row in rng.normal(0, 2, (7, 7))))


def face(
    time: float,
    probability: float | None,
    box: BoxXYXY = (40.0, 30.0, 80.0, 80.0),
    *,
    shown: Evidence | None = None,
    frame_rate: float = 30.0,
) -> FaceReport:
    """A face judged by `BAND`; too small where it has no probability."""
    return FaceReport(
        frame=round(time * frame_rate),
        time=time,
        box=box,
        landmarks=LANDMARKS,
        detection_score=0.9,
        size=50.0,
        verdict=Verdict.FACE_TOO_SMALL if probability is None else BAND.verdict(probability),
        probability=probability,
        evidence=shown,
    )


def track(track_id: int, faces: list[FaceReport], probability: float | None, *spans: Span) -> TrackReport:
    """A person with these faces."""
    return TrackReport(
        id=track_id,
        verdict=Verdict.FACE_TOO_SMALL if probability is None else BAND.verdict(probability),
        probability=probability,
        start=faces[0].time,
        end=faces[-1].time,
        faces=tuple(faces),
        fake_spans=spans,
    )


def video_report(path: str = "clips/street.mp4") -> Report:
    """One minute, three looks a second: person 1 is fake from 20 to 30 s, person 2 comes and goes."""
    first, second = [], []
    for n in range(180):
        time = n / 3
        fake = 20 <= time <= 30
        first.append(face(time, 0.95 if fake else 0.06, shown=evidence(n) if n in (10, 70) else None))
        if time >= 25 and not 40 < time < 50:
            second.append(face(time, None if time < 26 else 0.12, (120.0, 30.0, 160.0, 80.0)))
    return Report(
        path=path,
        verdict=Verdict.FAKE,
        probability=0.93,
        message="person 1 of 2 shows traces of manipulation at 20.0-30.0 s",
        file=FileFacts(
            name=path,
            size_bytes=12_345_678,
            sha256="0f" * 32,
            kind="video",
            container="mp4",
            codec="h264",
            width=320,
            height=240,
            frame_rate=30.0,
            duration=60.0,
            frame_count=1800,
            has_audio=True,
            tags=(("encoder", "Lavf <60>"),),
        ),
        coverage=Coverage(1800, 180, 0, 180, len(first) + len(second), len(first) + len(second) - 3, 3),
        tracks=(track(1, first, 0.93, Span(20.0, 30.0, 0.95)), track(2, second, 0.12)),
        models=(
            ModelFacts(
                name="fast",
                version="1.0",
                sha256="ab" * 32,
                architecture="mobilenetv2",
                description="for tests",
                training_data="none",
                limits=("knows nothing",),
                figures=("AUC 0.900 [0.880, 0.920] on nothing (10 videos)",),
                licence="Apache-2.0",
            ),
        ),
        band=BAND,
        aggregation="mean",
        detector="centerface",
        options=(("stride", "10"),),
        unmask_version="0.1.0",
        seconds=3.2,
    )


def image_report(path: str = "group.png") -> Report:
    """Two faces in one picture, and one too small to judge."""
    faces = [
        face(0.0, 0.5, shown=evidence()),
        face(0.0, 0.05, (120.0, 30.0, 160.0, 80.0)),
        face(0.0, None, (5.0, 5.0, 15.0, 17.0)),
    ]
    return Report(
        path=path,
        verdict=Verdict.UNSURE,
        probability=0.5,
        message="person 1 of 3 cannot be told",
        file=FileFacts(path, 999, "0f" * 32, "image", "png", "png", width=200, height=120),
        coverage=Coverage(1, 1, 0, 1, 3, 2, 1),
        tracks=tuple(track(n + 1, [f], f.probability) for n, f in enumerate(faces)),
        band=BAND,
    )


def reason_report(verdict: Verdict = Verdict.NO_FACE, path: str = "empty.mp4") -> Report:
    """No judgement, and why."""
    return Report(path, verdict, None, "there is nothing to judge", "try another file", band=BAND)


def with_points(report: Report) -> Report:
    """The report by a model that has operating points."""
    return replace(report, models=(replace(report.models[0], operating_points=POINTS),))
