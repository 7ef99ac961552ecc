"""Ways to lay one picture over another through a mask: alpha, Poisson, and by bands of frequency.

All take `target` and `source`, RGB uint8 (H, W, 3) of one size, and a mask (H, W) in [0, 1]; they give a new
picture that is the target's, pixel for pixel, where the mask is 0.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.forge.forged import Image, Mask
from unmask.forge.mask import bounds

POISSON_SIDE = 96
"""Pixels of the longer side at which Poisson's equation is solved: what it adds is smooth, and 320 px take
twenty times as long."""

FRAME = 2
"""Pixels repeated around the region, since OpenCV wants a mask that does not touch its picture's border."""

LEVELS = 4
"""Most halvings of a band blend: seams of colour become as wide as 2⁴ pixels, those of texture stay sharp."""

LEAST_BAND = 8
"""Pixels of the shorter side below which there are no further bands."""


def alpha(target: Image, source: Image, mask: Mask) -> Image:
    """The weighted mean of both pictures."""
    where = bounds(mask)
    below = target[where]
    return _laid(target, below + (source[where].astype(np.float32) - below) * mask[where][..., None], where)


def poisson(target: Image, source: Image, mask: Mask) -> Image:
    """The source's gradients with the target's colours along the mask's edge (Pérez et al., SIGGRAPH 2003).

    Where OpenCV refuses to solve it, on faces of a few pixels, it is `alpha`.
    """
    where = bounds(mask, 2 * FRAME)
    correction = _membrane(target[where], source[where], mask[where])
    if correction is None:
        return alpha(target, source, mask)
    below = target[where]
    return _laid(target, below + (source[where] + correction - below) * mask[where][..., None], where)


def bands(target: Image, source: Image, mask: Mask) -> Image:
    """Each band of frequency blended over a width of its own (Burt & Adelson, ACM TOG 1983)."""
    where = bounds(mask, 2**LEVELS)
    below = target[where]
    # The pyramids are linear, so that of the difference does for both.
    rest: Any = source[where].astype(np.float32) - below
    weight: Any = mask[where]
    pieces: list[Any] = []
    while len(pieces) < LEVELS and min(rest.shape[:2]) >= 2 * LEAST_BAND:
        small = cv2.pyrDown(rest)
        pieces.append((rest - _enlarged(small, rest.shape)) * weight[..., None])
        rest, weight = small, cv2.pyrDown(weight)
    sum_ = rest * weight[..., None]
    for piece in reversed(pieces):
        sum_ = _enlarged(sum_, piece.shape) + piece
    # Wide bands reach beyond the mask; they fade with its last tenth, so that outside it nothing changes.
    inside = np.minimum(mask[where] * 10, 1)[..., None]
    return _laid(target, below + sum_ * inside, where)


BLENDS = {"alpha": alpha, "poisson": poisson, "bands": bands}


def _laid(target: Image, part: NDArray[np.float32], where: tuple[slice, slice]) -> Image:
    image = target.copy()
    image[where] = np.clip(part + 0.5, 0, 255).astype(np.uint8)
    return image


def _enlarged(image: Any, shape: tuple[int, ...]) -> Any:
    return cv2.pyrUp(image, dstsize=(shape[1], shape[0]))


def _membrane(target: Image, source: Image, mask: Mask) -> NDArray[np.float32] | None:
    """What Poisson's equation adds to `source`, float (H, W, 3); None where it cannot be solved."""
    height, width = mask.shape
    factor = min(1.0, POISSON_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    under, over, weight = (_framed(_shrunk(part, size)) for part in (target, source, mask))
    hard = (weight > 0.5 * weight.max()).astype(np.uint8) * 255
    hard[:FRAME], hard[-FRAME:], hard[:, :FRAME], hard[:, -FRAME:] = 0, 0, 0, 0
    x, y, w, h = cv2.boundingRect(hard)
    if min(w, h) < 3:
        return None
    try:
        solved = cv2.seamlessClone(over, under, hard, (x + w // 2, y + h // 2), cv2.NORMAL_CLONE)
    except cv2.error:
        return None
    inner = slice(FRAME, -FRAME)
    added = (solved.astype(np.float32) - over)[inner, inner]
    return np.asarray(cv2.resize(added, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _shrunk(image: Any, size: tuple[int, int]) -> Any:
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _framed(image: Any) -> Any:
    return cv2.copyMakeBorder(image, FRAME, FRAME, FRAME, FRAME, cv2.BORDER_REPLICATE)
