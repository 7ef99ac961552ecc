"""The real command where what it prints to has no reader or no room: no exit code is taken for a verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")
PHOTO = "{photo}"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise there")


def unmask(*arguments: str, out: int, err: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "unmask", *arguments]
    return subprocess.run(command, stdout=out, stderr=err, text=True, timeout=120, check=False)


@pytest.fixture
def unread() -> int:
    """A pipe that nobody reads, to be written to."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize(
    "arguments",
    [
        ("scan", PHOTO),
        ("scan", PHOTO, PHOTO),
        ("scan", PHOTO, "--json"),
        ("models", "fast"),
        ("schema",),
        ("--help",),
        ("scan", "--help"),
        ("data", "--help"),
        ("--version",),
    ],
    ids=" ".join,
)
def test_a_reader_that_went_away_is_told_from_a_fake(
    arguments: tuple[str, ...], unread: int, photo_path: Path
) -> None:
    done = unmask(*(argument.format(photo=photo_path) for argument in arguments), out=unread)
    os.close(unread)
    assert (done.returncode, done.stderr) == (141, "")


def test_errors_that_nobody_reads_are_no_verdict(unread: int) -> None:
    done = unmask("scan", "--nonesuch", out=subprocess.DEVNULL, err=unread)
    os.close(unread)
    assert done.returncode == 141


@pytest.mark.skipif(not FULL.exists(), reason="there is no full device here")
@pytest.mark.parametrize("arguments", [("scan", PHOTO), ("scan", PHOTO, "--json"), ("schema",)], ids=" ".join)
def test_a_full_disk_is_an_error_and_no_fault(arguments: tuple[str, ...], photo_path: Path) -> None:
    with FULL.open("wb") as full:
        done = unmask(*(argument.format(photo=photo_path) for argument in arguments), out=full.fileno())
    assert done.returncode == 2
    assert "cannot write: No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="there is no full device here")
def test_an_error_that_cannot_be_told_either_has_its_code() -> None:
    with FULL.open("wb") as full:
        assert unmask("schema", out=full.fileno(), err=full.fileno()).returncode == 2
