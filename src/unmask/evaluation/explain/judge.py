"""Crops and crops with parts taken out, judged by one model in calibrated log-odds of fake."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.detector.model import Model, Scores
from unmask.errors import ModelError

Crop = NDArray[np.uint8]
"""RGB (S, S, 3), cut as the model's card says."""

Grid = NDArray[np.float64]
"""A map over the crop, rows of cells that cover it evenly."""

GRID = 14
"""Cells along each side of a crop that are taken out or put back as wholes: twice as fine as the maps of most
networks, and coarse enough that a cell holds something to see (16 pixels of 224)."""

SOFT_EDGE = 1 / 6
"""Standard deviation of the soft edge around what is taken out, in cells: a hard one would be a trace of its
own to a network that looks for seams."""

BLUR = 1 / 14
"""Standard deviation of the blur that fills, in sides of the crop: eyes and mouth can just be told apart."""

BATCH = 8


class Fill(enum.StrEnum):
    """What takes the place of what is taken out: the same place blurred, or the crop's mean colour."""

    BLUR = "blur"
    MEAN = "mean"


def filling(crop: Crop, fill: Fill) -> NDArray[np.float32]:
    """The whole crop (S, S, 3) as it looks where everything is taken out."""
    values: Any = crop.astype(np.float32)
    if fill is Fill.MEAN:
        return np.broadcast_to(values.mean(axis=(0, 1)), values.shape)
    return np.asarray(
        cv2.GaussianBlur(values, (0, 0), BLUR * len(crop), borderType=cv2.BORDER_REFLECT_101), np.float32
    )


def without(crop: Crop, filled: NDArray[np.float32], part: NDArray[Any]) -> Crop:
    """`crop` with `part` (`GRID`, `GRID`) taken out: 1 all of a cell, 0 nothing of it."""
    side = len(crop)
    mask: Any = cv2.resize(part.astype(np.float32), (side, side), interpolation=cv2.INTER_NEAREST)
    edge = SOFT_EDGE * side / GRID
    mask = cv2.GaussianBlur(mask, (0, 0), edge, borderType=cv2.BORDER_REPLICATE)[..., None]
    return np.asarray(np.clip(crop * (1 - mask) + filled * mask + 0.5, 0, 255), dtype=np.uint8)


class Judge:
    """One model asked about many variations of a crop."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._calibration = model.card.calibration

    def whole(self, crop: Crop) -> tuple[float, Grid | None]:
        """Log-odds of an unchanged crop, and the model's own map (h, w), whose mean they are, or None."""
        scores = self.model.score(crop[None])
        own = None if scores.evidence is None else scores.evidence[0].astype(np.float64)
        scale, offset = self._calibration.scale, self._calibration.offset
        return float(self._odds(scores)[0]), None if own is None else scale * own + offset

    def parts(self, crop: Crop, filled: NDArray[np.float32], parts: NDArray[Any]) -> NDArray[np.float64]:
        """Log-odds (K,) of `crop` without each of `parts` (K, `GRID`, `GRID`)."""
        found = [
            self._odds(self.model.score(np.stack([without(crop, filled, part) for part in some])))
            for some in _batches(parts)
        ]
        return np.concatenate(found) if found else np.zeros(0)

    def _odds(self, scores: Scores) -> NDArray[np.float64]:
        odds = self._calibration.scale * scores.raw + self._calibration.offset
        if not np.isfinite(odds).all():
            raise ModelError(
                f"{self.model.card.name} gives no number for a face",
                hint="it cannot be explained on this file",
            )
        return odds


def _batches(parts: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for start in range(0, len(parts), BATCH):
        yield parts[start : start + BATCH]
