"""What is exported says what the network says, and leaves padding to the convolutions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tests.conftest import card
from torch import Tensor, nn

from unmask.detector.model import load_model
from unmask.faces.crop import CropSpec
from unmask.training.export import export
from unmask.training.samples import normalise
from unmask.zoo.build import build
from unmask.zoo.network import NETWORKS

SMALL = CropSpec(size=64)


class Framed(nn.Module):
    """One convolution of a picture with a frame around it, of zeros or of its mirror image."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode, self.conv = mode, nn.Conv2d(3, 4, 3, padding=(1, 0))

    def forward(self, images: Tensor) -> tuple[Tensor, None]:
        # Also where it is worked out from the picture's size, as networks do.
        side = int(images.shape[3]) % 2
        framed = nn.functional.pad(images, [side, side + 1, 2, 3], mode=self.mode)
        return self.conv(framed).mean((1, 2, 3)), None


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1"])
def test_efficientnet_lite_is_exported_without_padding_by_itself(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    info, path = NETWORKS[name], tmp_path / "model.onnx"
    network = build(name, size=64)
    nn.init.normal_(network.classifier.weight)  # type: ignore[union-attr, arg-type]
    export(network, card(crop=SMALL), path, info.mean, info.std)
    kinds = {node.op_type for node in onnx.load(path).graph.node}
    assert "Pad" not in kinds
    assert not kinds & {"Concat", "ConstantOfShape", "Reshape"}  # with which its size was worked out
    crops = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        ours = network.eval()(normalise(crops.permute(0, 3, 1, 2), info.mean, info.std))[0]
    assert load_model(path).score(crops.numpy()).raw == pytest.approx(ours.numpy(), abs=1e-3)


def test_padding_of_both_kinds_adds_up(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(Framed("constant"), card(crop=SMALL), path, (0.0,) * 3, (1.0,) * 3)  # compares the outputs itself
    graph = onnx.load(path).graph
    assert not [node for node in graph.node if node.op_type == "Pad"]
    (conv,) = [node for node in graph.node if node.op_type == "Conv"]
    (pads,) = [list(entry.ints) for entry in conv.attribute if entry.name == "pads"]
    assert pads == [3, 0, 4, 1]


def test_padding_by_a_mirror_image_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    export(Framed("reflect"), card(crop=SMALL), path, (0.0,) * 3, (1.0,) * 3)
    assert [node.op_type for node in onnx.load(path).graph.node].count("Pad") == 1
    assert np.isfinite(load_model(path).score(np.zeros((1, 64, 64, 3), np.uint8)).raw).all()
