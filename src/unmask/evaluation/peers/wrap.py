"""Put an ONNX network of others between its pre- and post-processing, as ONNX nodes: then it is a model file.

What goes in is our crops, what comes out is one logit above 0 for fake. The result is checked against the
network as it came, with the same steps taken outside of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from unmask.detector.card import CARD_KEY, ModelCard
from unmask.errors import ModelError
from unmask.evaluation.peers.network import (
    NEAREST,
    ROUNDING,
    Described,
    Fake,
    Network,
    Values,
    first_line,
    opened,
)

LEAST_IR = 8
"""A version of the file format in which constants need not be inputs too."""

PARITY = 1e-3
"""Largest difference allowed between the wrapped network and the steps taken one by one, in logits; of
logits beyond ±1, the largest relative difference."""


def wrap(model: onnx.ModelProto, how: Described, card: ModelCard, where: str) -> bytes:
    """The model file made of the network `model`, what `how` says of it, and `card`; `where` names it in
    errors.

    A network that takes one picture at a time is called for one crop after another.

    Raises:
        ModelError: it does not run, its input or output is not as described, or the result says something
            else than the network.
    """
    network = Network(model, how, card.crop.size, where)
    crops = _pictures(card.crop.size)
    outputs = network.outputs(crops)
    expected = network.log_odds(outputs)
    problem = ""
    # Many networks say that their batch is open, and hold a shape for one picture somewhere within.
    for one_by_one in (True,) if network.one_by_one else (False, True):
        wrapped = _Wrapped(network, outputs.shape[1]).model(one_by_one)
        problem = _difference(wrapped, crops, expected)
        if not problem:
            return _with_card(wrapped, card)
    raise ModelError(f"{where} cannot be wrapped: {problem}", hint="export it with an open batch size")


class _Wrapped:
    """Our nodes around a network with `count` outputs. Our names begin with `unmask/`, its with `net/`."""

    def __init__(self, network: Network, count: int) -> None:
        self.network, self.how, self.count = network, network.how, count
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def model(self, one_by_one: bool) -> onnx.ModelProto:
        """The wrapped network, without a card; `one_by_one` calls it for each crop by itself."""
        model = onnx.ModelProto()
        model.CopyFrom(self.network.model)
        _prefix(model.graph)
        side = self.network.size
        crops = helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", side, side, 3])
        score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])
        if one_by_one:
            self._around_one(model.graph)
            scan = helper.make_node("Scan", ["crops"], ["score"], body=model.graph, num_scan_inputs=1)
            model.graph.CopyFrom(helper.make_graph([scan], "peer", [crops], [score]))
        else:
            self._around(model.graph, crops, score, *self._steps("crops"))
        model.ir_version = max(model.ir_version, LEAST_IR)
        del model.metadata_props[:]
        return model

    def _around_one(self, graph: onnx.GraphProto) -> None:
        """Make `graph` take one crop (S, S, 3) and give one number."""
        side = self.network.size
        batch = self._add(
            "Reshape", ["unmask/crop", self._const("batch", [1, side, side, 3], np.int64)], "one"
        )
        before, odds = self._steps(batch)
        alone = self._add("Reshape", [odds, self._const("alone", [], np.int64)], "alone")
        self._around(
            graph,
            helper.make_tensor_value_info("unmask/crop", TensorProto.UINT8, [side, side, 3]),
            helper.make_tensor_value_info("unmask/score", TensorProto.FLOAT, []),
            before,
            alone,
        )

    def _steps(self, crops: str) -> tuple[int, str]:
        """Add all our nodes: how many of them come before the network, and the name of the log-odds."""
        self._pixels(crops)
        before = len(self.nodes)
        return before, self._odds(f"net/{self.network.output}")

    def _around(
        self,
        graph: onnx.GraphProto,
        taken: onnx.ValueInfoProto,
        given: onnx.ValueInfoProto,
        before: int,
        odds: str,
    ) -> None:
        self.nodes.append(helper.make_node("Cast", [odds], [given.name], to=TensorProto.FLOAT))
        nodes = [*self.nodes[:before], *graph.node, *self.nodes[before:]]
        for entries in (graph.node, graph.input, graph.output):
            del entries[:]
        graph.node.extend(nodes)
        graph.initializer.extend(self.constants)
        graph.input.append(taken)
        graph.output.append(given)

    def _pixels(self, crops: str) -> None:
        """From crops, bytes (N, S, S, 3), to what the network takes."""
        how = self.how
        value = self._add("Cast", [crops], "floats", to=TensorProto.FLOAT)
        if how.blue_first:
            value = self._add("Gather", [value, self._const("bgr", [2, 1, 0], np.int64)], "turned", axis=3)
        value = self._add("Mul", [value, self._const("scale", how.scale, np.float32)], "scaled")
        value = self._add("Sub", [value, self._const("mean", how.mean, np.float32)], "centred")
        value = self._add("Div", [value, self._const("std", how.std, np.float32)], "spread")
        if how.planes:
            value = self._add("Transpose", [value], "planes", perm=[0, 3, 1, 2])
        target = f"net/{self.network.input}"
        self.nodes.append(helper.make_node("Cast", [value], [target], to=self.network.kind))

    def _odds(self, output: str) -> str:
        """From the network's output to log-odds (N,), in float64: float32 has too few digits near 1."""
        fake = self.how.fake
        value = self._add("Cast", [output], "output", to=TensorProto.DOUBLE)
        if not isinstance(fake, Fake):
            return self._of_classes(value, fake)
        value = self._add("Reshape", [value, self._const("flat", [-1], np.int64)], "value")
        if fake is Fake.LOGIT:
            return self._numbers(value, value)
        odds = self._logit(value)
        return odds if fake is Fake.PROBABILITY else self._add("Neg", [odds], "turned-odds")

    def _of_classes(self, value: str, fake: int) -> str:
        value = self._add("Reshape", [value, self._const("rows", [-1, self.count], np.int64)], "classes")
        which = self._const("class", fake, np.int64)
        if not self.how.softmax:
            return self._logit(self._add("Gather", [value, which], "share", axis=1))
        logs = self._add("LogSoftmax", [value], "logs", axis=1)
        ours = self._add("Gather", [logs, which], "log-fake", axis=1)
        others = np.ones(self.count)
        others[fake] = 0
        shares = self._add("Exp", [logs], "shares")
        rest = self._add("MatMul", [shares, self._const("others", others, np.float64)], "rest")
        # A network that is sure beyond all digits leaves nothing to the other classes.
        least = self._const("least", np.finfo(np.float64).tiny, np.float64)
        log = self._add("Log", [self._add("Max", [rest, least], "rest-least")], "log-rest")
        return self._numbers(self._add("Sub", [ours, log], "odds"), ours)

    def _logit(self, probability: str) -> str:
        """Log-odds of probabilities; not a number where they lie outside [0, 1]."""
        least = self._const("least", NEAREST, np.float64)
        most = self._const("most", 1 - NEAREST, np.float64)
        cut = self._add("Min", [self._add("Max", [probability, least], "cut-below"), most], "cut")
        rest = self._add("Sub", [self._const("one", 1, np.float64), cut], "not")
        odds = self._add("Sub", [self._add("Log", [cut], "log"), self._add("Log", [rest], "log-not")], "odds")
        under = self._add("Less", [probability, self._const("floor", -ROUNDING, np.float64)], "under")
        over = self._add("Greater", [probability, self._const("roof", 1 + ROUNDING, np.float64)], "over")
        outside = self._add("Or", [under, over], "outside")
        none = self._const("none", np.nan, np.float64)
        return self._numbers(self._add("Where", [outside, none, odds], "inside"), probability)

    def _numbers(self, value: str, judge: str) -> str:
        """`value`, but not a number wherever `judge` is none: 0 × ∞ is none, and 0 × NaN."""
        nothing = self._add("Mul", [judge, self._const("nothing", 0, np.float64)], "nothing")
        return self._add("Add", [value, nothing], "number")

    def _add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        name = f"unmask/{output}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def _const(self, name: str, value: object, kind: type[np.generic]) -> str:
        full = f"unmask/constant/{name}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=kind), full))
        return full


