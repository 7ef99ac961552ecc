"""CenterFace: faces as points of a heat map, with their size and five landmarks read off beside it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.faces.finder import FINDERS, Use
from unmask.faces.found import to_faces
from unmask.faces.letterbox import letterbox
from unmask.faces.overlap import suppress
from unmask.faces.session import open_session
from unmask.types import Face

STRIDE = 4
"""Pixels of the canvas per cell of the heat map."""

MULTIPLE = 32
"""The network halves the canvas five times on the way down."""

SAME_FACE = 0.3
"""Boxes that overlap more than this (IoU) are one face; the authors' value."""


STILL_LONG_SIDE = 640
"""Working size for single pictures: finds nine in ten faces of 20 px in a 640-wide picture."""

VIDEO_LONG_SIDE = 352
"""Working size for video: a third of the cost per frame, and finds nine in ten faces of 32 px."""


class CenterFace:
    """The detector of Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point" (2020).

    `long_side` is the working size in pixels: pictures are shrunk to it (never enlarged), which sets the cost
    and the smallest face alike. `threshold` is the lowest score (0 to 1) that counts as a face.
    """

    name = "centerface"
    concurrent = True

    def __init__(
        self, threads: int = 1, *, long_side: int = STILL_LONG_SIDE, threshold: float = 0.35
    ) -> None:
        self.long_side = long_side
        self.threshold = threshold
        self._session = open_session("centerface.onnx", threads)

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces in `image` (RGB uint8, (H, W, 3)), best score first, in pixels of `image`."""
        small = letterbox(image, self.long_side, MULTIPLE)
        outputs = self._session.run(None, {"image": cv2.dnn.blobFromImage(small.canvas)})
        heat, size, offset, landmarks = (np.asarray(output[0], dtype=np.float32) for output in outputs)
        rows, columns = np.nonzero(heat[0] > self.threshold)
        if not rows.size:
            return []
        scores = heat[0, rows, columns]
        # Channels come as (y, x) pairs; a cell's centre lies half a cell in, a pixel's half a pixel.
        half = np.exp(size[::-1, rows, columns].T) * (STRIDE / 2)
        cells = np.stack([columns, rows], axis=1).astype(np.float32) + offset[::-1, rows, columns].T
        centres = (cells + 0.5) * STRIDE - 0.5
        boxes = np.concatenate([centres - half, centres + half], axis=1)
        marks = landmarks[:, rows, columns].T.reshape(-1, 5, 2)[:, :, ::-1]
        points = (centres - half)[:, None, :] + marks * (2 * half)[:, None, :]
        kept = suppress(boxes, scores, SAME_FACE)
        corners = small.to_picture(boxes[kept].reshape(-1, 2, 2)).reshape(-1, 4)
        return to_faces(corners, small.to_picture(np.asarray(points[kept], np.float32)), scores[kept])


@FINDERS.register("centerface")
def _make(threads: int, use: Use) -> CenterFace:
    return CenterFace(threads, long_side=VIDEO_LONG_SIDE if use is Use.VIDEO else STILL_LONG_SIDE)
