"""Follow faces from sample to sample, so that each person in a clip gets a verdict of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.types import Face

Look = NDArray[np.float32]
"""A face's appearance in brief: a grey thumbnail of its aligned crop, zero mean and unit length, (L,)."""

LOOK_SIDE = 16
"""Pixels of the thumbnail; enough to tell two people in one picture apart, cheap to compare."""

REACH = 0.9
"""How far a face may move between samples, in face sizes, for each second of `PACE` gone by."""
PACE = 0.5
"""Seconds between samples for which `REACH` is meant; shorter gaps are given as much."""
GROWTH = 1.8
"""By which factor a face may grow or shrink between two samples."""
MEMORY = 2.0
"""Seconds after which a face that went out of sight may come back as another person's."""
SAME_LOOK = 0.35
"""Correlation of looks below which a face is somebody else, as after a cut."""
LIKE_LOOK = 0.75
"""Correlation above which a face is taken for one that was seen longer ago, such as before a cut."""


@dataclass(slots=True)
class Track:
    """One person: when and where last seen. `id` counts from 1 in order of appearance."""

    id: int
    face: Face
    time: float
    look: Look
    seen: int = field(default=1)


class Tracker:
    """Assigns the faces of each sample to tracks; memory is one look per person."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []

    def update(self, faces: Sequence[Face], looks: Sequence[Look], time: float) -> list[int]:
        """The track ids of `faces` at `time` (seconds, not before the last call's), in order."""
        pairs = sorted(
            (cost, number, index)
            for number, track in enumerate(self.tracks)
            for index, (face, look) in enumerate(zip(faces, looks, strict=True))
            if (cost := _cost(track, face, look, time)) is not None
        )
        owner: dict[int, Track] = {}
        taken: set[int] = set()
        for _, number, index in pairs:
            if number not in taken and index not in owner:
                taken.add(number)
                owner[index] = self.tracks[number]
        ids = []
        for index, (face, look) in enumerate(zip(faces, looks, strict=True)):
            track = owner.get(index)
            if track is None:
                track = Track(len(self.tracks) + 1, face, time, look)
                self.tracks.append(track)
            else:
                track.face, track.time, track.seen = face, time, track.seen + 1
                # The look follows slowly: a blink or a turn must not make it forget.
                track.look = unit(0.7 * track.look + 0.3 * look)
            ids.append(track.id)
        return ids


def look_of(crop: NDArray[np.uint8]) -> Look:
    """The look of an aligned crop, RGB uint8 (S, S, 3)."""
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (LOOK_SIDE, LOOK_SIDE), interpolation=cv2.INTER_AREA)
    values = small.astype(np.float32).ravel()
    return unit(values - values.mean())


def unit(values: Look) -> Look:
    """`values` at unit length; all zeros stay as they are."""
    length = float(np.linalg.norm(values))
    return values / np.float32(length) if length > 0 else values


def _cost(track: Track, face: Face, look: Look, time: float) -> float | None:
    """How ill the face fits the track, smaller is better; None where it cannot be the same person."""
    likeness = float(track.look @ look)
    gap = time - track.time
    if gap > MEMORY:
        return 2.0 - likeness if likeness > LIKE_LOOK else None
    size = max(track.face.size, face.size, 1.0)
    if size / max(min(track.face.size, face.size), 1.0) > GROWTH or likeness < SAME_LOOK:
        return None
    (ax, ay), (bx, by) = _centre(track.face), _centre(face)
    distance = math.hypot(ax - bx, ay - by) / size
    if distance > REACH * max(1.0, gap / PACE):
        return None
    return distance + (1.0 - likeness)


def _centre(face: Face) -> tuple[float, float]:
    x1, y1, x2, y2 = face.box
    return (x1 + x2) / 2, (y1 + y2) / 2
