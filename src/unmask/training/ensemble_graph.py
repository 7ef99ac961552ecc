"""The graph of merged networks as it grows: each member's cut of one input, calibration, vote, evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.compose import add_prefix

from unmask.detector.card import Calibration
from unmask.faces.crop import CropSpec
from unmask.training.ensemble_vote import LARGEST_LOGIT, Method, Vote

Shape = tuple[int, int]

ALL = 1 - 1e-3
"""A member that sees at least this part of the shared crop's side sees all of it."""


def shared_crop(specs: Sequence[CropSpec]) -> CropSpec:
    """The crop from which every member's own can be cut: the largest margin, and nobody's pixels enlarged.

    The member with the most pixels per face gets its very own crop, pixel by pixel: where margins differ, the
    shared size and margin are rounded up until a whole number of pixels lies around it.
    """
    margin = max(spec.margin for spec in specs)
    finest = max(specs, key=lambda spec: (spec.size / spec.margin, spec.size))
    size = finest.size
    while size * finest.margin / finest.size < margin - 1e-9:
        size += 2
    return CropSpec(size, finest.margin * size / finest.size if size != finest.size else finest.margin)


def window(spec: CropSpec, whole: CropSpec) -> tuple[int, int]:
    """Where a member's part of the shared crop begins, and its side, in pixels; it lies in the middle."""
    first = round((whole.size - whole.size * spec.margin / whole.margin) / 2)
    return first, whole.size - 2 * first


def resizes(specs: Sequence[CropSpec]) -> bool:
    """Whether any member sees resized pixels in the merged network."""
    whole = shared_crop(specs)
    return any(window(spec, whole)[1] != spec.size for spec in specs)


