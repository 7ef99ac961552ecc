"""Outcomes of several models and sets in one table: trained on what, tested on what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from unmask.errors import DataError
from unmask.evaluation.figures import FULL, units_of
from unmask.evaluation.parts import hash_of_files
from unmask.evaluation.table import FILE, JudgedBy, Scores, Setting, read_scores
from unmask.figures.estimate import Estimate
from unmask.figures.paired import delong
from unmask.figures.scores import auc
from unmask.figures.sources import DRAWS, FEWEST_SOURCES
from unmask.figures.summary import summarise

SCORES_FILE = "scores.parquet"

By = Literal["set", "dataset", "method"]
BY_SET, BY_DATASET, BY_METHOD = "set", "dataset", "method"

SURE = 0.05
"""The p-value under which a difference of two AUCs is taken for real."""


@dataclass(frozen=True)
class Outcome:
    """A score file and where it lies."""

    path: Path
    scores: Scores


@dataclass(frozen=True, order=True)
class Column:
    """What was tested on: a set, data set or method, and the kind of media ("" where the name has only
    one)."""

    name: str
    kind: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.kind}s)" if self.kind else self.name


@dataclass(frozen=True)
class Row:
    """A model, and what it was trained on in words ("" where nobody says)."""

    model: str
    sha256: str
    trained_on: str


@dataclass(frozen=True)
class Cell:
    """One model on one column.

    `auc` is None where there were not both labels. `judged` of `files` got a probability. `best` is set where
    a paired test sets it above every other in its column; `seen` where the model was trained on or chosen by
    some of these media, `within` where it was trained on others of the same data sets.
    """

    auc: Estimate | None
    real: int
    fake: int
    files: int
    judged: int
    best: bool
    seen: bool
    within: bool

    @property
    def is_full(self) -> bool:
        """Whether so much was judged that the figure can stand for all."""
        return self.judged >= FULL * self.files


@dataclass(frozen=True)
class Cross:
    """The table. `protocols` is the name and hash behind each column, None where there is none."""

    level: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    cells: Mapping[tuple[Row, Column], Cell]
    protocols: Mapping[Column, tuple[str, str] | None]

    def mean(self, row: Row) -> float | None:
        """The mean AUC over the columns of `averaged`; None where one is missing."""
        cells = [self.cells.get((row, column)) for column in self.averaged]
        values = [cell.auc.value for cell in cells if cell is not None and cell.auc is not None]
        return float(np.mean(values)) if values and len(values) == len(cells) else None

    @property
    def averaged(self) -> tuple[Column, ...]:
        """The columns of sets that no model here is known to have seen, if they are several and of one
        protocol; else ()."""
        known = {column for (_, column), cell in self.cells.items() if cell.seen or cell.within}
        strange = tuple(column for column in self.columns if column not in known)
        alike = len({self.protocols[column] for column in strange}) == 1
        return strange if alike and len(strange) > 1 else ()


def read_outcomes(folders: Sequence[Path]) -> list[Outcome]:
    """All score files in these folders and below, or given by themselves.

    Raises:
        DataError: there is none in one of them, or one cannot be read.
    """
    found: dict[Path, Outcome] = {}
    for folder in folders:
        paths = sorted(folder.rglob(SCORES_FILE)) if folder.is_dir() else [folder]
        if not paths:
            raise DataError(
                f"there is no {SCORES_FILE} in {folder}",
                hint="give folders that `unmask evaluate --out` made",
            )
        for path in paths:
            found.setdefault(path.resolve(), Outcome(path, read_scores(path)))
    return list(found.values())


def cross(
    outcomes: Sequence[Outcome],
    *,
    level: str = FILE,
    by: By | None = None,
    trained_on: Mapping[str, str] | None = None,
) -> Cross:
    """AUC at `level` of every model on every column. Without `by`, columns are a protocol's sets, or the data
    sets of outcomes without one; of a method, fakes are compared with all reals of their set.

    `trained_on` says in words, by a model's name, what its file does not say.

    Raises:
        DataError: two outcomes of one column are of different protocols or different media, a model has two
            figures for one column, or there is nothing to show.
    """
    entries = [entry for outcome in outcomes for entry in _entries(outcome, level, by)]
    if not entries:
        raise DataError(
            f"nothing in these outcomes is measured at the level {level}", hint="choose another with --level"
        )
    entries = _with_kinds(entries)
    columns = list(dict.fromkeys(entry.column for entry in entries))
    for column in columns:
        _check_same([entry for entry in entries if entry.column == column])
    rows = _rows(entries, trained_on or {})
    cells: dict[tuple[Row, Column], Cell] = {}
    for column in columns:
        of_column = [entry for entry in entries if entry.column == column]
        best = _best(of_column)
        for entry in of_column:
            cells[rows[_key(entry.model)], column] = entry.cell(is_best=entry is best)
    protocols = {entry.column: entry.protocol for entry in reversed(entries)}
    return Cross(level, tuple(dict.fromkeys(rows.values())), tuple(columns), cells, protocols)


@dataclass(frozen=True, eq=False)
class _Entry:
    """One model on one column before the table: its units (file, frame, fake, probability, source)."""

    where: Path
    setting: Setting | None
    model: JudgedBy
    column: Column
    kind: str
    units: pl.DataFrame
    files: pl.DataFrame

    @property
    def protocol(self) -> tuple[str, str] | None:
        return None if self.setting is None else (self.setting.protocol, self.setting.sha256)

    @property
    def seen(self) -> bool:
        return self.setting is not None and bool(self.setting.seen.get(self.model.name))

    @property
    def has_both(self) -> bool:
        return self.units["fake"].n_unique() == 2

    @property
    def judged(self) -> int:
        return int(self.files["probability"].is_not_null().sum())

    @property
    def is_full(self) -> bool:
        return self.judged >= FULL * len(self.files)

    def cell(self, *, is_best: bool) -> Cell:
        draws, seed = (self.setting.draws, self.setting.seed) if self.setting else (DRAWS, 0)
        units = self.units
        told = None
        if self.has_both:
            sources = np.unique(units["source"].to_numpy(), return_inverse=True)[1].astype(np.int64)
            told = summarise(
                units["fake"].to_numpy(), units["probability"].to_numpy(), sources, draws=draws, seed=seed
            ).auc
        return Cell(
            auc=told,
            real=int((~units["fake"]).sum()),
            fake=int(units["fake"].sum()),
            files=len(self.files),
            judged=self.judged,
            best=is_best,
            seen=self.seen,
            within=self.setting is not None and self.model.name in self.setting.within,
        )


def _entries(outcome: Outcome, level: str, by: By | None) -> Iterator[_Entry]:
    scores, setting = outcome.scores, outcome.scores.setting
    way = by or (BY_DATASET if setting is None else BY_SET)
    if way == BY_SET and setting is None:
        raise DataError(
            f"{outcome.path} follows no protocol, so it has no sets", hint="use --by dataset, or --by method"
        )
    plain = scores.rows.filter(pl.col("severity") == 0)
    for model in scores.models:
        of_model = plain.filter(pl.col("model") == model.name)
        for kind in sorted(of_model["kind"].unique()):
            of_kind = of_model.filter(pl.col("kind") == kind)
            if level != FILE and kind == "image":
                continue
            files = of_kind.filter(pl.col("level") == FILE)
            units = units_of(of_kind.lazy(), level).collect()
            for name, belongs in _parts(files, way, setting):
                yield _Entry(
                    outcome.path,
                    setting,
                    model,
                    Column(name),
                    kind,
                    _kept(units.filter(belongs)),
                    files.filter(belongs),
                )


def _kept(units: pl.DataFrame) -> pl.DataFrame:
    keys = [
        pl.col(name) if name in units.columns else pl.lit(None).alias(name) for name in ("track", "frame")
    ]
    return units.select("file", *(key.cast(pl.Int64) for key in keys), "fake", "probability", "source")


def _parts(files: pl.DataFrame, way: str, setting: Setting | None) -> Iterator[tuple[str, pl.Expr]]:
    """The columns that files of one kind give: a name, and what belongs to it."""
    if way == BY_SET:
        assert setting is not None
        yield setting.part, pl.lit(True)
    elif way == BY_DATASET:
        for name in sorted(files["dataset"].unique()):
            yield name, pl.col("dataset") == name
    else:
        for name in sorted(files.filter(pl.col("fake"))["method"].unique()):
            yield name or "fakes of no name", ~pl.col("fake") | (pl.col("method") == name)


def _with_kinds(entries: Sequence[_Entry]) -> list[_Entry]:
    """The entries with the kind of media in the column's name where one name has several."""
    kinds: dict[str, set[str]] = {}
    for entry in entries:
        kinds.setdefault(entry.column.name, set()).add(entry.kind)
    return [
        replace(entry, column=Column(entry.column.name, entry.kind))
        if len(kinds[entry.column.name]) > 1
        else entry
        for entry in entries
    ]


