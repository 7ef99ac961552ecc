"""Turn the arrays a detector computes with into the `Face` objects it gives out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.faces.overlap import Boxes
from unmask.types import Face


def to_faces(boxes: Boxes, landmarks: NDArray[np.float32], scores: NDArray[np.float32]) -> list[Face]:
    """One `Face` per row of `boxes` (N, 4), `landmarks` (N, 5, 2) and `scores` (N,), in the same order.

    All in pixels of the picture; scores in [0, 1].
    """
    faces = []
    for box, points, score in zip(boxes.tolist(), landmarks.tolist(), scores.tolist(), strict=True):
        x1, y1, x2, y2 = box
        right_eye, left_eye, nose, right_mouth, left_mouth = ((float(x), float(y)) for x, y in points)
        faces.append(Face((x1, y1, x2, y2), (right_eye, left_eye, nose, right_mouth, left_mouth), score))
    return faces
