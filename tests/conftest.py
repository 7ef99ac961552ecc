"""Media and models that several tests share: the example photo, and a model small enough to see through."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image

from unmask.detector.card import CARD_KEY, Calibration, Figure, ModelCard
from unmask.faces.crop import CropSpec
from unmask.types import Band, OperatingPoint

ROOT = Path(__file__).parents[1]
MEDIA = ROOT / "examples" / "media"
CORPUS = Path(os.environ.get("UNMASK_CORPUS", ROOT.parent / "shared" / "corpus"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The research corpus, where there is one."""
    if not (CORPUS / "train.csv").is_file():
        pytest.skip("the research corpus is not here; set UNMASK_CORPUS to run this")
    return CORPUS


@pytest.fixture(scope="session")
def photo_path() -> Path:
    return MEDIA / "astronaut.png"


@pytest.fixture(scope="session")
def video_path() -> Path:
    return MEDIA / "half-forged.mp4"


@pytest.fixture(scope="session")
def photo(photo_path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(photo_path).convert("RGB"))


def card(**changes: object) -> ModelCard:
    """A complete card; `changes` replace fields."""
    values: dict[str, object] = {
        "name": "tiny",
        "version": "0",
        "architecture": "mean",
        "description": "calls bright crops fake",
        "crop": CropSpec(size=32, margin=1.25),
        "aggregation": "mean",
        "calibration": Calibration(scale=1.0, offset=0.0),
        "band": Band(0.3, 0.7, 0.05, 0.05),
        "operating_points": (OperatingPoint(0.7, 0.05, 0.8),),
        "figures": (Figure("val", "photo", 0.9, 0.8, 0.95, 100),),
        "training_data": "none",
        "limits": ("a toy",),
        "licence": "Apache-2.0",
        "seed": 0,
        "recipe_sha256": "0" * 64,
    }
    return ModelCard(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Writes a model whose score is (mean of the crop - 128) / `width`, and whose evidence is that by
    quarters."""

    def make(name: str = "tiny", *, with_card: bool = True, width: float = 16.0, **changes: object) -> Path:
        path = tmp_path / f"{name}.onnx"
        onnx.save(_network(card(**changes) if with_card else None, width), path)
        return path

    return make


def _network(its_card: ModelCard | None, width: float) -> onnx.ModelProto:
    constant = [
        helper.make_tensor("shift", TensorProto.FLOAT, [], [128.0]),
        helper.make_tensor("width", TensorProto.FLOAT, [], [width]),
        helper.make_tensor("half", TensorProto.INT64, [1], [1]),
    ]
    nodes = [
        helper.make_node("Cast", ["crops"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["floats", "shift"], ["moved"]),
        helper.make_node("Div", ["moved", "width"], ["scaled"]),
        helper.make_node("Transpose", ["scaled"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["planes"], ["quarters"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("ReduceMean", ["quarters", "half"], ["evidence"], keepdims=0),
        helper.make_node("GlobalAveragePool", ["planes"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "flat"], ["rows"]),
        helper.make_node("ReduceMean", ["rows", "half"], ["score"], keepdims=0),
    ]
    constant.append(helper.make_tensor("flat", TensorProto.INT64, [2], [0, -1]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", 32, 32, 3])],
        [
            helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["n", 2, 2]),
        ],
        constant,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if its_card is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = CARD_KEY, msgspec.json.encode(its_card).decode()
    return model
