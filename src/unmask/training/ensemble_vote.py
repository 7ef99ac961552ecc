"""How several models' log-odds become one: soft vote, weighted mean or stacking; fitted on `val`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold

from unmask.errors import DataError

FOLDS = 5

LARGEST_LOGIT = 30.0
"""Log-odds beyond this are cut off before a soft vote: further out, probabilities vanish in float32."""

PENALTY = 1.0
"""The weight of the L2 penalty of stacking, against the sum of the losses (scikit-learn's 1 / C)."""

Logits = NDArray[np.float64]
Labels = NDArray[np.bool_]


class Method(StrEnum):
    """Soft: mean of the probabilities. Weighted: mean of the log-odds, weights ≥ 0 that sum to 1. Stacked:
    logistic regression on the log-odds (Wolpert, "Stacked generalization", Neural Networks 1992)."""

    SOFT = "soft"
    WEIGHTED = "weighted"
    STACKED = "stacked"


@dataclass(frozen=True, slots=True)
class Vote:
    """A method with its weights, one per member, and the offset that stacking adds."""

    method: Method
    weights: tuple[float, ...]
    offset: float = 0.0

    def log_odds(self, logits: Logits) -> Logits:
        """The combined log-odds (N,) of the members' calibrated log-odds (N, M)."""
        if self.method is not Method.SOFT:
            return np.asarray(logits @ np.array(self.weights) + self.offset, dtype=np.float64)
        cut = np.clip(logits, -LARGEST_LOGIT, LARGEST_LOGIT)
        # The logit of the mean probability, without forming 1 - p, which loses all digits near 1.
        return np.asarray(logsumexp(log_expit(cut), axis=1) - logsumexp(log_expit(-cut), axis=1), np.float64)

    @property
    def shares(self) -> tuple[float, ...]:
        """How much each member's evidence counts: the weights, without the negative ones, summing to 1."""
        positive = np.clip(self.weights, 0, None)
        total = float(positive.sum())
        even = np.full(len(positive), 1 / len(positive))
        return tuple(float(share) for share in (positive / total if total else even))


def fit_vote(method: Method, logits: Logits, fake: Labels) -> Vote:
    """The vote of least log loss on calibrated log-odds (N, M) and labels (N,); both labels weigh alike."""
    members = logits.shape[1]
    if method is Method.SOFT:
        return Vote(method, (1 / members,) * members)
    balance = np.where(fake, 0.5 / fake.sum(), 0.5 / (~fake).sum()) * len(fake)
    if method is Method.WEIGHTED:
        return Vote(method, _weights(logits, fake, balance))
    fit = LogisticRegression(C=1 / PENALTY, max_iter=1000).fit(logits, fake, sample_weight=balance)
    return Vote(method, tuple(float(w) for w in fit.coef_[0]), float(fit.intercept_[0]))


def _weights(logits: Logits, fake: Labels, balance: NDArray[np.float64]) -> tuple[float, ...]:
    signs = np.where(fake, 1.0, -1.0)

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (logits @ weights)
        slope = -balance * signs * expit(-margins)
        return float(np.mean(-balance * log_expit(margins))), slope @ logits / len(fake)

    count = logits.shape[1]
    found = minimize(
        loss,
        np.full(count, 1 / count),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        options={"maxiter": 500, "ftol": 1e-10},
    )
    # The solver leaves some 1e-17 where it means 0.
    weights = np.where(found.x < 1e-6, 0.0, found.x)
    return tuple(float(w) for w in weights / weights.sum())


def folds_of(fake: Labels, sources: Sequence[str], seed: int = 0) -> NDArray[np.int64]:
    """The fold (N,) in which each row is held out: whole sources, with both labels in every fold's rest.

    Raises:
        DataError: there are too few sources of a label.
    """
    names = np.asarray(sources, dtype=str)
    fewest = min(len(set(names[fake == label])) for label in (False, True))
    if fewest < 2:
        raise DataError(
            "cross-validation needs two sources of each label at least",
            hint="give a corpus with more sources in `val`, or use --method soft alone",
        )
    splitter = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=seed)
    folds = np.zeros(len(fake), dtype=np.int64)
    for number, (rest, held_out) in enumerate(splitter.split(names, fake, names)):
        folds[held_out] = number
        if len(set(fake[rest])) < 2:
            raise DataError(
                "the sources of `val` cannot be shared out for cross-validation: one holds most of a label",
                hint="give a corpus with more sources in `val`, or use --method soft alone",
            )
    return folds


def out_of_fold(method: Method, logits: Logits, fake: Labels, folds: NDArray[np.int64]) -> Logits:
    """Combined log-odds (N,), each by a vote that was fitted without the row's source.

    `logits` is (K, N, M): the same N samples in K conditions, which all lie in the sample's fold. The result
    is (K, N).
    """
    conditions, _, members = logits.shape
    combined = np.empty(logits.shape[:2])
    for fold in np.unique(folds):
        held_out = folds == fold
        rest = logits[:, ~held_out].reshape(-1, members)
        vote = fit_vote(method, rest, np.tile(fake[~held_out], conditions))
        combined[:, held_out] = vote.log_odds(logits[:, held_out].reshape(-1, members)).reshape(
            conditions, -1
        )
    return combined
