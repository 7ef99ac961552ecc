"""Models on a public network: small, the same but for rounding, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import platformdirs
import pytest
from onnx import TensorProto, helper, numpy_helper

from unmask.detector.tower import NAME, Tower, parse_tower
from unmask.errors import ModelError
from unmask.packaged import Packaged
from unmask.training.lean import lean

DEEP, WIDE = 256, 96


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with one matrix in integers per column, and one large table of floats; it is as if installed."""
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda _: tmp_path / "cache")
    random = np.random.default_rng(0)
    tensors = {
        "layer.weight_quantized": random.integers(-128, 128, (DEEP, WIDE)).astype(np.int8),
        "layer.weight_scale": random.uniform(0.001, 0.002, WIDE).astype(np.float32),
        "layer.weight_zero_point": np.zeros(WIDE, np.int8),
        "zero": np.array(3, np.uint8),
        "table": random.normal(size=(WIDE, DEEP)).astype(np.float32),
    }
    node = helper.make_node(
        "MatMulInteger", ["x", "layer.weight_quantized", "zero", "layer.weight_zero_point"], ["y"]
    )
    graph = helper.make_graph(
        [node],
        "public",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", DEEP])],
        [helper.make_tensor_value_info("y", TensorProto.INT32, ["n", WIDE])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    path = tmp_path / "site" / "theirs" / "public.onnx"
    path.parent.mkdir(parents=True)
    (path.parent / "__init__.py").touch()
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)
    monkeypatch.syspath_prepend(tmp_path / "site")
    return path


def packaged(public: Path) -> Packaged:
    return Packaged("theirs==1", "theirs/public.onnx", hashlib.sha256(public.read_bytes()).hexdigest())


def model(matrix: np.ndarray, table: np.ndarray) -> bytes:
    """(x · matrix + 1) · table, in floats."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "matrix"], ["product"], name="/layer/MatMul"),
            helper.make_node("Add", ["product", "one"], ["sum"]),
            helper.make_node("MatMul", ["sum", "table"], ["y"]),
        ],
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", DEEP])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", DEEP])],
        [
            numpy_helper.from_array(matrix, "matrix"),
            numpy_helper.from_array(table, "table"),
            numpy_helper.from_array(np.float32(1), "one"),
        ],
    )
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


def tuned(public: Path) -> bytes:
    """A model on the public file's matrix and table."""
    there = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(public).graph.initializer}
    return model(there["layer.weight_quantized"] * there["layer.weight_scale"], there["table"])


def test_a_lean_file_with_its_tower_says_the_same_but_for_rounding(public: Path) -> None:
    data = tuned(public)
    network, plan = lean(data, packaged(public), public)
    made = network.SerializeToString()
    assert len(made) < 0.05 * len(data)
    path = parse_tower(msgspec.json.encode(plan)).path("it", fetch=True)
    assert path.name == NAME
    assert path.stat().st_size == DEEP * WIDE + 4 * WIDE * DEEP // plan.block + 4 * WIDE * DEEP
    options = ort.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    x = np.random.default_rng(1).normal(size=(5, DEEP)).astype(np.float32)
    x[:, 7] *= 100
    (expected,) = ort.InferenceSession(data).run(None, {"x": x})
    (found,) = ort.InferenceSession(made, options).run(None, {"x": x})
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()


def test_a_tower_is_made_once_when_asked_for_and_never_half(public: Path) -> None:
    _, plan = lean(tuned(public), packaged(public), public)
    with pytest.raises(ModelError, match="not on this machine") as caught:
        plan.path("accurate", fetch=False)
    assert "unmask models --fetch accurate" in caught.value.hint
    with pytest.raises(ModelError, match="came out wrong"):
        replace(plan, sha256="0" * 64).path("it", fetch=True)
    assert not files_in(plan.source.folder)
    path = plan.path("it", fetch=True)
    public.unlink()
    assert plan.path("it", fetch=False) == path


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-1], lambda data: data[:-1] + b"?"])
def test_a_damaged_tower_is_told_and_made_again_when_asked_for(
    public: Path, damage: Callable[[bytes], bytes]
) -> None:
    _, plan = lean(tuned(public), packaged(public), public)
    path = plan.path("accurate", fetch=True)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with pytest.raises(ModelError, match="damaged") as caught:
        plan.path("accurate", fetch=False)
    assert "unmask models --fetch accurate" in caught.value.hint
    assert plan.path("accurate", fetch=True).read_bytes() == whole
    assert plan.path("accurate", fetch=False) == path


def test_a_tower_is_read_through_once_in_a_process(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, plan = lean(tuned(public), packaged(public), public)
    path = plan.path("it", fetch=True)
    assert plan.path("it", fetch=False) == path
    monkeypatch.setattr(hashlib, "file_digest", None)
    assert plan.path("it", fetch=False) == path


@pytest.mark.parametrize(
    ("problem", "told"), [(OSError(28, "No space left on device"), ModelError), (KeyboardInterrupt(), None)]
)
def test_a_full_disk_and_ctrl_c_leave_nothing_behind(
    public: Path, monkeypatch: pytest.MonkeyPatch, problem: BaseException, told: type[ModelError] | None
) -> None:
    def fails(_: int) -> None:
        raise problem

    _, plan = lean(tuned(public), packaged(public), public)
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(told or type(problem), match="No space" if told else None) as caught:
        plan.path("it", fetch=True)
    assert not isinstance(caught.value, ModelError) or caught.value.hint
    assert not files_in(plan.source.folder)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_tower_may_be_read_by_whom_the_umask_lets(public: Path) -> None:
    _, plan = lean(tuned(public), packaged(public), public)
    before = os.umask(0o022)
    try:
        assert plan.path("it", fetch=True).stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def files_in(folder: Path) -> list[Path]:
    """All files below `folder`."""
    return [path for path in folder.rglob("*") if path.is_file()]


def test_a_model_of_another_origin_is_refused(public: Path) -> None:
    random = np.random.default_rng(2)
    matrix = random.normal(size=(DEEP, WIDE)).astype(np.float32)
    with pytest.raises(ModelError, match=r"shares nothing with public\.onnx"):
        lean(model(matrix, matrix.T.copy()), packaged(public), public)


def test_a_plan_has_no_other_form(public: Path) -> None:
    _, plan = lean(tuned(public), packaged(public), public)
    assert parse_tower(msgspec.json.encode(plan)) == plan
    assert isinstance(plan, Tower)
