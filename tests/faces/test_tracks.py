"""Tracks: two people stay two, one person stays one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.faces.crop import CropSpec, cut
from unmask.faces.tracks import COLOURS, Look, Tracker, look_of, unit
from unmask.types import Face, Landmarks


def face(x: float, y: float, size: float = 100.0, nose: float = 0.0) -> Face:
    """A face whose nose is so far to the right of the middle between the eyes, in face scales."""
    points = ((-20.0, 0.0), (20.0, 0.0), (40.0 * nose, 20.0), (-15.0, 40.0), (15.0, 40.0))
    landmarks: Landmarks = tuple((x + size / 2 + a, y + size / 2 + b) for a, b in points)  # type: ignore[assignment]
    return Face((x, y, x + size, y + size), landmarks, 0.9)


def look(seed: int, colours: int | None = None) -> Look:
    """Thumbnails of two seeds are as unlike as can be, and share few colours unless told otherwise."""
    grey = np.random.default_rng(seed).normal(size=256)
    shares = np.random.default_rng(seed if colours is None else colours).exponential(size=COLOURS) ** 4
    return Look(unit(grey.astype(np.float32)), unit(np.sqrt(shares).ravel().astype(np.float32)))


ANNA, BERT = look(1), look(2)


def test_two_people_side_by_side_keep_their_own_tracks() -> None:
    tracker = Tracker()
    for step in range(20):
        faces = [face(100 + 3 * step, 100), face(400 - 3 * step, 110)]
        looks = [ANNA, BERT]
        if step % 2:
            faces, looks = faces[::-1], looks[::-1]
        ids = tracker.update(faces, looks, step * 0.4)
        assert ids == ([2, 1] if step % 2 else [1, 2])


def test_two_people_who_cross_are_told_apart_by_their_looks() -> None:
    tracker = Tracker()
    for step in range(11):
        ids = tracker.update([face(40 * step, 0), face(400 - 40 * step, 0)], [ANNA, BERT], step * 0.4)
        assert ids == [1, 2]


def test_another_face_at_the_same_place_after_a_cut_is_a_new_person() -> None:
    tracker = Tracker()
    assert tracker.update([face(100, 100)], [ANNA], 0.0) == [1]
    assert tracker.update([face(100, 100)], [BERT], 0.4) == [2]


def test_a_person_who_comes_back_after_a_cut_keeps_the_track() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100)], [ANNA], 0.0)
    for step in range(10):
        tracker.update([face(300, 50)], [BERT], 1.0 + step * 0.4)
    assert tracker.update([face(140, 90)], [ANNA], 8.0) == [1]


def test_a_sample_without_faces_is_no_end() -> None:
    tracker = Tracker()
    tracker.update([face(100, 100)], [ANNA], 0.0)
    assert tracker.update([], [], 0.4) == []
    assert tracker.update([face(110, 100)], [ANNA], 0.8) == [1]


def test_who_turns_the_head_stays_who_they_are() -> None:
    tracker = Tracker()
    assert tracker.update([face(100, 100)], [ANNA], 0.0) == [1]
    turned = look(3, colours=1)
    assert tracker.update([face(110, 100, nose=0.4)], [turned], 0.4) == [1]
    assert tracker.update([face(100, 100)], [ANNA], 0.8) == [1]
    # Also known from that side from now on, wherever that is.
    assert tracker.update([face(500, 300, nose=0.4)], [turned], 9.0) == [1]


def test_who_looks_and_is_coloured_otherwise_is_somebody_else_however_turned() -> None:
    tracker = Tracker()
    assert tracker.update([face(100, 100)], [ANNA], 0.0) == [1]
    assert tracker.update([face(100, 100, nose=0.4)], [BERT], 0.4) == [2]


def test_somebody_in_the_same_light_further_away_is_somebody_else() -> None:
    tracker = Tracker()
    assert tracker.update([face(100, 100)], [ANNA], 0.0) == [1]
    assert tracker.update([face(180, 100)], [look(3, colours=1)], 0.4) == [2]
    assert tracker.update([face(100, 100, size=150)], [look(4, colours=1)], 0.8) == [3]


def test_a_face_of_which_no_landmarks_are_known_is_followed_too() -> None:
    nowhere = Face((0.0, 0.0, 50.0, 50.0), ((0.0, 0.0),) * 5, 0.9)
    tracker = Tracker()
    assert [tracker.update([nowhere], [ANNA], time) for time in (0.0, 0.4)] == [[1], [1]]


def test_the_look_of_a_face_hardly_changes_from_frame_to_frame(photo: NDArray[np.uint8]) -> None:
    landmarks: Landmarks = ((212.6, 106.2), (248.7, 105.1), (236.5, 128.3), (217.4, 143.5), (245.3, 142.7))
    moved: Landmarks = tuple((x + 3, y - 2) for x, y in landmarks)  # type: ignore[assignment]
    first, second = (look_of(cut(photo, marks, CropSpec())) for marks in (landmarks, moved))
    assert first.grey @ second.grey > 0.8
    assert first.colours @ second.colours > 0.95
    black = look_of(np.zeros((224, 224, 3), np.uint8))
    assert not black.grey.any()
    assert black.colours @ black.colours == pytest.approx(1.0)
