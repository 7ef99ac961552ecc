"""Follow faces from sample to sample, so that each person in a clip gets a verdict of their own.

Without a network that knows people: a face stays who it was while it is about where it was and looks alike.
Grey thumbnails tell two people apart, but not that one is the same before and after a turn of the head;
colours, of hair, clothes and what is behind, do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.types import Face

Vector = NDArray[np.float32]


class Look(NamedTuple):
    """A face's appearance in brief: `grey`, a thumbnail of its aligned crop less its mean, and `colours`, the
    square roots of how often each occurs; both of unit length. All zeros where the crop is of one grey, and
    where it has next to no colours."""

    grey: Vector
    colours: Vector


class Likeness(NamedTuple):
    """How alike two looks are: correlation of the thumbnails in [-1, 1], and how much of the colours is
    shared, in [0, 1] (Bhattacharyya); nan where one has none."""

    grey: float
    colours: float


LOOK_SIDE = 16
"""Pixels of the thumbnail; enough to tell two people in one picture apart, cheap to compare."""
COLOUR_SIDE = 64
"""Pixels of the thumbnail whose colours are counted."""
LIGHTS, TINTS = 6, 11
"""Steps of lightness, and of each of the two opponent colours (CIE L*a*b*)."""
TINT_STEP = 8
"""Of 256; the middle one of `TINTS` is neutral, what is beyond the outer ones counts as they do."""
COLOURLESS = 0.15
"""Share of pixels with a colour below which colours tell nothing, as in black-and-white pictures."""

REACH = 0.9
"""How far a face may move between samples, in face sizes, for each second of `PACE` gone by."""
PACE = 0.5
"""Seconds between samples for which `REACH` is meant; shorter gaps are given as much."""
GROWTH = 1.8
"""By which factor a face may grow or shrink between two samples."""
MEMORY = 2.0
"""Seconds after which a face that went out of sight may come back as another person's."""
STAYS = (Likeness(0.35, 0.8), Likeness(0.55, 0.7), Likeness(0.95, 0.0))
"""Alike at least so much, one way or another, a face within reach is the same person."""
RETURNS = (Likeness(0.75, 0.85), Likeness(0.5, 0.93))
"""As `STAYS`, of a face that was elsewhere, of another size, or seen longer ago."""
STAYS_GREY, RETURNS_GREY = 0.45, 0.85
"""The thumbnails' correlation in place of `STAYS` and `RETURNS`, where there are no colours."""
SAME_PLACE, SAME_SIZE, SAME_COLOURS = 0.5, 1.3, 0.75
"""Within so many face sizes, of so nearly the same size and colours, a face is the same person whatever its
thumbnail says: turned away, or behind a hand."""

LOOKS = 3
"""Thumbnails kept of a person, such as from the left, the front and the right."""
REMEMBERED = 200
"""Persons kept in mind: who was not seen for longest is forgotten first."""

_RETURNED, _UNLIKE = 1.0, 4.0
"""What it costs to take a face for someone from elsewhere, and for someone it does not look like: only where
it fits nobody better."""


@dataclass(slots=True)
class Track:
    """One person: when and where last seen, and how they look. `id` counts from 1 in order of appearance."""

    id: int
    face: Face
    time: float
    colours: Vector
    greys: list[Vector]


