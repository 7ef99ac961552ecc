"""The mesh: landmarks of the donor come to lie on those of the face, and its picture's end shows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from tests.forge.faces import cut_from

from unmask.forge.forged import Donor, mirrored
from unmask.forge.mesh import fit_face
from unmask.types import Landmarks

TARGET: Landmarks = ((70.0, 80.0), (130.0, 84.0), (101.0, 118.0), (76.0, 140.0), (126.0, 143.0))
LENT: Landmarks = ((150.0, 130.0), (262.0, 118.0), (214.0, 190.0), (172.0, 244.0), (262.0, 236.0))


def dots(side: int, marks: Landmarks, radius: int) -> NDArray[np.uint8]:
    image = np.zeros((side, side, 3), np.uint8)
    for x, y in marks:
        cv2.circle(image, (round(x * 16), round(y * 16)), radius * 16, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return image


def test_eyes_nose_and_mouth_meet() -> None:
    donor = Donor(dots(400, LENT, 7), LENT)
    target = np.zeros((200, 200, 3), np.uint8)
    fitted, cover = fit_face(donor, target, TARGET, np.ones((200, 200), np.float32), side=1000)
    assert cover[60:160, 60:140].min() == 1
    for x, y in TARGET:
        rows, columns = slice(round(y) - 9, round(y) + 10), slice(round(x) - 9, round(x) + 10)
        patch = fitted[rows, columns, 0].astype(float)
        ys, xs = np.mgrid[rows, columns]
        assert patch.sum() > 0
        assert (xs * patch).sum() / patch.sum() == pytest.approx(x, abs=1.0)
        assert (ys * patch).sum() / patch.sum() == pytest.approx(y, abs=1.0)


def test_a_face_fits_itself(photo: NDArray[np.uint8]) -> None:
    image, marks = cut_from(photo, 120, 30, 200, 200)
    fitted, _ = fit_face(Donor(image, marks), image, marks, np.ones((200, 200), np.float32), side=1000)
    assert np.abs(fitted[20:-20, 20:-20].astype(int) - image[20:-20, 20:-20]).mean() < 0.6


def test_a_small_generator_gives_a_soft_face(photo: NDArray[np.uint8]) -> None:
    image, marks = cut_from(photo, 120, 30, 200, 200)
    mask = np.ones((200, 200), np.float32)
    sharp, soft = (fit_face(Donor(image, marks), image, marks, mask, side)[0] for side in (1000, 32))
    edges = [cv2.Laplacian(face, cv2.CV_32F)[60:140, 60:140].std() for face in (sharp, soft)]
    assert edges[1] < 0.5 * edges[0]


def test_where_the_donors_picture_ends_it_covers_nothing(photo: NDArray[np.uint8]) -> None:
    image, marks = cut_from(photo, 120, 30, 200, 200)
    at_border = Donor(*cut_from(photo, 215, 30, 200, 200))
    cover = fit_face(at_border, image, marks, np.ones((200, 200), np.float32), side=1000)[1]
    assert cover[:, :90].max() == 0
    assert cover[60:120, 120:150].min() > 0.9


def test_only_the_region_of_the_mask_is_taken(photo: NDArray[np.uint8]) -> None:
    image, marks = cut_from(photo, 120, 30, 200, 200)
    mask = np.zeros((200, 200), np.float32)
    mask[90:120, 80:130] = 1
    fitted, cover = fit_face(Donor(255 - image, marks), image, marks, mask, side=1000)
    assert np.array_equal(fitted[mask == 0], image[mask == 0])
    assert cover[mask == 0].max() == 0
    assert not np.array_equal(fitted, image)


def test_a_mirrored_donor_has_its_right_eye_on_the_right(photo: NDArray[np.uint8]) -> None:
    image, marks = cut_from(photo, 120, 30, 200, 200)
    donor = Donor(image, marks).mirrored()
    assert np.array_equal(donor.image, image[:, ::-1])
    assert donor.landmarks[0][0] < donor.landmarks[1][0]
    assert donor.landmarks[3][0] < donor.landmarks[4][0]
    for place, (x, y) in enumerate((marks[1], marks[0], marks[2])):
        assert donor.landmarks[place] == (199 - x, y)
    back = mirrored(donor.landmarks, 200)
    assert np.allclose(back, marks)
