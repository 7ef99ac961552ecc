"""Reading a corpus: labels, landmarks, and splits that share no source."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from unmask.data.corpus import read_corpus
from unmask.errors import DataError

ROW = {
    "file": "real/a.webp",
    "split": "train",
    "label": "real",
    "method": "",
    "dataset": "d",
    "source": "s1",
    "kind": "photo",
} | {f"lm{i}{axis}": str(10 * i) for i in range(5) for axis in "xy"}


def write(root: Path, *rows: dict[str, str]) -> Path:
    with (root / "train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return root


def test_rows_become_samples(tmp_path: Path) -> None:
    fake = ROW | {"file": "fake/b.webp", "label": "fake", "method": "swap", "source": "s2", "split": "val"}
    first, second = read_corpus(write(tmp_path, ROW, fake))
    assert (first.fake, first.method, first.path) == (False, "original", tmp_path / "train/real/a.webp")
    assert (second.fake, second.method, second.split) == (True, "swap", "val")
    assert second.landmarks[4] == (40.0, 40.0)


def test_source_in_two_splits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="s1"):
        read_corpus(write(tmp_path, ROW, ROW | {"file": "x", "split": "val"}))


def test_missing_table_column_or_label_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.csv is missing"):
        read_corpus(tmp_path)
    with pytest.raises(DataError, match="maybe"):
        read_corpus(write(tmp_path, ROW | {"label": "maybe"}))
    with pytest.raises(DataError, match="source"):
        read_corpus(write(tmp_path, {k: v for k, v in ROW.items() if k != "source"}))


def test_research_corpus_is_split_by_source(corpus: Path) -> None:
    samples = read_corpus(corpus)
    assert {s.split for s in samples} == {"train", "val"}
    assert all(sample.path.is_file() for sample in samples[::500])
