"""Tracks: two people stay two, one person stays one."""

from __future__ import annotations

import numpy as np

from unmask.faces.tracks import Look, Tracker, unit
from unmask.types import Face, Landmarks

ANYWHERE: Landmarks = ((0.0, 0.0),) * 5


def face(x: float, y: float, size: float = 100.0) -> Face:
    return Face((x, y, x + size, y + size), ANYWHERE, 0.9)


def look(seed: int) -> Look:
    return unit(np.random.default_rng(seed).normal(size=256).astype(np.float32))


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
