"""Drawn lines are where they were measured, however few points they are drawn with."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.evaluation.page.drawing import CLOSE, GRID, bars, line, percent_axis, thinned, upward
from unmask.evaluation.page.rank import least_rate


def points_of(path: str) -> np.ndarray:
    """The points of a path of straight lines."""
    return np.array([[float(value) for value in part.split()] for part in re.split("[ML]", path)[1:]])


def distance(points: np.ndarray, way: np.ndarray) -> np.ndarray:
    """How far each point lies from a line through points."""
    starts, steps = way[:-1], np.diff(way, axis=0)
    off = points[:, None] - starts
    along = np.clip((off * steps).sum(-1) / np.maximum((steps**2).sum(-1), 1e-12), 0, 1)
    return np.asarray(np.linalg.norm(off - along[..., None] * steps, axis=-1).min(axis=1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 400))
def test_a_thinned_line_keeps_its_ends_and_stays_close(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    points = np.stack([np.sort(random.random(count)) * 100, np.cumsum(random.normal(0, 1, count))], axis=1)
    kept = thinned(points)
    assert np.array_equal(kept[[0, -1]], points[[0, -1]])
    assert distance(points, kept).max() <= CLOSE + 1e-9


def test_a_straight_line_is_its_two_ends() -> None:
    assert line("m0", np.linspace(0, 1, 50), np.linspace(0, 1, 50)).path == "M0 100L100 0"
    assert len(thinned(np.zeros((40, 2)))) == 2


def test_a_million_points_are_drawn_in_a_moment_and_where_they_are() -> None:
    random = np.random.default_rng(0)
    x = np.sort(random.random(1_000_000))
    y = np.clip(x + random.normal(0, 0.02, len(x)), 0, 1)
    began = time.process_time()
    drawn = points_of(line("m0", x, y).path)
    assert time.process_time() - began < 10
    assert len(drawn) < 20_000
    for at in random.integers(0, len(x), 200):
        near = np.abs(drawn[:, 0] - 100 * x[at]) < 0.2
        assert drawn[near, 1].min() <= 100 - 100 * y[at] + CLOSE + 2 * GRID
        assert drawn[near, 1].max() >= 100 - 100 * y[at] - CLOSE - 2 * GRID


def test_bars_without_height_are_left_out() -> None:
    path = bars("real", [0, 0.5, 1], [0, 0], [0, 0.25]).path
    assert path == "M50 100V75H100V100Z"


def test_heights_count_from_below() -> None:
    axis = upward(percent_axis("share", 0.2, count=4))
    assert [(tick.at, tick.label) for tick in axis.ticks] == [
        (100, "0 %"), (75, "5 %"), (50, "10 %"), (25, "15 %"), (0, "20 %"),
    ]  # fmt: skip


@pytest.mark.parametrize(("reals", "least"), [(1, 0.1), (10, 0.1), (11, 0.01), (1000, 1e-3), (10**7, 1e-4)])
def test_the_axis_of_false_alarms_begins_under_one_of_them(reals: int, least: float) -> None:
    assert least_rate(reals) == pytest.approx(least)
