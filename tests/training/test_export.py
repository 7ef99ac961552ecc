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
    """One convolution of a picture with `frame` around it (as `torch.nn.functional.pad`)."""

    def __init__(self, frame: list[int], mode: str = "constant", channels: int = 3) -> None:
        super().__init__()
        self.frame, self.mode = frame, mode
        self.conv = nn.Conv2d(channels, 4, 3, padding=(1, 0))

    def forward(self, images: Tensor) -> tuple[Tensor, None]:
        # Also where it is worked out from the picture's size, as networks do.
        even = int(images.shape[3]) % 2
        framed = nn.functional.pad(images, [side + even for side in self.frame], mode=self.mode)
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


def pads_of(network: nn.Module, path: Path) -> tuple[list[str], list[int]]:
    """What is left of the steps, and the convolution's own padding; exporting compares the outputs itself."""
    export(network, card(crop=SMALL), path, (0.0,) * 3, (1.0,) * 3)
    graph = onnx.load(path).graph
    (conv,) = [node for node in graph.node if node.op_type == "Conv"]
    (pads,) = [list(entry.ints) for entry in conv.attribute if entry.name == "pads"]
    return [node.op_type for node in graph.node], pads


def test_padding_of_both_kinds_adds_up(tmp_path: Path) -> None:
    kinds, pads = pads_of(Framed([0, 1, 2, 3]), tmp_path / "model.onnx")
    assert "Pad" not in kinds
    assert pads == [3, 0, 4, 1]


@pytest.mark.parametrize(
    "network",
    [
        Framed([0, 1, 2, 3], mode="reflect"),
        Framed([-1, -1, -1, -1]),
        Framed([0, 0, 0, 0, 1, 0], channels=4),
    ],
    ids=["a mirror image", "less than nothing", "channels"],
)
def test_padding_that_no_convolution_does_stays(network: nn.Module, tmp_path: Path) -> None:
    kinds, pads = pads_of(network, tmp_path / "model.onnx")
    assert kinds.count("Pad") == 1
    assert pads == [1, 0, 1, 0]
    assert np.isfinite(
        load_model(tmp_path / "model.onnx").score(np.zeros((1, 64, 64, 3), np.uint8)).raw
    ).all()
