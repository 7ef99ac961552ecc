"""Maps of a face: which parts of it speak for a fake (above 0) and which for a real face, in log-odds."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.evaluation.explain.judge import GRID, Crop, Fill, Grid, Judge, filling
from unmask.registry import Registry

EVIDENCE = "evidence"
"""The map a model gives with its score."""

OCCLUSION = "occlusion"

PATCH = 3
"""Cells along the side of the patch that is slid over the face: about an eye."""

MASKS = 600
"""Random masks behind a `rise` map."""

COARSE = 7
"""Cells along the side of a random mask before it is made smooth."""

Odds = float

MAPS: Registry[Callable[[Judge, Crop, Odds, Grid | None], Grid | None]] = Registry("map")
"""Name → map of a crop, from its judge, the crop, its log-odds and the model's own map; None where the model
does not give what the map is made of."""


@MAPS.register(EVIDENCE)
def evidence(judge: Judge, crop: Crop, odds: Odds, own: Grid | None) -> Grid | None:
    """The model's own map, calibrated: its mean is the face's log-odds. An ensemble's file gives its members'
    maps weighted as their scores are."""
    return own


@MAPS.register(OCCLUSION)
def occlusion(judge: Judge, crop: Crop, odds: Odds, own: Grid | None) -> Grid:
    """How far the log-odds fall when a patch around each cell is blurred (Zeiler & Fergus, "Visualizing and
    Understanding Convolutional Networks", ECCV 2014, where the patch is grey). Any model has it."""
    at = np.arange(GRID)
    near = np.abs(at[:, None] - at[None]) <= PATCH // 2
    patches = near[:, None, :, None] & near[None, :, None, :]
    found = judge.parts(crop, filling(crop, Fill.BLUR), patches.reshape(-1, GRID, GRID))
    return odds - found.reshape(GRID, GRID)


@MAPS.register("rise")
def rise(judge: Judge, crop: Crop, odds: Odds, own: Grid | None) -> Grid:
    """How much the log-odds rise with each cell that is kept, over random smooth masks (after Petsiuk, Das &
    Saenko, "RISE", BMVC 2018; here the slope of a line, not a weighted mean, so that 0 means nothing)."""
    random = np.random.default_rng(0)
    kept = np.stack([_smooth_mask(random) for _ in range(MASKS)])
    found = judge.parts(crop, filling(crop, Fill.BLUR), 1 - kept)
    apart = kept - kept.mean(axis=0)
    slope: Grid = np.tensordot(found - found.mean(), apart, 1) / (apart**2).sum(axis=0)
    return slope


def _smooth_mask(random: np.random.Generator) -> NDArray[np.float32]:
    """Half of a coarse grid at random, made smooth and shifted by part of a cell."""
    step = GRID // COARSE
    coarse = (random.random((COARSE + 1, COARSE + 1)) < 0.5).astype(np.float32)
    side = (COARSE + 1) * step
    y, x = random.integers(0, step + 1, 2)
    smooth = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(smooth[y : y + GRID, x : x + GRID], dtype=np.float32)


def on_grid(rows: Grid) -> Grid:
    """A map of any size as `GRID` × `GRID` cells, smoothed as it is when drawn over a face."""
    way = cv2.INTER_AREA if max(rows.shape) > GRID else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rows, (GRID, GRID), interpolation=way), dtype=np.float64)


def agreement(first: Grid, second: Grid) -> float | None:
    """Spearman's rank correlation of two maps, None where one of them is the same everywhere."""
    a, b = (_ranks(on_grid(grid).ravel()) for grid in (first, second))
    a, b = a - a.mean(), b - b.mean()
    norm = float(a @ a) * float(b @ b)
    return float(a @ b) / math.sqrt(norm) if norm > 0 else None


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks, the mean of them for ties."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = last - (counts - 1) / 2
    return ranks[place]
