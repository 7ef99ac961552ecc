"""How well file facts alone tell fake from real: what a lazy network would learn first."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from unmask.data.check.auc import auc_by_group
from unmask.data.check.facts import FAMILIES, FileFacts
from unmask.figures.estimate import Estimate

FOLDS = 5
FEWEST_SOURCES = 10
"""Sources that each label needs before a figure means anything."""

ALL = "all facts"
EVERYWHERE = "all datasets"


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How well one family of facts tells the labels of one dataset apart, out of fold by source."""

    dataset: str
    family: str
    linear: Estimate
    boosted: Estimate
    rows: int
    sources: int

    @property
    def worst(self) -> Estimate:
        """The better of both classifiers: the shortcut is there if either finds it."""
        return max(self.linear, self.boosted, key=lambda auc: auc.low)


def shortcuts(
    facts: Sequence[FileFacts],
    fake: NDArray[np.bool_],
    dataset: Sequence[str],
    group: NDArray[np.int64],
    progress: Callable[[int, int], None],
) -> list[Shortcut]:
    """By family over all datasets, all families over all datasets, then all families within each dataset.

    Datasets with fewer than `FEWEST_SOURCES` sources of a label are left out.
    """
    names = np.array(dataset)
    everyone = np.ones(len(fake), dtype=bool)
    work = [(EVERYWHERE, family, everyone) for family in (ALL, *FAMILIES)]
    work += [(name, ALL, names == name) for name in sorted(set(dataset))]
    found = []
    for done, (name, family, chosen) in enumerate(work):
        progress(done, len(work))
        if _enough(fake[chosen], group[chosen]):
            rows = np.flatnonzero(chosen).tolist()
            columns = _columns([facts[i] for i in rows], family)
            if columns is not None:
                linear, boosted = _measured(*columns, fake[rows], group[rows])
                sources = len(np.unique(group[rows]))
                found.append(Shortcut(name, family, linear, boosted, len(rows), sources))
    progress(len(work), len(work))
    return found


def _enough(fake: NDArray[np.bool_], group: NDArray[np.int64]) -> bool:
    return all(len(np.unique(group[fake == label])) >= FEWEST_SOURCES for label in (True, False))


def _columns(facts: Sequence[FileFacts], family: str) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Numbers (N, A) and words as codes (N, B); None where no fact varies."""
    names = [n for f in FAMILIES.values() for n in f] if family == ALL else list(FAMILIES[family])
    numbers, codes = [], []
    for name in names:
        if any(name in entry.words for entry in facts):
            words = [entry.words.get(name, "") for entry in facts]
            codes.append(np.unique(words, return_inverse=True)[1])
        else:
            column = np.array([entry.numbers.get(name, np.nan) for entry in facts])
            if not np.isnan(column).all():
                # Where a fact is absent (a PNG has no JPEG quality) is a fact, too.
                numbers += [column, np.isnan(column).astype(float)] if np.isnan(column).any() else [column]
    numbers = [column for column in numbers if np.unique(column).size > 1]
    codes = [column for column in codes if column.max() > 0]
    if not numbers and not codes:
        return None
    count = len(facts)
    return (
        np.column_stack(numbers) if numbers else np.empty((count, 0)),
        np.column_stack(codes) if codes else np.empty((count, 0), dtype=np.int64),
    )


def _measured(
    numbers: NDArray[np.float64],
    codes: NDArray[np.int64],
    fake: NDArray[np.bool_],
    group: NDArray[np.int64],
) -> tuple[Estimate, Estimate]:
    """AUC out of fold of a linear and of a boosted classifier."""
    features = np.column_stack([numbers, codes])
    split_at = numbers.shape[1]
    linear = make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), list(range(split_at))),
            (OneHotEncoder(handle_unknown="ignore"), list(range(split_at, features.shape[1]))),
        ),
        LogisticRegression(max_iter=500, class_weight="balanced"),
    )
    boosted = HistGradientBoostingClassifier(
        max_iter=80, max_leaf_nodes=15, min_samples_leaf=10, class_weight="balanced", random_state=0
    )
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    scores = np.zeros((2, len(fake)))
    for fit, judge in folds.split(features, fake, group):
        if len(np.unique(fake[fit])) < 2:
            scores[:, judge] = 0.5
            continue
        for row, model in enumerate((linear, boosted)):
            # Small fits on one thread each: on a shared machine OpenMP's threads wait for each other longer
            # than they work.
            with warnings.catch_warnings(), threadpool_limits(1):
                # Facts that are alike in a fold, or a slow fit, change nothing about the finding.
                warnings.simplefilter("ignore")
                model.fit(features[fit], fake[fit])
                scores[row, judge] = model.predict_proba(features[judge])[:, 1]
    return auc_by_group(scores[0], fake, group), auc_by_group(scores[1], fake, group)
