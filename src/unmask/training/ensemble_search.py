"""Try subsets of models with several methods on `val`, out of fold, and put them in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from unmask.errors import ModelError
from unmask.figures.resampling import Resampling
from unmask.figures.scores import auc
from unmask.training.ensemble_scores import AS_IS, DEGRADED
from unmask.training.ensemble_vote import Method, folds_of, out_of_fold

MOST_SEARCHED = 10
"""Models of which all subsets are tried: 1013; each further one doubles them."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """How some members do together on `val`; `method` is None for one model alone.

    Accuracy (at P(fake) 0.5), balanced accuracy and AUC with its 95 % interval by bootstrap over sources are
    of samples as they are, `degraded_auc` of degraded ones. `log_odds` (2, N) are out of fold.
    """

    members: tuple[int, ...]
    method: Method | None
    log_odds: NDArray[np.float64]
    accuracy: float
    balanced_accuracy: float
    auc: float
    low: float
    high: float
    degraded_auc: float
    ms_per_face: float

    @property
    def quality(self) -> float:
        """What trials are ordered by: the mean of both AUCs."""
        return (self.auc + self.degraded_auc) / 2


def subsets(count: int) -> list[tuple[int, ...]]:
    """All subsets of two or more of `count` models.

    Raises:
        ModelError: there are too many to try.
    """
    if count > MOST_SEARCHED:
        raise ModelError(
            f"all subsets of {count} models are too many to try",
            hint=f"search among {MOST_SEARCHED} at most, leaving out those that do worst alone",
        )
    return [chosen for size in range(2, count + 1) for chosen in combinations(range(count), size)]


def try_all(
    logits: NDArray[np.float64],
    fake: NDArray[np.bool_],
    sources: Sequence[str],
    methods: Iterable[Method],
    chosen: Sequence[tuple[int, ...]],
    times: Sequence[float],
    progress: Callable[[int, int, str], None],
) -> list[Trial]:
    """Every model alone, and every subset in `chosen` by every method, best first.

    `logits` (2, N, M) are the members' calibrated log-odds of N samples as they are and degraded, `fake` (N,)
    the labels, `times` (M,) milliseconds per face.

    Raises:
        DataError: there are too few sources for cross-validation.
    """
    wanted = list(methods)
    fitted = any(method is not Method.SOFT for method in wanted)
    folds = folds_of(fake, sources) if fitted else np.zeros(len(fake), np.int64)
    resampled = Resampling(fake, sources)
    plans: list[tuple[tuple[int, ...], Method | None]] = [((n,), None) for n in range(len(times))]
    plans += [(members, method) for members in chosen for method in wanted]
    trials = []
    for done, (members, method) in enumerate(plans, start=1):
        of_members = logits[:, :, list(members)]
        log_odds = of_members[:, :, 0] if method is None else out_of_fold(method, of_members, fake, folds)
        trials.append(_trial(members, method, log_odds, fake, resampled, sum(times[n] for n in members)))
        progress(done, len(plans), "combinations tried" if done % 100 == 0 or done == len(plans) else "")
    return sorted(trials, key=lambda trial: (-trial.quality, len(trial.members)))


def _trial(
    members: tuple[int, ...],
    method: Method | None,
    log_odds: NDArray[np.float64],
    fake: NDArray[np.bool_],
    resampled: Resampling,
    ms: float,
) -> Trial:
    right = (log_odds[AS_IS] >= 0) == fake
    low, high = resampled.auc_interval(log_odds[AS_IS])
    return Trial(
        members=members,
        method=method,
        log_odds=log_odds,
        accuracy=float(right.mean()),
        balanced_accuracy=float((right[fake].mean() + right[~fake].mean()) / 2),
        auc=auc(fake, log_odds[AS_IS]),
        low=low,
        high=high,
        degraded_auc=auc(fake, log_odds[DEGRADED]),
        ms_per_face=ms,
    )
