"""From labelled media to figures: every file counts, judged or not, and what is done is not done twice."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.evaluation.made import judge, row

from unmask.errors import DataError
from unmask.evaluation.figures import MEDIUM, lines
from unmask.evaluation.labelled import read_media
from unmask.evaluation.measure import Degraded, measure
from unmask.evaluation.outcome_text import to_csv, to_markdown
from unmask.evaluation.table import FILE, table
from unmask.options import ScanOptions
from unmask.types import Verdict


@pytest.fixture
def folder(photo: NDArray[np.uint8], tmp_path: Path) -> Path:
    """Bright pictures called fake, dark ones called real, and one without a face; the toy model tells by
    light."""
    root = tmp_path / "media"
    for label, change in (("fake", 60), ("real", -60)):
        (root / label).mkdir(parents=True)
        for n in range(3):
            moved = np.roll(photo, 4 * n, axis=1).astype(int) + change + n
            Image.fromarray(np.clip(moved, 0, 255).astype(np.uint8)).save(root / label / f"{n}.png")
    Image.new("RGB", (200, 200), "grey").save(root / "real" / "grey.png")
    return root


@pytest.fixture
def options(make_model: Callable[..., Path]) -> ScanOptions:
    return ScanOptions(model=(str(make_model()),))


def test_media_become_scores_and_scores_become_figures(
    folder: Path, options: ScanOptions, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    scores = measure(
        options,
        read_media(folder),
        tmp_path / "out" / "journal.jsonl",
        workers=1,
        progress=lambda done, total: told.append((done, total)),
    )
    assert told[-1] == (7, 7)
    first = next(iter(lines(scores, groups=())))
    assert (first.level, first.files, first.judged) == (MEDIUM, 7, 6)
    assert not first.is_full
    assert first.summary is not None
    assert first.summary.auc.value == 1.0
    markdown = to_markdown([first])
    assert "6 of 7 !" in markdown
    assert "Less than 99%" in markdown
    (row,) = csv.DictReader(io.StringIO(to_csv([first])))
    assert float(row["auc"]) == 1.0
    assert row["auc_low"] == ""
    grey = scores.rows.filter(scores.rows["file"].str.ends_with("grey.png"))
    assert grey["verdict"].to_list() == [Verdict.NO_FACE.value]


def test_what_is_done_is_not_done_again(folder: Path, options: ScanOptions, tmp_path: Path) -> None:
    media, journal = read_media(folder), tmp_path / "journal.jsonl"
    whole = measure(options, media, journal, workers=1)
    kept = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(kept[:4]) + kept[4][:30])
    told: list[int] = []
    again = measure(options, media, journal, workers=1, progress=lambda done, total: told.append(done))
    assert told[0] == 3
    assert again.rows.equals(whole.rows)
    with pytest.raises(DataError, match="other models or options"):
        measure(ScanOptions(model=options.model, stride=3), media, journal)


def test_labels_are_those_of_now_and_not_of_the_first_call(
    folder: Path, options: ScanOptions, tmp_path: Path
) -> None:
    media, journal = read_media(folder), tmp_path / "journal.jsonl"
    measure(options, media, journal, workers=1)
    mended = [replace(medium, fake=not medium.fake, source="one", method="other") for medium in media]
    told: list[int] = []
    again = measure(options, mended, journal, workers=1, progress=lambda done, total: told.append(done))
    assert told == [len(media)], "nothing had to be scanned again"
    files = again.rows.filter(pl.col("level") == FILE)
    assert dict(files.select("file", "fake").iter_rows()) == {m.id: m.fake for m in mended}
    assert set(files["source"]) == {"one"}


def test_a_file_that_changed_is_scanned_again(folder: Path, options: ScanOptions, tmp_path: Path) -> None:
    media, journal = read_media(folder), tmp_path / "journal.jsonl"
    measure(options, media, journal, workers=1)
    changed = next(medium for medium in media if medium.path.name == "grey.png")
    Image.open(folder / "fake" / "0.png").save(changed.path)
    again = measure(options, media, journal, workers=1).rows
    assert (
        again.filter((pl.col("level") == FILE) & (pl.col("file") == changed.id))["verdict"].item()
        != "NO_FACE"
    )


def test_a_network_that_gives_no_number_leaves_files_unread(
    folder: Path, make_model: Callable[..., Path], tmp_path: Path
) -> None:
    broken = ScanOptions(model=(str(make_model(width=float("nan"))),))
    scores = measure(broken, read_media(folder), tmp_path / "journal.jsonl", workers=1).rows
    files = scores.filter(pl.col("level") == FILE)
    assert files["probability"].null_count() == len(files)
    assert set(files["verdict"]) == {Verdict.UNREADABLE.value, Verdict.NO_FACE.value}


def test_degraded_media_are_measured_beside_plain_ones(
    folder: Path, options: ScanOptions, tmp_path: Path
) -> None:
    states = [Degraded(), Degraded("gamma", 5), Degraded("box", 3), Degraded("h264", 1)]
    scores = measure(options, read_media(folder), tmp_path / "j", degradations=states, workers=1)
    counts = dict(
        scores.rows.filter(scores.rows["level"] == "file").group_by("degradation").len().iter_rows()
    )
    assert counts == {"": 7, "gamma": 7, "box": 7}


def test_tables_and_folders_name_files_by_data_set_and_path(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "media.csv"
    table.write_text("file,label,kind,dataset\nreal/0.png,real,image,one\nfake/0.png,fake,image,one\n")
    media = read_media(table)
    assert [(medium.id, medium.fake, medium.path.is_file()) for medium in media] == [
        ("one/real/0.png", False, True),
        ("one/fake/0.png", True, True),
    ]
    assert len({medium.id for medium in read_media(folder)}) == 7
    table.write_text("file,label,kind,dataset\n" + 2 * "real/0.png,real,image,one\n")
    with pytest.raises(DataError, match="twice"):
        read_media(table)
    table.write_text("file,label,kind,dataset\nreal/0.png,genuine,image,one\n")
    with pytest.raises(DataError, match="genuine"):
        read_media(table)


def test_faces_of_unknown_size_are_in_no_class_of_size_and_what_was_not_judged_counts() -> None:
    rows = [row("m", f"set/{n}", n % 2 == 1, n / 20, size=None if n < 4 else 300.0) for n in range(20)]
    rows += [row("m", f"set/lost {n}", n % 2 == 1, None, size=None) for n in range(5)]
    told = list(lines(table(rows, [judge("m")]), levels=[MEDIUM], groups=("size",), draws=5))
    (large,) = [line for line in told if line.group]
    assert (large.group, large.judged) == ("over 256 px", 16)
    assert large.summary is not None
    assert large.summary.real + large.summary.fake == 16
    assert large.coverage == 20 / 25
    assert not large.is_full, "what was not judged might be of this size"
