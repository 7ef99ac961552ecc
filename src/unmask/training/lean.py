"""A model on a public network as a small file, and a plan of how to make the rest (`detector.tower`)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from unmask.detector.tower import NAME, Matrix, Plain, Tower
from unmask.errors import ModelError
from unmask.packaged import Packaged

LARGE = 1 << 16
"""Bytes from which floats are looked for in the public file."""

BLOCK = 128
"""Values of an input that share a range when it is brought to integers. A range for a whole input serves CLIP
badly: a few of its channels are a hundred times larger than the rest."""

INTEGER_BITS = 8

IN_INTEGERS = 4
"""The operator's level at which inputs are brought to 8-bit integers, too."""


def lean(data: bytes, source: Packaged, public: Path) -> tuple[onnx.ModelProto, Tower]:
    """The network in the model file `data`, without its metadata, on top of `source`, whose file lies at
    `public`: an ONNX file with matrices in integers per column, around 0 (`zoo.starts.dequantised`).

    Raises:
        ModelError: it shares nothing with the public file.
    """
    network = onnx.load_from_string(data)
    del network.metadata_props[:]
    graph = network.graph
    there = _Public(public.read_bytes())
    own = {tensor.name: tensor for tensor in graph.initializer}
    matrices: list[Matrix] = []
    floats: list[Plain] = []
    added: list[onnx.TensorProto] = []
    gone: set[str] = set()
    end = 0
    for node in graph.node:
        given = own.get(node.input[1]) if node.op_type == "MatMul" else None
        matrix = there.matrices.get(_digest(numpy_helper.to_array(given))) if given is not None else None
        if given is None or matrix is None or matrix.deep % BLOCK:
            continue
        blocks = matrix.deep // BLOCK
        shapes = (
            ("integers", TensorProto.UINT8, (matrix.wide, blocks, BLOCK), 1),
            ("scales", TensorProto.FLOAT, (matrix.wide * blocks,), 4),
        )
        names = [f"{given.name}/{part}" for part, *_ in shapes]
        for name, (_, kind, shape, size) in zip(names, shapes, strict=True):
            length = int(np.prod(shape)) * size
            added.append(_elsewhere(name, kind, shape, end, length))
            end += length
        matrices.append(matrix)
        gone.add(given.name)
        product = helper.make_node(
            "MatMulNBits",
            [node.input[0], *names],
            list(node.output),
            name=node.name,
            domain="com.microsoft",
            K=matrix.deep,
            N=matrix.wide,
            bits=INTEGER_BITS,
            block_size=BLOCK,
            accuracy_level=IN_INTEGERS,
        )
        node.CopyFrom(product)
    for name, tensor in own.items():
        plain = there.floats.get(_digest(numpy_helper.to_array(tensor))) if name not in gone else None
        if plain is not None:
            added.append(_elsewhere(name, tensor.data_type, tensor.dims, end, plain.length))
            end += plain.length
            floats.append(plain)
            gone.add(name)
    if not gone:
        raise ModelError(f"the model shares nothing with {public.name}", hint="was it tuned from that file?")
    kept = [tensor for name, tensor in own.items() if name not in gone]
    del graph.initializer[:]
    graph.initializer.extend([*kept, *added])
    network.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    plan = Tower(source, BLOCK, tuple(matrices), tuple(floats))
    digest = hashlib.sha256()
    for piece in plan.bytes_of(np.memmap(public, np.uint8, "r")):
        digest.update(piece)
    return network, replace(plan, sha256=digest.hexdigest())


def _elsewhere(name: str, kind: int, shape: Sequence[int], start: int, length: int) -> onnx.TensorProto:
    """A tensor that lies in the file beside the model."""
    tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": NAME, "offset": str(start), "length": str(length)}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


class _Public:
    """Where things lie in the public file, by what they hold."""

    def __init__(self, data: bytes) -> None:
        graph = onnx.load_from_string(data).graph
        stored = {tensor.name: tensor for tensor in graph.initializer}
        self.floats: dict[bytes, Plain] = {}
        for tensor in stored.values():
            values = numpy_helper.to_array(tensor)
            if tensor.data_type == TensorProto.FLOAT and values.nbytes >= LARGE:
                self.floats[_digest(values)] = Plain(data.index(values.tobytes()), values.nbytes)
        self.matrices: dict[bytes, Matrix] = {}
        for node in graph.node:
            if node.op_type != "MatMulInteger":
                continue
            integers = numpy_helper.to_array(stored[node.input[1]])
            scales = numpy_helper.to_array(stored[node.input[1].replace("_quantized", "_scale")])
            if numpy_helper.to_array(stored[node.input[3]]).any():
                continue
            deep, wide = integers.shape
            places = (data.index(values.tobytes()) for values in (integers, scales))
            self.matrices[_digest(integers.astype(np.float32) * scales)] = Matrix(deep, wide, *places)


def _digest(values: NDArray[np.float32]) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(values, np.float32).tobytes()).digest()
