"""Blends: exact outside the mask, in place inside it, and a way out where Poisson's equation is refused."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.forge.blend import BLENDS, alpha, bands, poisson

Image = NDArray[np.uint8]


@pytest.fixture
def face(photo: Image) -> Image:
    return np.ascontiguousarray(photo[30:230, 120:320])


def disc(side: int, centre: tuple[int, int], radius: int) -> NDArray[np.float32]:
    mask = np.zeros((side, side), np.float32)
    cv2.circle(mask, centre, radius, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), 3), np.float32)


@pytest.mark.parametrize("name", list(BLENDS))
@pytest.mark.parametrize("centre", [(100, 90), (4, 100), (199, 199)])
def test_a_picture_blended_into_itself_stays_as_it_is(
    name: str, centre: tuple[int, int], face: Image
) -> None:
    blended = BLENDS[name](face, face, disc(200, centre, 45))
    assert np.abs(blended.astype(int) - face).max() <= 2


@pytest.mark.parametrize("name", list(BLENDS))
def test_outside_the_mask_nothing_changes(name: str, face: Image) -> None:
    mask = disc(200, (100, 90), 45)
    blended = BLENDS[name](face, 255 - face, mask)
    assert np.array_equal(blended[mask == 0], face[mask == 0])
    assert not np.array_equal(blended, face)


def test_alpha_is_the_weighted_mean(face: Image) -> None:
    mask = np.full((200, 200), 0.25, np.float32)
    blended = alpha(face, np.zeros_like(face), mask)
    assert np.abs(blended - 0.75 * face).max() <= 0.51


def test_poisson_takes_on_the_colour_around(face: Image) -> None:
    mask = disc(200, (100, 90), 45)
    darker = np.clip(face.astype(int) - 30, 0, 255).astype(np.uint8)
    inside = mask > 0.9
    away = [np.abs(f(face, darker, mask).astype(int) - face)[inside].mean() for f in (alpha, poisson)]
    assert away[1] < 0.3 * away[0]


def test_bands_hide_a_seam_of_colour_better_than_alpha(face: Image) -> None:
    hard = (disc(200, (100, 90), 45) > 0.5).astype(np.float32)
    flat, other = np.full_like(face, 100), np.full_like(face, 140)
    steps = [np.abs(np.diff(f(flat, other, hard)[90, :, 0].astype(int))).max() for f in (alpha, bands)]
    assert steps[0] == 40
    assert steps[1] < 40


def test_where_poisson_is_refused_it_is_alpha(face: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = disc(200, (100, 90), 45)

    def refuse(*_: object) -> None:
        raise cv2.error("the mask touches the border")

    monkeypatch.setattr(cv2, "seamlessClone", refuse)
    assert np.array_equal(poisson(face, 255 - face, mask), alpha(face, 255 - face, mask))


@pytest.mark.parametrize("side", [1, 2, 3, 5, 9, 17])
@pytest.mark.parametrize("name", list(BLENDS))
def test_pictures_of_a_few_pixels_are_blended(name: str, side: int, face: Image) -> None:
    small = np.ascontiguousarray(face[:side, :side])
    for mask in (np.ones((side, side), np.float32), np.zeros((side, side), np.float32)):
        blended = BLENDS[name](small, 255 - small, mask)
        assert blended.shape == small.shape
        if not mask.any():
            assert np.array_equal(blended, small)
