"""Another threshold than the calibrated ones: what would be said of a file then, and how often that errs."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.report import words
from unmask.report.charts import most_fake_first
from unmask.types import RECORDING, OperatingPoint, Report, Verdict

CALIBRATED = "calibrated"
"""The choice that leaves the verdicts as they are."""

SAME = 0.002
"""Thresholds closer than this are the same choice."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the thresholds to choose from; the calibrated ones have no `point`."""

    value: str
    label: str
    point: OperatingPoint | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """What is said of a file or a person under a choice."""

    who: str
    tone: str
    sign: str
    said: str
    number: str


@dataclass(frozen=True, slots=True)
class Restated:
    """A report under one choice: the calls of the file and of its people, and the rates measured there (none
    for the calibrated one: the report states them)."""

    chosen: Choice
    choices: tuple[Choice, ...]
    file: Call
    people: tuple[Call, ...]
    rates: tuple[str, ...]


def choices(report: Report) -> tuple[Choice, ...]:
    """The thresholds that can be chosen for a report, the calibrated ones first; empty where there is nothing
    to choose."""
    if report.band is None or report.probability is None or not report.models:
        return ()
    # An ensemble's probability is none that its first model's thresholds were measured on.
    measured = report.models[0].operating_points if len(report.models) == 1 else ()
    moving = report.file is not None and report.file.kind == "video"
    on = RECORDING if moving and any(point.on == RECORDING for point in measured) else ""
    points = [point for point in measured if point.on == on]
    others = [
        Choice(str(n), _label(point, report.band.fake_above), point)
        for n, point in enumerate(points)
        if abs(point.threshold - report.band.fake_above) > SAME
    ]
    return (Choice(CALIBRATED, "As calibrated"), *others) if others else ()


def restated(report: Report, value: str, most: int) -> Restated | None:
    """The report under the choice of that value (the calibrated one where there is no such), with at most
    `most` people; None where there is nothing to choose."""
    known = choices(report)
    if not known:
        return None
    chosen = next((choice for choice in known if choice.value == value), known[0])
    tracks = [track for track in sorted(report.tracks, key=most_fake_first) if track.probability is not None]
    return Restated(
        chosen=chosen,
        choices=known,
        file=_call("This file", report.verdict, report.probability, chosen, report),
        people=tuple(
            _call(words.person(track), track.verdict, track.probability, chosen, report)
            for track in tracks[:most]
        ),
        rates=() if chosen.point is None else _rates(chosen.point),
    )


def _label(point: OperatingPoint, calibrated: float) -> str:
    alarms = words.share(_rounded(point.false_alarm_rate))
    if point.threshold > calibrated:
        return f"Fewer false alarms ({alarms})"
    return f"Fewer misses ({alarms} false alarms)"


def _of_many(rate: float) -> str:
    """A small rate as people count: `5 of 100`, `3 of 1,000`."""
    return f"{100 * rate:.0f} of 100" if rate >= 0.009 or rate == 0 else f"{1000 * rate:.0f} of 1,000"


def _rounded(rate: float) -> float:
    """To whole percent where that is no lie: 0.0092 is called 1 %."""
    return round(rate, 2) if abs(rate - round(rate, 2)) < 0.001 else rate


def _call(who: str, verdict: Verdict, p: float | None, chosen: Choice, report: Report) -> Call:
    number = words.probability(p, report.band)
    if chosen.point is None or p is None:
        return Call(who, verdict.lower(), words.SYMBOL[verdict], words.HEADLINE[verdict], number)
    if p >= chosen.point.threshold:
        return Call(who, "fake", words.SYMBOL[Verdict.FAKE], "Called fake", number)
    return Call(who, "none", words.SYMBOL[Verdict.NO_FACE], "Not called fake", number)


def _rates(point: OperatingPoint) -> tuple[str, ...]:
    what = "recordings" if point.on == RECORDING else "inputs"
    return (
        f"Fake from P(fake) {words.limit(point.threshold)}.",
        f"On validation data, about {_of_many(point.false_alarm_rate)} real {what} were called fake with it, "
        f"and {words.share(point.detection_rate)} of the fakes were found.",
        "Not called fake does not mean real.",
    )
