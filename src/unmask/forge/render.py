"""Traces that decoders leave on what they draw: uneven kernels, a code too small for texture, weak high
frequencies, regular peaks in the spectrum, skin without pores.

All take and give RGB uint8 (H, W, 3); their periods are in pixels of that picture.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.forge.forged import Image
from unmask.forge.treat import sharpen, smooth

BLOCK = 8
"""Pixels that one place of a decoder's code stands for."""

PERIODS = (2, 4, 8)
"""Pixels between the crests of a lattice: layers that double the size, one after another."""


def upsample_unevenly(image: Image, rng: np.random.Generator) -> Image:
    """Halved and brought back by a transposed convolution whose phases do not weigh alike (Odena et al.,
    "Deconvolution and Checkerboard Artifacts", Distill 2016)."""
    height, width = image.shape[:2]
    half = (max(1, (width + 1) // 2), max(1, (height + 1) // 2))
    small = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    spread: Any = np.zeros((half[1] * 2, half[0] * 2, 3), np.float32)
    spread[::2, ::2] = small
    # By itself this kernel is linear interpolation; what is done to its weights differs from phase to phase.
    kernel = np.outer((1, 3, 3, 1), (1, 3, 3, 1)) / 16
    kernel *= 1 + rng.normal(0, rng.uniform(0.006, 0.03), kernel.shape)
    kernel *= 4 / kernel.sum()
    drawn = cv2.filter2D(spread, -1, kernel.astype(np.float32), borderType=cv2.BORDER_REFLECT_101)
    return _clipped(drawn[:height, :width])


def add_lattice(image: Image, rng: np.random.Generator) -> Image:
    """A small pattern repeated over the picture, as a gain: periods of 2, 4 or 8 px, 0.4 to 1.8 %."""
    height, width = image.shape[:2]
    period = int(rng.choice(PERIODS, p=(0.5, 0.3, 0.2)))
    tile = rng.normal(0, 1, (period, period, 1)) + 0.3 * rng.normal(0, 1, (period, period, 3))
    tile -= tile.mean(axis=(0, 1))
    tile *= rng.uniform(0.004, 0.018) / max(float(tile.std()), 1e-6)
    repeats = (-(-height // period), -(-width // period), 1)
    gain = np.tile(tile.astype(np.float32), repeats)[:height, :width]
    # Decoders overshoot where there is light to begin with, and a little everywhere.
    return _clipped(image + gain * (image.astype(np.float32) * np.float32(0.7) + 45))


def add_peaks(image: Image, rng: np.random.Generator) -> Image:
    """Waves of 0.6 to 2 levels along the rows, the columns or both: single peaks in the spectrum, as those of
    generative networks (Frank et al., ICML 2020)."""
    height, width = image.shape[:2]
    period = int(rng.choice(PERIODS))
    rows, columns = (
        np.cos(2 * np.pi * np.arange(length) / period).astype(np.float32) for length in (height, width)
    )
    way = int(rng.integers(3))
    wave = (rows[:, None] + 0 * columns, columns[None] + 0 * rows[:, None], rows[:, None] * columns[None])[
        way
    ]
    colour = (1 + 0.3 * rng.normal(0, 1, 3)).astype(np.float32) * np.float32(rng.uniform(0.6, 2.0))
    return _clipped(image + wave[..., None] * colour)


def forget_texture(image: Image, rng: np.random.Generator) -> Image:
    """Blocks of 8 px through a code of few numbers: projected on some of their cosines, mixed at random, and
    weak coefficients shrunk, in two grids laid over each other: edges stay and texture goes."""
    keep = int(rng.integers(10, 36))
    basis = _cosines()[:keep]
    mix = np.linalg.qr(np.eye(keep) + rng.normal(0, 0.1, (keep, keep)))[0].astype(np.float32)
    code = np.ascontiguousarray(mix @ basis)
    threshold = np.float32(rng.uniform(2, 14))
    light, *colours = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    picture = np.asarray(light, np.float32)
    drawn = sum(_through(picture, code, threshold, offset) for offset in (0, BLOCK // 2)) / 2
    # Colour has little texture to begin with.
    spread = rng.uniform(0.8, 2.0)
    channels = [_clipped(drawn), *(cv2.GaussianBlur(colour, (0, 0), spread) for colour in colours)]
    return np.asarray(cv2.cvtColor(cv2.merge(channels), cv2.COLOR_YCrCb2RGB), np.uint8)


def roll_off(image: Image, rng: np.random.Generator) -> Image:
    """High frequencies weakened: what networks trained on mean errors do (Durall et al., CVPR 2020)."""
    picture = image.astype(np.float32)
    low = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.8, 1.6))
    return _clipped(low + (picture - low) * np.float32(rng.uniform(0.15, 0.6)))


def polish(image: Image, rng: np.random.Generator) -> Image:
    """Skin without pores and edges sharper than they were, as diffusion models and restorers paint."""
    face_size = image.shape[0] * 0.75
    return sharpen(smooth(image, face_size, rng), face_size, rng)


RENDERS: dict[str, Callable[[Image, np.random.Generator], Image]] = {
    "forget_texture": forget_texture,
    "roll_off": roll_off,
    "polish": polish,
    "upsample_unevenly": upsample_unevenly,
    "add_lattice": add_lattice,
    "add_peaks": add_peaks,
}


def _through(
    picture: NDArray[np.float32], code: NDArray[np.float32], threshold: np.float32, offset: int
) -> NDArray[np.float32]:
    """A grey `picture` as the code of one grid of blocks, `offset` px from the corner, gives it back."""
    height, width = picture.shape
    down, across = -(-height // BLOCK) + 1, -(-width // BLOCK) + 1
    framed = cv2.copyMakeBorder(
        picture,
        *(offset, down * BLOCK - height - offset),
        *(offset, across * BLOCK - width - offset),
        cv2.BORDER_REPLICATE,
    )
    blocks = framed.reshape(down, BLOCK, across, BLOCK).transpose(0, 2, 1, 3).reshape(-1, BLOCK * BLOCK)
    means = blocks.mean(axis=1, keepdims=True)
    # OpenCV's product, since NumPy's takes all cores, which are the training's.
    nothing = np.empty(0, np.float32)
    numbers = cv2.gemm(blocks - means, code, 1, nothing, 0, flags=cv2.GEMM_2_T)
    numbers = np.sign(numbers) * np.maximum(np.abs(numbers) - threshold, 0)
    back = np.asarray(cv2.gemm(numbers, code, 1, nothing, 0) + means, np.float32)
    whole = back.reshape(down, across, BLOCK, BLOCK).transpose(0, 2, 1, 3).reshape(framed.shape)
    return np.asarray(whole[offset : offset + height, offset : offset + width], np.float32)


@functools.cache
def _cosines() -> NDArray[np.float32]:
    """The orthonormal cosines of a block (64, 64) but for the mean, from low frequencies to high ones."""
    places = np.arange(BLOCK)
    one = np.cos(np.pi * (2 * places[None] + 1) * places[:, None] / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    one[0] = np.sqrt(1 / BLOCK)
    every = np.einsum("iy,jx->ijyx", one, one).reshape(BLOCK**2, BLOCK**2)
    order = np.argsort((places[:, None] + places[None]).ravel(), kind="stable")
    return np.asarray(every[order][1:], np.float32)


def _clipped(values: Any) -> Image:
    return np.asarray(np.clip(values + 0.5, 0, 255), np.uint8)
