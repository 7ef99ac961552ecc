"""Which samples are drawn together, and how often: the sources of a set, resampled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

DRAWS = 1000
"""Resamplings behind an interval."""

FEWEST_SOURCES = 5
"""Sources of a label under which no interval is given: it would be far too narrow."""

MOST_DRAWN = 10_000
"""Samples beyond which only a part of the sources is drawn from."""

SOURCES_OF_PART = 1000
"""Sources of each label that such a part has at least: enough to know how sources vary."""

WORK = 20_000_000
"""Samples drawn in all resamplings of such a part, about, with `FEWEST_DRAWS` of them at least."""

FEWEST_DRAWS = 200


class Sources:
    """Resamplings of N samples by their `sources` (N,), with `fake` (N,) the labels.

    Sources with reals only, with fakes only, and with both are drawn each among themselves: the labels keep
    their weight, and what ties a fake to its original stays tied. In a large set a random part of the sources
    is drawn from, and what varies is brought to the size of the set by the root of the share taken: with so
    many sources an interval narrows with the root of their number (Politis, Romano & Wolf, "Subsampling",
    1999).
    """

    def __init__(self, fake: ArrayLike, sources: ArrayLike, *, draws: int = DRAWS, seed: int = 0) -> None:
        labels = np.asarray(fake, dtype=bool)
        number = _numbered(np.asarray(sources))
        count = int(number.max()) + 1 if len(number) else 0
        of_real = np.bincount(number[~labels], minlength=count) > 0
        of_fake = np.bincount(number[labels], minlength=count) > 0
        self.real_sources, self.fake_sources = int(of_real.sum()), int(of_fake.sum())
        self._random = np.random.default_rng(seed)
        share = self._share(len(labels))
        stratum = of_real + 2 * of_fake.astype(np.int8)
        strata = [np.flatnonzero(stratum == kind) for kind in (1, 2, 3)]
        if share < 1:
            strata = [
                self._random.choice(members, round(share * len(members)), replace=False) for members in strata
            ]
        kept = np.zeros(count, dtype=bool)
        kept[np.concatenate(strata)] = True
        place = np.cumsum(kept) - 1
        self._strata = [place[members] for members in strata if len(members)]
        self.rows: NDArray[np.int64] = np.flatnonzero(kept[number])
        """The samples that are drawn from."""
        self.block: NDArray[np.int64] = place[number[self.rows]]
        """Which source (rows,) each of them is of, counted from 0."""
        self.blocks = int(kept.sum())
        self.narrower = float(np.sqrt(share))
        """How much less figures of the whole set vary than those of the part."""
        self.draws = draws
        """Resamplings that there are."""
        if share < 1:
            self.draws = min(draws, max(FEWEST_DRAWS, WORK // len(self.rows)))

    @property
    def enough(self) -> bool:
        """Whether there are so many sources of both labels that an interval means something."""
        return min(self.real_sources, self.fake_sources) >= FEWEST_SOURCES

    def __iter__(self) -> Iterator[Array]:
        """How often each source (blocks,) is drawn, once per resampling."""
        for _ in range(self.draws):
            counts = np.zeros(self.blocks)
            for members in self._strata:
                drawn = self._random.integers(0, len(members), len(members))
                counts[members] = np.bincount(drawn, minlength=len(members))
            yield counts

    def _share(self, samples: int) -> float:
        fewest = (
            min(count for count in (self.real_sources, self.fake_sources, samples) if count) if samples else 0
        )
        if samples <= MOST_DRAWN or fewest <= SOURCES_OF_PART:
            return 1.0
        return max(MOST_DRAWN / samples, SOURCES_OF_PART / fewest)


def _numbered(sources: NDArray[np.generic]) -> NDArray[np.int64]:
    """The sources as numbers from 0 on."""
    if sources.dtype.kind in "iu" and len(sources) and sources.min() >= 0:
        return sources.astype(np.int64, copy=False)
    numbers: NDArray[np.int64] = np.unique(sources, return_inverse=True)[1]
    return numbers
