"""Where to forge: outlines drawn on a face by its landmarks, and the soft, deformed masks made of them.

Where Shiohara & Yamasaki (CVPR 2022) take the hull of 68 landmarks, these are drawn in the frame that five
landmarks span, in several shapes, so that forged mouths, eyes and noses occur too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.faces.crop import FaceFrame
from unmask.forge.forged import Mask
from unmask.types import Landmarks

MASK_SIZE = 96
"""Masks are drawn and deformed on a grid this wide and then enlarged: they are smooth, so nothing is lost."""

BLEND_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.0, 1.0)
"""How much of the changed face is let through at most; the paper's values, one drawn per image."""

LEAST_KEPT = 0.5
"""Erosion that would leave less of the mask than this is not done: the fake would be real."""

# Outlines in units of the face scale from the point between the eyes, x to the right, y down.
_JAW = ((0.53, -0.05), (0.52, 0.25), (0.45, 0.55), (0.3, 0.78), (0.12, 0.9))
OUTLINES: dict[str, tuple[tuple[float, float], ...]] = {
    "face": (*_JAW, (0.4, -0.2), (0.2, -0.24)),
    "head": (*_JAW, (0.48, -0.3), (0.28, -0.48)),
    "inner": ((0.42, -0.15), (0.42, 0.1), (0.36, 0.45), (0.25, 0.66), (0.1, 0.72), (0.22, -0.22)),
    "mouth": ((0.2, 0.36), (0.33, 0.48), (0.33, 0.62), (0.22, 0.76), (0.08, 0.84), (0.08, 0.34)),
    "eyes": ((0.46, -0.12), (0.46, 0.1), (0.3, 0.16), (0.12, 0.1), (0.2, -0.2)),
    "lips": ((0.1, 0.41), (0.27, 0.48), (0.27, 0.6), (0.18, 0.68), (0.06, 0.71)),
    "lower": ((0.44, 0.3), (0.42, 0.55), (0.3, 0.76), (0.12, 0.88), (0.1, 0.3)),
    "nose": ((0.06, 0.0), (0.14, 0.2), (0.2, 0.32), (0.16, 0.41), (0.05, 0.42)),
}
"""Right halves; the left halves are their mirror images."""


def turned(frame: FaceFrame, landmarks: Landmarks, outline: str) -> list[tuple[float, float]]:
    """The vertices of a named outline in units of the face scale, right half first.

    A turned head shows less of its far side: how far the nose stands off the eyes' middle says how much.
    """
    nose = landmarks[2]
    off = (nose[0] - frame.origin[0]) * frame.right[0] + (nose[1] - frame.origin[1]) * frame.right[1]
    turn = float(np.clip(off / frame.scale, -0.3, 0.3))
    right = [(x * (1 - 1.2 * turn), y) for x, y in OUTLINES[outline]]
    left = [(-x * (1 + 1.2 * turn), y) for x, y in OUTLINES[outline]]
    return right + left


def outline_points(
    frame: FaceFrame, landmarks: Landmarks, outline: str, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The vertices (N, 2) of a named outline on this face, in pixels, each jittered a little."""
    vertices = turned(frame, landmarks, outline)
    grow = rng.uniform(0.88, 1.08)
    jitter = rng.normal(0.0, 0.025, (len(vertices), 2))
    middle = np.mean(vertices, axis=0)
    points = [
        frame.point(*(middle + ((x, y) - middle) * grow + d))
        for (x, y), d in zip(vertices, jitter, strict=True)
    ]
    return np.array(points, dtype=np.float32)


def soft_mask(
    shape: tuple[int, int],
    frame: FaceFrame,
    landmarks: Landmarks,
    outline: str,
    rng: np.random.Generator,
    ratios: Sequence[float] = BLEND_RATIOS,
) -> Mask:
    """The blending mask (H, W): hull, elastic deformation, erosion or dilation, blur, and one of `ratios`."""
    height, width = shape
    fx, fy = MASK_SIZE / width, MASK_SIZE / height
    points = outline_points(frame, landmarks, outline, rng) * (fx, fy)
    hard = np.zeros((MASK_SIZE, MASK_SIZE), dtype=np.uint8)
    cv2.fillConvexPoly(hard, cv2.convexHull(points.astype(np.float32)).round().astype(np.int32), 255)
    soft: Mask = np.asarray(hard / 255, np.float32)
    unit = frame.scale * math.sqrt(fx * fy)
    waves = rng.normal(0.0, 0.05 * unit, (2, 5, 5)).astype(np.float32)
    grid_y, grid_x = np.mgrid[0:MASK_SIZE, 0:MASK_SIZE].astype(np.float32)
    shift_x, shift_y = (cv2.resize(w, (MASK_SIZE, MASK_SIZE), interpolation=cv2.INTER_CUBIC) for w in waves)
    soft = np.asarray(cv2.remap(soft, grid_x + shift_x, grid_y + shift_y, cv2.INTER_LINEAR), np.float32)
    soft = _blurred(soft, rng.uniform(0.01, 0.09) * unit)
    if rng.random() < 0.5:
        # Keep the inside only: the edge then lies within the face, as swaps that erode their mask have it.
        eroded = np.where(soft > rng.uniform(0.6, 0.98), soft, np.float32(0))
        if eroded.sum() > LEAST_KEPT * soft.sum():
            soft = _blurred(eroded, rng.uniform(0.005, 0.05) * unit)
    large = np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    return np.asarray(np.clip(large * rng.choice(ratios), 0, 1), np.float32)


def bounds(mask: Mask, pad: int = 0) -> tuple[slice, slice]:
    """The rows and columns in which `mask` is above 0, and `pad` pixels more where the picture has them; the
    whole picture for an empty mask."""
    height, width = mask.shape
    left, top, across, down = cv2.boundingRect((mask > 0).astype(np.uint8))
    if not across:
        return slice(0, height), slice(0, width)
    return (
        slice(max(0, top - pad), min(height, top + down + pad)),
        slice(max(0, left - pad), min(width, left + across + pad)),
    )


def _blurred(mask: Mask, spread: float) -> Mask:
    """`mask` under a Gaussian of `spread` pixels, at least enough to soften the steps of the grid."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(spread, 0.4)), np.float32)
