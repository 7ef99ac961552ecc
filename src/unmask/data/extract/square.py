"""A square crop around a face's box, from which training cuts its aligned crops."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.types import BoxXYXY, Face, Landmarks


def cut_square(
    image: NDArray[np.uint8], face: Face, margin: float, size: int
) -> tuple[NDArray[np.uint8], BoxXYXY, Landmarks, int]:
    """The crop, the face's box and landmarks in pixels of the crop, and the crop's side in `image`.

    `image` is RGB uint8 (H, W, 3). The side is `margin` × the longer side of the box, at most the shorter
    side of the picture; the square is centred on the box and shifted inside the picture. Larger ones are
    shrunk to `size` by area averaging, smaller ones stay as they are. Pixel centres lie at whole numbers.
    """
    height, width = int(image.shape[0]), int(image.shape[1])
    x1, y1, x2, y2 = face.box
    side = max(1, min(round(margin * face.size), width, height))
    left = min(max(round((x1 + x2 + 1 - side) / 2), 0), width - side)
    top = min(max(round((y1 + y2 + 1 - side) / 2), 0), height - side)
    crop = image[top : top + side, left : left + side]
    scale = min(1.0, size / side)
    if scale < 1:
        crop = np.asarray(cv2.resize(crop, (size, size), interpolation=cv2.INTER_AREA), np.uint8)

    def x(value: float) -> float:
        return (value - left + 0.5) * scale - 0.5

    def y(value: float) -> float:
        return (value - top + 0.5) * scale - 0.5

    points = [(x(px), y(py)) for px, py in face.landmarks]
    landmarks: Landmarks = (points[0], points[1], points[2], points[3], points[4])
    return np.ascontiguousarray(crop), (x(x1), y(y1), x(x2), y(y2)), landmarks, side
