"""A model on a public network as a small file, and a plan of how to make the rest (`detector.tower`).

Products with the public network's matrices are done in 8-bit integers. A few channels of a transformer are
many times larger than the rest; with one range of integers for all, the rest would be lost. So these few stay
in floats (Dettmers et al., "LLM.int8()", NeurIPS 2022), here the same for every picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from unmask.detector.tower import NAME, Piece, Tower
from unmask.errors import ModelError
from unmask.packaged import Packaged

MICROSOFT = "com.microsoft"
"""The domain of the operator that multiplies integers into floats."""

LARGE = 1 << 16
"""Bytes from which floats are looked for in the public file."""

FEW = 16
"""Most channels of a product's input that stay in floats."""

WORTH = 2.0
"""They do where without them the range is this many times narrower."""


def lean(
    data: bytes, source: Packaged, public: Path, crops: Sequence[NDArray[np.uint8]]
) -> tuple[onnx.ModelProto, Tower]:
    """The network in the model file `data`, without its metadata, on top of `source`, whose file lies at
    `public`: an ONNX file with matrices in integers per column, around 0 (`zoo.starts.dequantised`).

    Which channels stay in floats is seen on `crops`, one or more, each as the model takes it, RGB uint8
    (S, S, 3).

    Raises:
        ModelError: it shares nothing with the public file.
    """
    network = onnx.load_from_string(data)
    del network.metadata_props[:]
    graph = network.graph
    there = _Public(public.read_bytes())
    own = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    known = {name: there.matrices.get(_digest(values)) for name, values in own.items() if values.ndim == 2}
    products = [node for node in graph.node if node.op_type == "MatMul" and known.get(node.input[1])]
    peaks = _peaks(network, sorted({node.input[0] for node in products}), crops) if products else {}
    kept = _Kept(network, peaks)
    nodes: list[NodeProto] = []
    for node in graph.node:
        matrix = known.get(node.input[1]) if node.op_type == "MatMul" else None
        if matrix is not None:
            nodes.extend(kept.product(node, matrix))
        elif kept.done.isdisjoint(node.output):
            nodes.append(node)
    for name, values in own.items():
        piece = None if known.get(name) else there.floats.get(_digest(values))
        if piece is not None:
            kept.elsewhere(piece, TensorProto.FLOAT, values.shape, name)
    if not kept.pieces:
        raise ModelError(f"the model shares nothing with {public.name}", hint="was it tuned from that file?")
    used = {name for node in nodes for name in node.input}
    beside = {tensor.name for tensor in kept.tensors}
    rest = [tensor for tensor in graph.initializer if tensor.name in used - beside]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend([*rest, *kept.tensors])
    graph.node.extend(nodes)
    if not any(entry.domain == MICROSOFT for entry in network.opset_import):
        network.opset_import.append(helper.make_opsetid(MICROSOFT, 1))
    digest = hashlib.sha256()
    for part in Tower(source, tuple(kept.pieces)).bytes_of(np.memmap(public, np.uint8, "r")):
        digest.update(part)
    return network, Tower(source, tuple(kept.pieces), digest.hexdigest())


@dataclass(frozen=True, slots=True)
class _Matrix:
    """Where integers (K, N) row by row and the N columns' scales lie in the public file."""

    deep: int
    wide: int
    values: Piece
    scales: Piece


