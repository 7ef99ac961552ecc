"""Splits: nothing on two sides, the same every time, shares as good as the groups allow."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmask.data.groups import groups
from unmask.data.manifest import Manifest, Row, table_of
from unmask.data.split import split, table_of_shares
from unmask.errors import DataError


def manifest(rows: list[Row]) -> Manifest:
    return Manifest(Path("/nowhere"), table_of(rows))


ROWS = st.lists(
    st.tuples(
        st.booleans(),
        st.integers(0, 60),
        st.one_of(st.none(), st.integers(0, 60)),
        st.one_of(st.none(), st.integers(0, 40)),
        st.sampled_from(["a", "b"]),
    ),
    min_size=1,
    max_size=120,
)


@given(ROWS, st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_no_group_lies_on_two_sides_and_the_seed_decides(
    drawn: list[tuple[bool, int, int | None, int | None, str]], seed: int
) -> None:
    rows = [
        Row(
            f"{i}.png",
            fake,
            dataset,
            source=f"s{source}",
            partner_source="" if partner is None else f"s{partner}",
            identity="" if person is None else f"p{person}",
        )
        for i, (fake, source, partner, person, dataset) in enumerate(drawn)
    ]
    given_ = manifest(rows)
    try:
        made = split(given_, val=0.2, test=0.2, seed=seed)
    except DataError:
        return  # groups that no split can hold are refused; see below
    splits = made.table["split"].to_list()
    side: dict[str, str] = {}
    for row, name in zip(rows, splits, strict=True):
        for tie in (row.source, row.partner_source, row.identity):
            assert not tie or side.setdefault(tie, name) == name
    assert split(given_, val=0.2, test=0.2, seed=seed).table["split"].to_list() == splits


def test_groups_follow_chains_of_swaps() -> None:
    rows = [
        Row("0", False, "d", source="a"),
        Row("1", True, "d", source="a", partner_source="b"),
        Row("2", True, "d", source="b", partner_source="c"),
        Row("3", False, "d", source="d", identity="p"),
        Row("4", False, "d", source="e", identity="p"),
        Row("5", False, "d"),
        Row("6", False, "d"),
    ]
    table = table_of(rows)
    assert groups(table).tolist() == [0, 0, 0, 1, 2, 3, 4]
    assert groups(table, ("source", "identity")).tolist() == [0, 0, 0, 1, 1, 2, 3]
    with pytest.raises(DataError, match="colour"):
        groups(table, ("colour",))


def test_every_label_of_every_dataset_gets_its_shares() -> None:
    rng = np.random.default_rng(0)
    rows = [
        Row(f"{d}{s}{f}.png", bool(s % 2), d, "swap" if s % 2 else "original", "frame", f"{d}{s}")
        for d, sources in (("large", 300), ("small", 60))
        for s in range(sources)
        for f in range(int(rng.integers(1, 9)))
    ]
    made = split(manifest(rows), val=0.15, test=0.25, seed=3)
    for share in table_of_shares(made.table):
        assert share.of("val") == pytest.approx(0.15, abs=0.02)
        assert share.of("test") == pytest.approx(0.25, abs=0.02)


def test_another_seed_gives_another_split() -> None:
    rows = [Row(f"{i}", bool(i % 2), "d", source=f"s{i}") for i in range(100)]
    first, second = (split(manifest(rows), seed=seed).table["split"].to_list() for seed in (0, 1))
    assert first != second


def test_a_group_too_large_for_any_split_is_refused() -> None:
    swaps = [
        Row(f"{a}", True, "celeb", source=f"s{a}", identity=f"p{a}", partner=f"p{b}")
        for a, b in pairwise(range(90))
    ]
    rest = [Row(f"r{i}", False, "other", source=f"r{i}") for i in range(10)]
    with pytest.raises(DataError, match="tied into one group of 90%") as caught:
        split(manifest(swaps + rest))
    assert "--by source" in caught.value.hint
    assert set(split(manifest(swaps + rest), by=("source",)).table["split"]) == {"train", "val", "test"}


def test_shares_that_leave_nothing_and_splits_of_one_label_are_refused() -> None:
    rows = [Row(f"{i}", i == 0, "d", source=f"s{i}") for i in range(50)]
    with pytest.raises(DataError, match="no fake rows"):
        split(manifest(rows))
    with pytest.raises(DataError, match="to train on"):
        split(manifest(rows), val=0.5, test=0.5)
