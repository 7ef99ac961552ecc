"""Is a map to be believed? Its curves against those of orders that know nothing of the face or the model."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from unmask.evaluation.explain.curves import (
    Order,
    Taking,
    Values,
    area,
    centred,
    moved,
    order_of,
    probability,
    random_order,
)
from unmask.evaluation.explain.judge import Crop, Fill, Grid, Judge

RANDOM_ORDERS = 19
"""A map that beats all of them does so by chance once in twenty times."""

MOVED_COPIES = 6
"""Of each map: they differ more than random orders do, and cost twice as much each."""

RANDOM, CENTRED = "random", "centred"
"""Names of the curves that are of no map."""

LEAST_DIFFERENCE = 0.01
"""Areas closer than this count as the same where the rival is a single order."""


class Way(enum.StrEnum):
    """Whether the face is taken away in the order of a map, or put back in it."""

    DELETION = "deletion"
    INSERTION = "insertion"


class Rival(enum.StrEnum):
    """What a map must do better than: cells in random order, the same map moved elsewhere, the middle of the
    face first, and its own order reversed."""

    RANDOM = "random"
    MOVED = "moved"
    CENTRED = "centred"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Several:
    """The areas of several orders: their mean, the least and the greatest."""

    mean: float
    least: float
    greatest: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.least:.2f}, {self.greatest:.2f}]"


@dataclass(frozen=True, slots=True)
class Check:
    """One map's area under P(what was decided) with one fill, one way, and its rivals' areas.

    Deletion: lower is better; insertion: higher.
    """

    map: str
    fill: Fill
    way: Way
    area: float
    random: Several
    moved: Several
    centred: float
    reversed: float

    @property
    def beaten(self) -> tuple[Rival, ...]:
        """The rivals that the map is better than: of several, than every one."""
        return tuple(rival for rival in Rival if self._beats(getattr(self, rival)))

    @property
    def holds(self) -> bool:
        """Whether it is better than all of them."""
        return len(self.beaten) == len(Rival)

    def _beats(self, rival: Several | float) -> bool:
        if isinstance(rival, Several):
            return self.area < rival.least if self.way is Way.DELETION else self.area > rival.greatest
        lead = rival - self.area if self.way is Way.DELETION else self.area - rival
        return lead > LEAST_DIFFERENCE


@dataclass(frozen=True, slots=True)
class Curve:
    """P(what was decided) at equal steps of the share of the face taken out (deletion) or put back
    (insertion). `low` and `high` are the limits of all random orders; empty for the others."""

    order: str
    fill: Fill
    way: Way
    values: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """The maps of one face, put to the test. `blank` is P(fake) where all of the face is taken out, by
    fill."""

    checks: tuple[Check, ...]
    curves: tuple[Curve, ...]
    blank: Mapping[Fill, float]


def check(
    judge: Judge,
    crop: Crop,
    maps: Mapping[str, Grid],
    *,
    odds: float,
    fake: bool,
    orders: int = RANDOM_ORDERS,
    copies: int = MOVED_COPIES,
    seed: int = 0,
) -> Checked:
    """Take a face apart in the order of its `maps` and of their rivals, with every fill.

    `odds` are the log-odds of the whole face; `fake` says whether it is P(fake) or P(real) that is followed:
    parts that speak for it go first. The same seed gives the same answer.
    """
    signed = {name: grid if fake else -grid for name, grid in maps.items()}
    checks: list[Check] = []
    curves: list[Curve] = []
    blank: dict[Fill, float] = {}
    for fill in Fill:
        taking = Taking(judge, crop, fill, odds, 1 if fake else -1)
        one = _OneFill(taking, fill, orders, copies, np.random.default_rng(seed))
        blank[fill] = float(probability(np.array(taking.blank)))
        for name, grid in signed.items():
            checks += one.checks(name, grid)
        curves += one.curves
    return Checked(tuple(checks), tuple(curves), blank)


class _OneFill:
    """The curves of all orders with one fill. What all maps are held against is taken once."""

    def __init__(
        self, taking: Taking, fill: Fill, orders: int, copies: int, random: np.random.Generator
    ) -> None:
        self._taking, self._fill, self._copies, self._random = taking, fill, copies, random
        taken = np.stack([taking.deletion(random_order(random)) for _ in range(orders)])
        # Taken out at random and put back at random are the same curves, read forwards and backwards.
        self._of_random = _several([area(values) for values in taken])
        order = order_of(centred(), random)
        self._of_centre = {way: self._curve(order, way) for way in Way}
        self.curves: list[Curve] = []
        for way in Way:
            every = taken if way is Way.DELETION else taken[:, ::-1]
            self._keep(RANDOM, way, every.mean(axis=0), every.min(axis=0), every.max(axis=0))
            self._keep(CENTRED, way, self._of_centre[way])

    def checks(self, name: str, grid: Grid) -> Iterator[Check]:
        """The checks of one map, whose highest values go first."""
        order = order_of(grid, self._random)
        own = {way: self._curve(order, way) for way in Way}
        elsewhere = [order_of(moved(grid, self._random), self._random) for _ in range(self._copies)]
        for way in Way:
            self._keep(name, way, own[way])
            yield Check(
                map=name,
                fill=self._fill,
                way=way,
                area=area(own[way]),
                random=self._of_random,
                moved=_several([area(self._curve(wrong, way)) for wrong in elsewhere]),
                centred=area(self._of_centre[way]),
                # Taking out in reversed order is putting back in order, read backwards.
                reversed=area(own[_other(way)]),
            )

    def _curve(self, order: Order, way: Way) -> Values:
        return self._taking.deletion(order) if way is Way.DELETION else self._taking.insertion(order)

    def _keep(self, order: str, way: Way, values: Values, *limits: Values) -> None:
        told = [tuple(round(float(value), 4) for value in line) for line in (values, *limits)]
        self.curves.append(Curve(order, self._fill, way, *told))


def _other(way: Way) -> Way:
    return Way.INSERTION if way is Way.DELETION else Way.DELETION


def _several(areas: Sequence[float]) -> Several:
    return Several(round(float(np.mean(areas)), 4), min(areas), max(areas))
