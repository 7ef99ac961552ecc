"""What is left of a file that was posted, and then downloaded, enlarged and posted again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from unmask.evaluation.degrade.encode import Encoding, Step
from unmask.evaluation.degrade.pictures import divided, enlarged, jpeg, shrunk, size_of
from unmask.evaluation.degrade.registry import DEGRADATIONS, Image, PictureDegradation, Size
from unmask.types import Frame

SMALLEST_SIDE = 16
"""Pixels that the shorter side is left with at least: encoders of video ask for about so much."""


@DEGRADATIONS.register("social")
class Social(PictureDegradation):
    """Shrunk and compressed, then enlarged back and compressed again.

    Factor by which both sides shrink, with the quality of both JPEGs (stills) or the CRF of both H.264
    encodings (video): 1.25 with 80 or 24, 1.5 with 70 or 28, 2 with 55 or 31, 2.5 with 45 or 34, 3.2 with 32
    or 37. The first is one repost between two large platforms, the last a clip that went through many hands.
    """

    unit = "times smaller, JPEG quality, CRF"
    levels = ((1.25, 80, 24), (1.5, 70, 28), (2.0, 55, 31), (2.5, 45, 34), (3.2, 32, 37))

    def picture(self, frame: Frame) -> Image:
        """See `PictureDegradation`."""
        factor, quality, _ = self.levels[self.at]
        size = size_of(frame.image)
        posted = jpeg(shrunk(frame.image, divided(size, factor)), quality)
        return jpeg(enlarged(posted, size), quality)

    def steps(self, size: Size) -> list[Step]:
        """See `FileDegradation`: two real encodings."""
        factor, _, crf = self.levels[self.at]
        factor = max(1.0, min(factor, min(size) / SMALLEST_SIDE))
        # An odd column would be left out in the middle, and the rest then stretched to where it was not.
        small, encoding = divided(size, factor, multiple=2), Encoding("libx264", crf)
        return [
            Step(_each(lambda image: shrunk(image, small)), encoding),
            Step(_each(lambda image: enlarged(image, size)), encoding),
        ]


def _each(change: Callable[[Image], Image]) -> Callable[[Iterator[Frame]], Iterator[Frame]]:
    return lambda frames: (replace(frame, image=change(frame.image)) for frame in frames)
