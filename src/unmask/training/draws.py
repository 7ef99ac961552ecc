"""Which sample comes next: balanced draws, or every sample once per round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

import numpy as np

from unmask.data.corpus import Sample
from unmask.errors import DataError

Balance = Literal["groups", "domains", "sources", "classes", "none"]


MOST_OF_ONE = 40
"""Crops of one recording that count for its data set in `domains`: more of the same add little."""


class Draws:
    """Draws samples of one label in a balanced way.

    `groups`: data sets and methods in proportion to the square root of their number of crops, then a source
    evenly, then one of its crops, so that no large data set and no long clip crowds out the rest. `domains`:
    the same, but photos and frames of recordings make one half each, so that compression for video tells
    nothing of the label, and of a recording at most `MOST_OF_ONE` crops count. `sources`: a source evenly,
    then one of its crops. `classes`: any crop evenly.
    """

    def __init__(self, samples: Sequence[Sample], balance: Balance = "groups") -> None:
        if not samples:
            raise DataError("a label has no samples", hint="training needs real and fake faces")
        groups: dict[tuple[str, str], dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
        for number, sample in enumerate(samples):
            group = (sample.dataset, sample.method) if balance in ("groups", "domains") else ("", "")
            source = str(number) if balance == "classes" else sample.source
            groups[group][source].append(sample)
        self.groups = [list(sources.values()) for sources in groups.values()]
        most = MOST_OF_ONE if balance == "domains" else len(samples)
        sizes = np.array([sum(min(len(crops), most) for crops in sources) for sources in self.groups])
        self.weights = np.sqrt(sizes)
        if balance == "domains":
            moving = np.array([sources[0][0].kind == "frame" for sources in self.groups])
            for domain in (moving, ~moving):
                self.weights[domain] /= max(self.weights[domain].sum(), 1e-9)
        self.weights /= self.weights.sum()

    def draw(self, rng: np.random.Generator) -> Sample:
        """One sample."""
        sources = self.groups[rng.choice(len(self.groups), p=self.weights)]
        crops = sources[rng.integers(len(sources))]
        return crops[rng.integers(len(crops))]


class Rounds:
    """Every sample once per round, in an order that is a function of the seed and the round alone."""

    def __init__(self, samples: Sequence[Sample], seed: int) -> None:
        self.samples, self.seed = samples, seed
        self._round = -1
        self._order = np.arange(0)

    def __getitem__(self, index: int) -> Sample:
        turn, place = divmod(index, len(self.samples))
        if turn != self._round:
            self._order = np.random.default_rng((self.seed, turn)).permutation(len(self.samples))
            self._round = turn
        return self.samples[int(self._order[place])]
