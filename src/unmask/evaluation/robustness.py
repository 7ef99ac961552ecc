"""What degradations of the media cost a model, at every severity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from unmask.evaluation.figures import FULL
from unmask.evaluation.outcome_text import ABSENT, markdown_table, share
from unmask.evaluation.table import FILE, Scores
from unmask.figures.scores import auc

NOTE = "What was not judged counts as a coin toss; the last column says how little was judged at worst."


@dataclass(frozen=True, slots=True)
class Robustness:
    """AUC of one model on one kind of media under one degradation, at every severity, against plain media.

    What was not judged counts as a coin toss: a pair of a real and a fake of which one has no probability is
    right half of the time. Else a model that loses the hardest faces would look the better for it. `judged`
    is the share of files that got a probability.
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
        """The mean AUC under the degradation, as a share of the AUC on plain media."""
        return float(np.mean(self.at)) / self.plain if self.plain else math.nan

    @property
    def coverage(self) -> float:
        """The least share of files judged at any severity."""
        return min(self.judged)


@dataclass(frozen=True, slots=True)
class _State:
    """AUC of a model on one kind in one state, what was not judged as a coin toss, and the share judged."""

    auc: float
    judged: float


def robustness(scores: Scores) -> list[Robustness]:
    """What each degradation costs each model on files as a whole; nothing of a kind without both labels."""
    states = scores.rows.filter(pl.col("severity") > 0).select("degradation", "severity").unique()
    if states.is_empty():
        return []
    plain = _states(scores, "", 0)
    told = []
    for degradation in sorted(states["degradation"].unique()):
        severities = sorted(states.filter(pl.col("degradation") == degradation)["severity"].to_list())
        under = {severity: _states(scores, degradation, severity) for severity in severities}
        for (model, kind), untouched in plain.items():
            found = {
                severity: under[severity][model, kind]
                for severity in severities
                if (model, kind) in under[severity]
            }
            if not found or math.isnan(untouched.auc):
                continue
            told.append(
                Robustness(
                    model=model,
                    kind=kind,
                    degradation=degradation,
                    plain=untouched.auc,
                    severities=tuple(found),
                    at=tuple(state.auc for state in found.values()),
                    judged=tuple(state.judged for state in found.values()),
                )
            )
    return told


def mean_relative(rows: Sequence[Robustness]) -> float:
    """The mean relative AUC over degradations; NaN without any."""
    return float(np.mean([row.relative for row in rows])) if rows else math.nan


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
    for model, kind in dict.fromkeys((row.model, row.kind) for row in rows):
        own = [row for row in rows if (row.model, row.kind) == (model, kind)]
        kinds = f"{len(own)} degradation{'s' * (len(own) != 1)}"
        parts.append(f"Mean relative AUC of {model} on {kind}s, {kinds}: {_three(mean_relative(own))}")
    return "\n".join([*parts, "", NOTE]) + "\n"


def _states(scores: Scores, degradation: str, severity: int) -> dict[tuple[str, str], _State]:
    """How each model fares on each kind in one state, in the models' order."""
    state = (pl.col("degradation") == degradation) & (pl.col("severity") == severity)
    files = scores.rows.lazy().filter((pl.col("level") == FILE) & state)
    judged = pl.col("probability").is_not_null()
    counts = (
        files.group_by("model", "kind")
        .agg(
            fakes=pl.col("fake").sum(),
            reals=(~pl.col("fake")).sum(),
            fakes_judged=(pl.col("fake") & judged).sum(),
            reals_judged=(~pl.col("fake") & judged).sum(),
        )
        .sort("kind")
        .collect()
    )
    told: dict[tuple[str, str], _State] = {}
    for model in scores.models:
        for row in counts.filter(pl.col("model") == model.name).iter_rows(named=True):
            pairs = row["fakes"] * row["reals"]
            share = row["fakes_judged"] * row["reals_judged"] / pairs if pairs else math.nan
            known = files.filter((pl.col("model") == model.name) & (pl.col("kind") == row["kind"]) & judged)
            table = known.select("fake", "probability").collect()
            own = auc(table["fake"].to_numpy(), table["probability"].to_numpy()) if share > 0 else 0.5
            count = row["fakes_judged"] + row["reals_judged"]
            told[model.name, row["kind"]] = _State(
                share * own + (1 - share) / 2, count / (row["fakes"] + row["reals"])
            )
    return told


def _three(value: float) -> str:
    return ABSENT if math.isnan(value) else f"{value:.3f}"
