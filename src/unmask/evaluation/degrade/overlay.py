"""Text and logos over the picture and over the faces in it, as posts and news clips have them."""

from __future__ import annotations

import math

import cv2
import numpy as np

from unmask.evaluation.degrade.registry import DEGRADATIONS, Image, PictureDegradation
from unmask.faces import FINDERS, FaceFinder, Use
from unmask.types import BoxXYXY, Face, Frame

FINDER = "centerface"
"""Finds what the captions are put over; it comes with the package."""

LOOK_EVERY = 1.0
"""Seconds of video after which the faces are looked for again: captions jump after a person."""

BAND = (0.06, 0.07, 0.08, 0.09, 0.10)
"""Height of the caption along the lower edge, as a share of the picture's height, by severity."""

CORNER = (0.08, 0.10, 0.12, 0.14, 0.16)
"""Diameter of the logo in the upper right corner, as a share of the picture's shorter side."""

BADGE = (0.0, 0.0, 0.20, 0.30, 0.40)
"""Diameter of the logo over temple and forehead, as a share of the width of the face's box."""

CAPTION, TAG, LETTER = "WATCH UNTIL THE END", "caption", "u"
INK, PAPER, ACCENT = (255, 255, 255), (24, 24, 28), (196, 30, 58)
"""RGB of the text, the boxes, and the logos."""

FONT = cv2.FONT_HERSHEY_SIMPLEX


@DEGRADATIONS.register("overlay")
class Overlay(PictureDegradation):
    """A caption and a logo over the picture, and over every face found in it.

    Share of each face's box, from below, that a caption covers: 0, 12, 22, 32, 42 %, which reaches over
    nothing, the chin, the lower lip, the mouth, and the tip of the nose. From 3 on a round logo covers part
    of temple and forehead as well (20, 30, 40 % of the box's width). The picture's own caption and logo,
    all there is at 1, grow along from 6 and 8 % to 10 and 16 % of its side. Eyes stay free. In video the
    faces are looked for once a second.
    """

    unit = "% of the face covered by the caption"
    levels = (0, 12, 22, 32, 42)

    def __init__(self, severity: int, seed: int) -> None:
        super().__init__(severity, seed)
        self._finder: FaceFinder | None = None
        self._faces: list[Face] = []
        self._looked = -math.inf

    def picture(self, frame: Frame) -> Image:
        """See `PictureDegradation`."""
        image = np.array(frame.image)
        for face in self._faces_at(frame):
            self._cover(image, face.box)
        height, width = image.shape[:2]
        top = height - BAND[self.at] * height
        _caption(image, (0, top, width, height), CAPTION)
        diameter = CORNER[self.at] * min(height, width)
        _logo(image, (width - diameter, diameter), diameter)
        return image

    def _faces_at(self, frame: Frame) -> list[Face]:
        if not self.levels[self.at]:
            return []
        if frame.time - self._looked >= LOOK_EVERY:
            # One thread: the same sums in the same order, and so the same boxes, every time.
            self._finder = self._finder or FINDERS[FINDER](1, Use.STILL)
            self._faces, self._looked = self._finder.find(frame.image), frame.time
        return self._faces

    def _cover(self, image: Image, box: BoxXYXY) -> None:
        x1, y1, x2, y2 = box
        width, height = x2 - x1, y2 - y1
        share = self.levels[self.at] / 100
        _caption(image, (x1 - 0.1 * width, y2 - share * height, x2 + 0.1 * width, y2), TAG)
        if BADGE[self.at]:
            _logo(image, (x1 + 0.15 * width, y1 + 0.15 * height), BADGE[self.at] * width)


def _caption(image: Image, box: BoxXYXY, text: str) -> None:
    """Fill the box and write the text into its middle, as large as fits."""
    x1, y1, x2, y2 = (round(edge) for edge in box)
    cv2.rectangle(image, (x1, y1), (x2 - 1, y2 - 1), PAPER, cv2.FILLED)
    _write(image, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), 0.8 * (x2 - x1), 0.5 * (y2 - y1), text)


def _logo(image: Image, centre: tuple[float, float], diameter: float) -> None:
    at = (round(centre[0]), round(centre[1]))
    radius = max(1, round(diameter / 2))
    cv2.circle(image, at, radius, ACCENT, cv2.FILLED, cv2.LINE_AA)
    cv2.circle(image, at, radius, INK, max(1, radius // 8), cv2.LINE_AA)
    _write(image, centre, 0.6 * diameter, 0.5 * diameter, LETTER)


def _write(image: Image, centre: tuple[float, float], width: float, height: float, text: str) -> None:
    """Text around `centre` no wider and no higher than this, in pixels."""
    (wide, high), _ = cv2.getTextSize(text, FONT, 1.0, 1)
    scale = min(width / wide, height / high)
    if scale <= 0:
        return
    weight = max(1, round(1.5 * scale))
    # Bold letters are wider.
    (wide, high), _ = cv2.getTextSize(text, FONT, scale, weight)
    corner = (round(centre[0] - wide / 2), round(centre[1] + high / 2))
    cv2.putText(image, text, corner, FONT, scale, INK, weight, cv2.LINE_AA)
