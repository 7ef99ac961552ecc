"""Everything that is looked for in a manifest, gathered into one tree that can be printed, paged or kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from unmask.data.check.duplicates import near_pairs
from unmask.data.check.facts import FileFacts, read_facts, threads_for
from unmask.data.check.shortcuts import Shortcut, shortcuts
from unmask.data.check.words import Finding, findings
from unmask.data.groups import TIES, groups
from unmask.data.manifest import Manifest

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how much of it is done."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A recording (`source`) or person (`identity`) that lies in several splits."""

    kind: str
    value: str
    splits: tuple[str, ...]
    rows: int


@dataclass(frozen=True, slots=True)
class Twin:
    """Two files in different splits that look the same; `bits` of 64 differ in their perceptual hashes."""

    first: str
    second: str
    first_split: str
    second_split: str
    first_source: str
    second_source: str
    bits: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that could not be looked at, and why."""

    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Count:
    """Rows and sources of one label in one dataset and split."""

    dataset: str
    label: str
    split: str
    rows: int
    sources: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. `looked_at` of `rows` rows had their files read; `clean` says whether all is well."""

    rows: int
    looked_at: int
    counts: tuple[Count, ...]
    one_label: tuple[str, ...]
    leaks: tuple[Leak, ...]
    twins: tuple[Twin, ...]
    broken: tuple[Broken, ...]
    shortcuts: tuple[Shortcut, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def clean(self) -> bool:
        """True where no finding is a problem."""
        return not any(finding.problem for finding in self.findings)


def check(manifest: Manifest, *, most: int = 0, seed: int = 0, progress: Progress | None = None) -> Checked:
    """Look at every file of a manifest, or at `most` of them drawn by `seed` (0: all).

    Leaks by name and missing files are always looked for in all rows.
    """
    show = progress or (lambda what, done, total: None)
    table = manifest.table.with_row_index("row")
    missing = tuple(
        Broken(path, "missing")
        for path in table["path"].unique(maintain_order=True)
        if not (manifest.root / path).is_file()
    )
    looked = table if not most or most >= len(table) else table.sample(most, seed=seed).sort("row")
    paths = [manifest.root / path for path in looked["path"]]
    facts = read_facts(paths, threads_for(len(paths)), lambda done, total: show("reading", done, total))
    facts = _with_faces(facts, looked)
    whole = np.array([not entry.problem for entry in facts], dtype=bool)
    unreadable = {
        path: entry.problem
        for path, entry in zip(looked["path"], facts, strict=True)
        if entry.problem and entry.problem != "missing"
    }
    show("comparing", 0, 1)
    readable = looked.filter(pl.Series(whole))
    kept = [entry for entry in facts if not entry.problem]
    result = Checked(
        rows=len(table),
        looked_at=len(looked),
        counts=_counts(table),
        one_label=_one_label(table),
        leaks=_leaks(table),
        twins=_twins(readable, kept),
        broken=(*missing, *(Broken(path, problem) for path, problem in unreadable.items())),
        shortcuts=tuple(
            shortcuts(
                kept,
                (readable["label"] == "fake").to_numpy(),
                readable["dataset"].to_list(),
                groups(readable),
                lambda done, total: show("predicting labels from file facts", done, total),
            )
            if len(readable)
            else ()
        ),
    )
    return replace(result, findings=tuple(findings(result)))


def _with_faces(facts: Sequence[FileFacts], table: pl.DataFrame) -> list[FileFacts]:
    """The facts with the face's size (px), its share of the picture's shorter side, and the crop's side."""
    boxes = table.select("x1", "y1", "x2", "y2", "side").iter_rows()
    completed = []
    for entry, (x1, y1, x2, y2, side) in zip(facts, boxes, strict=True):
        more = {}
        if None not in (x1, y1, x2, y2) and not entry.problem:
            size = max(x2 - x1, y2 - y1)
            more = {
                "face_size": size,
                "face_share": size / min(entry.numbers["width"], entry.numbers["height"]),
            }
        if side is not None:
            more["side"] = side
        completed.append(replace(entry, numbers=entry.numbers | more))
    return completed


def _counts(table: pl.DataFrame) -> tuple[Count, ...]:
    keys = ("dataset", "label", "split")
    counted = table.group_by(keys).agg(pl.len(), pl.col("source").n_unique().alias("sources")).sort(keys)
    return tuple(Count(*row) for row in counted.iter_rows())


def _one_label(table: pl.DataFrame) -> tuple[str, ...]:
    counted = table.group_by("dataset").agg(pl.col("label").n_unique()).filter(pl.col("label") == 1)
    return tuple(sorted(counted["dataset"]))


def _leaks(table: pl.DataFrame) -> tuple[Leak, ...]:
    """A swap's partner counts as being there: a network sees half of it."""
    placed = table.filter(pl.col("split") != "")
    leaks = []
    for kind, columns in TIES.items():
        long = pl.concat(
            placed.select(pl.col(column).alias("value"), "split", "row") for column in columns
        ).filter(pl.col("value") != "")
        found = (
            long.group_by("value")
            .agg(pl.col("split").unique().sort(), pl.col("row").n_unique())
            .filter(pl.col("split").list.len() > 1)
            .sort("row", "value", descending=[True, False])
        )
        leaks += [Leak(kind, value, tuple(splits), rows) for value, splits, rows in found.iter_rows()]
    return tuple(leaks)


def _twins(table: pl.DataFrame, facts: Sequence[FileFacts]) -> tuple[Twin, ...]:
    rows = [
        (path, split, entry.hash, source)
        for path, split, source, entry in zip(
            table["path"], table["split"], table["source"], facts, strict=True
        )
        if split and entry.hash is not None
    ]
    number = {split: i for i, split in enumerate(sorted({split for _, split, _, _ in rows}))}
    pairs = near_pairs([row[2] for row in rows], [number[row[1]] for row in rows])
    twins = [
        Twin(rows[i][0], rows[j][0], rows[i][1], rows[j][1], rows[i][3], rows[j][3], bits)
        for i, j, bits in pairs
    ]
    return tuple(sorted(twins, key=lambda twin: (twin.bits, twin.first, twin.second)))
