"""What degradations of the media cost a model, at every severity."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from unmask.evaluation.figures import FULL, MEDIUM, Line, lines
from unmask.evaluation.outcome_text import ABSENT, markdown_table, share
from unmask.evaluation.table import Scores


@dataclass(frozen=True, slots=True)
class Robustness:
    """AUC of one model on one kind of media under one degradation, at every severity, against plain media.

    `at` is NaN at a severity where the AUC cannot be had, and `judged` the share of files that got a
    probability there. `relative` is the mean of AUC under the degradation over AUC without; what no face was
    found in any more counts in `coverage`, the least share of files judged.
    """

    model: str
    kind: str
    degradation: str
    plain: float
    severities: tuple[int, ...]
    at: tuple[float, ...]
    judged: tuple[float, ...]

    @property
    def relative(self) -> float:
        """The mean AUC under the degradation, as a share of the AUC on plain media; NaN where one severity
        has none."""
        return float(np.mean(self.at)) / self.plain if self.plain else math.nan

    @property
    def coverage(self) -> float:
        """The least share of files judged at any severity."""
        return min(self.judged)


def robustness(scores: Scores) -> list[Robustness]:
    """What each degradation costs each model on files as a whole."""
    states = scores.rows.filter(pl.col("severity") > 0).select("degradation", "severity").unique()
    if states.is_empty():
        return []
    plain = {(line.model, line.kind): line for line in _files(scores, "", 0)}
    told = []
    for degradation in sorted(states["degradation"].unique()):
        severities = sorted(states.filter(pl.col("degradation") == degradation)["severity"].to_list())
        under = {
            (line.model, line.kind, severity): line
            for severity in severities
            for line in _files(scores, degradation, severity)
        }
        for (model, kind), line in plain.items():
            there = [severity for severity in severities if (model, kind, severity) in under]
            found = [under[model, kind, severity] for severity in there]
            if not found or math.isnan(_auc(line)):
                continue
            told.append(
                Robustness(
                    model=model,
                    kind=kind,
                    degradation=degradation,
                    plain=_auc(line),
                    severities=tuple(there),
                    at=tuple(map(_auc, found)),
                    judged=tuple(one.coverage for one in found),
                )
            )
    return told


def mean_relative(rows: Sequence[Robustness]) -> float:
    """The mean relative AUC over the degradations for which there is one."""
    known = [row.relative for row in rows if not math.isnan(row.relative)]
    return float(np.mean(known)) if known else math.nan


def robustness_table(rows: Sequence[Robustness]) -> str:
    """A table of AUC by severity, and the mean relative AUC of each model."""
    severities = sorted({severity for row in rows for severity in row.severities})
    heads = ["model", "media", "degradation", "plain", *map(str, severities), "relative", "least judged"]
    table = []
    for row in rows:
        values = dict(zip(row.severities, row.at, strict=True))
        shown = [_three(values.get(severity, math.nan)) for severity in severities]
        mark = "" if row.coverage >= FULL else " !"
        table.append(
            [
                row.model,
                f"{row.kind}s",
                row.degradation,
                _three(row.plain),
                *shown,
                _three(row.relative),
                share(row.coverage) + mark,
            ]
        )
    parts = ["### AUC under degradation", "", *markdown_table(heads, table, words=3), ""]
    for model in dict.fromkeys(row.model for row in rows):
        mean = mean_relative([row for row in rows if row.model == model])
        parts.append(f"Mean relative AUC of {model}: {_three(mean)}")
    return "\n".join(parts) + "\n"


def _files(scores: Scores, degradation: str, severity: int) -> Iterator[Line]:
    # One draw: only the AUC itself is wanted.
    return lines(scores, levels=[MEDIUM], groups=(), degradation=degradation, severity=severity, draws=1)


def _auc(line: Line) -> float:
    return math.nan if line.summary is None else line.summary.auc.value


def _three(value: float) -> str:
    return ABSENT if math.isnan(value) else f"{value:.3f}"
