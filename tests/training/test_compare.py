"""A run's figures, and runs side by side."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import click.testing
import msgspec
import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from unmask.cli import cli
from unmask.errors import DataError, UnmaskError
from unmask.figures.scores import auc_estimate, equal_error_rate
from unmask.training.compare import find_runs, markdown, row, save, splits_of
from unmask.training.result import RunResult, SplitFigures, figures_of, read_result


def some_figures(split: str = "val", quality: float = 1.0, seed: int = 0) -> SplitFigures:
    """Figures over 300 made-up samples of 100 sources; larger `quality` separates them better."""
    rng = np.random.default_rng(seed)
    fake = rng.random(300) < 0.6
    scores = rng.normal(0, 1, 300) + quality * fake
    return figures_of(split, fake, 1 / (1 + np.exp(-scores)), [f"s{n // 3}" for n in range(300)])


def run(name: str, *figures: SplitFigures, **changes: object) -> RunResult:
    result = RunResult(
        name=name,
        network="mobilenetv2",
        protocol="source-disjoint",
        started="2026-11-23T10:00:00+00:00",
        finished="2026-11-23T10:30:00+00:00",
        seconds=1800,
        steps=1000,
        epochs=3.7,
        seed=1,
        parameters=2_225_153,
        macs=312_000_000,
        ms_per_face=8.8,
        train_size=8721,
        train_majority=0.5385,
        val_size=300,
        val_majority=0.6,
        figures=figures,
        log="log.csv",
        recipe_sha256="0" * 64,
        model_sha256="1" * 64,
    )
    return replace(result, **changes)  # type: ignore[arg-type]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three runs, best not first, and two files that are none."""
    folder = tmp_path / "runs"
    made = {
        "weak": run("weak", some_figures(quality=0.5)),
        "nested/strong": run("strong|<b>", some_figures(quality=3), some_figures("test", 2)),
        "unmeasured": run("unmeasured", ms_per_face=None, macs=None),
        "good": run("good", some_figures(quality=2)),
    }
    for name, result in made.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "result.json").write_bytes(msgspec.json.encode(result))
    for name, text in (("older", '{"name": "older", "accuracy": 0.9}'), ("broken", "{")):
        (folder / name).mkdir()
        (folder / name / "result.json").write_text(text)
    return folder


def test_figures_agree_with_counting_by_hand() -> None:
    figures = figures_of(
        "val", [0, 0, 0, 0, 1, 1], [0.1, 0.2, 0.4, 0.6, 0.5, 0.9], ["a", "b", "c", "d", "e", "f"]
    )
    assert figures.confusion == (3, 1, 0, 2)
    assert figures.accuracy == pytest.approx(5 / 6)
    assert figures.majority == pytest.approx(4 / 6)
    assert figures.balanced_accuracy == pytest.approx((3 / 4 + 1) / 2)
    assert figures.auc == pytest.approx(7 / 8)
    assert (figures.real.precision, figures.real.recall, figures.real.support) == (1, 0.75, 4)
    assert figures.fake.f1 == pytest.approx(0.8)
    assert (figures.n, figures.threshold) == (6, 0.5)
    assert figures.brier == pytest.approx((0.01 + 0.04 + 0.16 + 0.36 + 0.25 + 0.01) / 6)


def test_figures_agree_with_the_slow_ways() -> None:
    rng = np.random.default_rng(3)
    fake = rng.random(800) < 0.4
    # One decimal, so that there are many ties.
    p = np.round(1 / (1 + np.exp(-(rng.normal(0, 1, 800) + 1.2 * fake))), 1)
    sources = [f"s{n}" for n in rng.integers(150, size=800)]
    figures = figures_of("val", fake, p, sources, threshold=0.6)
    slow = auc_estimate(fake, p, sources, draws=400)
    assert figures.auc == pytest.approx(roc_auc_score(fake, p))
    assert figures.auc_low == pytest.approx(slow.low, abs=0.01)
    assert figures.auc_high == pytest.approx(slow.high, abs=0.01)
    assert figures.balanced_accuracy == pytest.approx(balanced_accuracy_score(fake, p >= 0.6))
    assert figures.accuracy_low < figures.accuracy < figures.accuracy_high
    # As wide as independent sources make it: far from the width that 800 independent samples would give.
    copies = figures_of("val", np.tile(fake, 9), np.tile(p, 9), sources * 9, threshold=0.6)
    width = figures.accuracy_high - figures.accuracy_low
    assert copies.accuracy_high - copies.accuracy_low == pytest.approx(width, rel=0.01)


