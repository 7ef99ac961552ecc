"""What is no file at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmask.cli import main
from unmask.cli.hints import no_file


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://example.org/a.mp4", "https://example.org/a.mp4 is an address: download it first"),
        ("file:///tmp/a.mp4", "give the path without file://"),
        ("-", "standard input is not read"),
    ],
)
def test_what_is_no_file_is_wrong_use_and_says_what_to_do(
    given: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["scan", given])
    assert exit_.value.code == 2
    assert said in capsys.readouterr().err


def test_files_with_odd_names_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("-").touch()
    Path("https:").mkdir()
    Path("https:/a.png").touch()
    for name in ("-", "https://a.png", "a:b.png", "C://a.png", "a-b.mp4"):
        assert not no_file(name), name
