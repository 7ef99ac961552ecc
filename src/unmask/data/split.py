"""Divide a manifest into train, val and test so that no recording and no person lies on two sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unmask.data.groups import groups
from unmask.data.manifest import SPLITS, Manifest
from unmask.errors import DataError

ROOM = 1.1
"""How far over its share the largest split may go to take the largest group whole."""

STRATA = ("dataset", "method", "label")


@dataclass(frozen=True, slots=True)
class Share:
    """What became of one label of one dataset (all, where `dataset` is empty): rows by split."""

    dataset: str
    label: str
    rows: Mapping[str, int]

    def of(self, split: str) -> float:
        """The share of the rows that went to `split`, in [0, 1]."""
        total = sum(self.rows.values())
        return self.rows.get(split, 0) / total if total else 0.0


def split(
    manifest: Manifest,
    *,
    val: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    by: Sequence[str] = ("identity", "source"),
) -> Manifest:
    """The manifest with its column `split` filled; the rest of the shares is train.

    Groups are taken whole, largest first (equal ones in an order drawn by `seed`), each to the split that
    still lacks most of what the group is made of, counted by dataset, method and label.

    Raises:
        DataError: shares that leave nothing, a group too large for any split, or too few groups.
    """
    shares = {"train": 1.0 - val - test, "val": val, "test": test}
    if min(val, test) < 0 or shares["train"] <= 0 or val + test == 0:
        raise DataError(
            f"val {val:g} and test {test:g} leave {shares['train']:g} to train on",
            hint="give shares above 0 that sum to less than 1",
        )
    wanted = {name: share for name, share in shares.items() if share > 0}
    group = groups(manifest.table, by)
    _check_fits(manifest.table, group, wanted, by)
    strata = _strata(manifest.table)
    chosen = _assign(group, strata, np.array(list(wanted.values())), seed)
    names = np.array(list(wanted))[chosen]
    table = manifest.table.with_columns(pl.Series("split", names[group], dtype=pl.String()))
    _check_filled(table, wanted)
    return Manifest(manifest.root, table)


def table_of_shares(table: pl.DataFrame) -> list[Share]:
    """Rows by split for each dataset and label, then for each label over all datasets."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    totals: dict[tuple[str, str], dict[str, int]] = {}
    for dataset, label, name in table.select("dataset", "label", "split").iter_rows():
        for into, key in ((counts, (dataset, label)), (totals, ("", label))):
            rows = into.setdefault(key, {})
            rows[name] = rows.get(name, 0) + 1
    return [Share(*key, rows) for part in (counts, totals) for key, rows in sorted(part.items())]


def _strata(table: pl.DataFrame) -> NDArray[np.int64]:
    """The stratum of each row, (N,)."""
    numbers: dict[tuple[str, ...], int] = {}
    keys = table.select(STRATA).iter_rows()
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)


def _assign(
    group: NDArray[np.int64], strata: NDArray[np.int64], shares: NDArray[np.float64], seed: int
) -> NDArray[np.int64]:
    """The split of each group, (G,)."""
    sizes = np.bincount(group)
    totals = np.bincount(strata).astype(float)
    lacking = shares[:, None] * totals[None, :]
    target = lacking.copy()
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.permutation(len(sizes)), -sizes))
    rows_of = np.split(np.argsort(group, kind="stable"), np.cumsum(sizes)[:-1])
    chosen = np.zeros(len(sizes), dtype=np.int64)
    for g in order:
        kinds, counts = np.unique(strata[rows_of[g]], return_counts=True)
        # The share of each split's target that is open, after taking half of the group: a small stratum
        # weighs as much as a large one.
        need = (lacking[:, kinds] - counts / 2) / target[:, kinds]
        chosen[g] = best = int(np.argmax((need * (counts / totals[kinds])).sum(axis=1)))
        lacking[best, kinds] -= counts
    return chosen


def _check_fits(
    table: pl.DataFrame, group: NDArray[np.int64], wanted: Mapping[str, float], by: Sequence[str]
) -> None:
    sizes = np.bincount(group)
    if len(sizes) < len(wanted):
        raise DataError(
            f"there are {len(sizes)} groups tied by {' and '.join(by)} for {len(wanted)} splits",
            hint=_other_ties(by),
        )
    largest = int(np.argmax(sizes))
    share = sizes[largest] / len(group)
    roomiest = max(wanted, key=lambda name: wanted[name])
    if share > wanted[roomiest] * ROOM:
        members = table.filter(pl.Series(group == largest))
        held = ", ".join(sorted(set(members["dataset"]))[:4])
        raise DataError(
            f"{members['source'].n_unique()} sources and {members['identity'].n_unique()} identities of "
            f"{held} are tied into one group of {share:.0%} of all rows, more than {roomiest}'s "
            f"{wanted[roomiest]:.0%} can hold",
            hint=_other_ties(by),
        )


def _other_ties(by: Sequence[str]) -> str:
    if "identity" in by:
        return "--by source keeps recordings apart but not persons: say so where you publish figures"
    return "give smaller --val and --test, or more recordings"


def _check_filled(table: pl.DataFrame, wanted: Mapping[str, float]) -> None:
    both = set(table["label"])
    for name in SPLITS:
        if name not in wanted:
            continue
        labels = set(table.filter(pl.col("split") == name)["label"])
        if labels != both:
            lacks = " and ".join(sorted(both - labels))
            raise DataError(
                f"{name} would hold no {lacks} rows: the groups are too few or too large",
                hint="give it a larger share, tie by less (--by source), or add recordings",
            )
