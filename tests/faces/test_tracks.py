"""Tracks: two people stay two, one person stays one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.faces.crop import CropSpec, cut
from unmask.faces.tracks import LOOKS, REMEMBERED, Look, Tracker, Vector, look_of, unit
from unmask.types import Face, Landmarks

ANYWHERE: Landmarks = ((0.0, 0.0),) * 5
GREYS, COLOURS = 256, 726


def face(x: float, y: float, size: float = 100.0) -> Face:
    return Face((x, y, x + size, y + size), ANYWHERE, 0.9)


def _vector(size: int, seed: int) -> Vector:
    return unit(np.random.default_rng(seed).normal(size=size).astype(np.float32))


def look(seed: int) -> Look:
    """Of two seeds, as unlike as can be."""
    return Look(_vector(GREYS, seed), _vector(COLOURS, seed))


def like(other: Look, grey: float, colours: float, seed: int = 99) -> Look:
    """A look exactly so much like the `other`."""
    parts = []
    for vector, share in zip(other, (grey, colours), strict=True):
        stray = _vector(len(vector), seed)
        stray = unit(stray - (stray @ vector) * vector)
        parts.append(np.float32(share) * vector + np.float32(np.sqrt(1 - share**2)) * stray)
    return Look(*parts)


def in_grey(given: Look) -> Look:
    return Look(given.grey, np.zeros_like(given.colours))


ANNA, BERT = look(1), look(2)


def is_the_same(second: Face, alike: Look, after: float = 0.4, first: Look = ANNA) -> bool:
    tracker = Tracker()
    assert tracker.update([face(100, 100)], [first], 0.0) == [1]
    return tracker.update([second], [alike], after) == [1]


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
    assert not is_the_same(face(100, 100), BERT)


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


@pytest.mark.parametrize(
    ("grey", "colours", "same"),
    [
        (0.4, 0.85, True),
        (0.3, 0.7, False),
        (0.6, 0.72, True),
        (0.5, 0.72, False),
        (0.6, 0.6, False),
        (0.97, 0.1, True),  # another light
        (0.9, 0.1, False),
    ],
)
def test_a_face_near_by_is_the_same_person_where_it_looks_alike(
    grey: float, colours: float, same: bool
) -> None:
    # 0.8 face sizes away: too far for colours alone.
    assert is_the_same(face(180, 100), like(ANNA, grey, colours)) is same


@pytest.mark.parametrize(
    ("second", "after", "same"),
    [
        (face(145, 100), 0.4, True),
        (face(160, 100), 0.4, False),
        (face(160, 100), 1.9, False),  # the same place is no larger after a while
        (face(100, 100, 120), 0.4, True),
        (face(95, 95, 140), 0.4, False),
        (face(100, 100), 1.9, True),
        (face(100, 100), 2.1, False),
    ],
)
def test_in_the_same_place_colours_are_enough(second: Face, after: float, same: bool) -> None:
    turned = like(ANNA, 0.0, 0.8)
    assert is_the_same(second, turned, after) is same
    assert not is_the_same(second, like(ANNA, 0.0, 0.7), after)


@pytest.mark.parametrize(
    ("second", "after"),
    [(face(500, 300), 0.4), (face(100, 100, 200), 0.4), (face(500, 300), 30.0)],
    ids=["elsewhere", "after a cut to a close-up", "long ago"],
)
def test_who_was_elsewhere_must_be_more_alike(second: Face, after: float) -> None:
    for grey, colours, same in ((0.8, 0.9, True), (0.6, 0.95, True), (0.7, 0.9, False), (0.8, 0.8, False)):
        assert is_the_same(second, like(ANNA, grey, colours), after) is same


def test_in_black_and_white_thumbnails_alone_tell() -> None:
    grey = in_grey(ANNA)
    assert is_the_same(face(110, 100), in_grey(like(ANNA, 0.5, 0.0)), first=grey)
    assert not is_the_same(face(110, 100), in_grey(like(ANNA, 0.4, 0.0)), first=grey)
    assert is_the_same(face(500, 300), in_grey(like(ANNA, 0.9, 0.0)), first=grey)
    assert not is_the_same(face(500, 300), in_grey(like(ANNA, 0.8, 0.0)), first=grey)
    assert is_the_same(face(110, 100), like(ANNA, 0.5, 1.0), first=grey)


def test_who_turned_the_head_is_known_from_that_side_too() -> None:
    tracker = Tracker()
    profile = like(ANNA, 0.0, 0.9)
    for time_, seen in ((0.0, ANNA), (0.4, profile), (0.8, profile), (1.2, ANNA)):
        assert tracker.update([face(100, 100)], [seen], time_) == [1]
    assert tracker.update([face(500, 300)], [profile], 9.0) == [1]
    assert tracker.update([face(100, 300)], [ANNA], 20.0) == [1]


def test_a_person_is_kept_in_mind_by_a_few_looks() -> None:
    tracker = Tracker()
    for step in range(10):
        assert tracker.update([face(100, 100)], [like(ANNA, 0.0, 0.9, seed=step)], step * 0.4) == [1]
    assert len(tracker.tracks[0].greys) == LOOKS


def test_who_is_known_from_elsewhere_comes_before_who_was_here() -> None:
    """Shot and reverse shot in one room: the same colours, another face."""
    tracker = Tracker()
    other = like(ANNA, 0.1, 0.95)
    told = []
    for step in range(24):
        where, who = [(100, ANNA), (600, other), (600, ANNA)][step // 8]
        told += tracker.update([face(where, 100)], [who], step / 3)
    assert told == [1] * 8 + [2] * 8 + [1] * 8


def test_who_is_nearer_is_followed_however_long_the_other_was_away() -> None:
    tracker = Tracker()
    tracker.update([face(0, 0), face(200, 0)], [ANNA, ANNA], 0.0)
    for step in range(1, 5):
        tracker.update([face(200 - 35 * step, 0)], [ANNA], step * 0.4)
    assert tracker.update([face(45, 0)], [ANNA], 2.0) == [2]


def test_a_long_crowd_costs_no_more_and_no_more_each_time() -> None:
    tracker = Tracker()
    rng = np.random.default_rng(0)
    looks = [look(seed) for seed in range(40)]
    for step in range(60):
        seen = [looks[i] for i in rng.integers(0, 40, 20)]
        seen = [like(one, 0.0, 0.0, seed=100 * step + i) for i, one in enumerate(seen)]
        ids = tracker.update([face(150 * i, 0) for i in range(20)], seen, 5.0 * step)
    assert ids[-1] == tracker.count == 1200
    assert len(tracker.tracks) == REMEMBERED


def test_the_look_of_a_face_hardly_changes_from_frame_to_frame(photo: NDArray[np.uint8]) -> None:
    landmarks: Landmarks = ((205.0, 105.0), (245.0, 105.0), (225.0, 125.0), (208.0, 145.0), (242.0, 145.0))
    moved: Landmarks = tuple((x + 3, y - 2) for x, y in landmarks)  # type: ignore[assignment]
    first, second = (look_of(cut(photo, marks, CropSpec())) for marks in (landmarks, moved))
    assert first.grey @ second.grey > 0.8
    assert first.colours @ second.colours > 0.9


@pytest.mark.parametrize("gains", [(1.0, 0.7, 1.0), (1.0, 0.6, 0.4, 0.25, 0.12, 0.3, 1.0), (1.0, 1.3, 1.0)])
def test_a_change_of_light_is_no_other_person(photo: NDArray[np.uint8], gains: tuple[float, ...]) -> None:
    tracker = Tracker()
    crop = photo[:224, 110:334].astype(np.float64)
    for step, gain in enumerate(gains):
        lit = np.clip(crop * gain, 0, 255).astype(np.uint8)
        assert tracker.update([face(100, 100)], [look_of(lit)], step / 3) == [1]


def test_looks_without_anything_to_see() -> None:
    black, blue = (np.full((224, 224, 3), colour, np.uint8) for colour in ((0, 0, 0), (20, 30, 255)))
    assert not look_of(black).grey.any()
    assert not look_of(black).colours.any()
    assert look_of(blue).colours @ look_of(blue).colours == pytest.approx(1.0)
    noise = np.repeat(np.random.default_rng(0).integers(0, 256, (64, 64, 1), np.uint8), 3, axis=2)
    assert not look_of(noise).colours.any()
