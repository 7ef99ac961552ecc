"""Whether sums of bytes overflow here: by a file whose right sums are known."""

from __future__ import annotations

from importlib import resources

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from unmask.detector import overflow
from unmask.detector.overflow import MOST, overflows


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
