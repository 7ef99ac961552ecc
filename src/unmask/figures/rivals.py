"""Several models on the same samples, compared two by two, whatever each of them could not judge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.figures.draws import SourceDraws, area
from unmask.figures.estimate import Estimate
from unmask.figures.paired import NOTHING, Standing, p_value
from unmask.figures.sources import DRAWS

Array = NDArray[np.float64]

UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True, slots=True)
class Contrast:
    """A figure of the first model minus that of the second.

    The interval is the middle 95 % of drawing sources, the same for both models. `p_value` is two-sided: of
    the AUC by DeLong's test, of the balanced accuracy by the same sums over sources (close to McNemar's test
    where each source has one sample and the labels are equally many); `p_drawn` is that of the draws, from
    how often the difference keeps its sign. All but the value are NaN where there are too few sources.
    """

    value: Estimate
    p_value: float
    p_drawn: float


@dataclass(frozen=True, slots=True)
class Compared:
    """Two models on the samples that both have judged."""

    real: int
    fake: int
    auc: Contrast
    balanced_accuracy: Contrast


ABSENT = Contrast(UNKNOWN, math.nan, math.nan)

MOST_FIELDS = 4
"""Sets of samples whose draws are kept: each takes up to 40 MB."""


class Rivals:
    """P(fake) of M models for N samples, (M, N) and NaN where one was not judged; `thresholds` (M,) are where
    each model says fake."""

    def __init__(
        self,
        fake: ArrayLike,
        probabilities: ArrayLike,
        sources: ArrayLike,
        thresholds: Sequence[float],
        *,
        draws: int = DRAWS,
        seed: int = 0,
    ) -> None:
        self._fake = np.asarray(fake, dtype=bool)
        self._p = np.asarray(probabilities, dtype=np.float64)
        self._sources = np.unique(np.asarray(sources), return_inverse=True)[1]
        self._thresholds = thresholds
        self._draws, self._seed = draws, seed
        # Most models have judged the same samples: what is found for one pair serves the next.
        self._fields: dict[bytes, _Field] = {}

    def compare(self, first: int, second: int) -> Compared:
        """The models of these places, on what both have judged."""
        both = ~np.isnan(self._p[first]) & ~np.isnan(self._p[second])
        fake = int(self._fake[both].sum())
        real = int(both.sum()) - fake
        if not fake or not real:
            return Compared(real, fake, ABSENT, ABSENT)
        field = self._field(both)
        one, other = (field.figures(at, self._p[at], self._thresholds[at]) for at in (first, second))
        return Compared(
            real,
            fake,
            _contrast(one.auc, other.auc),
            _contrast(one.balanced_accuracy, other.balanced_accuracy),
        )

    def _field(self, both: NDArray[np.bool_]) -> _Field:
        key = np.packbits(both).tobytes()
        if key not in self._fields:
            if len(self._fields) == MOST_FIELDS:
                del self._fields[next(iter(self._fields))]
            draws = SourceDraws(self._fake[both], self._sources[both], draws=self._draws, seed=self._seed)
            self._fields[key] = _Field(both, self._fake[both], self._sources[both], draws)
        return self._fields[key]


@dataclass(frozen=True, slots=True)
class _Figure:
    """A figure of one model with its sources' part in its error, and what it is in each resampling (D,)."""

    standing: Standing
    drawn: Array | None


@dataclass(frozen=True, slots=True)
class _Figures:
    auc: _Figure
    balanced_accuracy: _Figure


class _Field:
    """The samples that a pair has judged, and their draws."""

    def __init__(
        self,
        rows: NDArray[np.bool_],
        fake: NDArray[np.bool_],
        sources: NDArray[np.int64],
        draws: SourceDraws,
    ) -> None:
        self.rows, self.fake, self.draws = rows, fake, draws
        self.number = np.unique(sources, return_inverse=True)[1]
        self._known: dict[int, _Figures] = {}

    def figures(self, model: int, probabilities: Array, threshold: float) -> _Figures:
        """The figures of a model on these samples."""
        if model not in self._known:
            p = probabilities[self.rows]
            self._known[model] = _Figures(self._auc(p), self._balanced_accuracy(p >= threshold))
        return self._known[model]

    def _auc(self, p: Array) -> _Figure:
        standing = Standing.of_auc(self.fake, p, self.number)
        if not self.draws.enough:
            return _Figure(standing, None)
        own, *drawn = (area(curve) for curve in self.draws.rocs(p[self.draws.rows]))
        return _Figure(standing, self.draws.around(standing.value, own, np.array(drawn)))

    def _balanced_accuracy(self, called: NDArray[np.bool_]) -> _Figure:
        standing = Standing.of_balanced_accuracy(self.fake, called, self.number)
        if not self.draws.enough:
            return _Figure(standing, None)
        kept, fake = called[self.draws.rows], self.draws.fake
        own = (kept[fake].mean() + (~kept[~fake]).mean()) / 2
        found, fakes = self.draws.counts(kept & fake), self.draws.counts(fake)
        passed, reals = self.draws.counts(~kept & ~fake), self.draws.counts(~fake)
        drawn = (found / fakes + passed / reals) / 2
        return _Figure(standing, self.draws.around(standing.value, own, drawn))


def _contrast(one: _Figure, other: _Figure) -> Contrast:
    value = one.standing.value - other.standing.value
    if one.drawn is None or other.drawn is None:
        return Contrast(Estimate(value, math.nan, math.nan), math.nan, math.nan)
    drawn = one.drawn - other.drawn
    low, high = np.percentile(drawn, [2.5, 97.5])
    error = one.standing.error_of_difference(other.standing)
    return Contrast(Estimate(value, float(low), float(high)), p_value(value, error), _p_of_draws(drawn))


def _p_of_draws(drawn: Array) -> float:
    """Twice the share of draws on the rarer side of 0, those at 0 on both; never 0, as with as many draws one
    cannot know."""
    below, above = (drawn <= NOTHING).sum(), (drawn >= -NOTHING).sum()
    return float(min(1.0, 2 * (min(below, above) + 1) / (len(drawn) + 1)))


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm, Scand. J. Statist. 1979), in the order given: with all
    under 0.05 taken for real, the chance of any mistake is 5 % at most. NaN stays and does not count."""
    p = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    corrected = p.copy()
    times = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * times), 1)
    return [float(value) for value in corrected]
