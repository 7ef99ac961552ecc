"""MTCNN: three small networks in a row, each looking closer at what the one before it proposed.

The pipeline gives the faces that `facenet-pytorch` gives with its default settings (checked by
`scripts/convert_mtcnn.py --check`). It is the most particular of the detectors here about small and blurred
faces, and by far the slowest.
"""

from __future__ import annotations

import cv2
import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from unmask.faces.finder import FINDERS, Use
from unmask.faces.found import to_faces
from unmask.faces.overlap import Boxes, suppress
from unmask.faces.session import open_session
from unmask.types import Face

CELL = 12
"""Side in pixels of what P-Net looks at."""
STRIDE = 2
"""Pixels between two neighbouring outputs of P-Net."""
SHRINK = 0.709
"""Step between the sizes a picture is looked at in: about √½, so that the area halves."""
THRESHOLDS = (0.6, 0.7, 0.7)
"""Lowest probability of a face to pass each of the three networks."""
SAME_IN_SCALE, SAME_OVERALL = 0.5, 0.7
"""IoU above which proposals of one scale, or of any, are one face."""
SAME_AT_LAST = 0.7
"""Shared part of the smaller box above which two final boxes are one face."""
AT_ONCE = 512
"""Crops given to a network in one call, which bounds memory."""


class MTCNN:
    """The detector of Zhang et al. (2016), which finds faces from `min_face` pixels up."""

    name = "mtcnn"
    concurrent = True

    def __init__(self, threads: int = 1, *, min_face: int = 20) -> None:
        self.min_face = min_face
        self._pnet = open_session("mtcnn_pnet.onnx", threads)
        self._rnet = open_session("mtcnn_rnet.onnx", threads)
        self._onet = open_session("mtcnn_onet.onnx", threads)

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces in `image` (RGB uint8, (H, W, 3)), best score first, in pixels of `image`."""
        sums = AreaSums(image)
        boxes = self._propose(sums)
        boxes = self._refine(sums, boxes)
        return self._judge(sums, boxes)

    def _propose(self, sums: AreaSums) -> Boxes:
        """P-Net over a pyramid of sizes: square boxes (N, 4)."""
        boxes, scores, shifts = [], [], []
        for scale in pyramid(sums.height, sums.width, self.min_face):
            size = int(sums.height * scale + 1), int(sums.width * scale + 1)
            face, shift = self._pnet.run(None, {"image": _normal(sums.whole(*size))})
            rows, columns = np.nonzero(face[0, 0] >= THRESHOLDS[0])
            if not rows.size:
                continue
            cells = np.stack([columns, rows], axis=1).astype(np.float32) * STRIDE
            scale32 = np.float32(scale)
            found = np.floor(np.concatenate([cells + 1, cells + CELL], axis=1) / scale32)
            score = face[0, 0, rows, columns]
            kept = suppress(found, score, SAME_IN_SCALE)
            boxes.append(found[kept])
            scores.append(score[kept])
            shifts.append(shift[0][:, rows, columns].T[kept])
        if not boxes:
            return np.zeros((0, 4), dtype=np.float32)
        every, score, shift = np.concatenate(boxes), np.concatenate(scores), np.concatenate(shifts)
        kept = suppress(every, score, SAME_OVERALL)
        every, shift = every[kept], shift[kept]
        side = np.tile(every[:, 2:] - every[:, :2], 2)
        return _square(every + shift * side)

    def _refine(self, sums: AreaSums, boxes: Boxes) -> Boxes:
        """R-Net: drop what is no face, move the rest, make it square again."""
        boxes, crops = sums.crops(boxes, 24)
        if not len(boxes):
            return boxes
        face, shift = _in_batches(self._rnet, crops)
        passed = face[:, 0] > THRESHOLDS[1]
        boxes, score, shift = boxes[passed], face[passed, 0], shift[passed]
        kept = suppress(boxes, score, SAME_OVERALL)
        return _square(_moved(boxes[kept], shift[kept]))

    def _judge(self, sums: AreaSums, boxes: Boxes) -> list[Face]:
        """O-Net: the final word, with landmarks."""
        boxes, crops = sums.crops(boxes, 48)
        if not len(boxes):
            return []
        face, shift, marks = _in_batches(self._onet, crops)
        passed = face[:, 0] > THRESHOLDS[2]
        boxes, score, shift, marks = boxes[passed], face[passed, 0], shift[passed], marks[passed]
        # Landmarks come as five x, then five y, in parts of the box O-Net was shown.
        parts = np.stack([marks[:, :5], marks[:, 5:]], axis=2)
        size = boxes[:, None, 2:] - boxes[:, None, :2] + 1
        points = parts * size + boxes[:, None, :2] - 1
        boxes = _moved(boxes, shift)
        kept = _last_suppression(boxes, score)
        return to_faces(boxes[kept], points[kept].astype(np.float32), score[kept])


class AreaSums:
    """Averages over whole-pixel areas of a picture, from one table of sums.

    A reduced picture here is what "area" interpolation means to torch: output pixel i of n averages the
    input pixels from floor(i·N/n) to ceil((i+1)·N/n), each in full. The networks were fed with it in the
    original, and finds change with OpenCV's fractional areas.
    """

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self.height, self.width = image.shape[:2]
        self._sums = np.stack([cv2.integral(plane, sdepth=cv2.CV_32S) for plane in cv2.split(image)])

    def whole(self, height: int, width: int) -> NDArray[np.float32]:
        """The picture reduced to (1, 3, height, width)."""
        top, bottom = _edges(self.height, height)
        left, right = _edges(self.width, width)
        bands = self._sums[:, bottom] - self._sums[:, top]
        sums = np.take(bands, right, axis=2) - np.take(bands, left, axis=2)
        counts = (bottom - top)[:, None] * (right - left)[None, :]
        return np.asarray(sums.astype(np.float32) / counts.astype(np.float32), dtype=np.float32)[None]

    def crops(self, boxes: Boxes, side: int) -> tuple[Boxes, NDArray[np.float32]]:
        """What is inside each box, reduced or enlarged to (N, 3, side, side), normalised.

        Boxes wholly outside the picture are left out of both results. A box counts its pixels from 1 and
        includes its last one, as MTCNN has it.
        """
        whole = np.trunc(boxes).astype(np.int64)
        left, top = np.maximum(whole[:, 0], 1) - 1, np.maximum(whole[:, 1], 1) - 1
        right, bottom = np.minimum(whole[:, 2], self.width), np.minimum(whole[:, 3], self.height)
        inside = (right > left) & (bottom > top)
        boxes, left, top = boxes[inside], left[inside], top[inside]
        right, bottom = right[inside], bottom[inside]
        y1, y2 = (top[:, None] + edge for edge in _edges(bottom - top, side))
        x1, x2 = (left[:, None] + edge for edge in _edges(right - left, side))
        sums = self._sums
        crops = np.empty((len(boxes), 3, side, side), dtype=np.float32)
        for start in range(0, len(boxes), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            a, b = y1[part, :, None], y2[part, :, None]
            c, d = x1[part, None, :], x2[part, None, :]
            total = sums[:, b, d] - sums[:, a, d] - sums[:, b, c] + sums[:, a, c]
            counts = ((b - a) * (d - c)).astype(np.float32)
            mean = np.asarray(total, dtype=np.float32) / counts
            crops[part] = _normal(mean.transpose(1, 0, 2, 3))
        return boxes, crops


def pyramid(height: int, width: int, min_face: int) -> list[float]:
    """The scales at which a picture is looked at: from `min_face` pixels per cell up to the whole picture."""
    scales = []
    scale = CELL / min_face
    side = min(height, width) * scale
    while side >= CELL:
        scales.append(scale)
        scale *= SHRINK
        side *= SHRINK
    return scales


def _edges(before: int | NDArray[np.int64], after: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and one-past-last input pixel of each of `after` output pixels, along the last axis."""
    steps = np.arange(after, dtype=np.int64)
    sides = np.asarray(before, dtype=np.int64)[..., None]
    return steps * sides // after, -(-(steps + 1) * sides // after)