def _check_same(entries: Sequence[_Entry]) -> None:
    """Refuse what must not stand in one column."""
    first, *others = entries
    models = {_key(first.model): first.where}
    for other in others:
        if first.protocol != other.protocol:
            raise DataError(
                f"{first.column}: {first.where} was measured under {_told(first.protocol)}, {other.where} "
                f"under {_told(other.protocol)}",
                hint="figures compare only under one protocol: measure both under it",
            )
        if _media(first) != _media(other):
            raise DataError(
                f"{first.column}: {first.where} and {other.where} were measured on different files",
                hint="measure both on the same files; what cannot be judged counts as such",
            )
        there = models.setdefault(_key(other.model), other.where)
        if there != other.where:
            raise DataError(
                f"{other.model.name} on {first.column} is in {there} and in {other.where}",
                hint="leave one of them out",
            )


def _media(entry: _Entry) -> str:
    return hash_of_files(entry.files.select("file", "fake").iter_rows())


def _told(protocol: tuple[str, str] | None) -> str:
    return "no protocol" if protocol is None else f"the protocol {protocol[0]} ({protocol[1][:12]}…)"


def _key(model: JudgedBy) -> str:
    """What a model is known by across outcomes: its file, not its name."""
    return model.sha256 or model.name


def _rows(entries: Sequence[_Entry], words: Mapping[str, str]) -> dict[str, Row]:
    """Key of a model → its row, in the order of appearance."""
    rows: dict[str, Row] = {}
    for entry in entries:
        name, setting = entry.model.name, entry.setting
        datasets = setting.trained_on.get(name, ()) if setting else ()
        told = words.get(name) or _listed(datasets)
        known = rows.get(_key(entry.model))
        if known is None or not known.trained_on:
            rows[_key(entry.model)] = Row(known.model if known else name, entry.model.sha256, told)
    names = [row.model for row in rows.values()]
    unknown = sorted(set(words) - {entry.model.name for entry in entries})
    if unknown:
        raise DataError(f"no model is called {unknown[0]!r}", hint=f"there are: {', '.join(names)}")
    return {
        key: replace(row, model=f"{row.model} {row.sha256[:8]}") if names.count(row.model) > 1 else row
        for key, row in rows.items()
    }


