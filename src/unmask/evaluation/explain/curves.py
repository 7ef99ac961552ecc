"""Deletion and insertion: how fast the score goes when a face is taken apart in the order of a map.

Petsiuk, Das & Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018. Here
cells are taken out, not single pixels: those at random are noise that hides any trace at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.evaluation.explain.judge import GRID, Crop, Fill, Grid, Judge, filling
from unmask.evaluation.explain.maps import on_grid

STEPS = 14
"""Equal parts in which a face is taken away."""

CENTRE_WIDTH = 0.25
"""Standard deviation of the Gaussian in the middle, in sides of the crop. Only its order matters."""

Order = NDArray[np.int64]
"""All cells of the grid, (GRID²,), the first to be taken out first."""

Values = NDArray[np.float64]
"""Of a curve: P(what was decided) (STEPS + 1,) from the whole face to none of it, or the other way round."""


def order_of(rows: Grid, random: np.random.Generator) -> Order:
    """Cells from the highest value to the lowest; equal ones in random order, lest a map that says nothing
    take the face away row by row."""
    values = on_grid(rows).ravel()
    return np.lexsort((random.random(values.size), -values))


def random_order(random: np.random.Generator) -> Order:
    """Cells in no order."""
    return random.permutation(GRID * GRID)


def moved(rows: Grid, random: np.random.Generator) -> Grid:
    """The same map in the wrong place: shifted round the crop by a quarter of it and more, and mirrored or
    not. It is as smooth as the map itself, which cells at random are not."""
    grid = on_grid(rows)
    least = GRID // 4
    down, across = random.integers(least, GRID - least + 1, 2)
    grid = np.roll(grid, (down, across), axis=(0, 1))
    upside, mirrored = random.random(2) < 0.5
    grid = grid[::-1] if upside else grid
    return grid[:, ::-1] if mirrored else grid


def centred() -> Grid:
    """The middle of the face before its edge: what anyone would point at who has not looked."""
    at = (np.arange(GRID) - (GRID - 1) / 2) / GRID
    return np.asarray(np.exp(-(at[:, None] ** 2 + at[None] ** 2) / (2 * CENTRE_WIDTH**2)))


def area(values: Values) -> float:
    """Area under a curve over the share of the face from 0 to 1: the mean P along it, to four digits."""
    return round(float(np.trapezoid(values, dx=1 / STEPS)), 4)


class Taking:
    """One face taken apart with one fill. `sign` is 1 where P(fake) is followed and -1 where P(real) is."""

    def __init__(self, judge: Judge, crop: Crop, fill: Fill, odds: float, sign: int) -> None:
        self._judge, self._crop, self._sign = judge, crop, sign
        self._filled = filling(crop, fill)
        self.odds = odds
        self.blank = float(judge.parts(crop, self._filled, np.ones((1, GRID, GRID)))[0])

    def deletion(self, order: Order) -> Values:
        """P from the whole face to none of it."""
        rank = np.empty(GRID * GRID)
        rank[order] = np.arange(GRID * GRID)
        until = np.arange(1, STEPS) * GRID * GRID / STEPS
        parts = (rank[None] < until[:, None]).reshape(-1, GRID, GRID)
        between = self._judge.parts(self._crop, self._filled, parts)
        return probability(self._sign * np.concatenate([[self.odds], between, [self.blank]]))

    def insertion(self, order: Order) -> Values:
        """P from none of the face to all of it. What is put back first is what is taken out last."""
        return self.deletion(order[::-1])[::-1]


def probability(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logistic function of log-odds."""
    return 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
