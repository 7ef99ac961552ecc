"""Degradations that only a video can suffer: its codec and its frame rate."""

from __future__ import annotations

import math
from collections.abc import Iterator

from unmask.evaluation.degrade.encode import Encoding, Step
from unmask.evaluation.degrade.registry import DEGRADATIONS, FileDegradation, Size
from unmask.types import Frame

SAME_TIME = 1e-6
"""Seconds by which a frame may come early: times are sums of fractions."""


@DEGRADATIONS.register("h264")
class H264(FileDegradation):
    """Encoded again as H.264 by x264.

    Constant rate factor (0 to 51): 23, 30, 35, 40, 45. 23 is the encoder's own choice and about what a
    platform delivers; 23 and 40 are also the two compressed qualities of FaceForensics++.
    """

    media = frozenset(("video",))
    unit = "CRF"
    levels = (23, 30, 35, 40, 45)

    def steps(self, size: Size) -> list[Step]:
        """See `FileDegradation`."""
        return [Step(iter, Encoding("libx264", self.levels[self.at]))]


@DEGRADATIONS.register("h265")
class H265(FileDegradation):
    """Encoded again as H.265 (HEVC) by x265, which smooths more and makes fewer squares than x264.

    Constant rate factor (0 to 51): 28, 33, 38, 43, 48. 28 is the encoder's own choice, about x264's 23.
    """

    media = frozenset(("video",))
    unit = "CRF"
    levels = (28, 33, 38, 43, 48)

    def steps(self, size: Size) -> list[Step]:
        """See `FileDegradation`."""
        return [Step(iter, Encoding("libx265", self.levels[self.at]))]


@DEGRADATIONS.register("frame_rate")
class FrameRate(FileDegradation):
    """Frames left out; those that stay keep their times, and the last one stays until the end.

    Frames per second: 15, 10, 5, 2, 1. 15 and 10 are what calls fall to on a poor line, 1 is a slide show. A
    video that has fewer to begin with keeps them all.
    """

    media = frozenset(("video",))
    unit = "frames per second"
    levels = (15, 10, 5, 2, 1)

    def steps(self, size: Size) -> list[Step]:
        """See `FileDegradation`."""
        return [Step(self._kept)]

    def _kept(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        """The first frame of every equal span of time."""
        latest = -1
        for frame in frames:
            span = math.floor((frame.time + SAME_TIME) * self.levels[self.at])
            if span > latest:
                latest = span
                yield frame
