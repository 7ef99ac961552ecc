"""How much boxes overlap, and which of several boxes on one face to keep."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32]
"""Shape (N, 4): x1, y1, x2, y2 in pixels."""


def iou(boxes: Boxes, others: Boxes) -> NDArray[np.float32]:
    """Intersection over union of each box with each other one, shape (N, M), in [0, 1]."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=2)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    other_area = np.prod(others[:, 2:] - others[:, :2], axis=1)
    union = area[:, None] + other_area[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), dtype=np.float32)


def suppress(boxes: Boxes, scores: NDArray[np.float32], threshold: float) -> list[int]:
    """Greedy non-maximum suppression: indices to keep, best score first.

    A box goes when its overlap (`iou`) with a better one that stays is above `threshold`.
    """
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[iou(boxes[best : best + 1], boxes[rest])[0] <= threshold]
    return kept