def _normal(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((picture - np.float32(127.5)) * np.float32(1 / 128), dtype=np.float32)


def _in_batches(session: ort.InferenceSession, crops: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """The session's outputs for all crops, a bounded number at a time."""
    parts = [
        session.run(None, {"image": crops[start : start + AT_ONCE]})
        for start in range(0, len(crops), AT_ONCE)
    ]
    return [np.concatenate(output) for output in zip(*parts, strict=True)]


def _moved(boxes: Boxes, shift: NDArray[np.float32]) -> Boxes:
    """Boxes with each edge shifted by a part of the box's side."""
    side = np.tile(boxes[:, 2:] - boxes[:, :2] + 1, 2)
    return boxes + shift * side


def _square(boxes: Boxes) -> Boxes:
    """Boxes widened to squares about their centres."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    low = boxes[:, :2] + sides * np.float32(0.5) - longest * np.float32(0.5)
    return np.concatenate([low, low + longest], axis=1)


def _last_suppression(boxes: Boxes, scores: NDArray[np.float32]) -> list[int]:
    """Greedy suppression by the shared part of the smaller box, best first; sides count both end pixels."""
    order = np.argsort(scores, kind="stable")[::-1]
    area = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1)
    kept: list[int] = []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low + 1, 0), axis=1)
        order = rest[shared / np.minimum(area[best], area[rest]) <= SAME_AT_LAST]
    return kept


@FINDERS.register("mtcnn")
def _make(threads: int, _use: Use) -> MTCNN:
    return MTCNN(threads)
