"""`unmask evaluate` prints figures, and leaves all from which they can be made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.evaluation.test_measure import folder

from unmask.cli import main
from unmask.evaluation.table import read_scores

__all__ = ["folder"]


def test_figures_are_printed_and_kept(
    folder: Path, make_model: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["evaluate", str(make_model()), "--on", str(folder), "--out", str(out), "--degrade", "gamma"]
    for _ in range(2):
        with pytest.raises(SystemExit) as exit_:
            main([*arguments, "--workers", "1"])
        assert exit_.value.code in (0, None)
        told = capsys.readouterr().out
        assert "| tiny | images: all |" in told
        assert "Mean relative AUC of tiny" in told
    assert {path.name for path in out.iterdir()} == {
        "figures.csv", "journal.jsonl", "paired.csv", "report.html", "report.md", "scores.parquet",
    }  # fmt: skip
    assert len(read_scores(out / "scores.parquet").models) == 1


def test_unknown_degradations_are_named_before_anything_is_scanned(
    folder: Path, make_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["evaluate", str(make_model()), "--on", str(folder), "--degrade", "gama"])
    assert exit_.value.code == 2
    assert "gamma" in capsys.readouterr().err