class Tracker:
    """Assigns the faces of each sample to tracks; memory is a few looks of each of `REMEMBERED` persons."""

    def __init__(self) -> None:
        self.tracks: list[Track] = []
        self.count = 0

    def update(self, faces: Sequence[Face], looks: Sequence[Look], time: float) -> list[int]:
        """The track ids of `faces` at `time` (seconds, not before the last call's), in order."""
        alike = _likenesses(self.tracks, looks)
        pairs = sorted(
            (cost, number, index)
            for number, track in enumerate(self.tracks)
            for index, face in enumerate(faces)
            if (cost := _cost(track, face, alike[number][index], time)) is not None
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
                self.count += 1
                track = Track(self.count, face, time, look.colours, [look.grey])
                self.tracks.append(track)
            else:
                _follow(track, face, look, time)
            ids.append(track.id)
        if len(self.tracks) > REMEMBERED:
            self.tracks = sorted(self.tracks, key=lambda track: track.time)[-REMEMBERED:]
        return ids


def look_of(crop: NDArray[np.uint8]) -> Look:
    """The look of an aligned crop, RGB uint8 (S, S, 3)."""
    small = cv2.resize(crop, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    smaller = cv2.resize(grey, (LOOK_SIDE, LOOK_SIDE), interpolation=cv2.INTER_AREA)
    values = smaller.astype(np.float32).ravel()
    return Look(unit(values - values.mean()), _colours(small.astype(np.uint8, copy=False)))


def unit(values: Vector) -> Vector:
    """`values` at unit length; all zeros stay as they are."""
    length = float(np.linalg.norm(values))
    return values / np.float32(length) if length > 0 else values


def _colours(small: NDArray[np.uint8]) -> Vector:
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.intp).reshape(-1, 3)
    light = lab[:, 0] * LIGHTS // 256
    least = 128 - TINT_STEP // 2 - TINT_STEP * (TINTS // 2)
    tints = np.clip((lab[:, 1:] - least) // TINT_STEP, 0, TINTS - 1)
    counts = np.bincount((light * TINTS + tints[:, 0]) * TINTS + tints[:, 1], minlength=LIGHTS * TINTS**2)
    coloured = np.mean(tints != TINTS // 2, axis=1) > 0
    if coloured.mean() < COLOURLESS:
        counts[:] = 0
    return unit(np.sqrt(counts).astype(np.float32))


def _likenesses(tracks: Sequence[Track], looks: Sequence[Look]) -> list[list[Likeness]]:
    """Of each track with each look; by the thumbnail of the track that is most alike."""
    if not tracks or not looks:
        return [[] for _ in tracks]
    firsts = np.cumsum([0, *(len(track.greys) for track in tracks[:-1])])
    every = np.stack([grey for track in tracks for grey in track.greys])
    greys = np.maximum.reduceat(every @ np.stack([look.grey for look in looks]).T, firsts)
    colours = np.stack([track.colours for track in tracks]) @ np.stack([look.colours for look in looks]).T
    colours[~np.array([track.colours.any() for track in tracks])] = np.nan
    colours[:, ~np.array([look.colours.any() for look in looks])] = np.nan
    return [
        [Likeness(float(grey), float(colour)) for grey, colour in zip(*rows, strict=True)]
        for rows in zip(greys, colours, strict=True)
    ]


def _follow(track: Track, face: Face, look: Look, time: float) -> None:
    track.face, track.time = face, time
    # Looks follow slowly: a blink or a hand must not make them forget.
    if look.colours.any():
        track.colours = unit(0.7 * track.colours + 0.3 * look.colours)
    best = int(np.argmax([grey @ look.grey for grey in track.greys]))
    if float(track.greys[best] @ look.grey) >= STAYS[0].grey:
        track.greys.append(unit(0.7 * track.greys.pop(best) + 0.3 * look.grey))
    else:
        track.greys = [*track.greys, look.grey][-LOOKS:]


def _cost(track: Track, face: Face, alike: Likeness, time: float) -> float | None:
    """How ill the face fits the track, smaller is better; None where it cannot be the same person."""
    gap = time - track.time
    growth = max(track.face.size, face.size, 1.0) / max(min(track.face.size, face.size), 1.0)
    distance = _distance(track.face, face)
    near = gap <= MEMORY and growth <= GROWTH and distance <= REACH * max(1.0, gap / PACE)
    colours = alike.grey if math.isnan(alike.colours) else alike.colours
    unlike = 1.0 - (alike.grey + colours) / 2
    if near and _reaches(alike, STAYS, STAYS_GREY):
        return distance + unlike
    if _reaches(alike, RETURNS, RETURNS_GREY):
        return _RETURNED + unlike
    if near and distance <= SAME_PLACE and growth <= SAME_SIZE and alike.colours >= SAME_COLOURS:
        return _UNLIKE + distance
    return None


def _reaches(alike: Likeness, least: Sequence[Likeness], grey: float) -> bool:
    if math.isnan(alike.colours):
        return alike.grey >= grey
    return any(alike.grey >= one.grey and alike.colours >= one.colours for one in least)


def _distance(before: Face, face: Face) -> float:
    """Between the middles of two faces, in sizes of the larger."""
    (ax, ay), (bx, by) = _centre(before), _centre(face)
    return math.hypot(ax - bx, ay - by) / max(before.size, face.size, 1.0)


def _centre(face: Face) -> tuple[float, float]:
    x1, y1, x2, y2 = face.box
    return (x1 + x2) / 2, (y1 + y2) / 2
