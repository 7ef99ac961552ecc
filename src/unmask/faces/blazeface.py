"""BlazeFace, full range: the small detector of MediaPipe, run at whatever working size is asked for.

The published network takes 192×192 pixels; it is convolutional throughout, so that larger and oblong pictures
go in as they are and every cell still speaks of the pixels around it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.faces.finder import FINDERS, Use
from unmask.faces.found import to_faces
from unmask.faces.letterbox import letterbox
from unmask.faces.overlap import iou
from unmask.faces.session import open_session
from unmask.types import Face

STRIDE = 4
"""Pixels of the canvas per cell of the output maps."""

MULTIPLE = 32
"""The network halves the canvas five times on the way down."""

SAME_FACE = 0.3
"""Boxes that overlap more than this (IoU) are one face and are averaged; MediaPipe's value."""

MOUTH_HALF_WIDTH = 0.45
"""Half the width of a mouth in eye distances (median over 588 faces; the network gives no corners)."""

MOUTH_LIFT = 0.065
"""How far the line of the corners lies above the mouth's centre, in eye-to-mouth distances (same faces)."""


class BlazeFace:
    """The detector of Bazarevsky et al. (2019) in MediaPipe's "full range" form.

    It finds the eyes, the nose tip and the centre of the mouth; the mouth's corners are estimated from that
    centre and the eyes, and miss a smile. `long_side` is the working size in pixels: faces larger than about
    half the published 192 are lost when it grows. `threshold` is the lowest score (0 to 1) that counts.
    """

    name = "blazeface"
    concurrent = True

    def __init__(self, threads: int = 1, *, long_side: int = 192, threshold: float = 0.35) -> None:
        self.long_side = long_side
        self.threshold = threshold
        self._session = open_session("blazeface.onnx", threads)

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces in `image` (RGB uint8, (H, W, 3)), best score first, in pixels of `image`."""
        small = letterbox(image, self.long_side, MULTIPLE)
        blob = cv2.dnn.blobFromImage(small.canvas, 1 / 127.5, mean=(127.5, 127.5, 127.5))
        logits, maps = (np.asarray(output[0]) for output in self._session.run(None, {"image": blob}))
        rows, columns = np.nonzero(logits[0] > np.log(self.threshold / (1 - self.threshold)))
        if not rows.size:
            return []
        scores = 1 / (1 + np.exp(-logits[0, rows, columns]))
        anchors = np.stack([columns + 0.5, rows + 0.5], axis=1) * STRIDE - 0.5
        # Per cell: centre, size, then six points, all (x, y) in pixels, all but the size from the anchor.
        pairs = maps[:, rows, columns].T.reshape(-1, 8, 2)
        centre, half = pairs[:, 0] + anchors, pairs[:, 1] / 2
        points = pairs[:, 2:6] + anchors[:, None, :]
        found = np.concatenate([(centre - half)[:, None], (centre + half)[:, None], points], axis=1)
        merged, best = _merge(found.astype(np.float32), scores)
        merged = small.to_picture(merged)
        return to_faces(merged[:, :2].reshape(-1, 4), _with_mouth_corners(merged[:, 2:]), best)


def _merge(
    found: NDArray[np.float32], scores: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Average what overlaps, weighted by score; each face keeps its best score. Best first.

    `found` is (N, 6, 2): the box's two corners and four points.
    """
    order = np.argsort(-scores, kind="stable")
    faces, best = [], []
    while order.size:
        boxes = found[order, :2].reshape(-1, 4)
        same = iou(boxes[:1], boxes)[0] > SAME_FACE
        same[0] = True
        faces.append(np.average(found[order[same]], axis=0, weights=scores[order[same]]))
        best.append(scores[order[0]])
        order = order[~same]
    return np.array(faces, dtype=np.float32), np.array(best, dtype=np.float32)


def _with_mouth_corners(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Five landmarks (N, 5, 2) from right eye, left eye, nose and mouth centre (N, 4, 2)."""
    across = (points[:, 1] - points[:, 0]) * MOUTH_HALF_WIDTH
    mouth = points[:, 3]
    middle = mouth - (mouth - points[:, :2].mean(axis=1)) * MOUTH_LIFT
    return np.concatenate([points[:, :3], (middle - across)[:, None], (middle + across)[:, None]], axis=1)


@FINDERS.register("blazeface")
def _make(threads: int, _use: Use) -> BlazeFace:
    return BlazeFace(threads)
