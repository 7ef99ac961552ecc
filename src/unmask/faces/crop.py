"""Cut an aligned, square crop around a face: the one code path for training and for scanning.

The crop follows the five landmarks, not the detector's box, so that detectors with different ideas of a box
give the same crop. Rotation and scale come from the eyes and the mouth as in the FFHQ alignment (Karras et
al., "A Style-Based Generator Architecture for GANs", CVPR 2019, appendix), with a tighter, centred square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.types import Landmarks, Point

FACE_PER_SCALE = 1 / 0.677
"""Longer side of a face box per unit of `FaceFrame.scale` (median over 10,613 faces found by YuNet)."""

CENTRE_BELOW_EYES = 0.17
"""How far the centre of a face box lies below the point between the eyes, in units of the scale."""


@dataclass(frozen=True, slots=True)
class CropSpec:
    """What a model wants to see: `size` pixels square, showing `margin` × the longer side of the face."""

    size: int = 224
    margin: float = 1.25


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """The coordinate frame of a face in its picture.

    `origin` is the point between the eyes, `right` and `down` are unit vectors in pixels of the picture,
    `scale` is a length in pixels that follows the larger of eye distance and eye-to-mouth distance, so that
    it holds for faces in profile too.
    """

    origin: tuple[float, float]
    right: tuple[float, float]
    down: tuple[float, float]
    scale: float

    def point(self, x: float, y: float) -> tuple[float, float]:
        """The picture's pixel at (x, y) given in units of the scale from the origin."""
        s = self.scale
        return (
            self.origin[0] + s * (x * self.right[0] + y * self.down[0]),
            self.origin[1] + s * (x * self.right[1] + y * self.down[1]),
        )

    @property
    def face_size(self) -> float:
        """The longer side of the face in pixels, as measured by its landmarks."""
        return self.scale * FACE_PER_SCALE


def face_frame(landmarks: Landmarks) -> FaceFrame:
    """The `FaceFrame` of five landmarks; degenerate landmarks give a scale of at least 1 px."""
    (rx, ry), (lx, ly), _, (rmx, rmy), (lmx, lmy) = landmarks
    ox, oy = (rx + lx) / 2, (ry + ly) / 2
    ex, ey = lx - rx, ly - ry
    mx, my = (rmx + lmx) / 2 - ox, (rmy + lmy) / 2 - oy
    # The upright direction is agreed between the eye line and the perpendicular of the eye-mouth line.
    vx, vy = ex + my, ey - mx
    length = math.hypot(vx, vy)
    ux, uy = (vx / length, vy / length) if length > 1e-6 else (1.0, 0.0)
    scale = max(2.0 * math.hypot(ex, ey), 1.8 * math.hypot(mx, my), 1.0)
    return FaceFrame((ox, oy), (ux, uy), (-uy, ux), scale)


def crop_matrix(landmarks: Landmarks, spec: CropSpec) -> NDArray[np.float64]:
    """The (2, 3) affine that takes pixels of the crop to pixels of the picture."""
    frame = face_frame(landmarks)
    step = spec.margin * frame.face_size / spec.size
    cx, cy = frame.point(0.0, CENTRE_BELOW_EYES)
    (rx, ry), (dx, dy) = frame.right, frame.down
    middle = (spec.size - 1) / 2
    return np.array(
        [
            [step * rx, step * dx, cx - step * middle * (rx + dx)],
            [step * ry, step * dy, cy - step * middle * (ry + dy)],
        ]
    )


def crop_corners(landmarks: Landmarks, spec: CropSpec) -> tuple[Point, Point, Point, Point]:
    """Where the corners of the crop lie in the picture, clockwise from the upper left, in its pixels."""
    low, high = -0.5, spec.size - 0.5
    at = crop_matrix(landmarks, spec) @ np.array([[low, high, high, low], [low, low, high, high], [1] * 4])
    first, second, third, fourth = ((float(x), float(y)) for x, y in at.T)
    return first, second, third, fourth


def cut(image: NDArray[np.uint8], landmarks: Landmarks, spec: CropSpec) -> NDArray[np.uint8]:
    """The aligned crop, RGB uint8 (size, size, 3), sub-pixel, mirrored where it reaches over the edge.

    `image` is RGB uint8 (H, W, 3), `landmarks` are in its pixels. Large faces are shrunk by area averaging
    first, so that nothing aliases.
    """
    return warp(image, crop_matrix(landmarks, spec), spec.size)


def warp(image: NDArray[np.uint8], matrix: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """`image` seen through `matrix` (crop pixels → image pixels), RGB uint8 (size, size, 3)."""
    matrix = matrix.copy()
    corners = matrix @ np.array([[0, size, size, 0], [0, 0, size, size], [1, 1, 1, 1]], dtype=np.float64)
    height, width = image.shape[:2]
    pad = 4
    x1 = int(np.clip(math.floor(corners[0].min()) - pad, 0, width - 1))
    y1 = int(np.clip(math.floor(corners[1].min()) - pad, 0, height - 1))
    x2 = int(np.clip(math.ceil(corners[0].max()) + pad, x1 + 1, width))
    y2 = int(np.clip(math.ceil(corners[1].max()) + pad, y1 + 1, height))
    region: Any = image[y1:y2, x1:x2]
    matrix[:, 2] -= (x1, y1)
    step = math.hypot(matrix[0, 0], matrix[1, 0])
    if step > 1.5:
        # Whole-region shrink keeps the pixel-centre convention: x_small = (x + 0.5) / f - 0.5.
        small_w = max(1, round((x2 - x1) / step))
        small_h = max(1, round((y2 - y1) / step))
        fx, fy = (x2 - x1) / small_w, (y2 - y1) / small_h
        region = cv2.resize(region, (small_w, small_h), interpolation=cv2.INTER_AREA)
        matrix[0] /= fx
        matrix[1] /= fy
        matrix[0, 2] += 0.5 / fx - 0.5
        matrix[1, 2] += 0.5 / fy - 0.5
    return np.asarray(
        cv2.warpAffine(
            region,
            matrix,
            (size, size),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        ),
        dtype=np.uint8,
    )
