"""Another camera's copy of a picture: other colours, another sharpness, a slightly other place."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.faces.crop import FaceFrame
from unmask.forge.forged import Image


def change_look(image: Image, frame: FaceFrame, rng: np.random.Generator) -> Image:
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
    return change_sharpness(changed, frame, rng)


def change_sharpness(image: Image, frame: FaceFrame, rng: np.random.Generator) -> Image:
    """A generator's size, sharpening, a codec, a blur, or nothing."""
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


def move(image: Image, frame: FaceFrame, rng: np.random.Generator) -> Image:
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
