"""Checks find what was planted, and nothing where nothing was."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from tests.data.trees import manifest_at

from unmask.cli import cli
from unmask.data.check import Checked, check
from unmask.data.check.auc import auc_by_group
from unmask.data.check.duplicates import MOST_BITS, near_pairs
from unmask.data.check.facts import read
from unmask.data.manifest import Manifest, Row, table_of

COUNT = 80
Save = Callable[[Image.Image, Path, bool], None]


def pictures(root: Path, save: Save) -> list[Row]:
    """Random pictures of two labels, each its own source, three quarters of them train."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(COUNT):
        fake = number % 2 == 1
        image = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((96, 96))
        path = root / f"{number}.jpg"
        save(image, path, fake)
        split = "val" if number >= COUNT * 3 // 4 else "train"
        rows.append(
            Row(path.name, fake, "d", "swap" if fake else "original", "photo", f"s{number}", split=split)
        )
    return rows


def alike(image: Image.Image, path: Path, fake: bool) -> None:
    image.save(path, "JPEG", quality=90)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Row]]:
    root = tmp_path_factory.mktemp("clean")
    return root, pictures(root, alike)


def few(clean: tuple[Path, list[Row]]) -> tuple[Path, list[Row]]:
    """Some rows of both splits: too few sources for a look at shortcuts, which takes its time."""
    root, rows = clean
    return root, [row for row in rows if not 8 <= int(row.source[1:]) < 74]


def checked(root: Path, rows: list[Row]) -> Checked:
    return check(Manifest(root, table_of(rows)))


def problems(result: Checked) -> str:
    return "\n".join(finding.text for finding in result.findings if finding.problem)


def test_clean_data_gets_a_clean_verdict(clean: tuple[Path, list[Row]]) -> None:
    result = checked(*clean)
    assert result.clean, problems(result)
    assert {s.family for s in result.shortcuts} >= {"all facts", "file size", "colours"}


def test_a_source_on_two_sides_is_found_even_as_a_partner(clean: tuple[Path, list[Row]]) -> None:
    root, rows = few(clean)
    planted = [replace(row, partner_source="s79") if row.source == "s1" else row for row in rows]
    result = checked(root, planted)
    assert [(leak.kind, leak.value, leak.splits) for leak in result.leaks] == [
        ("source", "s79", ("train", "val"))
    ]
    assert "1 recording with 2 rows" in problems(result)


def test_a_person_on_two_sides_is_found(clean: tuple[Path, list[Row]]) -> None:
    root, rows = few(clean)
    result = checked(
        root, [replace(row, identity="p") if row.source in ("s2", "s78") else row for row in rows]
    )
    assert [leak.kind for leak in result.leaks] == ["identity"]


def test_a_recompressed_copy_on_the_other_side_is_found(
    clean: tuple[Path, list[Row]], tmp_path: Path
) -> None:
    root, rows = few(clean)
    Image.open(root / "3.jpg").resize((80, 80)).save(root / "copy.webp", quality=60)
    copy = Row("copy.webp", True, "d", "swap", "photo", "elsewhere", split="val")
    result = checked(root, [*rows, copy])
    (twin,) = result.twins
    assert {twin.first, twin.second} == {"3.jpg", "copy.webp"}
    assert "s3" in problems(result)


def test_a_shortcut_is_found_and_named(tmp_path: Path) -> None:
    def by_label(image: Image.Image, path: Path, fake: bool) -> None:
        image.save(path, "JPEG", quality=70 if fake else 95)

    result = checked(tmp_path, pictures(tmp_path, by_label))
    found = {s.family: s.worst.value for s in result.shortcuts}
    assert found["JPEG quality"] == pytest.approx(1.0)
    assert "JPEG quality 1.00: recompress both labels" in problems(result)


def test_missing_and_unreadable_files_are_told_apart(clean: tuple[Path, list[Row]], tmp_path: Path) -> None:
    root, rows = few(clean)
    (root / "broken.png").write_bytes(b"\x89PNG nothing more")
    result = checked(root, [*rows, Row("gone.jpg", True, "d"), Row("broken.png", True, "d")])
    assert {entry.path: entry.problem.split(":")[0] for entry in result.broken} == {
        "gone.jpg": "missing",
        "broken.png": "unreadable",
    }


def test_one_sided_datasets_and_labels_are_told(clean: tuple[Path, list[Row]]) -> None:
    root, rows = few(clean)
    reals = [row for row in rows if not row.fake]
    result = checked(root, reals)
    assert "There is no fake row" in problems(result)
    assert result.one_label == ("d",)


def test_videos_are_looked_at_too(video_path: Path) -> None:
    facts = read(video_path)
    assert not facts.problem
    assert "h264" in facts.words["format"]
    assert facts.numbers["bytes_per_pixel"] > 0
    assert facts.hash is not None


def test_near_pairs_are_all_found_and_no_others() -> None:
    rng = np.random.default_rng(1)
    hashes = [int(v) for v in rng.integers(0, 2**63, 150)]
    for value in hashes[:60]:
        flips = rng.choice(64, int(rng.integers(0, 8)), replace=False)
        hashes.append(value ^ sum(1 << int(bit) for bit in flips))
    side = [int(v) for v in rng.integers(0, 3, len(hashes))]
    expected = {
        (i, j, (hashes[i] ^ hashes[j]).bit_count())
        for i, j in itertools.combinations(range(len(hashes)), 2)
        if side[i] != side[j] and (hashes[i] ^ hashes[j]).bit_count() <= MOST_BITS
    }
    assert set(near_pairs(hashes, side)) == expected
    assert expected


def test_auc_counts_ties_half_and_its_interval_widens_with_dependence() -> None:
    score = np.array([0.0, 1.0, 1.0, 2.0])
    fake = np.array([False, False, True, True])
    assert auc_by_group(score, fake, np.arange(4)).value == pytest.approx(0.875)
    rng = np.random.default_rng(0)
    fake = np.arange(200) % 2 == 0
    base = np.repeat(rng.normal(size=20), 10) + np.repeat(rng.integers(0, 2, 20), 10)
    alone = auc_by_group(base, fake, np.arange(200))
    tied = auc_by_group(base, fake, np.repeat(np.arange(20), 10))
    assert alone.value == tied.value
    assert alone.low <= alone.value <= alone.high


def test_the_jpeg_quality_is_read_from_its_tables(tmp_path: Path) -> None:
    image = Image.effect_noise((64, 64), 50).convert("RGB")
    for quality in (30, 75, 90):
        image.save(tmp_path / "q.jpg", quality=quality)
        assert read(tmp_path / "q.jpg").numbers["jpeg_quality"] == pytest.approx(quality, abs=1)


def test_the_command_exits_by_its_verdict(clean: tuple[Path, list[Row]], tmp_path: Path) -> None:
    root, rows = few(clean)
    fine = manifest_at(tmp_path / "fine.parquet", root, rows)
    result = CliRunner().invoke(cli, ["data", "check", str(fine)], standalone_mode=False)
    assert (result.return_value, result.exception) == (0, None), result.output
    assert "No problems found." in result.stdout
    leaky = manifest_at(tmp_path / "leaky.parquet", root, [replace(row, source="one") for row in rows])
    page = tmp_path / "out.html"
    arguments = ["data", "check", str(leaky), "--json", "--html", str(page)]
    result = CliRunner().invoke(cli, arguments, standalone_mode=False)
    assert result.return_value == 1
    assert json.loads(result.stdout)["leaks"][0]["value"] == "one"
    assert "<h2>On several sides of the split</h2>" in page.read_text()
