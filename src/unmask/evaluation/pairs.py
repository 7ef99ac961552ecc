"""Every pair of models on the files that both have judged: is one better than chance would have it?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from unmask.evaluation.judged import JudgedFiles
from unmask.evaluation.outcome_text import chance, csv_of, difference, markdown_table
from unmask.figures.rivals import Compared, Rivals, holm
from unmask.figures.sources import DRAWS

SURE = 0.05
"""The corrected p-value under which a difference is marked."""

MOST_SHOWN = 60
"""Pairs in the report; all are in paired.csv."""

COLUMNS = (
    "kind", "first", "second", "files", "judged_by_both", "real", "fake",
    "auc", "auc_low", "auc_high", "auc_p_delong", "auc_p_draws", "auc_p_holm",
    "balanced_accuracy", "balanced_accuracy_low", "balanced_accuracy_high", "balanced_accuracy_p",
    "balanced_accuracy_p_draws", "balanced_accuracy_p_holm",
)  # fmt: skip

NOTE = (
    "Differences are the first model’s figure minus the second’s, on the files that both have judged. "
    "Brackets are 95 % intervals by drawing sources, the same for both. p by DeLong’s test with sources as "
    "clusters (Obuchowski, 1997), of the balanced accuracy by the same sums; corrected for the number of "
    "pairs of one kind (Holm, 1979)."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models on the files of one kind that both were asked about (`files`); the figures are of those both
    have judged. The p-values are corrected for the number of pairs of this kind."""

    kind: str
    first: str
    second: str
    files: int
    told: Compared
    auc_p: float = math.nan
    balanced_accuracy_p: float = math.nan

    @property
    def judged(self) -> int:
        """Files that both models have judged."""
        return self.told.real + self.told.fake

    @property
    def sign(self) -> int:
        """1 where the first model's AUC is higher beyond chance, -1 where it is lower, else 0."""
        if not self.auc_p < SURE:
            return 0
        return 1 if self.told.auc.value.value > 0 else -1


def pairs(judged: Sequence[JudgedFiles], *, draws: int = DRAWS, seed: int = 0) -> list[Pair]:
    """All pairs of models by kind, in the models' order; none for a single model."""
    told: list[Pair] = []
    for files in judged:
        thresholds = [model.fake_above for model in files.models]
        rivals = Rivals(files.fake, files.p, files.source, thresholds, draws=draws, seed=seed)
        of_kind = []
        for first, second in itertools.combinations(range(len(files.models)), 2):
            both = int((files.asked(first) & files.asked(second)).sum())
            if both:
                names = files.models[first].name, files.models[second].name
                of_kind.append(Pair(files.kind, *names, both, rivals.compare(first, second)))
        auc = holm([pair.told.auc.p_value for pair in of_kind])
        balanced = holm([pair.told.balanced_accuracy.p_value for pair in of_kind])
        told += [
            replace(pair, auc_p=one, balanced_accuracy_p=other)
            for pair, one, other in zip(of_kind, auc, balanced, strict=True)
        ]
    return told


def pairs_csv(rows: Sequence[Pair]) -> str:
    """Every pair with all its figures."""
    table = []
    for row in rows:
        auc, balanced = row.told.auc, row.told.balanced_accuracy
        table.append(
            [
                row.kind, row.first, row.second, row.files, row.judged, row.told.real, row.told.fake,
                auc.value.value, auc.value.low, auc.value.high, auc.p_value, auc.p_drawn, row.auc_p,
                balanced.value.value, balanced.value.low, balanced.value.high, balanced.p_value,
                balanced.p_drawn, row.balanced_accuracy_p,
            ]
        )  # fmt: skip
    return csv_of(COLUMNS, table)


HEADINGS = (
    "media", "first", "second", "judged by both", "AUC", "p", "p, corrected", "balanced accuracy, points",
    "p", "p, corrected",
)  # fmt: skip


def most_telling(rows: Sequence[Pair]) -> list[Pair]:
    """The rows to show where there is no room for all: those least by chance, in the order given."""
    if len(rows) <= MOST_SHOWN:
        return list(rows)

    def rank(row: Pair) -> float:
        return math.inf if math.isnan(row.told.auc.p_value) else row.told.auc.p_value

    kept = sorted(range(len(rows)), key=lambda at: (rank(rows[at]), at))[:MOST_SHOWN]
    return [rows[at] for at in sorted(kept)]


def cells(row: Pair) -> list[str]:
    """One pair as text, in the order of `HEADINGS`."""
    auc, balanced = row.told.auc, row.told.balanced_accuracy
    return [
        f"{row.kind}s",
        row.first,
        row.second,
        f"{row.judged} of {row.files}",
        difference(auc.value),
        chance(auc.p_value),
        chance(row.auc_p),
        difference(balanced.value, points=True),
        chance(balanced.p_value),
        chance(row.balanced_accuracy_p),
    ]


def pairs_table(rows: Sequence[Pair]) -> str:
    """The pairs as a table in Markdown."""
    shown = most_telling(rows)
    parts = ["### Differences between models", "", *markdown_table(HEADINGS, map(cells, shown), words=3), ""]
    if len(shown) < len(rows):
        parts += [f"{len(shown)} of {len(rows)} pairs, those with the smallest p; all are in paired.csv.", ""]
    return "\n".join([*parts, NOTE]) + "\n"