def test_equal_error_rate_lies_where_both_errors_meet() -> None:
    assert equal_error_rate([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) == 0
    assert equal_error_rate([0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1]) == 1
    assert equal_error_rate([0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5]) == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    fake = rng.random(4000) < 0.5
    scores = rng.normal(0, 1, 4000) + 2 * fake
    # Of two normal distributions, two standard deviations apart: Phi(-1).
    assert equal_error_rate(fake, scores) == pytest.approx(0.1587, abs=0.02)


def test_figures_that_cannot_be_had_are_refused() -> None:
    with pytest.raises(DataError, match="both real and fake"):
        figures_of("dev", [1, 1], [0.2, 0.3], ["a", "b"])
    with pytest.raises(DataError, match="do not match"):
        figures_of("dev", [0, 1], [0.2, 0.3], ["a"])
    for wrong in (float("nan"), 1.2):
        with pytest.raises(DataError, match="outside"):
            figures_of("dev", [0, 1], [0.2, wrong], ["a", "b"])


def test_result_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    result = run("one", some_figures(), some_figures("test"))
    path = tmp_path / "result.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    assert read_result(path) == result
    assert result.on("test") == result.figures[1]
    path.write_bytes(msgspec.json.encode(replace(result, format="unmask-run/9")))
    with pytest.raises(DataError, match="unmask-run/9"):
        read_result(path)


def test_runs_are_ordered_by_auc_and_others_counted(runs: Path) -> None:
    found = find_runs(runs)
    assert [run.result.name for run in found.runs] == ["strong|<b>", "good", "weak", "unmeasured"]
    assert len(found.skipped) == 2
    assert all("result.json" in note for note in found.skipped)
    result = click.testing.CliRunner().invoke(cli, ["compare", str(runs)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "4 compared, 2 skipped" in result.stderr
    assert result.stdout == markdown(found.runs)


def test_missing_values_are_shown_as_a_dash(runs: Path) -> None:
    last = find_runs(runs).runs[-1]
    cells = row(last, ["test"])
    assert cells[0] == "unmeasured"
    assert cells[4] == cells[5] == "-"
    assert cells[-2:] == ["-", "-"]


def test_markdown_is_aligned(runs: Path) -> None:
    lines = markdown(find_runs(runs).runs).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert lines[0].startswith("| name ")
    assert "accuracy test" in lines[0]


def test_csv_holds_every_figure_in_full(runs: Path, tmp_path: Path) -> None:
    found = find_runs(runs)
    save(found.runs, tmp_path / "new" / "table.csv")
    with (tmp_path / "new" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [cells["name"] for cells in rows] == [run.result.name for run in found.runs]
    first = found.runs[0].result.on("val")
    assert first is not None
    assert float(rows[0]["val.auc"]) == first.auc
    assert int(rows[0]["val.fp"]) == first.confusion[1]
    assert float(rows[0]["val.fake.recall"]) == first.fake.recall
    assert rows[1]["test.auc"] == "-"
    assert rows[3]["ms_per_face"] == "-"


def test_page_loads_nothing_and_escapes_names(runs: Path, tmp_path: Path) -> None:
    found = find_runs(runs)
    assert splits_of(found.runs) == ["test"]
    save(found.runs, tmp_path / "table.html")
    page = (tmp_path / "table.html").read_text()
    assert "<b>" not in page
    assert "strong|&lt;b&gt;" in page
    assert not re.findall(r"https?:|<script|<link|src=", page)
    assert "prefers-color-scheme: dark" in page
    # Two figures on val for three runs and on test for one.
    assert page.count('class="bar"') == 8
    assert page.count("<details>") == 4


def test_unusable_folders_and_endings_are_refused(runs: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        find_runs(tmp_path / "absent")
    with pytest.raises(DataError, match="not the result"):
        find_runs(runs / "older")
    with pytest.raises(UnmaskError, match="none of the endings"):
        save(find_runs(runs).runs, tmp_path / "table.pdf")
    assert not (tmp_path / "table.pdf").exists()
