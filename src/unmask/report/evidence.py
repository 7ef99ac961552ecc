"""The telling faces as pictures: each crop as it was judged, and again under the network's reasons."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.types import Evidence, FaceReport, TrackReport

PER_PERSON = 4
"""Faces shown of one person, half of them the most and half the least likely fake."""

LONGEST_SIDE = 256
"""Pixels: larger crops are shrunk, a page with many faces should still fit into a mail."""

SHORTEST_SIDE = 160
"""Pixels: smaller crops are enlarged first, or the smooth colours would come out in steps."""

QUALITY = 88
"""JPEG quality of the pictures in the page."""

FAKE_RGB = np.array([204, 51, 17], np.float64)
REAL_RGB = np.array([0, 90, 181], np.float64)
"""The two ends of the diverging scale; people with any of the colour blindnesses tell them apart."""

STRONGEST = 0.72
"""Opacity of the strongest colour: the face stays visible under it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One telling face: `data:` addresses of its crop and, where the model gives reasons, the overlay."""

    face: FaceReport
    crop: str
    overlay: str | None


def telling(track: TrackReport) -> list[FaceReport]:
    """The judged faces of one person that have evidence and say most: highest P(fake) first."""
    faces = sorted(
        (face for face in track.judged if face.evidence is not None),
        key=lambda face: (-(face.probability or 0.0), face.time),
    )
    if len(faces) <= PER_PERSON:
        return faces
    return faces[: PER_PERSON // 2] + faces[-(PER_PERSON // 2) :]


def scale_of(faces: Iterable[FaceReport]) -> float:
    """The largest absolute value (logits) of all heatmaps, so that one colour means the same on all faces."""
    maps = (_grid(face.evidence) for face in faces if face.evidence is not None)
    return max((float(np.abs(grid).max()) for grid in maps if grid is not None), default=0.0)


def show(face: FaceReport, scale: float) -> Shown | None:
    """The pictures of one face; None where its crop is missing or no picture."""
    crop = None if face.evidence is None else _decode(face.evidence.crop)
    if crop is None or face.evidence is None:
        return None
    grid = _grid(face.evidence)
    laid_over = None if grid is None or scale <= 0 else _address(overlay(crop, grid, scale))
    return Shown(face, _address(crop), laid_over)


def overlay(crop: NDArray[np.uint8], grid: NDArray[np.float64], scale: float) -> NDArray[np.uint8]:
    """`crop` RGB (H, W, 3) in grey, coloured where `grid` (h, w) speaks: opacity follows |value| / scale."""
    height, width = crop.shape[:2]
    smooth = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    alpha = STRONGEST * np.clip(np.abs(smooth) / scale, 0, 1)[..., None]
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float64)
    colour = np.where(smooth[..., None] > 0, FAKE_RGB, REAL_RGB)
    return np.asarray(grey * (1 - alpha) + colour * alpha + 0.5, dtype=np.uint8)


def heat(face: FaceReport, scale: float, side: int) -> NDArray[np.uint8] | None:
    """The reasons for a face as RGBA (side, side, 4) to be laid over its crop, coloured as in `overlay` and
    transparent where nothing speaks; None where there are none."""
    grid = _grid(face.evidence)
    if grid is None or scale <= 0:
        return None
    smooth = cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)[..., None]
    alpha = 255 * STRONGEST * np.clip(np.abs(smooth) / scale, 0, 1)
    colour = np.where(smooth > 0, FAKE_RGB, REAL_RGB)
    return np.asarray(np.concatenate((colour, alpha), axis=-1) + 0.5, dtype=np.uint8)


def _grid(evidence: Evidence | None) -> NDArray[np.float64] | None:
    """The heatmap as an array, None where there is none or its rows differ in length."""
    if evidence is None or not evidence.heatmap or not evidence.heatmap[0]:
        return None
    if len({len(row) for row in evidence.heatmap}) > 1:
        return None
    return np.array(evidence.heatmap, np.float64)


def _decode(jpeg: bytes) -> NDArray[np.uint8] | None:
    """RGB (H, W, 3) of an encoded crop, in a size fit for the page; None if it is no picture."""
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if picture is None:
        return None
    longest = max(picture.shape[:2])
    wanted = min(max(longest, SHORTEST_SIDE), LONGEST_SIDE)
    if wanted != longest:
        way = cv2.INTER_AREA if wanted < longest else cv2.INTER_CUBIC
        picture = cv2.resize(picture, None, fx=wanted / longest, fy=wanted / longest, interpolation=way)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _address(picture: NDArray[np.uint8]) -> str:
    """`data:` address of an RGB picture."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")
