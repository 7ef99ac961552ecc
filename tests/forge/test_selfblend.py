"""Self-blended images: changed inside the mask, untouched where they must be, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.faces.crop import face_frame
from unmask.forge.mask import OUTLINES, outline_points
from unmask.forge.selfblend import self_blend
from unmask.types import Landmarks

MARKS: Landmarks = ((202.6, 101.1), (246.5, 104.0), (222.7, 124.5), (202.9, 141.8), (240.8, 143.9))


def test_same_seed_same_image_and_the_input_is_left_alone(photo: NDArray[np.uint8]) -> None:
    before = photo.copy()
    first = self_blend(photo, MARKS, np.random.default_rng(5))
    again = self_blend(photo, MARKS, np.random.default_rng(5))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(photo, before)
    assert not np.array_equal(first.image, self_blend(photo, MARKS, np.random.default_rng(6)).image)


def test_mask_lies_on_the_face_and_has_a_soft_edge(photo: NDArray[np.uint8]) -> None:
    for seed in range(20):
        blend = self_blend(photo, MARKS, np.random.default_rng(seed))
        rows, columns = np.nonzero(blend.mask > 0.5 * blend.mask.max())
        assert 150 < columns.mean() < 300
        assert 60 < rows.mean() < 200
        assert blend.mask.max() <= 1.0
        soft = (blend.mask > 0.02) & (blend.mask < 0.98 * blend.mask.max())
        assert soft.any()


def test_every_blend_differs_from_a_mere_change_of_the_whole_picture(photo: NDArray[np.uint8]) -> None:
    for seed in range(20):
        blend = self_blend(photo, MARKS, np.random.default_rng(seed))
        outside = blend.mask == 0
        assert outside.mean() > 0.5
        assert blend.image.shape == photo.shape
        assert blend.image.dtype == np.uint8


@pytest.mark.parametrize("outline", list(OUTLINES))
def test_outlines_follow_a_turned_head(outline: str) -> None:
    def width_left_and_right(nose_x: float) -> tuple[float, float]:
        marks = (*MARKS[:2], (nose_x, MARKS[2][1]), *MARKS[3:])
        points = outline_points(face_frame(marks), marks, outline, np.random.default_rng(0))
        middle = (MARKS[0][0] + MARKS[1][0]) / 2
        return middle - points[:, 0].min(), points[:, 0].max() - middle

    left, right = width_left_and_right(240.0)
    assert left > right
