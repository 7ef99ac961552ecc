"""Which other thresholds are offered, and what is said of them."""

from __future__ import annotations

from dataclasses import replace

from tests.report.reports import POINTS, reason_report, video_report, with_points

from unmask.types import RECORDING, OperatingPoint
from unmask.web import points


def test_thresholds_are_offered_only_where_they_were_measured() -> None:
    report = with_points(video_report())
    assert len(points.choices(report)) == 3
    assert points.choices(replace(report, models=report.models * 2)) == ()
    assert points.choices(video_report()) == ()
    assert points.choices(reason_report()) == ()
    assert points.restated(replace(report, band=None), "0", 10) is None


def test_a_video_is_offered_what_was_measured_on_recordings() -> None:
    model = replace(
        video_report().models[0], operating_points=(*POINTS, OperatingPoint(0.6, 0.05, 0.7, RECORDING))
    )
    video = replace(video_report(), models=(model,))
    assert [choice.point.on for choice in points.choices(video) if choice.point] == [RECORDING]
    told = points.restated(video, points.choices(video)[1].value, 10)
    assert told is not None
    assert "about 5 of 100 real recordings were called fake" in told.rates[1]
    assert video.file is not None
    photo = replace(video, file=replace(video.file, kind="image"))
    assert [choice.point.on for choice in points.choices(photo) if choice.point] == [""] * 2
