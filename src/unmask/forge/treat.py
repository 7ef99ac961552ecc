"""What can happen to a picture, by name, whoever does it: softening, sharpening, codecs, noise, smoothing.

Forgers do it to a part of a picture and cameras, apps and platforms to all of it. One table serves both
sides, with the same odds, so that none of it tells a fake by itself: only that it stops within the picture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.forge.forged import Image

Treat = Callable[[Image, float, np.random.Generator], Image]
"""Takes RGB uint8 (H, W, 3) and the face's longer side in pixels; gives the same shape."""

LEAST_SOFTENED = 0.8
"""Of a face's own size: what is not shrunk at least to this is not softened."""

LEAST_HALVED = 3
"""Pixels of radius from which on smoothing is solved at half the size."""


def soften(image: Image, face_size: float, rng: np.random.Generator) -> Image:
    """Shrunk until the face has 56 to 176 px, and enlarged again."""
    factor = min(LEAST_SOFTENED, rng.uniform(56, 176) / face_size)
    back = int(rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)))
    return _resampled(image, factor, back)


def repeat_pixels(image: Image, _face_size: float, rng: np.random.Generator) -> Image:
    """Shrunk and enlarged by repeating pixels, then blurred a little: blocks at a regular distance."""
    blocky = _resampled(image, rng.uniform(0.5, 0.7), cv2.INTER_NEAREST)
    return _u8(cv2.GaussianBlur(blocky, (0, 0), rng.uniform(0.4, 0.8)))


def sharpen(image: Image, _face_size: float, rng: np.random.Generator) -> Image:
    """Unsharp masking."""
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.8, 2.0))
    amount = rng.uniform(0.3, 1.2)
    return _u8(cv2.addWeighted(image, 1 + amount, soft, -amount, 0))


def recompress(image: Image, _face_size: float, rng: np.random.Generator) -> Image:
    """JPEG at a quality of 20 to 75, its colours at full or at half resolution."""
    sampling = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444)
    flags = (
        *(cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 76))),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling[int(rng.integers(2))]),
    )
    packed = cv2.imencode(".jpg", image[..., ::-1], flags)[1]
    return _u8(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB))


def blur(image: Image, _face_size: float, rng: np.random.Generator) -> Image:
    """Out of focus."""
    return _u8(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.6, 1.6)))


def add_noise(image: Image, _face_size: float, rng: np.random.Generator) -> Image:
    """A sensor's noise: fine or coarse, in brightness or in colour, stronger where it is light."""
    height, width = image.shape[:2]
    grain = int(rng.integers(1, 3))
    channels = 3 if rng.random() < 0.5 else 1
    shape = (-(-height // grain), -(-width // grain), channels)
    noise: Any = rng.standard_normal(shape, dtype=np.float32)
    if grain > 1:
        noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, -1)
    strength = np.sqrt(np.linspace(rng.uniform(0.2, 1), 1, 256, dtype=np.float32))
    lit = strength[image if channels == 3 else image[..., 1:2]]
    return _clipped(image + noise * lit * np.float32(rng.uniform(2.5, 8)))


def denoise(image: Image, _face_size: float, rng: np.random.Generator) -> Image:
    """A median or a bilateral filter."""
    if rng.random() < 0.4:
        return _u8(cv2.medianBlur(image, 3 if rng.random() < 0.7 else 5))
    return _u8(cv2.bilateralFilter(image, 5, rng.uniform(12, 40), 3))


def other_sensor(image: Image, _face_size: float, rng: np.random.Generator) -> Image:
    """The picture's own fine noise taken off and another sensor's fixed pattern put on, as a share of the
    light (photo response non-uniformity)."""
    clean = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 0.8)).astype(np.float32)
    pattern = rng.standard_normal((*image.shape[:2], 1), dtype=np.float32)
    return _clipped(clean * (1 + pattern * np.float32(rng.uniform(0.01, 0.03))))


def smooth(image: Image, face_size: float, rng: np.random.Generator) -> Image:
    """Skin without pores, edges as they were: a guided filter, the picture its own guide in brightness (He
    et al., ECCV 2010), solved at half the size where that is enough ("Fast Guided Filter", 2015)."""
    radius = max(1.0, face_size * rng.uniform(0.015, 0.04))
    flat = rng.uniform(6, 22) ** 2
    height, width = image.shape[:2]
    step = 2 if radius >= LEAST_HALVED and min(height, width) >= 8 * LEAST_HALVED else 1
    size = (-(-width // step), -(-height // step))
    picture = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    side = 2 * max(1, round(radius / step)) + 1

    def mean(values: Any) -> Any:
        return cv2.blur(values, (side, side))

    guide: Any = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    middle, means = mean(guide), mean(picture)
    variance = mean(guide * guide) - middle * middle
    slope = (mean(picture * guide[..., None]) - means * middle[..., None]) / (variance + flat)[..., None]
    offset = means - slope * middle[..., None]
    slope, offset = (cv2.resize(mean(values), (width, height)) for values in (slope, offset))
    return _clipped(slope * cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None] + offset)


def tone(image: Image, _face_size: float, rng: np.random.Generator) -> Image:
    """Another white, gamma and contrast."""
    levels = np.arange(256, dtype=np.float32) / 255
    curve = (levels ** rng.uniform(0.85, 1.18) - 0.5) * rng.uniform(0.88, 1.12) + 0.5
    table = np.stack([curve * gain for gain in rng.uniform(0.95, 1.05, 3)], axis=-1)[None]
    return _u8(cv2.LUT(image, np.clip(table * 255 + 0.5, 0, 255).astype(np.uint8)))


TREATMENTS: dict[str, tuple[float, Treat]] = {
    "soften": (0.16, soften),
    "repeat_pixels": (0.06, repeat_pixels),
    "sharpen": (0.14, sharpen),
    "recompress": (0.18, recompress),
    "blur": (0.08, blur),
    "add_noise": (0.12, add_noise),
    "denoise": (0.08, denoise),
    "other_sensor": (0.06, other_sensor),
    "smooth": (0.06, smooth),
    "tone": (0.06, tone),
}
"""Name → share of the draws, and what it does."""

TWICE = 0.35
"""Share of the treated that are treated twice."""


def treat(image: Image, face_size: float, rng: np.random.Generator) -> tuple[Image, tuple[str, ...]]:
    """One or two treatments of all of `image`, drawn from `TREATMENTS`, and their names."""
    names = list(TREATMENTS)
    shares = [share for share, _ in TREATMENTS.values()]
    count = 2 if rng.random() < TWICE else 1
    drawn = tuple(str(name) for name in rng.choice(names, count, replace=False, p=shares))
    for name in drawn:
        image = TREATMENTS[name][1](image, face_size, rng)
    return image, drawn


def _resampled(image: Image, factor: float, back: int) -> Image:
    height, width = image.shape[:2]
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return _u8(cv2.resize(small, (width, height), interpolation=back))


def _u8(image: Any) -> Image:
    return np.asarray(image, np.uint8)


def _clipped(values: NDArray[np.float32]) -> Image:
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)
