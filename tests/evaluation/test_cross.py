"""The table of models and sets: figures that may stand beside each other, the best only where it is shown."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unmask.cli import main
from unmask.errors import DataError, UnmaskError
from unmask.evaluation.cross import Column, Cross, cross, read_outcomes
from unmask.evaluation.cross_text import latex, markdown, page, plain, save
from unmask.evaluation.figures import lines
from unmask.evaluation.table import FACE, FILE, JudgedBy, Scores, Setting, table, write_scores
from unmask.figures.scores import auc

SHA = "ab" * 32


def scores(
    models: dict[str, float],
    part: str = "celebdf2",
    *,
    sources: int = 40,
    kind: str = "video",
    lost: int = 0,
    seed: int = 0,
    dataset: str = "",
    **setting: Any,
) -> Scores:
    """Scores of models by their skill (the distance of the labels in standard deviations) on a set of two
    videos per source, with two frames each; `lost` files of each model got no probability."""
    rows: list[dict[str, Any]] = []
    rng = np.random.default_rng(seed)
    hard = rng.normal(0, 1, 4 * sources)
    for model, skill in models.items():
        own = np.random.default_rng(len(model) + seed).normal(0, 0.3, 4 * sources)
        for n in range(4 * sources):
            fake = n % 2 == 1
            common = {
                "model": model, "file": f"{part}/{n}", "kind": kind, "fake": fake, "dataset": dataset or part,
                "source": f"s{n // 4}", "method": f"m{n % 4}" if fake else "", "compression": "",
                "degradation": "", "severity": 0,
            }  # fmt: skip
            p = float(1 / (1 + np.exp(-(skill * (fake - 0.5) + hard[n] + own[n]))))
            judged = {"verdict": "UNSURE", "probability": p}
            if n < lost:
                rows.append(common | {"level": FILE, "verdict": "NO_FACE"})
                continue
            rows += [common | {"level": FACE, "track": 1, "frame": f, "size": 90.0, **judged} for f in (0, 1)]
            rows.append(common | {"level": FILE, **judged})
    known = {"protocol": "p", "sha256": SHA, "role": "test", "data_sha256": "", "draws": 200, "seed": 0}
    told = Setting(**(known | {"part": part} | setting)) if setting.get("protocol", "p") else None
    made = table(rows, [JudgedBy(name, f"{name:0<64}") for name in models])
    return Scores(made.rows, made.models, told)


def outcome(folder: Path, *args: Any, **more: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_scores(scores(*args, **more), folder / "scores.parquet")
    return folder


def made(*folders: Path, **options: Any) -> Cross:
    return cross(read_outcomes(folders), **options)


def cell_of(found: Cross, model: str, column: str) -> Any:
    row = next(row for row in found.rows if row.model == model)
    return found.cells[row, next(c for c in found.columns if str(c) == column)]


def test_models_are_rows_and_sets_are_columns(tmp_path: Path) -> None:
    trained = {"trained_on": {"good": ("ffpp",), "poor": ("a", "b", "c", "d")}}
    outcome(tmp_path / "out" / "one", {"good": 3, "poor": 0.5}, **trained)
    outcome(tmp_path / "out" / "two", {"good": 3, "poor": 0.5}, "dfdc", seed=1, **trained)
    found = made(tmp_path / "out")
    assert [(row.trained_on, row.model) for row in found.rows] == [("ffpp", "good"), ("4 data sets", "poor")]
    assert list(map(str, found.columns)) == ["celebdf2", "dfdc"]
    rows = scores({"good": 3}).rows.filter(scores({"good": 3}).rows["level"] == FILE)
    cell = cell_of(found, "good", "celebdf2")
    assert cell.auc.value == pytest.approx(auc(rows["fake"], rows["probability"]))
    assert cell.auc.low < cell.auc.value < cell.auc.high
    assert (cell.real, cell.fake, cell.files, cell.judged) == (80, 80, 160, 160)
    assert cell.best
    assert not cell_of(found, "poor", "celebdf2").best
    mean = np.mean([cell_of(found, "good", name).auc.value for name in ("celebdf2", "dfdc")])
    assert found.mean(found.rows[0]) == pytest.approx(mean)


@pytest.mark.parametrize("level", ["file", "frame"])
def test_figures_are_those_of_the_report(tmp_path: Path, level: str) -> None:
    found = made(outcome(tmp_path / "a", {"one": 1}), level=level)
    (line,) = lines(scores({"one": 1}), levels=[level], groups=(), draws=200)
    assert line.summary is not None
    assert cell_of(found, "one", "celebdf2").auc == line.summary.auc


def test_sets_of_several_protocols_are_not_averaged(tmp_path: Path) -> None:
    outcome(tmp_path / "a", {"one": 1})
    outcome(tmp_path / "b", {"one": 1}, "dfdc")
    assert len(made(tmp_path / "a", tmp_path / "b").averaged) == 2
    outcome(tmp_path / "b", {"one": 1}, "dfdc", sha256="cd" * 32)
    assert made(tmp_path / "a", tmp_path / "b").averaged == ()


def test_the_best_is_marked_only_where_a_paired_test_says_so(tmp_path: Path) -> None:
    outcome(tmp_path / "a", {"good": 2.0, "good2": 2.05, "poor": 0.2})
    found = made(tmp_path / "a")
    assert not any(cell.best for cell in found.cells.values()), "better than one is not better than all"
    assert "No model is better than every other" in markdown(found)
    outcome(tmp_path / "b", {"good": 9.0, "poor": 0.0}, sources=2)
    found = made(tmp_path / "b")
    assert not any(cell.best for cell in found.cells.values()), "two sources show nothing"
    outcome(tmp_path / "c", {"good": 3.0})
    assert not any(cell.best for cell in made(tmp_path / "c").cells.values()), "nobody to be better than"


def test_what_was_not_judged_in_full_is_marked_and_out_of_the_contest(tmp_path: Path) -> None:
    full = scores({"poor": 0.5})
    part = scores({"good": 4}, lost=2)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_scores(full, tmp_path / "a" / "scores.parquet")
    write_scores(part, tmp_path / "b" / "scores.parquet")
    found = made(tmp_path / "a", tmp_path / "b")
    assert not cell_of(found, "good", "celebdf2").is_full
    assert not cell_of(found, "good", "celebdf2").best
    assert re.search(r"0\.\d{3}! \[", markdown(found))
    assert "Less than 99% of the files" in markdown(found)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sha256": "cd" * 32}, r"under the protocol p \(abab.* under the protocol p \(cdcd"),
        ({"protocol": "q"}, "under the protocol q"),
        ({"sources": 41}, "on different files"),
    ],
)
def test_figures_that_do_not_compare_never_share_a_column(
    tmp_path: Path, changes: dict[str, Any], named: str
) -> None:
    outcome(tmp_path / "a", {"one": 1})
    outcome(tmp_path / "b", {"two": 1}, **changes)
    with pytest.raises(DataError, match=named) as refusal:
        made(tmp_path / "a", tmp_path / "b")
    assert refusal.value.hint


def test_an_outcome_without_a_protocol_stands_beside_none_with_one(tmp_path: Path) -> None:
    outcome(tmp_path / "a", {"one": 1})
    outcome(tmp_path / "b", {"two": 1}, protocol="")
    with pytest.raises(DataError, match="under no protocol"):
        made(tmp_path / "a", tmp_path / "b")
    found = made(tmp_path / "b")
    assert list(map(str, found.columns)) == ["celebdf2"]
    assert "Without a protocol: celebdf2." in markdown(found)
    with pytest.raises(DataError, match="it has no sets"):
        made(tmp_path / "b", by="set")


def test_a_model_is_known_by_its_file_and_stands_once_in_a_column(tmp_path: Path) -> None:
    outcome(tmp_path / "a", {"one": 1})
    outcome(tmp_path / "b", {"one": 1}, "dfdc")
    assert len(made(tmp_path / "a", tmp_path / "b").rows) == 1
    assert len(made(tmp_path / "a", tmp_path / "a" / "scores.parquet").rows) == 1, "the same file twice"
    outcome(tmp_path / "c", {"one": 1})
    with pytest.raises(DataError, match="one on celebdf2 is in"):
        made(tmp_path / "a", tmp_path / "c")
    twin = scores({"one": 2})
    twin = Scores(twin.rows, (JudgedBy("one", "f" * 64),), twin.setting)
    write_scores(twin, tmp_path / "c" / "scores.parquet")
    names = [row.model for row in made(tmp_path / "a", tmp_path / "c").rows]
    assert names == ["one one00000", "one ffffffff"]


def test_what_models_know_of_a_set_is_marked_and_not_averaged(tmp_path: Path) -> None:
    outcome(tmp_path / "1", {"good": 3, "poor": 0.5}, "ffpp", within=("good",))
    outcome(tmp_path / "2", {"good": 3, "poor": 0.5}, "dfdc", seen={"good": 3})
    outcome(tmp_path / "3", {"good": 3, "poor": 0.5}, "celebdf2")
    folders = [tmp_path / str(n) for n in (1, 2, 3)]
    found = made(*folders)
    assert found.averaged == ()
    assert cell_of(found, "good", "ffpp").best, "knowing the data set is no cheating"
    assert not cell_of(found, "good", "dfdc").best, "knowing the recordings is"
    text = markdown(found)
    assert re.search(r"\*\*0\.\d{3}\*\*† \[", text)
    assert re.search(r"0\.\d{3}‡ \[", text)
    outcome(tmp_path / "4", {"good": 3, "poor": 0.5}, "wild")
    assert list(map(str, made(*folders, tmp_path / "4").averaged)) == ["celebdf2", "wild"]


def test_columns_can_be_methods_or_data_sets_and_levels_frames(tmp_path: Path) -> None:
    outcome(tmp_path / "a", {"one": 1})
    by_method = made(tmp_path / "a", by="method")
    assert list(map(str, by_method.columns)) == ["m1", "m3"]
    assert (cell_of(by_method, "one", "m1").real, cell_of(by_method, "one", "m1").fake) == (80, 40)
    assert list(map(str, made(tmp_path / "a", by="dataset").columns)) == ["celebdf2"]
    frames = made(tmp_path / "a", level="frame")
    assert cell_of(frames, "one", "celebdf2").real == 160
    assert "AUC over frames of videos" in markdown(frames)
    with pytest.raises(DataError, match="at the level frame"):
        made(outcome(tmp_path / "b", {"one": 1}, kind="image"), level="frame")


def test_images_and_videos_of_one_set_are_two_columns(tmp_path: Path) -> None:
    both = [scores({"one": 1}, kind=kind) for kind in ("image", "video")]
    rows = both[0].rows.vstack(both[1].rows.with_columns(file="v" + both[1].rows["file"]))
    (tmp_path / "a").mkdir()
    write_scores(Scores(rows, both[0].models, both[0].setting), tmp_path / "a" / "scores.parquet")
    assert made(tmp_path / "a").columns == (Column("celebdf2", "image"), Column("celebdf2", "video"))


def test_a_column_of_one_label_has_no_figure(tmp_path: Path) -> None:
    whole = scores({"one": 1})
    (tmp_path / "a").mkdir()
    reals = Scores(whole.rows.filter(~whole.rows["fake"]), whole.models, whole.setting)
    write_scores(reals, tmp_path / "a" / "scores.parquet")
    found = made(tmp_path / "a")
    assert cell_of(found, "one", "celebdf2").auc is None
    assert "media of one label only" in markdown(found)


# How it is written


@pytest.fixture
def awkward(tmp_path: Path) -> Cross:
    """A table whose names mean something to every format."""
    names = {"a|b_50%": 3.0, "<b>&c": 0.3}
    outcome(tmp_path / "in", names, "set_1", trained_on={"a|b_50%": ("ff&pp",)})
    outcome(tmp_path / "in2", names, "set_2", trained_on={"a|b_50%": ("ff&pp",)})
    return made(tmp_path / "in", tmp_path / "in2")


def test_markdown_is_one_table(awkward: Cross) -> None:
    lines = [line for line in markdown(awkward).splitlines() if line.startswith("|")]
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    assert cells == [6, 6, 6, 6]
    assert len({len(line) for line in lines}) == 1
    assert "**0." in lines[2]
    assert SHA in markdown(awkward)


def test_csv_has_every_figure_in_full(awkward: Cross) -> None:
    rows = list(csv.DictReader(io.StringIO(plain(awkward))))
    assert len(rows) == 4
    assert {row["model"] for row in rows} == {"a|b_50%", "<b>&c"}
    assert float(rows[0]["auc_low"]) < float(rows[0]["auc"]) < float(rows[0]["auc_high"])
    assert (rows[0]["best"], rows[0]["protocol_sha256"], rows[0]["tested_on"]) == ("1", SHA, "set_1")


def test_latex_has_as_many_cells_in_every_row_and_nothing_unescaped(awkward: Cross) -> None:
    text = latex(awkward)
    body = text[text.index("\\toprule") : text.index("\\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith("\\\\")]
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)
    assert columns is not None
    spans = [len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows]
    assert spans == [len(columns[1]) - 1, *[len(columns[1])] * 3], (
        "the first row spans two columns with one cell"
    )
    assert r"a|b\_50\%" in text
    assert r"\textless{}b\textgreater{}\&c" in text
    assert text.count("{") == text.count("}")
    assert "\\textbf{0." in text


def test_the_page_shows_names_as_they_are(awkward: Cross) -> None:
    text = page(awkward)
    assert "&lt;b&gt;&amp;c" in text
    assert "<b>" not in text
    assert "<strong>0." in text
    assert "http" not in text


# The command


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(["table", *map(str, arguments)])
    assert exit_.value.code is None or isinstance(exit_.value.code, int)
    return exit_.value.code or 0


def test_the_command_prints_the_table_or_writes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = outcome(tmp_path / "a", {"one": 1, "two": 2})
    assert call(folder, "--trained-on", "one=MesoNet's own") == 0
    told = capsys.readouterr().out
    assert re.search(r"\| MesoNet's own \| one +\|", told)
    for ending in ("md", "csv", "tex", "html"):
        assert call(folder, "--out", tmp_path / "new" / f"t.{ending}") == 0
        assert (tmp_path / "new" / f"t.{ending}").stat().st_size
    capsys.readouterr()
    assert call(folder, "--out", tmp_path / "t.docx") == 2
    assert ".tex" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["empty"], "no scores.parquet"),
        (["absent"], "absent"),
        (["a", "--trained-on", "none=x"], "no model is called 'none'"),
        (["a", "--trained-on", "one"], "MODEL=WORDS"),
        (["a", "--by", "colour"], "colour"),
    ],
)
def test_the_command_says_what_is_wrong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    named: str,
) -> None:
    outcome(tmp_path / "a", {"one": 1})
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) == 2
    assert named in capsys.readouterr().err


def test_only_known_endings_are_written(tmp_path: Path) -> None:
    found = made(outcome(tmp_path / "a", {"one": 1}))
    with pytest.raises(UnmaskError, match="none of the endings"):
        save(found, tmp_path / "table")
