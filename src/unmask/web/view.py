"""What the pages show of scans and reports; the templates only set it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from unmask.report import charts, words
from unmask.report.evidence import telling
from unmask.types import FaceReport, Report, TrackReport, Verdict
from unmask.web.drawing import Drawing, drawings
from unmask.web.overlay import heat_scale
from unmask.web.pictures import playable
from unmask.web.scans import JobInfo, ScanInfo
from unmask.web.store import Folder
from unmask.web.tables import State, Task

PEOPLE = 6
"""People shown with timeline and faces at first; more come when asked for, so that a crowd's page stays
light."""

OVERVIEW = 100
"""People in the table of everyone; the JSON report has all."""

STATE_WORD = {
    State.QUEUED: "Waiting",
    State.RUNNING: "Being looked at",
    State.DONE: "Done",
    State.FAILED: "Failed",
    State.CANCELLED: "Cancelled",
}
"""Where a scan is on its way, as a word for people."""

STATE_SIGN = {
    State.QUEUED: "…",
    State.RUNNING: "…",
    State.DONE: "✓",
    State.FAILED: "!",
    State.CANCELLED: "–",
}
"""A sign beside the word."""


@dataclass(frozen=True, slots=True)
class Face:
    """A telling face: its pictures' addresses, and when it is seen."""

    face: FaceReport
    crop: str
    heat: str | None


@dataclass(frozen=True, slots=True)
class Person:
    """One person of a report."""

    track: TrackReport
    drawing: Drawing | None
    faces: tuple[Face, ...]


@dataclass(frozen=True, slots=True)
class Player:
    """How the file itself is shown: as `video` or `picture`, only by its `thumbnail`, or not at all (`none`);
    `waits` while a copy that browsers play is made, and `reason` says why there is none."""

    kind: str
    waits: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """A finished scan. `people` are those shown in full, `everyone` has a line each; `rest` counts those
    that are not shown yet."""

    info: ScanInfo
    report: Report
    still: bool
    tone: str
    gauge: charts.Gauge | None
    people: tuple[Person, ...]
    everyone: tuple[TrackReport, ...]
    rest: int
    scale: float
    player: Player

    @property
    def base(self) -> str:
        """The address of the page, below which its parts are."""
        return f"/scans/{self.info.id}"


def result(info: ScanInfo, report: Report, files: Folder) -> Result:
    """What the page of a finished scan shows."""
    judged = report.probability is not None and report.band is not None
    people, rest = people_after(info, report, 0)
    return Result(
        info=info,
        report=report,
        still=words.is_image(report.file),
        tone=tone(report.verdict),
        gauge=charts.gauge(report.probability, report.band) if judged else None,  # type: ignore[arg-type]
        people=people,
        everyone=tuple(_ordered(report)[:OVERVIEW]),
        rest=rest,
        scale=heat_scale(report),
        player=player(info, report, files),
    )


def people_after(info: ScanInfo, report: Report, start: int) -> tuple[tuple[Person, ...], int]:
    """The people from the `start`-th on, most likely fake first, and how many come after them."""
    told = [track for track in _ordered(report) if track.judged or len(report.tracks) == 1]
    chosen = told[start : start + PEOPLE]
    drawn = drawings(report, {track.id for track in chosen})
    base = f"/scans/{info.id}/faces"
    people = tuple(Person(t, drawn.get(t.id), tuple(_faces(t, f"{base}/{t.id}"))) for t in chosen)
    return people, max(0, len(told) - start - len(chosen))


def player(info: ScanInfo, report: Report, files: Folder) -> Player:
    """How to show the file, as things stand."""
    facts = report.file
    if facts is not None and facts.kind == "image" and files.picture.is_file():
        return Player("picture")
    job = info.jobs.get(Task.PREVIEW)
    if facts is not None and facts.kind == "video" and (playable(facts) or _is(job, State.DONE)):
        return Player("video")
    return Player(
        "thumbnail" if files.thumbnail.is_file() else "none",
        waits=job is not None and not job.state.is_final,
        reason=job.reason if job is not None else "",
    )


def tone(verdict: Verdict) -> str:
    """The colour of a verdict, as a class of the style sheet."""
    return verdict.lower() if verdict.is_judgement else "none"


def compared(first: Result, second: Result) -> list[tuple[str, str, str, bool]]:
    """What is said of two files, and what they say of themselves, side by side."""
    return differences(_facts(first), _facts(second))


def differences(
    first: Iterable[tuple[str, str]], second: Iterable[tuple[str, str]]
) -> list[tuple[str, str, str, bool]]:
    """The facts of two files side by side: name, both values, and whether they differ."""
    left, right = _by_name(first), _by_name(second)
    names = dict.fromkeys((*left, *right))
    return [(name, a, b, a != b) for name in names for a, b in [(left.get(name, "–"), right.get(name, "–"))]]


def _facts(shown: Result) -> list[tuple[str, str]]:
    report = shown.report
    said = [
        ("Verdict", words.HEADLINE[report.verdict]),
        ("P(fake)", words.probability(report.probability, report.band)),
        ("People", f"{len(report.tracks):,}"),
        ("Faces judged", f"{report.coverage.faces_judged:,}"),
        ("Frames looked at", f"{report.coverage.frames_sampled:,}"),
        ("Models", ", ".join(words.model(model) for model in report.models) or "–"),
    ]
    return [*said, *(words.facts(report.file) if report.file is not None else ())]


def _by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Facts by name; those given several times in one."""
    named: dict[str, str] = {}
    for name, value in pairs:
        named[name] = f"{named[name]}; {value}" if name in named else value
    return named


def _is(job: JobInfo | None, state: State) -> bool:
    return job is not None and job.state is state


def _ordered(report: Report) -> list[TrackReport]:
    return sorted(report.tracks, key=charts.most_fake_first)


def _faces(track: TrackReport, base: str) -> Iterable[Face]:
    for face in telling(track):
        if face.evidence is not None and face.evidence.crop:
            heat = f"{base}/{face.frame}/heat.png" if face.evidence.heatmap else None
            yield Face(face, f"{base}/{face.frame}.jpg", heat)
