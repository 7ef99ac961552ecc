"""What all tests of the media room share: clips on demand, and silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.media.clips import Clip, write_clip


@pytest.fixture
def make_clip(tmp_path: Path) -> Callable[[str, Clip], Path]:
    """(file name, clip) → path of the encoded file."""
    return lambda name, clip: write_clip(tmp_path / name, clip)


@pytest.fixture(autouse=True)
def _silent(capfd: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing in the room may print: libav and libtiff write to the descriptor itself.

    Encoders do print (x265, SVT-AV1), so tests that encode with them are marked `noisy`.
    """
    yield
    if "noisy" not in request.fixturenames:
        out, err = capfd.readouterr()
        assert (out, err) == ("", "")


@pytest.fixture
def noisy() -> None:
    """Marks a test whose encoder prints."""