class _Kept:
    """What the lean file and the file beside it come to hold."""

    def __init__(self, network: onnx.ModelProto, peaks: dict[str, NDArray[np.float32]]) -> None:
        self.pieces: list[Piece] = []
        self.tensors: list[TensorProto] = []
        self.done: set[str] = set()
        self._peaks = peaks
        self._vectors = {tensor.name for tensor in network.graph.initializer if len(tensor.dims) == 1}
        self._told = {entry.name for entry in network.graph.output}
        self._following: dict[str, list[NodeProto]] = {}
        for node in network.graph.node:
            for name in node.input:
                self._following.setdefault(name, []).append(node)
        self._few: dict[str, bool] = {}

    def elsewhere(self, piece: Piece, kind: int, shape: Sequence[int], name: str) -> str:
        """The tensor `name`, whose values are that piece of the file beside; a piece is there once."""
        if piece not in self.pieces:
            self.pieces.append(piece)
        start = sum(before.length for before in self.pieces[: self.pieces.index(piece)])
        tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
        for key, value in {"location": NAME, "offset": str(start), "length": str(piece.length)}.items():
            tensor.external_data.add(key=key, value=value)
        self.tensors.append(tensor)
        return name

    def product(self, node: NodeProto, matrix: _Matrix) -> Iterator[NodeProto]:
        """The nodes in the place of a product with `matrix`, and of the bias added to it if one is."""
        given, output, bias = node.input[0], node.output[0], ""
        following = self._following.get(output, [])
        if output not in self._told and len(following) == 1 and following[0].op_type == "Add":
            other = [name for name in following[0].input if name != output]
            if other and other[0] in self._vectors:
                bias, output = other[0], following[0].output[0]
                self.done.add(output)
        if given not in self._few:
            yield from self._integers(given)
        # Each product has tensors of its own, though of the same piece: ONNX Runtime brings them to unsigned
        # integers where a processor wants them, and does not know that it did so before.
        shape = (matrix.deep, matrix.wide)
        integers = self.elsewhere(matrix.values, TensorProto.INT8, shape, f"{output}/matrix")
        scales = self.elsewhere(matrix.scales, TensorProto.FLOAT, shape[1:], f"{output}/columns")
        zero = self._constant(f"{output}/middle", np.array(0, np.int8))
        few = self._few[given]
        inputs = [f"{given}/integers", integers, f"{given}/scale", scales, f"{given}/zero", zero]
        if bias:
            inputs.append(bias)
        most = f"{output}/most" if few else output
        yield helper.make_node("MatMulIntegerToFloat", inputs, [most], node.name, domain=MICROSOFT)
        if few:
            # Known before anything runs: ONNX Runtime works these three out once, when it opens the file.
            names = [f"{output}/{part}" for part in ("rows", "floats", "scaled", "loud")]
            yield helper.make_node("Gather", [integers, f"{given}/places"], [names[0]], axis=0)
            yield helper.make_node("Cast", [names[0]], [names[1]], to=TensorProto.FLOAT)
            yield helper.make_node("Mul", [names[1], scales], [names[2]])
            yield helper.make_node("MatMul", [f"{given}/few", names[2]], [names[3]])
            yield helper.make_node("Add", [most, names[3]], [output])

    def _integers(self, given: str) -> Iterator[NodeProto]:
        """The nodes that bring a product's input to integers, but for the few channels kept in floats."""
        peaks = self._peaks[given]
        order = np.argsort(-peaks)
        few = self._few[given] = len(peaks) > FEW and bool(peaks[order[0]] >= WORTH * peaks[order[FEW]])
        rest = given
        if few:
            places = np.sort(order[:FEW]).astype(np.int64)
            mask = np.ones(len(peaks), np.float32)
            mask[places] = 0
            rest = f"{given}/rest"
            self._constant(f"{given}/mask", mask)
            self._constant(f"{given}/places", places)
            yield helper.make_node("Mul", [given, f"{given}/mask"], [rest])
            yield helper.make_node("Gather", [given, f"{given}/places"], [f"{given}/few"], axis=-1)
        outputs = [f"{given}/{part}" for part in ("integers", "scale", "zero")]
        yield helper.make_node("DynamicQuantizeLinear", [rest], outputs)

    def _constant(self, name: str, values: NDArray[np.generic]) -> str:
        self.tensors.append(numpy_helper.from_array(values, name))
        return name


class _Public:
    """Where things lie in the public file, by what they hold."""

    def __init__(self, data: bytes) -> None:
        graph = onnx.load_from_string(data).graph
        stored = {tensor.name: tensor for tensor in graph.initializer}
        self.floats: dict[bytes, Piece] = {}
        for tensor in stored.values():
            values = numpy_helper.to_array(tensor)
            if tensor.data_type == TensorProto.FLOAT and values.nbytes >= LARGE:
                self.floats[_digest(values)] = Piece(data.index(values.tobytes()), values.nbytes)
        self.matrices: dict[bytes, _Matrix] = {}
        for node in graph.node:
            if node.op_type != "MatMulInteger":
                continue
            integers = numpy_helper.to_array(stored[node.input[1]])
            scales = numpy_helper.to_array(stored[node.input[1].replace("_quantized", "_scale")])
            if numpy_helper.to_array(stored[node.input[3]]).any():
                continue
            pieces = (Piece(data.index(part.tobytes()), part.nbytes) for part in (integers, scales))
            self.matrices[_digest(integers.astype(np.float32) * scales)] = _Matrix(*integers.shape, *pieces)


def _peaks(
    network: onnx.ModelProto, names: Sequence[str], crops: Sequence[NDArray[np.uint8]]
) -> dict[str, NDArray[np.float32]]:
    """The largest value, without its sign, of each channel of the tensors in `names` over all crops."""
    watched = onnx.ModelProto()
    watched.CopyFrom(network)
    outputs = (helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    watched.graph.output.extend(outputs)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    peaks: dict[str, NDArray[np.float32]] = {}
    for crop in crops:
        for name, values in zip(names, session.run(names, {entry.name: crop[None]}), strict=True):
            peak = np.abs(values).reshape(-1, values.shape[-1]).max(axis=0)
            peaks[name] = np.maximum(peaks.get(name, peak), peak)
    return peaks


def _digest(values: NDArray[np.float32]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(values, np.float32).tobytes()).digest()
