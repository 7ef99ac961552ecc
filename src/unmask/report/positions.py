"""Where each person's box is at any time of a video, from the frames that were looked at."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass

from unmask.report.charts import UNSEEN_AFTER, sampling_interval
from unmask.types import BoxXYXY, FaceReport, Report, TrackReport, Verdict

HOLD = 0.5
"""Sampling intervals a box stays before the first and after the last sight of a face: halfway to the look
that did not find it."""

HOLD_AT_END = 1.0
"""Sampling intervals a box stays after the very last look, and before the first: none says it is gone."""

LONE_HOLD = 0.25
"""Seconds a box stays on each side where only one frame was looked at."""


@dataclass(frozen=True, slots=True)
class Marked:
    """A person's box in one frame, with what was said of the face in the nearest frame looked at."""

    person: int
    box: BoxXYXY
    verdict: Verdict
    probability: float | None


class Positions:
    """The boxes of all people of a report, through time."""

    def __init__(self, report: Report) -> None:
        times = sorted({face.time for track in report.tracks for face in track.faces})
        interval = sampling_interval(times)
        self._hold = HOLD * interval if interval else LONE_HOLD
        self._hold_at_end = HOLD_AT_END * interval if interval else LONE_HOLD
        self._ends = (times[0], times[-1]) if times else (0.0, 0.0)
        self._bridge = UNSEEN_AFTER * interval
        self._tracks = [_Path(track) for track in report.tracks if track.faces]

    def at(self, time: float) -> list[Marked]:
        """Everyone visible at `time`, in seconds from the first frame.

        Between two sights a box moves in a straight line, unless a look in between did not find the face.
        """
        found = (path.at(time, self._hold_of, self._bridge) for path in self._tracks)
        return [marked for marked in found if marked is not None]

    def _hold_of(self, face: FaceReport) -> float:
        return self._hold_at_end if face.time in self._ends else self._hold


class _Path:
    """One person's faces in order of time."""

    def __init__(self, track: TrackReport) -> None:
        self.person = track.id
        self.faces = sorted(track.faces, key=lambda face: face.time)
        self.times = [face.time for face in self.faces]

    def at(self, time: float, hold: Callable[[FaceReport], float], bridge: float) -> Marked | None:
        n = bisect_left(self.times, time)
        after = self.faces[n] if n < len(self.faces) else None
        before = self.faces[n - 1] if n else None
        if before is not None and after is not None and after.time - before.time <= bridge:
            share = (time - before.time) / (after.time - before.time)
            nearest = before if share < 0.5 else after
            return self._marked(nearest, _between(before.box, after.box, share))
        if after is not None and after.time - time <= hold(after):
            return self._marked(after, after.box)
        if before is not None and time - before.time <= hold(before):
            return self._marked(before, before.box)
        return None

    def _marked(self, face: FaceReport, box: BoxXYXY) -> Marked:
        return Marked(self.person, box, face.verdict, face.probability)


def _between(a: BoxXYXY, b: BoxXYXY, share: float) -> BoxXYXY:
    x1, y1, x2, y2 = (p + share * (q - p) for p, q in zip(a, b, strict=True))
    return x1, y1, x2, y2
