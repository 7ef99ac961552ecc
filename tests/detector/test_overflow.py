"""Whether sums of bytes overflow here: by a file whose right sums are known."""

from __future__ import annotations

from importlib import resources

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from unmask.detector import model, overflow
from unmask.detector.overflow import MOST, overflows
from unmask.errors import ModelError


def test_the_file_is_one_product_of_bytes_with_the_largest_signed_ones() -> None:
    data = (resources.files("unmask.detector") / "models" / "sums.onnx").read_bytes()
    graph = onnx.load_from_string(data).graph
    assert [node.op_type for node in graph.node] == ["MatMulInteger"]
    (weights,) = (numpy_helper.to_array(tensor) for tensor in graph.initializer)
    assert weights.dtype == np.int8
    assert (weights == MOST[1]).all()


def test_it_is_tried_once_and_says_yes_or_no() -> None:
    assert isinstance(overflows(), bool)
    assert overflows.cache_info().currsize == 1


def test_sums_that_come_out_wrong_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    session = ort.InferenceSession

    class Saturating(session):  # type: ignore[misc, valid-type]
        def run(self, *given: object) -> list[np.ndarray]:
            return [np.minimum(sums, 32 * 32767) for sums in super().run(*given)]

    monkeypatch.setattr(overflow.ort, "InferenceSession", Saturating)
    assert overflows.__wrapped__()


@pytest.mark.parametrize("answer", [False, True])
def test_a_model_in_integers_asks_for_slower_sums_where_they_overflow(
    answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ort.SessionOptions] = []

    def refuses(_data: bytes, options: ort.SessionOptions, **_: object) -> None:
        asked.append(options)
        raise RuntimeError

    monkeypatch.setattr(model, "overflows", lambda: answer)
    monkeypatch.setattr(model.ort, "InferenceSession", refuses)
    with pytest.raises(ModelError):
        model.Model(b"... DynamicQuantizeLinear ...", "it", 1)
    try:
        said = asked[0].get_session_config_entry("session.x64quantprecision")
    except RuntimeError:  # it was not set
        said = ""
    assert said == ("1" if answer else "")
