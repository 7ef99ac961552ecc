"""Follow faces from sample to sample, so that each person in a clip gets a verdict of their own.

Without a network that knows people: a face stays who it was while it is about where it was and looks alike.
Grey thumbnails tell two people apart, but not that one is the same before and after a turn of the head;
colours, of hair, clothes and what is behind, do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.types import Face

Vector = NDArray[np.float32]


class Look(NamedTuple):
    """A face's appearance in brief, each part of unit length: `grey`, a thumbnail of its aligned crop less
    its mean, and `colours`, the square roots of how often each occurs."""

    grey: Vector
    colours: Vector


class Likeness(NamedTuple):
    """How alike two looks are: correlation of the thumbnails in [-1, 1], and how much of the colours is
    shared, in [0, 1] (Bhattacharyya)."""

    grey: float
    colours: float


LOOK_SIDE = 16
"""Pixels of the thumbnail; enough to tell two people in one picture apart, cheap to compare."""
COLOUR_SIDE = 64
"""Pixels of the thumbnail whose colours are counted."""
COLOURS = (6, 12, 12)
"""Steps of lightness and of the two opponent colours (CIE L*a*b*), the latter from `FAINT` to `VIVID`."""
FAINT, VIVID = 90, 180

REACH = 0.9
"""How far a face may move between samples, in face sizes, for each second of `PACE` gone by."""
PACE = 0.5
"""Seconds between samples for which `REACH` is meant; shorter gaps are given as much."""
GROWTH = 1.8
"""By which factor a face may grow or shrink between two samples."""
MEMORY = 2.0
"""Seconds after which a face that went out of sight may come back as another person's."""
SAME_PLACE, SAME_SIZE = 0.5, 1.3
"""As `REACH` and `GROWTH`, for a face that looks otherwise than before."""
TURNED = 0.15
"""By how much the tip of the nose moves sideways, in face scales, when thumbnails no longer compare."""

STAYS = (Likeness(0.35, 0.8), Likeness(0.55, 0.6))
"""Alike at least so much, the one way or the other, a face near by is the same person."""
STAYS_TURNED, STAYS_UNTURNED = 0.75, 0.85
"""Colours from which on a face in the same place is the same person whatever its thumbnail says."""
RETURNS = (Likeness(0.75, 0.75), Likeness(0.5, 0.9))
"""As `STAYS`, of a face that was seen longer ago, anywhere, such as before a cut."""


@dataclass(slots=True)
class Track:
    """One person: when and where last seen, and how they look from the left, the front and the right.

    `id` counts from 1 in order of appearance."""

    id: int
    face: Face
    time: float
    colours: Vector
    greys: dict[int, Vector]
    seen: int = field(default=1)


class Tracker:
    """Assigns the faces of each sample to tracks; memory is up to three looks per person."""

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
                greys = {_side(face): look.grey}
                track = Track(len(self.tracks) + 1, face, time, look.colours, greys)
                self.tracks.append(track)
            else:
                _follow(track, face, look, time)
            ids.append(track.id)
        return ids


def look_of(crop: NDArray[np.uint8]) -> Look:
    """The look of an aligned crop, RGB uint8 (S, S, 3)."""
    small = cv2.resize(crop, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA)
    ranges = [0, 256, FAINT, VIVID, FAINT, VIVID]
    counts = cv2.calcHist([cv2.cvtColor(small, cv2.COLOR_RGB2LAB)], [0, 1, 2], None, list(COLOURS), ranges)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    smaller = cv2.resize(grey, (LOOK_SIDE, LOOK_SIDE), interpolation=cv2.INTER_AREA)
    values = smaller.astype(np.float32).ravel()
    return Look(unit(values - values.mean()), unit(np.sqrt(counts).ravel()))


def unit(values: Vector) -> Vector:
    """`values` at unit length; all zeros stay as they are."""
    length = float(np.linalg.norm(values))
    return values / np.float32(length) if length > 0 else values


def _follow(track: Track, face: Face, look: Look, time: float) -> None:
    track.face, track.time, track.seen = face, time, track.seen + 1
    # Looks follow slowly: a blink or a hand must not make them forget.
    track.colours = unit(0.7 * track.colours + 0.3 * look.colours)
    before = track.greys.get(side := _side(face))
    track.greys[side] = look.grey if before is None else unit(0.7 * before + 0.3 * look.grey)


def _cost(track: Track, face: Face, look: Look, time: float) -> float | None:
    """How ill the face fits the track, smaller is better; None where it cannot be the same person."""
    alike = Likeness(
        max(float(grey @ look.grey) for grey in track.greys.values()), float(track.colours @ look.colours)
    )
    unlike = 2.0 - alike.grey - alike.colours
    gap = time - track.time
    if gap > MEMORY:
        return 2.0 + unlike if _reaches(alike, RETURNS) else None
    growth = max(track.face.size, face.size, 1.0) / max(min(track.face.size, face.size), 1.0)
    distance = _distance(track.face, face) / max(1.0, gap / PACE)
    if growth > GROWTH or distance > REACH:
        return None
    if not _reaches(alike, STAYS):
        turned = abs(_turn(track.face) - _turn(face)) > TURNED
        moved = distance > SAME_PLACE or growth > SAME_SIZE
        if moved or alike.colours < (STAYS_TURNED if turned else STAYS_UNTURNED):
            return None
    return distance + unlike


def _reaches(alike: Likeness, least: Sequence[Likeness]) -> bool:
    return any(alike.grey >= one.grey and alike.colours >= one.colours for one in least)


def _distance(before: Face, face: Face) -> float:
    """Between the middles of two faces, in sizes of the larger."""
    (ax, ay), (bx, by) = _centre(before), _centre(face)
    return math.hypot(ax - bx, ay - by) / max(before.size, face.size, 1.0)


def _centre(face: Face) -> tuple[float, float]:
    x1, y1, x2, y2 = face.box
    return (x1 + x2) / 2, (y1 + y2) / 2


def _turn(face: Face) -> float:
    """How far the tip of the nose is to the right of the middle between the eyes, in face scales: about 0
    from the front, 0.5 and more in profile."""
    right_eye, left_eye, nose, *mouth = np.array(face.landmarks)
    across, eyes = left_eye - right_eye, (left_eye + right_eye) / 2
    wide, high = np.linalg.norm(across), np.linalg.norm(np.mean(mouth, axis=0) - eyes)
    scale = float(wide * max(wide, high))
    return float((nose - eyes) @ across) / scale if scale else 0.0


def _side(face: Face) -> int:
    """From where the face is seen: -1, 0 or 1."""
    turn = _turn(face)
    return 0 if abs(turn) <= TURNED else int(math.copysign(1, turn))
