"""Our models, peers and imported scores end in one table."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from tests.evaluation.test_measure import folder

from unmask.cli import main
from unmask.errors import DataError
from unmask.evaluation.entrants import imported, joined, measure_all
from unmask.evaluation.figures import lines
from unmask.evaluation.labelled import read_media
from unmask.evaluation.measure import Degraded
from unmask.evaluation.outcome import outcome
from unmask.evaluation.table import FACE, FILE, NOT_SCORED
from unmask.options import ScanOptions

__all__ = ["folder"]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A peer that says 0.75 of files whose folder is called fake, and counts its calls."""
    (tmp_path / "judge.py").write_text(
        "import json, sys\n"
        f"open({str(tmp_path / 'calls')!r}, 'a').write('x')\n"
        "print(json.dumps({'fake': 0.75 if '/fake/' in sys.argv[1] else 0.25}))\n"
    )
    path = tmp_path / "program.toml"
    path.write_text(
        f'name = "program"\ncommand = ["{sys.executable}", "judge.py", "{{file}}"]\n'
        'probability = "fake"\nis = "fake"\n'
    )
    return path


def test_a_program_and_a_model_are_measured_side_by_side(
    folder: Path, make_model: Callable[..., Path], program: Path, tmp_path: Path
) -> None:
    media = read_media(folder)
    seen: list[tuple[int, int]] = []

    def measured() -> object:
        return measure_all(
            [str(make_model()), f"command:{program}"],
            media,
            tmp_path / "out",
            ScanOptions(),
            degradations=[Degraded(), Degraded("gamma", 1), Degraded("box", 1)],
            workers=1,
            progress=lambda done, total: seen.append((done, total)),
        ).rows

    rows = measured()
    assert set(rows["model"]) == {"tiny", "program"}  # type: ignore[index]
    program_rows = rows.filter(rows["model"] == "program")  # type: ignore[attr-defined,index]
    # What is done to faces that were found cannot be done to a program's.
    assert set(program_rows["degradation"]) == {"", "gamma"}
    plain = program_rows.filter(program_rows["degradation"] == "")
    assert dict(zip(plain["fake"], plain["probability"], strict=True)) == {True: 0.75, False: 0.25}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == seen[-1][1]
    calls = (tmp_path / "calls").read_text()
    assert measured().equals(rows)  # type: ignore[attr-defined]
    assert (tmp_path / "calls").read_text() == calls


def test_a_program_that_changed_is_asked_again(folder: Path, program: Path, tmp_path: Path) -> None:
    media = read_media(folder)

    def said() -> tuple[set[float], int]:
        rows = measure_all([f"command:{program}"], media, tmp_path / "out", ScanOptions()).rows
        return set(rows["probability"]), len((tmp_path / "calls").read_text())

    assert said() == ({0.75, 0.25}, 7)
    assert said() == ({0.75, 0.25}, 7)
    judge = tmp_path / "judge.py"
    judge.write_text(judge.read_text().replace("0.75", "0.5"))
    assert said() == ({0.5, 0.25}, 14), "its own file is part of what it is"
    program.write_text(program.read_text() + "timeout = 5\n")
    assert said() == ({0.5, 0.25}, 21)


def test_two_of_one_name_are_refused(folder: Path, program: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(program.read_text())
    with pytest.raises(DataError, match="two models are called 'program'"):
        measure_all(
            [f"command:{program}", f"command:{other}"], read_media(folder), tmp_path / "o", ScanOptions()
        )


def table_of(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "theirs.csv"
    path.write_text("\n".join(["file,video,label,score,dataset", *lines]))
    return f"csv:{path}"


def test_imported_frames_make_a_video(tmp_path: Path) -> None:
    scores = imported(
        table_of(tmp_path, "a/0.png,a,fake,0.5,x", "a/1.png,a,fake,0.75,x", "b.png,,real,0.25,x")
    )
    files = scores.rows.filter(scores.rows["level"] == FILE)
    assert files.select("file", "kind", "fake", "probability", "verdict").rows() == [
        ("x/a", "video", True, 0.625, "FAKE"),
        ("x/b.png", "image", False, 0.25, "REAL"),
    ]
    assert (scores.rows["level"] == FACE).sum() == 3
    assert scores.models[0].name == "theirs"


def test_scores_outside_0_to_1_are_log_odds(tmp_path: Path) -> None:
    scores = imported(table_of(tmp_path, "a.png,,fake,2,x", "b.png,,real,0,x"))
    files = scores.rows.filter(scores.rows["level"] == FILE)
    assert files["probability"].to_list() == pytest.approx([0.880797, 0.5])


def test_scores_that_would_be_tied_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a probability nor"):
        imported(table_of(tmp_path, "a.png,,fake,200,x", "b.png,,real,100,x"))


def test_labels_must_agree_between_tables(tmp_path: Path) -> None:
    first = imported(table_of(tmp_path, "a.png,,fake,1,x"))
    (tmp_path / "more").mkdir()
    path = tmp_path / "more" / "others.csv"
    path.write_text("file,label,score,dataset\na.png,real,0.5,x\n")
    with pytest.raises(DataError, match="both real and fake"):
        joined([first, imported(f"csv:{path}")])


def test_files_that_others_left_out_are_not_covered(tmp_path: Path) -> None:
    whole = imported(table_of(tmp_path, *(f"{n}.png,,{'fake' if n % 2 else 'real'},0.5,x" for n in range(8))))
    path = tmp_path / "part.csv"
    path.write_text("file,label,score,dataset\n0.png,real,0.25,x\n1.png,fake,0.5,x\n")
    scores = joined([whole], [imported(f"csv:{path}")])
    part = scores.rows.filter((pl.col("model") == "part") & (pl.col("level") == FILE)).sort("file")
    assert part["file"].to_list() == [f"x/{n}.png" for n in range(8)]
    assert part["fake"].to_list() == [n % 2 == 1 for n in range(8)]
    assert part["verdict"].to_list()[2:] == [NOT_SCORED] * 6
    line = next(line for line in lines(scores, groups=()) if line.model == "part")
    assert (line.files, line.judged, line.is_full) == (8, 2, False)
    text = outcome(scores).text()
    assert NOT_SCORED in text


def test_sources_of_two_data_sets_are_not_taken_for_one(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("file,label,score,dataset,source\na.png,real,0.2,x,000\nb.png,fake,0.8,y,000\n")
    assert imported(f"csv:{path}").rows["source"].n_unique() == 2


@pytest.mark.parametrize("arguments", [[], ["tiny"], ["--on", "x"]])
def test_the_command_says_what_it_needs(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["evaluate", *arguments])
    assert exit_.value.code == 2
    assert "MODELS and --on" in capsys.readouterr().err


def test_scores_alone_give_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [f"{n}.png,,{'fake' if n % 2 else 'real'},{n / 20},x" for n in range(20)]
    with pytest.raises(SystemExit) as exit_:
        main(["evaluate", "--scores", table_of(tmp_path, *lines), "--out", str(tmp_path / "out")])
    assert exit_.value.code in (0, None)
    assert "| theirs | images: all |" in capsys.readouterr().out
    assert (tmp_path / "out" / "scores.parquet").is_file()