def all_graphs(whole: onnx.GraphProto | onnx.FunctionProto) -> Iterator[onnx.GraphProto]:
    """`whole`, if it is a graph, and all graphs within its nodes."""
    if isinstance(whole, onnx.GraphProto):
        yield whole
    for node in whole.node:
        for attribute in node.attribute:
            within = [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
            for inner in within:
                yield from all_graphs(inner)


def _prefix(whole: onnx.GraphProto) -> None:
    """Put `net/` before every name, in inner graphs too: all alike, so that what was one name stays one.
    (onnx's own `add_prefix` loses constants of the outer graph that inner graphs use.)"""
    for graph in all_graphs(whole):
        # Shapes that were noted down may be of another batch; onnxruntime finds them by itself.
        del graph.value_info[:]
        del graph.quantization_annotation[:]
        sparse = [entry.values for entry in graph.sparse_initializer]
        for named in (*graph.input, *graph.output, *graph.initializer, *sparse):
            named.name = f"net/{named.name}"
        for node in graph.node:
            # Nodes need no names, but may not share one; inputs and outputs without a name are left out.
            node.name = f"net/{node.name}" if node.name else ""
            for names in (node.input, node.output):
                renamed = [f"net/{name}" if name else "" for name in names]
                del names[:]
                names.extend(renamed)


def _difference(wrapped: onnx.ModelProto, crops: NDArray[np.uint8], expected: Values) -> str:
    """What is wrong with a wrapped network, empty where nothing is: all crops together, and one alone."""
    try:
        session = opened(wrapped, "the wrapped network")
        together, alone = (session.run(["score"], {"crops": part})[0] for part in (crops, crops[:1]))
    except Exception as error:  # ours, and onnxruntime's own, which share no other base
        return first_line(error)
    found, ours = np.append(together, alone), np.append(expected, expected[0])
    if found.shape != ours.shape:
        return f"it gives {found.size} numbers where there should be {ours.size}"
    off = float((np.abs(found - ours) / np.maximum(1, np.abs(ours))).max())
    return "" if off <= PARITY else f"it differs from the network itself by {off:.2g} in log-odds"


def _pictures(size: int) -> NDArray[np.uint8]:
    """Test crops (3, S, S, 3): noise, grey, and a slope that is another one in each channel."""
    crops = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    crops[1] = 128
    slope = np.linspace(0, 255, size, dtype=np.uint8)
    crops[2, ..., 0], crops[2, ..., 1], crops[2, ..., 2] = slope[:, None], slope[None], slope[None, ::-1] // 2
    return crops


def _with_card(model: onnx.ModelProto, card: ModelCard) -> bytes:
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, msgspec.json.encode(card).decode()
    model.doc_string = card.description
    return bytes(model.SerializeToString())
