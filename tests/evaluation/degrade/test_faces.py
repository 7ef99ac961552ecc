"""Disturbed faces: within their bounds, the same for the same seed, further with each severity."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.evaluation.degrade.degraded import OF_FACES

from unmask.errors import UnmaskError
from unmask.evaluation.degrade import (
    DEGRADATIONS,
    SEVERITIES,
    NoisyFinder,
    disturbed_scanner,
)
from unmask.evaluation.degrade import faces as faces_module
from unmask.faces.crop import CENTRE_BELOW_EYES, face_frame
from unmask.options import ScanOptions
from unmask.types import Face, Verdict


class Found:
    """A finder that finds the same faces in everything."""

    name = "found"
    concurrent = True

    def __init__(self, faces: list[Face]) -> None:
        self.faces = faces

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        return list(self.faces)


def some_faces(count: int = 200) -> list[Face]:
    random = np.random.default_rng(3)
    faces = []
    for n in range(count):
        x, y, side = random.uniform(0, 900), random.uniform(0, 500), random.uniform(40, 300)
        at = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        points = at * [0.8 * side, side] + [x, y] + random.normal(0, 0.01 * side, (5, 2))
        one, two, three, four, five = ((float(a), float(b)) for a, b in points)
        faces.append(Face((x, y, x + 0.8 * side, y + side), (one, two, three, four, five), 1 - n / count))
    return faces


BLANK = np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_margin_changes_within_its_bounds_and_the_crop_stays_in_place(severity: int) -> None:
    faces = some_faces()
    noisy = NoisyFinder(Found(faces), "margin", severity, 1).find(BLANK)
    most = DEGRADATIONS["margin"].levels[severity - 1]
    factors = []
    for before, after in zip(faces, noisy, strict=True):
        was, now = face_frame(before.landmarks), face_frame(after.landmarks)
        factor = now.scale / was.scale
        factors.append(factor)
        assert now.point(0, CENTRE_BELOW_EYES) == pytest.approx(was.point(0, CENTRE_BELOW_EYES))
        assert now.right == pytest.approx(was.right)
        assert after.size == pytest.approx(before.size * factor)
        assert after.score == before.score
    assert max(factors) <= most + 1e-9  # type: ignore[operator]
    assert min(factors) >= 1 / most - 1e-9  # type: ignore[operator]
    # Of 200 draws some come close to either bound.
    assert max(factors) > most**0.9 > 1  # type: ignore[operator]
    assert min(factors) < most**-0.9  # type: ignore[operator]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_boxes_and_landmarks_move_within_their_bounds(severity: int) -> None:
    faces = some_faces()
    noisy = NoisyFinder(Found(faces), "box", severity, 1).find(BLANK)
    most = DEGRADATIONS["box"].levels[severity - 1] / 100  # type: ignore[operator]
    moved = []
    for before, after in zip(faces, noisy, strict=True):
        assert np.abs(np.subtract(after.box, before.box)).max() <= most * before.size + 1e-9
        steps = np.linalg.norm(np.subtract(after.landmarks, before.landmarks), axis=1) / before.size
        assert (steps > 0).all()
        moved.extend(steps)
        assert after.box[0] < after.box[2]
        assert after.box[1] < after.box[3]
        assert after.score == before.score
    assert 0.95 * most < max(moved) <= most + 1e-9
    assert np.median(moved) == pytest.approx(most / math.sqrt(2), rel=0.1)


@pytest.mark.parametrize("kind", OF_FACES)
def test_a_higher_severity_moves_each_face_further(kind: str) -> None:
    faces = some_faces(20)
    found = [NoisyFinder(Found(faces), kind, severity, 5).find(BLANK) for severity in SEVERITIES]
    for n, face in enumerate(faces):
        way = [np.abs(np.subtract(noisy[n].landmarks, face.landmarks)).sum() for noisy in found]
        assert all(b > a for a, b in itertools.pairwise(way))


@pytest.mark.parametrize("kind", OF_FACES)
def test_noise_hangs_on_seed_and_box_and_not_on_who_asks_when(kind: str) -> None:
    faces = some_faces(40)
    finder = NoisyFinder(Found(faces), kind, 3, 11)
    expected = finder.find(BLANK)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(finder.find, [BLANK] * 32))
    backwards = NoisyFinder(Found(faces[::-1]), kind, 3, 11).find(BLANK)
    assert backwards == expected[::-1]
    assert NoisyFinder(Found(faces), kind, 3, 12).find(BLANK) != expected


def test_degenerate_faces_do_no_harm() -> None:
    point = (5.0, 5.0)
    flat = Face((5.0, 5.0, 5.0, 5.0), (point,) * 5, 0.5)
    for kind in OF_FACES:
        (after,) = NoisyFinder(Found([flat]), kind, 5, 0).find(BLANK)
        assert np.isfinite(after.box).all()
        assert np.isfinite(after.landmarks).all()
        assert NoisyFinder(Found([]), kind, 5, 0).find(BLANK) == []


def test_a_noisy_finder_passes_for_the_finder_it_holds() -> None:
    inner = Found([])
    assert NoisyFinder(inner, "box", 1, 0).name == "found"
    assert NoisyFinder(inner, "box", 1, 0).concurrent
    inner.concurrent = False
    assert not NoisyFinder(inner, "box", 1, 0).concurrent


@pytest.mark.parametrize("kind", OF_FACES)
def test_a_disturbed_scanner_judges_the_moved_faces(
    kind: str, photo_path: Path, make_model: Callable[..., Path]
) -> None:
    options = ScanOptions(model=(str(make_model()),), threads=1)
    plain = disturbed_scanner(options, kind, 1).scan(photo_path)
    moved = disturbed_scanner(options, kind, 5).scan(photo_path)
    again = disturbed_scanner(options, kind, 5).scan(photo_path)
    assert plain.verdict in (Verdict.REAL, Verdict.FAKE, Verdict.UNSURE)
    assert moved.probability != plain.probability
    assert moved.probability == again.probability
    assert moved.tracks[0].faces[0].landmarks == again.tracks[0].faces[0].landmarks
    assert faces_module.disturbed_scanner is disturbed_scanner
    with pytest.raises(UnmaskError):
        disturbed_scanner(options, "blur", 1)