MOST_LISTED = 3
"""Data sets that are named one by one; more are counted."""


def _listed(datasets: Sequence[str]) -> str:
    return ", ".join(datasets) if len(datasets) <= MOST_LISTED else f"{len(datasets)} data sets"


def _best(entries: Sequence[_Entry]) -> _Entry | None:
    """The entry that is better than every other by a paired test, each at `SURE`; None where none is.

    What was not judged in full, or has seen the media, neither is the best nor stands in its way. That all
    tests must agree makes a correction for their number unnecessary.
    """
    able = [entry for entry in entries if entry.has_both and entry.is_full and not entry.seen]
    if len(able) < 2:
        return None
    best = max(able, key=lambda entry: auc(entry.units["fake"], entry.units["probability"]))
    return best if all(_is_better(best, other) for other in able if other is not best) else None


def _is_better(one: _Entry, other: _Entry) -> bool:
    keys = ["file", "track", "frame"]
    both = one.units.join(other.units.select(*keys, "probability"), on=keys, nulls_equal=True, suffix="_2")
    fake, source = both["fake"].to_numpy(), both["source"].to_numpy()
    if min(len(np.unique(source[fake])), len(np.unique(source[~fake]))) < FEWEST_SOURCES:
        return False
    found = delong(fake, both["probability"].to_numpy(), both["probability_2"].to_numpy(), source)
    return found.auc.value > 0 and found.p_value < SURE
