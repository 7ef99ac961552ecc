"""Faces that the tests of the forge share: one in the example photo, usual and in hard places and sizes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.forge.forged import Donor
from unmask.types import Landmarks

MARKS: Landmarks = ((202.6, 101.1), (246.5, 104.0), (222.7, 124.5), (202.9, 141.8), (240.8, 143.9))
"""In the example photo."""

Face = tuple[NDArray[np.uint8], Landmarks]


def cut_from(photo: NDArray[np.uint8], left: int, top: int, side: int, pixels: int) -> Face:
    """The square of `side` px of the photo at (left, top), resized to `pixels`, and its landmarks."""
    factor = pixels / side
    square = photo[top : top + side, left : left + side]
    image = np.asarray(cv2.resize(square, (pixels, pixels), interpolation=cv2.INTER_AREA), np.uint8)
    first, second, third, fourth, fifth = (((x - left) * factor, (y - top) * factor) for x, y in MARKS)
    return image, (first, second, third, fourth, fifth)


def hard_faces(photo: NDArray[np.uint8]) -> dict[str, Face]:
    """Name → a face that is easy to fail on."""
    return {
        "usual": cut_from(photo, 120, 30, 200, 200),
        "tiny": cut_from(photo, 120, 30, 200, 40),
        "large": cut_from(photo, 120, 30, 200, 1024),
        "at the left border": cut_from(photo, 205, 30, 200, 200),
        "at the upper border": cut_from(photo, 120, 105, 200, 200),
        "odd sides": (photo[30:229, 120:317].copy(), cut_from(photo, 120, 30, 200, 200)[1]),
        "one point": (photo[30:230, 120:320].copy(), ((100.0, 90.0),) * 5),
    }


def another(photo: NDArray[np.uint8]) -> Donor:
    """A face in other light, larger, and a little turned."""
    image, (right, left, nose, right_mouth, left_mouth) = cut_from(photo, 140, 50, 160, 256)
    tinted = np.clip(image.astype(np.float32) * (0.7, 0.9, 1.1), 0, 255).astype(np.uint8)
    marks: Landmarks = (right, left, (nose[0] + 3, nose[1]), right_mouth, left_mouth)
    return Donor(np.ascontiguousarray(tinted), marks)
