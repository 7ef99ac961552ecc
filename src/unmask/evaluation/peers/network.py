"""An ONNX network of others as it came: what it takes, what it gives, and what that means as log-odds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper

from unmask.errors import ModelError

LEAST_OPSET = 9
"""The first ONNX operator set in which all nodes put around a network mean what they mean today."""

NEAREST = 1e-7
"""How near to 0 or 1 a probability counts: its log-odds end at ±16.1, so that they stay numbers."""

ROUNDING = 1e-4
"""How far outside [0, 1] a probability may lie by rounding, and how far a sum of them from 1."""

PIXEL_KINDS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8)

Triple = tuple[float, float, float]
Values = NDArray[np.float64]


class Fake(StrEnum):
    """What the network's one output is."""

    LOGIT = "logit"
    PROBABILITY = "probability"
    PROBABILITY_OF_REAL = "probability_of_real"


@dataclass(frozen=True, slots=True)
class Described:
    """How a network wants its pixels and what its output means.

    A value is (pixel × `scale` − `mean`) / `std`, the pixel in 0 … 255; `mean` and `std` are in the order of
    the channels that the network sees, blue first where `blue_first`. `planes`: channels come before rows.
    `fake` is what the one output is, or the index of the class that means fake; then `softmax` says that the
    outputs are scores to take it of. `input` and `output` may be empty where there is only one.
    """

    planes: bool
    blue_first: bool
    scale: float
    mean: Triple
    std: Triple
    fake: Fake | int
    softmax: bool = False
    input: str = ""
    output: str = ""


