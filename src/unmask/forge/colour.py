"""Give one face the colours of another: by their means and spreads, by their histograms, or not at all."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.forge.forged import Image, Mask
from unmask.forge.mask import bounds

SAMPLE_SIDE = 64
"""Pixels of the longer side at which colours are counted."""

SPREAD_LIMITS = (0.6, 1.6)
"""How far contrast may change: a face half in shadow must not burn out."""

LEAST_COUNTED = 12
"""Pixels within the mask below which nothing can be said of its colours."""

RANKS = 33
"""Places of a distribution that are compared."""

LEVELS = np.arange(256, dtype=np.float32)


def match(target: Image, source: Image, mask: Mask, way: str) -> Image:
    """`source` with the colours that `target` has within the mask; both RGB uint8 (H, W, 3).

    `way` is `reinhard` (means and spreads in CIELAB; Reinhard et al., IEEE CG&A 2001), `mean` (means alone),
    `half` (half of the way to the means: it still looks pasted in), `histogram` (each channel of RGB by its
    distribution) or `none`. Only where the mask is above 0 are colours changed.
    """
    if way == "none":
        return source
    where = bounds(mask)
    height, width = mask[where].shape
    factor = min(1.0, SAMPLE_SIDE / max(height, width))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    counted = cv2.resize(mask[where], size, interpolation=cv2.INTER_AREA) > 0.5 * float(mask.max())
    if counted.sum() < LEAST_COUNTED:
        return source

    def colours(image: Image) -> tuple[Any, NDArray[np.uint8]]:
        part: Any = np.ascontiguousarray(image[where])
        if way != "histogram":
            part = cv2.cvtColor(part, cv2.COLOR_RGB2LAB)
        return part, cv2.resize(part, size, interpolation=cv2.INTER_AREA)[counted]

    (_, wanted), (part, given) = colours(target), colours(source)
    table = TABLES[way](given, wanted)
    changed = cv2.LUT(part, np.clip(table + 0.5, 0, 255).astype(np.uint8)[None])
    if way != "histogram":
        changed = cv2.cvtColor(changed, cv2.COLOR_LAB2RGB)
    image = source.copy()
    image[where] = changed
    return image


# For each level and channel (256, 3) the level that it becomes, from colours given and wanted (N, 3).


def _by_moments(given: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> NDArray[np.float32]:
    ratio = np.clip(wanted.std(axis=0) / np.maximum(given.std(axis=0), 1.0), *SPREAD_LIMITS)
    return np.asarray((LEVELS[:, None] - given.mean(axis=0)) * ratio + wanted.mean(axis=0), np.float32)


def _by_means(given: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(LEVELS[:, None] + wanted.mean(axis=0) - given.mean(axis=0), np.float32)


def _by_half(given: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray((LEVELS[:, None] + _by_means(given, wanted)) / 2, np.float32)


def _by_histogram(given: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The level of the same rank, never steeper or flatter than `SPREAD_LIMITS`."""
    ranks = np.linspace(0, 1, RANKS)
    columns = []
    for channel in range(3):
        have = np.quantile(given[:, channel], ranks) + 1e-3 * np.arange(RANKS)
        want = np.quantile(wanted[:, channel], ranks)
        steps = np.diff(np.interp(LEVELS, have, want), prepend=want[0])
        # Beyond the darkest and the lightest level counted, what lies there keeps its distance.
        steps[np.less_equal(LEVELS, have[0]) | np.greater(LEVELS, have[-1])] = 1
        column = np.cumsum(np.clip(steps, *SPREAD_LIMITS))
        middle = RANKS // 2
        columns.append(column + want[middle] - np.interp(have[middle], LEVELS, column))
    return np.asarray(np.stack(columns, axis=1), np.float32)


TABLES = {"reinhard": _by_moments, "mean": _by_means, "half": _by_half, "histogram": _by_histogram}
