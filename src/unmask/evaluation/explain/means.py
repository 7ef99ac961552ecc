"""Means over recordings with their intervals: faces of one recording are not independent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.evaluation.explain.check import Rival, Way
from unmask.evaluation.explain.judge import Fill, Grid
from unmask.figures.estimate import Estimate
from unmask.figures.resampling import DRAWS

LEAST_SOURCES = 5
"""Recordings below which there is no interval and no standard deviation."""

Key = tuple[str, Fill, Way]
"""A check: map, fill, way."""

OWN = "own"
"""In `OneFace.areas`, the map's own area; the others are its rivals'."""


@dataclass(frozen=True, slots=True, eq=False)
class OneFace:
    """What a face of a labelled medium gives to the means."""

    source: str
    odds: float
    fake: bool
    maps: dict[str, Grid]
    areas: dict[Key, dict[str, float]]


@dataclass(frozen=True, slots=True)
class GroupCheck:
    """The checks of one map over a group: its mean area, and by rival how much better it is than that one
    (above 0: better, whichever the way)."""

    map: str
    fill: Fill
    way: Way
    area: Estimate
    lead: dict[Rival, Estimate]

    @property
    def beaten(self) -> tuple[Rival, ...]:
        """The rivals that it is better than by more than chance: the whole interval lies above 0."""
        return tuple(rival for rival in Rival if self.lead[rival].low > 0)

    @property
    def holds(self) -> bool:
        """Whether it is better than all of them."""
        return len(self.beaten) == len(Rival)


def group_checks(faces: Sequence[OneFace]) -> list[GroupCheck]:
    """The checks of all maps over the faces of one group."""
    sources = [face.source for face in faces]
    told = []
    for key in faces[0].areas if faces else ():
        name, fill, way = key
        own = np.array([face.areas[key][OWN] for face in faces])
        lead = {}
        for rival in Rival:
            theirs = np.array([face.areas[key][rival] for face in faces])
            lead[rival] = mean_estimate(theirs - own if way is Way.DELETION else own - theirs, sources)
        told.append(GroupCheck(name, fill, way, mean_estimate(own, sources), lead))
    return told


def mean_map(faces: Sequence[OneFace], name: str) -> Grid:
    """The mean map of some faces: every recording counts once, however many faces it has."""
    return _mean(of_sources([face.maps[name] for face in faces], [face.source for face in faces]))


def map_against(faces: Sequence[OneFace], others: Sequence[OneFace], name: str) -> Grid | None:
    """How far the mean map of `faces` lies from that of `others`, in standard deviations of the single
    recordings of `others`; None where these are too few."""
    theirs = of_sources([face.maps[name] for face in others], [face.source for face in others])
    if len(theirs) < LEAST_SOURCES or not faces:
        return None
    spread: Grid = theirs.std(axis=0, ddof=1)
    apart = mean_map(faces, name) - _mean(theirs)
    # A model blind to a cell gives it no spread and no difference.
    away: Grid = np.divide(apart, spread, out=np.zeros_like(apart), where=spread > 0)
    return away


def mean_estimate(values: NDArray[np.float64], sources: Sequence[str]) -> Estimate:
    """The mean over recordings with its 95 % interval by drawing recordings; none for fewer than
    `LEAST_SOURCES`."""
    means = of_sources(values, sources)
    value = round(float(means.mean()), 4)
    count = len(means)
    if count < LEAST_SOURCES:
        return Estimate(value, math.nan, math.nan)
    drawn = np.random.default_rng(0).integers(0, count, (DRAWS, count))
    low, high = np.percentile(means[drawn].mean(axis=1), [2.5, 97.5])
    return Estimate(value, round(float(low), 4), round(float(high), 4))


def of_sources(values: Sequence[NDArray[np.generic]] | NDArray[np.float64], sources: Sequence[str]) -> Grid:
    """The mean of the values (N, …) of each recording, in the order of their names: (recordings, …)."""
    names = sorted(set(sources))
    sums: dict[str, NDArray[np.float64]] = {}
    counts = dict.fromkeys(names, 0)
    for value, source in zip(values, sources, strict=True):
        as_number = np.asarray(value, dtype=np.float64)
        sums[source] = sums[source] + as_number if source in sums else as_number
        counts[source] += 1
    return np.stack([sums[name] / counts[name] for name in names])


def _mean(of: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(of.mean(axis=0), dtype=np.float64)
