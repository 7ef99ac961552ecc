"""Files as all models judged them, side by side: what curves and comparisons are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unmask.evaluation.table import FILE, JudgedBy, Scores
from unmask.types import Verdict

UNASKED = -1
"""Stands for the verdict of a model that was not asked about a file."""


@dataclass(frozen=True, eq=False)
class JudgedFiles:
    """The N files of one kind by M models, in the order of their names.

    `table` has the columns file, dataset, method; `fake` and `source` are (N,), sources numbered in the order
    of their names; `p` is (M, N), NaN where there is none; `verdict` (M, N) is a place in `verdicts` or
    `UNASKED`.
    """

    kind: str
    models: tuple[JudgedBy, ...]
    table: pl.DataFrame
    fake: NDArray[np.bool_]
    source: NDArray[np.int64]
    p: NDArray[np.float64]
    verdict: NDArray[np.int8]
    verdicts: tuple[str, ...]

    def judged(self, model: int) -> NDArray[np.bool_]:
        """Which files (N,) got a probability."""
        return np.asarray(~np.isnan(self.p[model]), dtype=bool)

    def asked(self, model: int) -> NDArray[np.bool_]:
        """Which files (N,) there were for the model."""
        return np.asarray(self.verdict[model] != UNASKED, dtype=bool)

    def said(self, model: int, *verdicts: Verdict) -> NDArray[np.bool_]:
        """Which files (N,) got one of these verdicts."""
        return np.isin(self.verdict[model], [self.verdicts.index(verdict) for verdict in verdicts])


def judged_files(scores: Scores, *, degradation: str = "", severity: int = 0) -> list[JudgedFiles]:
    """The files in one state, one table per kind of medium."""
    state = (pl.col("degradation") == degradation) & (pl.col("severity") == severity)
    rows = scores.rows.lazy().filter((pl.col("level") == FILE) & state)
    known = rows.select(
        "model", "file", "kind", "fake", "dataset", "method", "source", "verdict", "probability"
    )
    table = known.collect()
    return [
        _of_kind(kind, table.filter(pl.col("kind") == kind), scores.models)
        for kind in sorted(table["kind"].unique())
    ]


def _of_kind(kind: str, rows: pl.DataFrame, models: Sequence[JudgedBy]) -> JudgedFiles:
    # A score file of another version may know reasons of its own.
    verdicts = tuple(dict.fromkeys([*(known.value for known in Verdict), *sorted(rows["verdict"].unique())]))
    files = rows.unique("file", keep="first", maintain_order=True).sort("file")
    p = np.full((len(models), len(files)), np.nan)
    verdict = np.full(p.shape, UNASKED, dtype=np.int8)
    place = files.select("file").with_row_index("at")
    for number, model in enumerate(models):
        own = rows.filter(pl.col("model") == model.name).join(place, on="file", how="left")
        at = own["at"].to_numpy()
        p[number, at] = own["probability"].fill_null(np.nan).to_numpy()
        verdict[number, at] = own["verdict"].cast(pl.Enum(verdicts)).to_physical().to_numpy()
    source = np.unique(files["source"].to_numpy(), return_inverse=True)[1]
    return JudgedFiles(
        kind=kind,
        models=tuple(models),
        table=files.select("file", "dataset", "method"),
        fake=files["fake"].to_numpy(),
        source=source,
        p=p,
        verdict=verdict,
        verdicts=verdicts,
    )
