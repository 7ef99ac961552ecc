"""What is listed rather than drawn: what every model said, its worst mistakes, and who is above whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.evaluation.judged import JudgedFiles
from unmask.evaluation.outcome_text import chance, difference, signed
from unmask.evaluation.page.looks import Look
from unmask.evaluation.pairs import Pair
from unmask.types import Verdict

MOST_MISTAKES = 8
"""Files of each label that are named per model."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said of the files of one label, in counts."""

    model: str
    look: Look
    label: str
    files: int
    real: int
    unsure: int
    fake: int

    @property
    def unjudged(self) -> int:
        """Files that got no judgement."""
        return self.files - self.real - self.unsure - self.fake

    def percent(self, count: int) -> float:
        """A count in percent of the files."""
        return round(100 * count / self.files, 2)


def said(files: JudgedFiles, looks: Mapping[str, Look]) -> list[tuple[Said, ...]]:
    """For each model what it said of reals, and of fakes, as far as there were any."""
    told = []
    for number, model in enumerate(files.models):
        rows_of_model = []
        for label, rows in (("real", ~files.fake), ("fake", files.fake)):
            there = rows & files.asked(number)
            if not there.any():
                continue
            real, unsure, fake = (
                int((there & files.said(number, verdict)).sum())
                for verdict in (Verdict.REAL, Verdict.UNSURE, Verdict.FAKE)
            )
            rows_of_model.append(
                Said(model.name, looks[model.name], label, int(there.sum()), real, unsure, fake)
            )
        if rows_of_model:
            told.append(tuple(rows_of_model))
    return told


@dataclass(frozen=True, slots=True)
class Mistaken:
    """A file with what was said of it; `about` is the method of a fake, where it is known."""

    file: str
    about: str
    probability: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Mistakes:
    """The reals that look most fake to a model, and the fakes that look most real."""

    reals: tuple[Mistaken, ...]
    fakes: tuple[Mistaken, ...]


def mistakes(files: JudgedFiles, model: int) -> Mistakes:
    """The worst first; of equal ones the first by name."""
    known = files.judged(model)
    p = files.p[model]
    return Mistakes(
        _worst(files, model, known & ~files.fake, -p), _worst(files, model, known & files.fake, p)
    )


def _worst(
    files: JudgedFiles, model: int, rows: NDArray[np.bool_], rank: NDArray[np.float64]
) -> tuple[Mistaken, ...]:
    places = np.flatnonzero(rows)
    chosen = places[np.argsort(rank[places], kind="stable")[:MOST_MISTAKES]]
    told = []
    for at in chosen:
        file, _, method = files.table.row(int(at))
        verdict = Verdict(files.verdicts[files.verdict[model, at]])
        told.append(Mistaken(file, method, float(files.p[model, at]), verdict))
    return tuple(told)


@dataclass(frozen=True, slots=True)
class Crossing:
    """The difference in AUC of the row's model to the column's; `sign` says whether it is beyond chance."""

    text: str
    sign: int
    words: str


def matrix(pairs: Sequence[Pair], names: Sequence[str]) -> list[list[Crossing | None]]:
    """A row and a column per model; None where the two have no figure in common, or are the same."""
    known = {(pair.first, pair.second): pair for pair in pairs}
    return [[_crossing(known, row, column) for column in names] for row in names]


def _crossing(known: Mapping[tuple[str, str], Pair], row: str, column: str) -> Crossing | None:
    turned = (row, column) not in known
    pair = known.get((column, row) if turned else (row, column))
    if pair is None or np.isnan(pair.told.auc.value.value):
        return None
    way = -1 if turned else 1
    words = (
        f"{pair.first} against {pair.second}: {difference(pair.told.auc.value)}, corrected p "
        f"{chance(pair.auc_p)}"
    )
    return Crossing(signed(way * pair.told.auc.value.value), way * pair.sign, words)
