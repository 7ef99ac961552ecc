"""Contact sheets, and the verbs around them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image
from tests.data.trees import manifest_at

from unmask.cli import cli
from unmask.data.manifest import Manifest, Row, table_of
from unmask.data.sheet import show, strips
from unmask.errors import DataError


@pytest.fixture
def mixed(tmp_path: Path, video_path: Path) -> Manifest:
    rows = []
    for number in range(12):
        Image.new("RGB", (40, 60), (20 * number, 0, 0)).save(tmp_path / f"{number}.png")
        fake = number % 3 == 0
        rows.append(
            Row(f"{number}.png", fake, "d<b>", "swap" if fake else "original", "photo", f"s{number % 4}")
        )
    (tmp_path / "clip.mp4").write_bytes(video_path.read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no")
    rows += [Row("clip.mp4", False, "e", source="c"), Row("broken.png", False, "e", source="x")]
    return Manifest(tmp_path, table_of(rows))


def test_lines_are_drawn_over_as_many_sources_as_there_are(mixed: Manifest) -> None:
    first, *_ = strips(mixed, per=4)
    assert (first.label, first.dataset, first.rows, first.sources) == ("real", "d<b>", 8, 4)
    assert {int(name.split(".")[0]) % 4 for name in first.shown} == {0, 1, 2, 3}
    assert strips(mixed, per=4)[0] == first


def test_a_page_holds_its_pictures_and_escapes_names(mixed: Manifest, tmp_path: Path) -> None:
    assert show(mixed, tmp_path / "sheet.html", per=3) == 7
    page = (tmp_path / "sheet.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 7
    assert "d&lt;b&gt;" in page
    assert 'src="http' not in page


def test_a_picture_has_a_line_for_each_group(mixed: Manifest, tmp_path: Path) -> None:
    show(mixed, tmp_path / "sheet.png", per=3)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height == 6 + 3 * (22 + 112 + 6)
    with pytest.raises(DataError, match=r"sheet\.gif"):
        show(mixed, tmp_path / "sheet.gif")


def test_from_folder_to_split_by_commands(tmp_path: Path) -> None:
    for label in ("real", "fake"):
        for number in range(20):
            path = tmp_path / "set" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (8, 8)).save(path)
    (tmp_path / "set" / "stray.png").write_bytes(b"")
    made = str(tmp_path / "m.parquet")
    account = tmp_path / "account.txt"
    index = [
        "data",
        "index",
        str(tmp_path / "set"),
        "--layout",
        "folders",
        "--out",
        made,
        "--account",
        str(account),
    ]
    result = CliRunner().invoke(cli, index)
    assert (result.exit_code, result.stdout.strip()) == (0, made), result.output
    assert account.read_text() == "unplaced\tstray.png\n"
    result = CliRunner().invoke(cli, ["data", "split", made, "--out", str(tmp_path / "s.parquet")])
    assert result.exit_code == 0, result.output
    assert "70%" in result.stderr
    other = manifest_at(tmp_path / "o.parquet", tmp_path / "elsewhere", [Row("x.png", True, "o")])
    joined = ["data", "join", made, str(other), "--out", str(tmp_path / "j.parquet")]
    assert "41 rows" in CliRunner().invoke(cli, joined).stderr
    help_ = CliRunner().invoke(cli, ["data", "--help"]).stdout
    assert all(verb in help_ for verb in ("index", "extract", "split", "join", "check", "show"))
