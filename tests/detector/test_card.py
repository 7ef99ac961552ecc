"""Cards and model files: complete, or refused with the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tests.conftest import card

from unmask.detector.card import parse_card, probability
from unmask.detector.model import load_model
from unmask.errors import ModelError


def test_card_survives_the_way_through_json() -> None:
    its = card()
    assert parse_card(msgspec.json.encode(its).decode(), "here") == its


def test_card_without_a_field_or_of_another_format_is_refused_by_name() -> None:
    document = msgspec.to_builtins(card())
    del document["band"]
    with pytest.raises(ModelError, match=r"model\.onnx.*band"):
        parse_card(msgspec.json.encode(document).decode(), "model.onnx")
    with pytest.raises(ModelError, match="other/9"):
        parse_card(msgspec.json.encode(card(format="other/9")).decode(), "model.onnx")


def test_onnx_file_without_a_card_is_refused(make_model: Callable[..., Path]) -> None:
    with pytest.raises(ModelError, match="no unmask card"):
        load_model(make_model(with_card=False))


def test_file_that_is_no_model_and_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"no model")
    with pytest.raises(ModelError, match=r"wrong\.onnx is not an ONNX model"):
        load_model(wrong)
    with pytest.raises(ModelError, match=r"(?s)absent.*hint: .*fast"):
        load_model("absent")


def test_mean_of_the_evidence_is_the_score(make_model: Callable[..., Path]) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    scores = load_model(make_model()).score(crops)
    assert scores.evidence is not None
    assert scores.evidence.mean(axis=(1, 2)) == pytest.approx(scores.raw, abs=1e-4)


def test_probability_is_the_logistic_function_at_any_size() -> None:
    assert probability(0.0) == 0.5
    assert probability(1e4) == 1.0
    assert probability(-1e4) == 0.0
    assert probability(2.0) + probability(-2.0) == pytest.approx(1.0)
