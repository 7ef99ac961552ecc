"""The crop: upright, sub-pixel, the same from every size of the same picture."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.faces.crop import CropSpec, crop_matrix, cut, face_frame
from unmask.types import Landmarks

UPRIGHT: Landmarks = ((80.0, 100.0), (120.0, 100.0), (100.0, 120.0), (85.0, 142.0), (115.0, 142.0))


def turned(landmarks: Landmarks, degrees: float, centre: tuple[float, float]) -> Landmarks:
    angle = math.radians(degrees)
    points = []
    for x, y in landmarks:
        dx, dy = x - centre[0], y - centre[1]
        points.append(
            (
                centre[0] + dx * math.cos(angle) - dy * math.sin(angle),
                centre[1] + dx * math.sin(angle) + dy * math.cos(angle),
            )
        )
    return (points[0], points[1], points[2], points[3], points[4])


def test_eyes_lie_level_and_centred_whatever_the_turn() -> None:
    spec = CropSpec(224, 1.25)
    for degrees in (0.0, 30.0, -75.0, 180.0):
        landmarks = turned(UPRIGHT, degrees, (100.0, 100.0))
        matrix = np.vstack([crop_matrix(landmarks, spec), [0, 0, 1]])
        eyes = np.linalg.inv(matrix) @ np.array([[*landmarks[0], 1], [*landmarks[1], 1]]).T
        assert eyes[1, 0] == pytest.approx(eyes[1, 1], abs=1e-6)
        assert eyes[0].mean() == pytest.approx(111.5, abs=1e-6)


def test_scale_holds_for_a_face_in_profile() -> None:
    profile: Landmarks = ((98.0, 100.0), (104.0, 100.0), (120.0, 120.0), (100.0, 142.0), (106.0, 142.0))
    assert face_frame(profile).scale == pytest.approx(face_frame(UPRIGHT).scale, rel=0.1)


def test_crop_of_an_enlarged_picture_is_the_same_crop(photo: NDArray[np.uint8]) -> None:
    landmarks: Landmarks = ((202.6, 101.1), (246.5, 104.0), (222.7, 124.5), (202.9, 141.8), (240.8, 143.9))
    small = cut(photo, landmarks, CropSpec(64, 1.25))
    large = np.asarray(cv2.resize(photo, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC))
    moved = tuple((4 * x + 1.5, 4 * y + 1.5) for x, y in landmarks)
    again = cut(large, moved, CropSpec(64, 1.25))  # type: ignore[arg-type]
    amiss = cut(large, tuple((x + 6, y) for x, y in moved), CropSpec(64, 1.25))  # type: ignore[arg-type]
    off = np.abs(small.astype(int) - again).mean()
    assert off < 3.5
    assert np.abs(small.astype(int) - amiss).mean() > 2 * off


def test_half_a_pixel_moves_the_crop_by_half_a_pixel() -> None:
    row = np.clip(2 * np.arange(256) - 80, 0, 255).astype(np.uint8)
    ramp = np.repeat(row[None, :, None], 256, axis=0).repeat(3, axis=2)
    spec = CropSpec(64, 1.25)
    moved = tuple((x + 0.5, y) for x, y in UPRIGHT)
    difference = cut(ramp, moved, spec).astype(float) - cut(ramp, UPRIGHT, spec)  # type: ignore[arg-type]
    assert difference[8:-8, 8:-8].mean() == pytest.approx(1.0, abs=0.3)


def test_face_at_the_edge_is_filled_by_mirroring_and_has_the_full_size(photo: NDArray[np.uint8]) -> None:
    corner: Landmarks = ((-5.0, 2.0), (20.0, 2.0), (8.0, 12.0), (-2.0, 25.0), (18.0, 25.0))
    crop = cut(photo, corner, CropSpec(96, 1.5))
    assert crop.shape == (96, 96, 3)
    assert crop.dtype == np.uint8


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (500, 1, 3)])
def test_degenerate_pictures_and_landmarks_give_a_crop(shape: tuple[int, int, int]) -> None:
    nowhere: Landmarks = ((0.0, 0.0),) * 5
    far: Landmarks = tuple((x + 1e4, y - 1e4) for x, y in UPRIGHT)  # type: ignore[assignment]
    for landmarks in (nowhere, far, UPRIGHT):
        assert cut(np.zeros(shape, np.uint8), landmarks, CropSpec(32, 1.25)).shape == (32, 32, 3)