class MergedGraph:
    """The merged graph as it grows; names with a slash cannot clash with the outputs."""

    def __init__(self, whole: CropSpec) -> None:
        self.whole = whole
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.functions: list[onnx.FunctionProto] = []
        self.views_of: dict[CropSpec, str] = {}
        self.shape: Shape | None = None

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: object, kind: type[np.generic] = np.float32) -> str:
        if all(known.name != name for known in self.constants):
            self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), name))
        return name

    def views(self, specs: Sequence[CropSpec]) -> None:
        """One cut of the shared crop for each different spec."""
        for number, spec in enumerate(dict.fromkeys(specs)):
            self.views_of[spec] = self._view(f"view{number}", spec)

    def _view(self, name: str, spec: CropSpec) -> str:
        first, side = window(spec, self.whole)
        view = "crops"
        if side != self.whole.size:
            ends = [
                self.constant(f"{name}/first", [first, first], np.int64),
                self.constant(f"{name}/end", [first + side] * 2, np.int64),
                self.constant("view/axes", [1, 2], np.int64),
            ]
            view = self.add("Slice", [view, *ends], f"{name}/part")
        if side == spec.size:
            return view
        factor = _factor(side, spec.size)
        factors = self.constant(f"{name}/factors", [1, 1, factor, factor])
        floats = self.add("Cast", [view], f"{name}/floats", to=TensorProto.FLOAT)
        planes = self.add("Transpose", [floats], f"{name}/planes", perm=[0, 3, 1, 2])
        # By factors rather than sizes: the number of crops stays open. Cubic, because linear blurs more than
        # cutting at the smaller size does, and networks look at just that.
        resized = self.add("Resize", [planes, "", factors], f"{name}/resized", mode="cubic", antialias=1)
        back = self.add("Transpose", [resized], f"{name}/back", perm=[0, 2, 3, 1])
        levels = [self.constant("view/black", 0), self.constant("view/white", 255)]
        clipped = self.add("Clip", [back, *levels], f"{name}/clipped")
        rounded = self.add("Round", [clipped], f"{name}/rounded")
        return self.add("Cast", [rounded], f"{name}/bytes", to=TensorProto.UINT8)

    def member(self, index: int, part: onnx.ModelProto, spec: CropSpec) -> None:
        """All of a member's network, fed by its view."""
        renamed = add_prefix(part, prefix=f"m{index}/")
        self.add("Identity", [self.views_of[spec]], f"m{index}/crops")
        self.nodes += renamed.graph.node
        self.constants += renamed.graph.initializer
        self.functions += renamed.functions

    def calibrated(self, index: int, calibration: Calibration) -> str:
        """The tensor of a member's calibrated log-odds."""
        return self._line(f"m{index}/score", f"v{index}/logit", calibration.scale, calibration.offset)

    def _line(self, value: str, name: str, scale: float, offset: float) -> str:
        """scale × value + offset, in float32."""
        floats = self.add("Cast", [value], f"{name}/float", to=TensorProto.FLOAT)
        scaled = self.add("Mul", [floats, self.constant(f"{name}/scale", scale)], f"{name}/scaled")
        return self.add("Add", [scaled, self.constant(f"{name}/offset", offset)], name)

    def vote(self, logits: Sequence[str], vote: Vote) -> None:
        """The output `score`, as `Vote.log_odds` has it."""
        if vote.method is not Method.SOFT:
            terms = [
                self._line(logit, f"{logit}/term", weight, vote.offset if n == 0 else 0.0)
                for n, (logit, weight) in enumerate(zip(logits, vote.weights, strict=True))
            ]
            self.add("Sum", terms, "score")
            return
        ends = [
            self.constant("vote/least", -LARGEST_LOGIT),
            self.constant("vote/largest", LARGEST_LOGIT),
        ]
        fakes, reals = [], []
        for logit in logits:
            cut = self.add("Clip", [logit, *ends], f"{logit}/cut")
            fakes.append(self._share(f"{logit}/fake", self.add("Neg", [cut], f"{logit}/neg")))
            reals.append(self._share(f"{logit}/real", cut))
        fake = self.add("Log", [self.add("Sum", fakes, "vote/fake")], "vote/log-fake")
        real = self.add("Log", [self.add("Sum", reals, "vote/real")], "vote/log-real")
        self.add("Sub", [fake, real], "score")

    def _share(self, name: str, logit: str) -> str:
        """1 / (1 + exp(logit)), which onnxruntime's faster Sigmoid gives as 0 far out."""
        one = self.constant("vote/one", 1)
        more = self.add("Add", [self.add("Exp", [logit], f"{name}/odds"), one], f"{name}/more")
        return self.add("Reciprocal", [more], name)

    def evidence(
        self,
        shapes: Mapping[int, Shape],
        margins: Mapping[int, float],
        calibrations: Mapping[int, Calibration],
        shares: Mapping[int, float],
    ) -> None:
        """The weighted mean of members' calibrated maps, moved so that its mean is the score; by index."""
        height, width = self.shape = max(h for h, _ in shapes.values()), max(w for _, w in shapes.values())
        total = sum(shares.values())
        terms = []
        for n, (rows, columns) in shapes.items():
            share = shares[n] / total if total else 1 / len(shapes)
            scale, offset = share * calibrations[n].scale, share * calibrations[n].offset
            term = self._line(f"m{n}/evidence", f"e{n}/map", scale, offset)
            part = margins[n] / self.whole.margin
            if (rows, columns) != (height, width) or part < ALL:
                down = self.constant(f"e{n}/down", _spread(rows, height, part))
                across = self.constant(f"e{n}/across", _spread(columns, width, part).T)
                tall = self.add("MatMul", [down, term], f"e{n}/tall")
                term = self.add("MatMul", [tall, across], f"e{n}/spread")
            terms.append(term)
        mean = self.add("Sum", terms, "evidence/sum")
        shape = self.constant("evidence/as-image", [-1, 1, height, width], np.int64)
        level = self.add("Reshape", [mean, shape], "evidence/image")
        level = self.add("GlobalAveragePool", [level], "evidence/pooled")
        single = self.constant("evidence/as-single", [-1, 1, 1], np.int64)
        level = self.add("Reshape", [level, single], "evidence/level")
        wanted = self.add("Reshape", ["score", single], "evidence/wanted")
        lacking = self.add("Sub", [wanted, level], "evidence/lacking")
        self.add("Add", [mean, lacking], "evidence")

    def model(self, opsets: Sequence[onnx.OperatorSetIdProto], ir_version: int) -> onnx.ModelProto:
        """The network with its outputs `score` and, if `evidence` was called, `evidence`."""
        outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])]
        if self.shape:
            outputs.append(helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["n", *self.shape]))
        return self.model_of(outputs, opsets, ir_version)

    def model_of(
        self,
        outputs: Sequence[onnx.ValueInfoProto],
        opsets: Sequence[onnx.OperatorSetIdProto],
        ir_version: int,
    ) -> onnx.ModelProto:
        """The graph so far as a network with these outputs."""
        shape: list[str | int | None] = ["n", self.whole.size, self.whole.size, 3]
        crops = helper.make_tensor_value_info("crops", TensorProto.UINT8, shape)
        graph = helper.make_graph(self.nodes, "ensemble", [crops], outputs, self.constants)
        return helper.make_model(graph, functions=self.functions, opset_imports=opsets, ir_version=ir_version)


def _factor(side: int, wanted: int) -> np.float32:
    """The float32 by which `side` pixels become `wanted`: rounded down, in float32 as in float64."""
    factor = np.float32(wanted / side)
    while float(factor) * side < wanted:
        factor = np.nextafter(factor, np.float32(np.inf))
    return factor


def _spread(count: int, wanted: int, part: float) -> NDArray[np.float32]:
    """The matrix (wanted, count) that lays `count` values over the middle `part` of `wanted` cells: linear in
    between, the outermost values further out."""
    where = ((np.arange(wanted) + 0.5) / wanted - 0.5) / part + 0.5
    place = np.clip(where * count - 0.5, 0, count - 1)
    distance = np.abs(place[:, None] - np.arange(count)[None])
    return np.clip(1 - distance, 0, 1).astype(np.float32)
