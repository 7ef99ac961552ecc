"""What there was to judge, what was judged, and why the rest was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unmask.evaluation.figures import FULL
from unmask.evaluation.judged import UNASKED, JudgedFiles
from unmask.evaluation.outcome_text import NOT_FULL, markdown_table
from unmask.types import Verdict

ALL_MODELS = "all"


@dataclass(frozen=True, slots=True)
class Covered:
    """The files of a data set with one label: how many there were and were judged, and reason → count for the
    rest. `models` are those of which all this is true."""

    kind: str
    dataset: str
    fake: bool
    models: tuple[str, ...]
    files: int
    judged: int
    reasons: tuple[tuple[str, int], ...]

    @property
    def is_full(self) -> bool:
        """True where so much was judged that figures can stand for all."""
        return self.judged >= FULL * self.files


@dataclass(frozen=True, slots=True)
class Held:
    """What a data set holds of one kind; `methods` are the ways in which its fakes were made."""

    kind: str
    dataset: str
    real: int
    fake: int
    real_sources: int
    fake_sources: int
    methods: tuple[str, ...]


def held(judged: Sequence[JudgedFiles]) -> list[Held]:
    """The data sets that were measured on, by kind and name."""
    told = []
    for files in judged:
        dataset, method = files.table["dataset"].to_numpy(), files.table["method"].to_numpy()
        for name in sorted(files.table["dataset"].unique()):
            fake, real = (dataset == name) & files.fake, (dataset == name) & ~files.fake
            told.append(
                Held(
                    kind=files.kind,
                    dataset=name,
                    real=int(real.sum()),
                    fake=int(fake.sum()),
                    real_sources=len(np.unique(files.source[real])),
                    fake_sources=len(np.unique(files.source[fake])),
                    methods=tuple(sorted(set(method[fake]) - {""})),
                )
            )
    return told


def coverage(judged: Sequence[JudgedFiles]) -> list[Covered]:
    """What was judged of every data set and label, models that fare alike in one row."""
    told = []
    for files in judged:
        dataset = files.table["dataset"].to_numpy()
        for name in sorted(files.table["dataset"].unique()):
            for fake in (False, True):
                told += _alike(files, name, fake, (dataset == name) & (files.fake == fake))
    return told


def _alike(files: JudgedFiles, dataset: str, fake: bool, rows: np.ndarray) -> list[Covered]:
    alike: dict[tuple[int, int, tuple[tuple[str, int], ...]], list[str]] = {}
    for number, model in enumerate(files.models):
        verdicts = files.verdict[number][rows]
        there = int((verdicts != UNASKED).sum())
        if not there:
            continue
        counts = np.bincount(verdicts[verdicts != UNASKED], minlength=len(files.verdicts))
        reasons = tuple(
            (verdict, int(count))
            for verdict, count in zip(files.verdicts, counts, strict=True)
            if count and not _is_judgement(verdict)
        )
        key = (there, int(files.judged(number)[rows].sum()), reasons)
        alike.setdefault(key, []).append(model.name)
    asked = sum(map(len, alike.values()))
    return [
        Covered(files.kind, dataset, fake, (ALL_MODELS,) if len(names) == asked > 1 else tuple(names), *key)
        for key, names in alike.items()
    ]


def _is_judgement(verdict: str) -> bool:
    return verdict in (Verdict.REAL.value, Verdict.FAKE.value, Verdict.UNSURE.value)


def reasons_of(rows: Sequence[Covered]) -> list[str]:
    """The reasons that any of these rows has, in the order of `Verdict`."""
    found = {reason for row in rows for reason, _ in row.reasons}
    order = [verdict.value for verdict in Verdict]
    return sorted(found, key=lambda reason: (order.index(reason) if reason in order else len(order), reason))


def coverage_table(rows: Sequence[Covered]) -> str:
    """The same as a table in Markdown, a column per reason."""
    reasons = reasons_of(rows)
    heads = ["media", "label", "models", "files", "judged", *reasons]
    table = []
    for row in rows:
        counts = dict(row.reasons)
        table.append(
            [
                f"{row.kind}s: {row.dataset}",
                "fake" if row.fake else "real",
                ", ".join(row.models),
                str(row.files),
                f"{row.judged}{'' if row.is_full else ' !'}",
                *(str(counts.get(reason, 0)) for reason in reasons),
            ]
        )
    parts = ["### What was judged", "", *markdown_table(heads, table, words=3)]
    if any(not row.is_full for row in rows):
        parts += ["", f"! {NOT_FULL}"]
    return "\n".join(parts) + "\n"
