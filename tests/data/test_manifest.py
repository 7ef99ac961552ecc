"""Manifests: what is written is read, and what is wrong is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from tests.data.trees import manifest_at

from unmask.data.corpus import Sample
from unmask.data.join import join
from unmask.data.manifest import (
    SCHEMA,
    VERSION_KEY,
    Manifest,
    Row,
    read_manifest,
    read_samples,
    rows_of_table,
    table_of,
)
from unmask.errors import DataError
from unmask.types import Landmarks

MARKS: Landmarks = ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0), (7.0, 8.0), (9.0, 10.0))
CROP = Row(
    "a.webp", True, "d", "swap", "frame", "s1", "p1", "s2", "p2", "train", "c23", 3, 0.5, (1, 2, 3, 4), MARKS
)


def test_rows_survive_writing(tmp_path: Path) -> None:
    bare = Row("b.mp4", False, "d", source="s3")
    path = manifest_at(tmp_path / "m.parquet", tmp_path, [CROP, bare])
    manifest = read_manifest(path)
    assert rows_of_table(manifest.table) == [CROP, bare]
    assert manifest.table.schema == SCHEMA
    assert manifest.root == tmp_path


def test_a_manifest_beside_its_files_can_be_moved(tmp_path: Path) -> None:
    manifest_at(tmp_path / "old" / "m.parquet", tmp_path / "old", [CROP])
    (tmp_path / "old").rename(tmp_path / "new")
    assert read_manifest(tmp_path / "new" / "m.parquet").root == tmp_path / "new"


def test_a_manifest_elsewhere_still_finds_its_files(tmp_path: Path) -> None:
    path = manifest_at(tmp_path / "lists" / "m.parquet", tmp_path / "media", [CROP])
    assert read_manifest(path).paths() == [tmp_path / "media" / "a.webp"]


def test_crops_become_samples(tmp_path: Path) -> None:
    (sample,) = read_samples(manifest_at(tmp_path / "m.parquet", tmp_path, [CROP]))
    assert isinstance(sample, Sample)
    assert (sample.path, sample.fake, sample.landmarks) == (tmp_path / "a.webp", True, MARKS)
    assert (sample.partner, sample.partner_source, sample.box) == ("p2", "s2", (1, 2, 3, 4))


def test_a_table_of_another_tool_needs_few_columns(tmp_path: Path) -> None:
    names = {
        "path": "x.jpg",
        "label": "real",
        "method": "original",
        "dataset": "d",
        "source": "s",
        "kind": "photo",
    }
    pl.DataFrame({name: [value] for name, value in names.items()}).write_parquet(tmp_path / "t.parquet")
    assert read_manifest(tmp_path / "t.parquet").table.schema == SCHEMA


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no manifest"):
        read_samples(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("path,label\n")
    with pytest.raises(DataError, match="no readable Parquet"):
        read_samples(tmp_path / "text.parquet")
    pl.DataFrame({"path": ["x"], "label": ["real"]}).write_parquet(tmp_path / "few.parquet")
    with pytest.raises(DataError, match="method, dataset, source, kind"):
        read_samples(tmp_path / "few.parquet")
    with pytest.raises(DataError, match="2 of 2 rows have no landmarks"):
        read_samples(
            manifest_at(tmp_path / "m.parquet", tmp_path, [Row("a", True, "d"), Row("b", True, "d")])
        )
    twice = [CROP, replace(CROP, path="b.webp", split="val")]
    with pytest.raises(DataError, match="'s1' lies in two splits"):
        read_samples(manifest_at(tmp_path / "m.parquet", tmp_path, twice))
    table_of([CROP]).with_columns(label=pl.lit("maybe")).write_parquet(tmp_path / "l.parquet")
    with pytest.raises(DataError, match="'maybe'"):
        read_manifest(tmp_path / "l.parquet")
    table_of([CROP]).write_parquet(tmp_path / "v.parquet", metadata={VERSION_KEY: "9"})
    with pytest.raises(DataError, match="schema 9"):
        read_manifest(tmp_path / "v.parquet")
    table_of([CROP]).with_columns(frame=pl.lit("three")).write_parquet(tmp_path / "w.parquet")
    with pytest.raises(DataError, match="wrong type"):
        read_manifest(tmp_path / "w.parquet")


def test_joined_manifests_find_all_files(tmp_path: Path) -> None:
    one = Manifest(tmp_path / "one", table_of([CROP]))
    two = Manifest(tmp_path / "two" / "deep", table_of([CROP]))
    joined = join([one, two])
    assert joined.paths() == [tmp_path / "one" / "a.webp", tmp_path / "two" / "deep" / "a.webp"]
    with pytest.raises(DataError, match="two manifests"):
        join([one, one])
