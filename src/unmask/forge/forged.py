"""What goes into a forgery and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.types import Landmarks, Point

Image = NDArray[np.uint8]
"""RGB uint8 (H, W, 3)."""

Mask = NDArray[np.float32]
"""(H, W) in [0, 1]: how much of each pixel is forged."""


@dataclass(frozen=True, slots=True)
class Forged:
    """A pseudo-fake: `image` RGB uint8 (H, W, 3), `mask` (H, W) in [0, 1] where it was forged, and the words
    for what was done, the kind first."""

    image: Image
    mask: Mask
    done: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Donor:
    """Another picture of a face to take parts from, and its landmarks in its pixels; `same` where it is the
    same person at another moment."""

    image: Image
    landmarks: Landmarks
    same: bool = False

    def mirrored(self) -> Donor:
        """The same face seen in a mirror: what was its right eye is now its left one."""
        flipped = np.ascontiguousarray(self.image[:, ::-1])
        return Donor(flipped, mirrored(self.landmarks, self.image.shape[1]), self.same)


def mirrored(landmarks: Landmarks, width: int) -> Landmarks:
    """Where `landmarks` lie in the mirror image of a picture `width` pixels wide."""

    def across(point: Point) -> Point:
        return (width - 1 - point[0], point[1])

    right_eye, left_eye, nose, right_mouth, left_mouth = landmarks
    return (across(left_eye), across(right_eye), across(nose), across(left_mouth), across(right_mouth))
