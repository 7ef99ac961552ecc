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

from unmask.detector.overflow import overflows
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


BIAS = np.linspace(-9, 9, WIDE, dtype=np.float32)
GAINS = np.linspace(0.7, 1.3, DEEP, dtype=np.float32)
"""Of the channels: without them bytes would be integers already."""


def model(matrix: np.ndarray, table: np.ndarray, copies: tuple[str, ...] = ("",)) -> bytes:
    """((x `GAINS`) · matrix + `BIAS`) · table, of bytes x, in floats; as often as there are `copies`, whose
    names begin so."""
    nodes = [
        node
        for name in copies
        for node in (
            helper.make_node("Cast", ["x"], [f"{name}bytes"], to=TensorProto.FLOAT),
            helper.make_node("Mul", [f"{name}bytes", "gains"], [f"{name}floats"]),
            helper.make_node("MatMul", [f"{name}floats", f"{name}matrix"], [f"{name}product"]),
            helper.make_node("Add", ["bias", f"{name}product"], [f"{name}sum"]),
            helper.make_node("MatMul", [f"{name}sum", f"{name}table"], [f"{name}y"]),
        )
    ]
    values = {"bias": BIAS, "gains": GAINS}
    for name in copies:
        values |= {f"{name}matrix": matrix, f"{name}table": table}
    graph = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, ["n", DEEP])],
        [helper.make_tensor_value_info(f"{name}y", TensorProto.FLOAT, ["n", DEEP]) for name in copies],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


def tuned(public: Path, copies: tuple[str, ...] = ("",)) -> bytes:
    """A model on the public file's matrix and table."""
    there = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(public).graph.initializer}
    return model(there["layer.weight_quantized"] * there["layer.weight_scale"], there["table"], copies)


def crops(loud: int = 0) -> list[np.ndarray]:
    """What the model is shown: bytes up to 20, but for the last `loud` channels."""
    shown = np.random.default_rng(1).integers(0, 20, (3, DEEP)).astype(np.uint8)
    if loud:
        shown[:, -loud:] = 255
    return list(shown)


def said(made: onnx.ModelProto, plan: Tower, x: np.ndarray, *, slow: bool = False) -> np.ndarray:
    """The first output of a lean file that stands on what its plan makes; by slower sums if asked for."""
    path = parse_tower(msgspec.json.encode(plan)).path("it", fetch=True)
    options = ort.SessionOptions()
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    if slow or overflows():
        options.add_session_config_entry("session.x64quantprecision", "1")
    outputs: list[np.ndarray] = ort.InferenceSession(made.SerializeToString(), options).run(None, {"x": x})
    return outputs[0]


@pytest.mark.parametrize("loud", [0, 5, 16])
@pytest.mark.parametrize("slow", [False, True])
def test_a_lean_file_with_its_tower_says_the_same_but_for_rounding(
    public: Path, loud: int, slow: bool
) -> None:
    data = tuned(public)
    network, plan = lean(data, packaged(public), public, crops(loud))
    assert len(network.SerializeToString()) < 0.05 * len(data)
    path = plan.path("it", fetch=True)
    assert path.name == NAME
    assert path.stat().st_size == DEEP * WIDE + 4 * WIDE + 4 * WIDE * DEEP
    x = np.stack(crops(loud))
    (expected,) = ort.InferenceSession(data).run(None, {"x": x})
    found = said(network, plan, x, slow=slow)
    assert np.abs(found - expected).max() < 0.005 * np.abs(expected).max()


def test_the_few_loud_channels_stay_in_floats(public: Path) -> None:
    data = tuned(public)
    x = np.stack(crops(8))
    (expected,) = ort.InferenceSession(data).run(None, {"x": x})
    off = {}
    for loud in (0, 8):
        network, plan = lean(data, packaged(public), public, crops(loud))
        off[loud] = np.abs(said(network, plan, x) - expected).max()
    assert off[8] < 0.2 * off[0]


def test_channels_that_are_all_alike_are_all_in_integers(public: Path) -> None:
    network, _ = lean(tuned(public), packaged(public), public, crops())
    assert "Gather" not in {node.op_type for node in network.graph.node}
    assert sum(node.op_type == "Add" for node in network.graph.node) == 0, "the bias is the product's"


def test_products_whose_outcome_is_told_or_goes_into_another_keep_it(public: Path) -> None:
    there = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(public).graph.initializer}
    matrix = there["layer.weight_quantized"] * there["layer.weight_scale"]
    network = onnx.load_from_string(model(matrix, there["table"]))
    graph = network.graph
    graph.output.append(helper.make_tensor_value_info("product", TensorProto.FLOAT, ["n", WIDE]))
    square = helper.make_node("MatMul", ["product", "turn"], ["turned"])
    again = helper.make_node("MatMul", ["turned", "matrix"], ["z"])
    graph.node.extend([square, again])
    graph.initializer.append(numpy_helper.from_array(np.ones((WIDE, DEEP), np.float32), "turn"))
    graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", WIDE]))
    made, plan = lean(network.SerializeToString(), packaged(public), public, crops(4))
    assert [entry.name for entry in made.graph.output] == ["y", "product", "z"]
    assert np.isfinite(said(made, plan, np.stack(crops(4)))).all()


def test_two_models_on_one_public_network_share_what_lies_beside(public: Path) -> None:
    network, plan = lean(tuned(public, ("a/", "b/")), packaged(public), public, crops(4))
    _, alone = lean(tuned(public), packaged(public), public, crops(4))
    assert plan == alone
    assert np.isfinite(said(network, plan, np.stack(crops(4)), slow=True)).all()


def test_a_tower_is_made_once_when_asked_for_and_never_half(public: Path) -> None:
    _, plan = lean(tuned(public), packaged(public), public, crops())
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
    _, plan = lean(tuned(public), packaged(public), public, crops())
    path = plan.path("accurate", fetch=True)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    with pytest.raises(ModelError, match="damaged") as caught:
        plan.path("accurate", fetch=False)
    assert "unmask models --fetch accurate" in caught.value.hint
    assert plan.path("accurate", fetch=True).read_bytes() == whole
    assert plan.path("accurate", fetch=False) == path


def test_a_tower_is_read_through_once_in_a_process(public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, plan = lean(tuned(public), packaged(public), public, crops())
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

    _, plan = lean(tuned(public), packaged(public), public, crops())
    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(told or type(problem), match="No space" if told else None) as caught:
        plan.path("it", fetch=True)
    assert not isinstance(caught.value, ModelError) or caught.value.hint
    assert not files_in(plan.source.folder)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_tower_may_be_read_by_whom_the_umask_lets(public: Path) -> None:
    _, plan = lean(tuned(public), packaged(public), public, crops())
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
        lean(model(matrix, matrix.T.copy()), packaged(public), public, crops())


def test_a_plan_has_no_other_form(public: Path) -> None:
    _, plan = lean(tuned(public), packaged(public), public, crops())
    assert parse_tower(msgspec.json.encode(plan)) == plan
    assert isinstance(plan, Tower)