class Network:
    """A network opened as it came; `where` names it in errors, `size` is the side of its pictures in pixels.

    `kind` is its input's ONNX element type; `one_by_one` is True where it takes one picture at a time.

    Raises:
        ModelError: it cannot be opened, or its input or output is not as described.
    """

    def __init__(self, model: onnx.ModelProto, how: Described, size: int, where: str) -> None:
        self.model, self.how, self.size, self.where = model, how, size, where
        opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
        if opset < LEAST_OPSET:
            raise ModelError(
                f"{where} uses ONNX operator set {opset}, the oldest that can be used is {LEAST_OPSET}",
                hint="convert it with onnx.version_converter, or export it again",
            )
        constants = {constant.name for constant in model.graph.initializer}
        inputs = [entry for entry in model.graph.input if entry.name not in constants]
        if len(inputs) > 1:
            names = ", ".join(entry.name for entry in inputs)
            raise ModelError(f"{where} needs several inputs: {names}", hint="only pictures can be given")
        taken = _chosen(inputs, how.input, "input", where)
        self.input, self.kind = taken.name, int(taken.type.tensor_type.elem_type)
        self.output = _chosen(model.graph.output, how.output, "output", where).name
        self._check_kind()
        # Some exporters write -1 where a size is open.
        shape = [max(0, entry.dim_value) for entry in taken.type.tensor_type.shape.dim]
        self._check_shape(shape)
        self.one_by_one = shape[:1] == [1]
        self._session = opened(model, where)

    def _check_kind(self) -> None:
        how = self.how
        if self.kind not in PIXEL_KINDS:
            name = TensorProto.DataType.Name(self.kind)
            raise ModelError(f"{self.where} takes {name} and not pixels", hint="see what its input is")
        as_they_are = (how.scale, *how.mean, *how.std) == (1, 0, 0, 0, 1, 1, 1)
        if self.kind == TensorProto.UINT8 and not as_they_are:
            raise ModelError(
                f"{self.where} takes bytes", hint="set scale to 1, mean to zeros and std to ones"
            )

    def _check_shape(self, shape: Sequence[int]) -> None:
        """`shape` is as declared, 0 where a size is open; empty where nothing is declared."""
        picture = (3, self.size, self.size) if self.how.planes else (self.size, self.size, 3)
        fits = len(shape) == 4 and all(is_ in (0, w) for is_, w in zip(shape[1:], picture, strict=True))
        if shape and not fits:
            found = " × ".join(str(side or "?") for side in shape)
            wanted = " × ".join(str(side) for side in picture)
            raise ModelError(
                f"{self.where} takes {found}, but is described as taking ? × {wanted}",
                hint="look at size and layout",
            )
        if shape and shape[0] > 1:
            raise ModelError(
                f"{self.where} takes exactly {shape[0]} pictures at once",
                hint="export it with an open batch size",
            )

    def outputs(self, crops: NDArray[np.uint8]) -> Values:
        """Its outputs (N, C) for crops, RGB uint8 (N, S, S, 3), each crop given by itself.

        Raises:
            ModelError: it does not run, or gives something else than numbers of which there are always C.
        """
        how = self.how
        pixels = (crops[..., ::-1] if how.blue_first else crops).astype(np.float32)
        mean, std = np.array(how.mean, np.float32), np.array(how.std, np.float32)
        values = (pixels * np.float32(how.scale) - mean) / std
        if how.planes:
            values = values.transpose(0, 3, 1, 2)
        values = np.ascontiguousarray(values.astype(helper.tensor_dtype_to_np_dtype(self.kind)))
        try:
            found = [
                np.asarray(self._session.run([self.output], {self.input: one[None]})[0], np.float64).ravel()
                for one in values
            ]
        except Exception as error:  # onnxruntime's own classes share no other base
            raise ModelError(
                f"{self.where} does not run: {first_line(error)}", hint="look at size and layout"
            ) from error
        if not found[0].size or len({one.size for one in found}) > 1:
            raise ModelError(f"{self.where}: output {self.output!r} is no score and no list of class scores")
        return np.stack(found)

    def log_odds(self, outputs: Values) -> Values:
        """Log-odds of fake (N,) that the outputs (N, C) mean, step by step as described.

        Raises:
            ModelError: they cannot be what the description says they are.
        """
        fake, where, count = self.how.fake, self.where, outputs.shape[1]
        if not np.isfinite(outputs).all():
            raise ModelError(f"{where} gives no number for test pictures", hint="look at scale, mean and std")
        if isinstance(fake, Fake):
            if count != 1:
                raise ModelError(
                    f"{where} gives {count} numbers per picture, but fake = {fake.value!r} speaks of one",
                    hint="give the index of the class that means fake, and softmax",
                )
            return self._of_one(fake, outputs[:, 0])
        if not 0 <= fake < count or count < 2:
            raise ModelError(
                f"{where} gives {count} numbers per picture: there is no class {fake}",
                hint="classes count from 0; for a single number say what it is, such as fake = 'logit'",
            )
        shares = bool((np.abs(outputs.sum(axis=1) - 1) < ROUNDING).all() and (outputs >= 0).all())
        if shares and self.how.softmax:
            raise ModelError(f"{where} gives probabilities already", hint="set softmax = false")
        if not shares and not self.how.softmax:
            raise ModelError(
                f"{where} gives class scores that do not add up to 1",
                hint="set softmax = true if they are scores before the softmax",
            )
        if shares:
            return _logit(outputs[:, fake])
        others = np.delete(outputs, fake, axis=1) - outputs[:, [fake]]
        most = others.max(axis=1)
        return np.asarray(-most - np.log(np.exp(others - most[:, None]).sum(axis=1)))

    def _of_one(self, fake: Fake, values: Values) -> Values:
        if fake is Fake.LOGIT:
            return values
        outside = values[(values < -ROUNDING) | (values > 1 + ROUNDING)]
        if outside.size:
            raise ModelError(
                f"{self.where} is described as giving a probability, but gave {outside[0]:.3g}",
                hint="if it is a score before the sigmoid, set fake = 'logit'",
            )
        return _logit(values) if fake is Fake.PROBABILITY else -_logit(values)


def opened(model: onnx.ModelProto, where: str) -> ort.InferenceSession:
    """The network ready to run, on one thread.

    Raises:
        ModelError: it is not valid, too large for one file, or uses what onnxruntime does not know.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        data = model.SerializeToString()
        return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # protobuf's and onnxruntime's own classes share no other base
        raise ModelError(
            f"{where} cannot be opened: {first_line(error)}", hint="see whether onnxruntime runs it"
        ) from error


def first_line(error: Exception) -> str:
    """What an error of another library says, shortened."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _logit(probabilities: Values) -> Values:
    cut = np.clip(probabilities, NEAREST, 1 - NEAREST)
    return np.log(cut) - np.log(1 - cut)


def _chosen(entries: Sequence[onnx.ValueInfoProto], name: str, what: str, where: str) -> onnx.ValueInfoProto:
    names = [entry.name for entry in entries]
    if name and name not in names:
        raise ModelError(f"{where} has no {what} {name!r}", hint=f"it has: {', '.join(names)}")
    if not name and len(names) != 1:
        raise ModelError(
            f"{where} has {len(names)} {what}s", hint=f"set {what} to one of: {', '.join(names) or 'none'}"
        )
    return entries[names.index(name) if name else 0]
