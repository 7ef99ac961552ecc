"""Self-blended images: pseudo-fakes made from one real face, for training.

After Shiohara & Yamasaki, "Detecting Deepfakes with Self-Blended Images" (CVPR 2022): two copies of one face,
one of them changed in colour and sharpness, moved a little, and blended back through a soft, deformed face
mask. What is left are the traces that every swap has (a seam, two colour statistics, two resolutions) and
none of the traces of one generator. Where the paper takes the hull of 68 landmarks, this takes outlines
drawn in the frame that five landmarks span, in several shapes, so that forged mouths and eyes occur too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.faces.crop import FaceFrame, face_frame
from unmask.types import Landmarks

Image = NDArray[np.uint8]
Mask = NDArray[np.float32]

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
}
"""Right halves; the left halves are their mirror images."""
OUTLINE_WEIGHTS = (0.4, 0.2, 0.2, 0.13, 0.07)


@dataclass(frozen=True, slots=True)
class SelfBlend:
    """A pseudo-fake and what was done: `image` RGB uint8 (H, W, 3), `mask` in [0, 1] (H, W), `outline`."""

    image: Image
    mask: Mask
    outline: str


def self_blend(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> SelfBlend:
    """A self-blended image of the face with these landmarks.

    `image` is RGB uint8 (H, W, 3) and is left as it is; `landmarks` are in its pixels. The same `rng` state
    gives the same result.
    """
    frame = face_frame(landmarks)
    outline = str(rng.choice(list(OUTLINES), p=OUTLINE_WEIGHTS))
    mask = _soft_mask(image.shape[:2], frame, landmarks, outline, rng)
    changed = _change_look(image, frame, rng)
    if rng.random() < 0.5:
        source, target = changed, image
    else:
        source, target = image, changed
    source = _move(source, frame, rng)
    weight = mask[..., None]
    blended = target + (source.astype(np.float32) - target) * weight
    return SelfBlend(np.clip(blended + 0.5, 0, 255).astype(np.uint8), mask, outline)


def outline_points(
    frame: FaceFrame, landmarks: Landmarks, outline: str, rng: np.random.Generator
) -> NDArray[np.float32]:
    """The vertices (N, 2) of a named outline on this face, in pixels, each jittered a little.

    A turned head shows less of its far side: how far the nose stands off the eyes' middle says how much.
    """
    nose = landmarks[2]
    off = (nose[0] - frame.origin[0]) * frame.right[0] + (nose[1] - frame.origin[1]) * frame.right[1]
    turn = float(np.clip(off / frame.scale, -0.3, 0.3))
    right = [(x * (1 - 1.2 * turn), y) for x, y in OUTLINES[outline]]
    left = [(-x * (1 + 1.2 * turn), y) for x, y in OUTLINES[outline]]
    grow = rng.uniform(0.88, 1.08)
    jitter = rng.normal(0.0, 0.025, (len(right) + len(left), 2))
    middle = np.mean(right + left, axis=0)
    points = [
        frame.point(*(middle + ((x, y) - middle) * grow + d))
        for (x, y), d in zip(right + left, jitter, strict=True)
    ]
    return np.array(points, dtype=np.float32)


def _soft_mask(
    shape: tuple[int, int], frame: FaceFrame, landmarks: Landmarks, outline: str, rng: np.random.Generator
) -> Mask:
    """The blending mask: hull, elastic deformation, erosion or dilation, blur, ratio."""
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
    return np.asarray(np.clip(large * rng.choice(BLEND_RATIOS), 0, 1), np.float32)


def _blurred(mask: Mask, spread: float) -> Mask:
    """`mask` under a Gaussian of `spread` pixels, at least enough to soften the steps of the grid."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(spread, 0.4)), np.float32)


def _change_look(image: Image, frame: FaceFrame, rng: np.random.Generator) -> Image:
    """Another camera's copy: colour, light and contrast, and either less or more sharpness, or a codec's."""
    look: NDArray[np.float32] = image.astype(np.float32)
    if rng.random() < 0.8:
        look += (rng.uniform(3, 20) * rng.uniform(-1, 1, 3)).astype(np.float32)
    if rng.random() < 0.5:
        contrast = rng.uniform(0.85, 1.15)
        mean = look.mean(axis=(0, 1))
        look = (look - mean) * np.float32(contrast) + mean
    changed = np.clip(look, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        hsv = cv2.cvtColor(changed, cv2.COLOR_RGB2HSV)
        hue, saturation, value = cv2.split(hsv)
        hue = ((hue.astype(np.int16) + int(rng.integers(-5, 6))) % 180).astype(np.uint8)
        saturation = cv2.convertScaleAbs(saturation, alpha=rng.uniform(0.75, 1.25))
        value = cv2.convertScaleAbs(value, alpha=rng.uniform(0.88, 1.12))
        changed = np.asarray(cv2.cvtColor(cv2.merge((hue, saturation, value)), cv2.COLOR_HSV2RGB), np.uint8)
    return _change_sharpness(changed, frame, rng)


def _change_sharpness(image: Image, frame: FaceFrame, rng: np.random.Generator) -> Image:
    height, width = image.shape[:2]
    way = rng.choice(("soften", "sharpen", "recompress", "blur", "none"), p=(0.4, 0.2, 0.15, 0.1, 0.15))
    if way == "soften":
        # Generators work at 64 to 256 px a face: shrink the face to such a size and enlarge it again.
        target = rng.uniform(64, 224)
        factor = min(1.0, target / frame.face_size)
        small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        back = int(rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)))
        return np.asarray(cv2.resize(small, (width, height), interpolation=back), np.uint8)
    if way == "sharpen":
        soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 2.0))
        amount = rng.uniform(0.3, 1.2)
        return np.asarray(cv2.addWeighted(image, 1 + amount, soft, -amount, 0), np.uint8)
    if way == "recompress":
        quality = int(rng.integers(25, 80))
        packed = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    if way == "blur":
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.6)), np.uint8)
    return image


def _move(image: Image, frame: FaceFrame, rng: np.random.Generator) -> Image:
    """Turn, scale and shift about the face, a few per cent each: landmarks never quite meet in a swap."""
    height, width = image.shape[:2]
    angle = math.radians(rng.normal(0.0, 1.5))
    sx, sy = rng.uniform(0.95, 1.05, 2)
    tx, ty = rng.uniform(-0.03, 0.03, 2) * frame.scale
    cx, cy = frame.point(0.0, 0.25)
    cos, sin = math.cos(angle), math.sin(angle)
    linear = np.array([[sx * cos, -sy * sin], [sx * sin, sy * cos]])
    offset = np.array([cx + tx, cy + ty]) - linear @ np.array([cx, cy])
    matrix = np.column_stack([linear, offset])
    moved = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(moved, np.uint8)
