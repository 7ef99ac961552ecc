"""Colours: they become the target's as far as a way says, and only where the mask is."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.forge.colour import SPREAD_LIMITS, TABLES, match

Image = NDArray[np.uint8]


@pytest.fixture
def pair(photo: Image) -> tuple[Image, Image, NDArray[np.float32]]:
    """A target, the same in other light, and a mask over the face."""
    target = np.ascontiguousarray(photo[30:230, 120:320])
    source = np.clip(target * np.array([0.6, 0.8, 1.0]) + 20, 0, 255).astype(np.uint8)
    mask = np.zeros((200, 200), np.float32)
    mask[60:130, 70:140] = 1
    return target, source, mask


def away(one: Image, other: Image, mask: NDArray[np.float32]) -> float:
    """How far the mean colours within the mask lie apart."""
    inside = mask > 0.5
    return float(np.abs(one[inside].mean(axis=0) - other[inside].mean(axis=0)).max())


@pytest.mark.parametrize("way", ["reinhard", "mean", "histogram"])
def test_mean_colours_meet(way: str, pair: tuple[Image, Image, NDArray[np.float32]]) -> None:
    target, source, mask = pair
    assert away(source, target, mask) > 25
    assert away(match(target, source, mask, way), target, mask) < 6


def test_half_goes_half_of_the_way(pair: tuple[Image, Image, NDArray[np.float32]]) -> None:
    target, source, mask = pair
    left = away(match(target, source, mask, "half"), target, mask) / away(source, target, mask)
    assert left == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("way", list(TABLES))
def test_only_the_region_of_the_mask_is_changed(
    way: str, pair: tuple[Image, Image, NDArray[np.float32]]
) -> None:
    target, source, mask = pair
    changed = match(target, source, mask, way)
    assert np.array_equal(changed[mask == 0], source[mask == 0])
    assert not np.array_equal(changed, source)


def test_none_and_a_mask_too_small_to_count_change_nothing(
    pair: tuple[Image, Image, NDArray[np.float32]],
) -> None:
    target, source, mask = pair
    assert np.array_equal(match(target, source, mask, "none"), source)
    speck = np.zeros_like(mask)
    speck[5, 5] = 1
    for way in TABLES:
        assert np.array_equal(match(target, source, speck, way), source)
        assert np.array_equal(match(target, source, np.zeros_like(mask), way), source)


@pytest.mark.parametrize("way", ["reinhard", "histogram"])
def test_contrast_stays_within_its_limits(way: str, pair: tuple[Image, Image, NDArray[np.float32]]) -> None:
    target, _, mask = pair
    flat = (target // 16 + 100).astype(np.uint8)
    rough = match(target, flat, mask, way)[mask > 0.5].std(axis=0)
    assert (rough < 1.3 * SPREAD_LIMITS[1] * flat[mask > 0.5].std(axis=0) + 1).all()
