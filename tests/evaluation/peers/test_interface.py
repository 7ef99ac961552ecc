"""What all peers promise: no number dressed up, and a guide that shows every key."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from unmask.errors import ModelError, UnmaskError
from unmask.evaluation.peers import Judged, open_peer
from unmask.evaluation.peers.command import CommandSettings
from unmask.evaluation.peers.onnx import OnnxSettings
from unmask.types import Verdict

GUIDE = Path(__file__).parents[3] / "docs" / "peers.md"


@pytest.mark.parametrize("spec", ["mesonet", "mesonet:", "nonesuch:x.h5", ""])
def test_unknown_peer_is_an_error_that_lists_the_kinds(spec: str) -> None:
    with pytest.raises(UnmaskError, match=r"(?s)hint: .*command, mesonet, onnx"):
        open_peer(spec)


@pytest.mark.parametrize("kind", ["command", "mesonet", "onnx"])
def test_absent_file_is_an_error_with_a_hint(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"(?s)absent.*hint"):
        open_peer(f"{kind}:{tmp_path / 'absent'}")


def test_a_reason_never_has_a_number_nor_a_judgement_none() -> None:
    with pytest.raises(ValueError, match="NO_FACE"):
        Judged(Verdict.NO_FACE, 0.5)
    with pytest.raises(ValueError, match="FAKE"):
        Judged(Verdict.FAKE, None)
    for wrong in (1.01, -0.01, float("nan")):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            Judged(Verdict.FAKE, wrong)


@pytest.mark.parametrize("settings", [OnnxSettings, CommandSettings])
def test_the_guide_shows_every_key(settings: type[msgspec.Struct]) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    for field in msgspec.structs.fields(settings):
        assert re.search(rf"^    {field.encode_name} = ", guide, re.MULTILINE), field.encode_name
