"""The command line: exit codes by the documented rule, results on stdout, talk on stderr."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from unmask.cli import main
from unmask.errors import UnmaskError


@pytest.fixture
def run(
    make_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs `unmask scan` with the toy model in this process: (exit code, stdout, stderr)."""
    model = str(make_model())

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as exit_:
            main(["scan", *map(str, arguments), "--model", model, "--workers", "0"])
        out, err = capsys.readouterr()
        assert isinstance(exit_.value.code, int)
        return exit_.value.code, out, err

    return call


@pytest.fixture
def bright(photo: NDArray[np.uint8], tmp_path: Path) -> Path:
    """A picture the toy model calls FAKE."""
    path = tmp_path / "bright.png"
    Image.fromarray(np.clip(photo.astype(int) + 60, 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def dark(photo: NDArray[np.uint8], tmp_path: Path) -> Path:
    """A picture the toy model calls REAL."""
    path = tmp_path / "dark.png"
    Image.fromarray(photo // 2).save(path)
    return path


def test_exit_code_says_the_gravest_verdict(
    run: Callable[..., tuple[int, str, str]], bright: Path, dark: Path, photo_path: Path, tmp_path: Path
) -> None:
    absent = tmp_path / "absent.jpg"
    assert run(dark)[0] == 0
    assert run(dark, bright, absent)[0] == 1
    assert run(dark, photo_path, absent)[0] == 3
    assert run(dark, absent)[0] == 4


def test_json_is_one_object_a_line_on_stdout(
    run: Callable[..., tuple[int, str, str]], bright: Path, dark: Path
) -> None:
    _, out, _ = run(bright, dark, "--json")
    first, second = (json.loads(line) for line in out.splitlines())
    assert (first["verdict"], second["verdict"]) == ("FAKE", "REAL")
    assert first["schema_version"] == "1.0"
    assert all(face["evidence"] is None for track in first["tracks"] for face in track["faces"])


def test_pdf_of_one_file_and_of_several(
    bright: Path, dark: Path, tmp_path: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    run(bright, "--pdf", tmp_path / "one.pdf")
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF")
    run(bright, dark, "--pdf", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bright.png.pdf", "dark.png.pdf"]


def test_html_of_one_file_is_a_page_and_of_several_a_folder_with_an_index(
    run: Callable[..., tuple[int, str, str]], bright: Path, dark: Path, tmp_path: Path
) -> None:
    run(bright, "--html", tmp_path / "one.html")
    assert "<html" in (tmp_path / "one.html").read_text(encoding="utf-8")
    run(bright, dark, bright, "--html", tmp_path / "out")
    pages = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert pages == ["bright-2.png.html", "bright.png.html", "dark.png.html", "index.html"]
    index = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert all(name in index for name in pages[:3])


def test_one_page_for_several_files_is_wrong_use(
    run: Callable[..., tuple[int, str, str]], bright: Path, dark: Path, tmp_path: Path
) -> None:
    code, _, err = run(bright, dark, "--html", tmp_path / "one.html")
    assert code == 2
    assert "hint:" in err


def test_no_input_is_overwritten_by_what_is_written_about_another(
    run: Callable[..., tuple[int, str, str]], bright: Path, dark: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    other = (tmp_path / "out" / "bright.png").write_bytes(dark.read_bytes())
    code, _, err = run(bright, tmp_path / "out" / "bright.png", "--annotate", tmp_path / "out")
    assert (code, "never overwritten" in err) == (2, True)
    assert (tmp_path / "out" / "bright.png").stat().st_size == other
    page = tmp_path / "picture.html"
    page.write_bytes(bright.read_bytes())
    assert run(page, "--html", page)[0] == 2
    assert page.read_bytes() == bright.read_bytes()


def test_what_cannot_be_annotated_under_its_name_gets_another_ending(
    run: Callable[..., tuple[int, str, str]], bright: Path, dark: Path, tmp_path: Path
) -> None:
    renamed = tmp_path / "photo.mp4"
    renamed.write_bytes(bright.read_bytes())
    out = tmp_path / "out"
    assert run(renamed, dark, "--annotate", out)[0] == 1
    assert sorted(path.name for path in out.iterdir()) == ["dark.png", "photo.mp4.png"]


def test_what_was_written_is_told_and_what_was_not(
    run: Callable[..., tuple[int, str, str]], bright: Path, dark: Path, tmp_path: Path
) -> None:
    plain, page, still = tmp_path / "plain.png", tmp_path / "one.html", tmp_path / "one.mp4"
    Image.new("RGB", (200, 200), (90, 90, 90)).save(plain)
    _, _, err = run(bright, "--html", page, "--annotate", still)
    assert f"wrote {page}\n" in err
    assert "a picture cannot be written as .mp4" in err
    assert f"wrote {still}.png\n" in err
    _, out, err = run(plain, "--annotate", tmp_path / "none.png", "--json")
    assert json.loads(out)["verdict"] == "NO_FACE"
    assert err == f"not written: {tmp_path / 'none.png'} (no face)\n"
    _, _, err = run(bright, dark, plain, "--annotate", tmp_path / "out")
    assert f"not written: {tmp_path / 'out' / 'plain.png'} (no face)\n" in err
    assert f"wrote {tmp_path / 'out'}: 2 files\n" in err


def test_what_was_done_before_ctrl_c_is_shown(
    run: Callable[..., tuple[int, str, str]],
    bright: Path,
    dark: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import unmask.many

    real = unmask.many.scan_many

    def stopped(*arguments: object, **values: object) -> Iterator[object]:
        reports = real(*arguments, **values)  # type: ignore[arg-type]
        yield next(reports)
        yield next(reports)
        raise KeyboardInterrupt

    monkeypatch.setattr(unmask.many, "scan_many", stopped)
    code, out, err = run(bright, dark, bright, "--html", tmp_path / "out")
    assert code == 130
    assert "2 files: 1 REAL, 1 FAKE" in out
    assert "stopped: 2 of 3 files" in err
    pages = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert pages == ["bright.png.html", "dark.png.html", "index.html"]


def test_one_file_that_cannot_be_written_costs_only_itself(
    run: Callable[..., tuple[int, str, str]],
    bright: Path,
    dark: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import unmask.report.annotate

    real = unmask.report.annotate.annotate

    def fails_once(source: str, *rest: object) -> object:
        if source.endswith("bright.png"):
            raise UnmaskError("the disk is full")
        return real(source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(unmask.report.annotate, "annotate", fails_once)
    code, out, err = run(bright, dark, "--annotate", tmp_path / "out", "--json")
    assert (code, len(out.splitlines()), "the disk is full" in err) == (2, 2, True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["dark.png"]


def test_wrong_targets_are_refused_before_anything_is_scanned(
    run: Callable[..., tuple[int, str, str]], bright: Path, tmp_path: Path
) -> None:
    for option, target in (
        ("--html", "a.pdf"),
        ("--pdf", "a.html"),
        ("--html", "none/a.html"),
        ("--annotate", "a.xyz"),
    ):
        code, out, err = run(bright, option, tmp_path / target)
        assert (code, out) == (2, "")
        assert "hint:" in err


def test_a_fault_of_ours_is_never_taken_for_a_verdict(
    run: Callable[..., tuple[int, str, str]], bright: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise RuntimeError("oh")

    monkeypatch.setattr("unmask.many.scan_many", breaks)
    code, _, err = run(bright)
    assert (code, "report it" in err) == (70, True)


def test_annotated_video_is_written(
    run: Callable[..., tuple[int, str, str]], video_path: Path, tmp_path: Path
) -> None:
    run(video_path, "--annotate", tmp_path / "out.mp4")
    assert (tmp_path / "out.mp4").stat().st_size > 10_000


def test_wrong_use_is_told_with_exit_code_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for arguments in (
        ["scan"],
        ["scan", "x", "--stride", "0"],
        ["scan", "x", "--frames", "0"],
        ["scan", ""],
        ["scan", "x", "--model", "nonesuch"],
        ["scan", str(tmp_path)],
        ["nonesuch"],
    ):
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        assert exit_.value.code == 2, arguments
        assert capsys.readouterr().err


def test_every_option_of_a_scan_is_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    import dataclasses

    from unmask.options import ScanOptions

    with pytest.raises(SystemExit):
        main(["scan", "--help"])
    text = capsys.readouterr().out
    for entry in dataclasses.fields(ScanOptions):
        assert "--" + entry.name.replace("_", "-") in text


def test_every_exit_code_is_in_the_help_as_in_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = readme.split("## Exit codes of `unmask scan`")[1].split("##")[0]
    codes = [code for row in re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE) for code in row.split(", ")]
    assert len(codes) >= 8
    with pytest.raises(SystemExit):
        main(["scan", "--help"])
    told = " ".join(capsys.readouterr().out.split()).split("Exit codes:")[1].split("Options:")[0]
    assert all(re.search(rf"\b{code} [a-z]", told) for code in codes)


def test_models_lists_and_shows_cards(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["models"])
    assert "fast" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["models", "fast"])
    assert json.loads(capsys.readouterr().out)["format"] == "unmask-model/1"


@pytest.mark.parametrize("fetched", [True, False])
def test_models_says_whether_all_of_a_model_is_there(
    fetched: bool,
    make_model: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from unmask.detector import model
    from unmask.errors import ModelError

    real, toy = model.load_model, make_model()

    def load(name: str, **values: object) -> model.Model:
        if name == "accurate" and not fetched:
            raise ModelError("not on this machine", hint="fetch it")
        return real(toy)

    monkeypatch.setattr(model, "load_model", load)
    with pytest.raises(SystemExit):
        main(["models"])
    fast, accurate = capsys.readouterr().out.splitlines()
    assert "fetched" not in fast
    if fetched:
        assert "  fetched  " in accurate
    else:
        assert "not fetched: unmask models --fetch accurate" in accurate


def test_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["schema"])
    assert json.loads(capsys.readouterr().out)["$schema"].endswith("2020-12/schema")


def test_where_the_default_abstains_people_are_told_of_the_larger_model(
    photo_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from unmask.cli.scan import _say_what_may_tell_more
    from unmask.options import ScanOptions
    from unmask.scanner import Scanner
    from unmask.types import Verdict

    report = replace(Scanner(ScanOptions()).scan(photo_path), verdict=Verdict.UNSURE)
    _say_what_may_tell_more([report], ScanOptions())
    assert not capsys.readouterr().err  # no person is looking
    monkeypatch.setenv("FORCE_COLOR", "1")  # taken for a terminal
    _say_what_may_tell_more([report], ScanOptions())
    said = " ".join(capsys.readouterr().err.split())
    assert "--model accurate may tell more" in said
    assert "right and wrong" in said
    assert "times as long, by processor" in said
    _say_what_may_tell_more([replace(report, verdict=Verdict.REAL)], ScanOptions())
    _say_what_may_tell_more([report], ScanOptions(model=("accurate",)))
    assert not capsys.readouterr().err
