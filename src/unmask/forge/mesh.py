"""Bring another face into place: a thin-plate spline under which eyes, nose, mouth and outline meet."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.faces.crop import FaceFrame, face_frame
from unmask.forge.forged import Donor, Image, Mask
from unmask.forge.mask import bounds, turned
from unmask.types import Landmarks

CELLS = 24
"""The spline is computed at this many places across and down and interpolated between: it is smooth."""

STIFFNESS = 1e-3
"""Weight of smoothness, so that landmarks that lie on each other still give a map."""

FADE = 0.05
"""Of the donor's face scale: the width over which the edge of its picture fades."""

Points = NDArray[np.float64]


def fit_face(
    donor: Donor, target: Image, landmarks: Landmarks, mask: Mask, side: float
) -> tuple[Image, Mask]:
    """The donor's face where the target's is, and how far the donor's picture reaches, (H, W) in [0, 1].

    Outside the region of `mask` the picture is the target. The donor's face is first made no larger than
    `side` px, as a generator of that resolution would give it.
    """
    there, here = face_frame(donor.landmarks), face_frame(landmarks)
    where = bounds(mask)
    factor = min(1.0, side / there.face_size, 1.25 * here.face_size / there.face_size)
    image: Any = donor.image
    if factor < 1:
        size = tuple(max(1, round(length * factor)) for length in (image.shape[1], image.shape[0]))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    at = _spline(_controls(here, landmarks), _controls(there, donor.landmarks), here, where)
    # Pixel centres lie at whole numbers before and after the shrinking.
    scale = np.array([image.shape[1] / donor.image.shape[1], image.shape[0] / donor.image.shape[0]])
    at = ((at + 0.5) * scale - 0.5).astype(np.float32)
    x, y = at[..., 0], at[..., 1]
    warped = cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    result = target.copy()
    result[where] = warped
    cover = np.zeros(mask.shape, np.float32)
    inside = np.minimum(np.minimum(x, image.shape[1] - 1 - x), np.minimum(y, image.shape[0] - 1 - y))
    # It fades over a few pixels, so that where the donor's picture ends there is no hard line.
    fade = max(1.0, FADE * there.scale * scale.min())
    cover[where] = np.clip(inside / fade, 0, 1)
    return result, cover


def _controls(frame: FaceFrame, landmarks: Landmarks) -> Points:
    """Landmarks and outline of a face, (N, 2) in pixels."""
    return np.array([*landmarks, *(frame.point(x, y) for x, y in turned(frame, landmarks, "head"))])


def _spline(start: Points, end: Points, unit: FaceFrame, where: tuple[slice, slice]) -> NDArray[np.float32]:
    """For each pixel of the region the (x, y) that the spline from `start` to `end` takes it to."""
    rows, columns = where
    height, width = rows.stop - rows.start, columns.stop - columns.start
    step = max(1, math.ceil(max(height, width) / CELLS))
    down, across = math.ceil(height / step) + 2, math.ceil(width / step) + 2
    # One more cell on each side: enlarging repeats the outermost values, which the slices below cut away.
    ys = rows.start + (np.arange(down) - 0.5) * step - 0.5
    xs = columns.start + (np.arange(across) - 0.5) * step - 0.5
    nodes = np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)
    origin, scale = np.array(unit.origin), unit.scale
    known, asked = (start - origin) / scale, (nodes - origin) / scale
    count = len(known)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(known, known) + STIFFNESS * np.eye(count)
    system[:count, count:] = np.column_stack([np.ones(count), known])
    system[count:, :count] = system[:count, count:].T
    weights = np.linalg.solve(system, np.vstack([end, np.zeros((3, 2))]))
    values = (
        _kernel(asked, known) @ weights[:count]
        + np.column_stack([np.ones(len(asked)), asked]) @ weights[count:]
    )
    coarse = values.reshape(down, across, 2).astype(np.float32)
    fine: Any = cv2.resize(coarse, (across * step, down * step), interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine[step : step + height, step : step + width], np.float32)


def _kernel(some: Points, others: Points) -> Points:
    """r² log r between each two of them, (len(some), len(others))."""
    squares = ((some[:, None] - others[None]) ** 2).sum(axis=2)
    return np.asarray(0.5 * squares * np.log(np.maximum(squares, 1e-12)))
