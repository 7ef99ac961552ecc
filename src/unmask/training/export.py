"""Write a trained network and its card as one ONNX file, and check that it still says the same."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from unmask.detector.card import CARD_KEY, ModelCard
from unmask.detector.history import HISTORY_KEY, History
from unmask.errors import ModelError
from unmask.training.samples import normalise

PARITY = 1e-3
"""Largest difference allowed between the network and the file, in logits."""


class _FromBytes(nn.Module):
    """The network behind its normalisation: crops as bytes in, score and evidence, if any, out."""

    def __init__(self, network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.network, self.mean, self.std = network, mean, std

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        score, evidence = self.network(normalise(crops.permute(0, 3, 1, 2), self.mean, self.std))
        return (score,) if evidence is None else (score, evidence)


def export(
    network: nn.Module,
    card: ModelCard,
    path: Path,
    mean: Sequence[float],
    std: Sequence[float],
    history: History | None = None,
) -> None:
    """Write `network` with `card` to `path`, whole or not at all; `mean` and `std` as `fit.normalise`, and
    `history` what it has seen.

    Raises:
        ModelError: the written file does not give the network's scores.
    """
    # The wrapper too: the exporter puts everything back into the mode the outermost module was in.
    wrapped = _FromBytes(network, mean, std).eval()
    size = card.crop.size
    crops = torch.randint(0, 256, (4, size, size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        outputs = ["score", "evidence"][: len(wrapped(crops[:1]))]
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter's own announcements, and constants of the normalisation, which are meant to be such.
        warnings.simplefilter("ignore")
        _trace(wrapped, crops, buffer, outputs)
    model = onnx.load_from_string(buffer.getvalue())
    _pad_within(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, msgspec.json.encode(card).decode()
    if history is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = HISTORY_KEY, msgspec.json.encode(history).decode()
    model.producer_name, model.doc_string = "unmask", card.description
    data = model.SerializeToString()
    _check(wrapped, data, crops)
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(path)


def _trace(network: nn.Module, crops: Tensor, buffer: io.BytesIO, outputs: list[str]) -> None:
    torch.onnx.export(
        network,
        (crops,),
        buffer,  # type: ignore[arg-type]
        dynamo=False,  # needs no further package, and folds batch normalisation
        input_names=["crops"],
        output_names=outputs,
        dynamic_axes={name: {0: "n"} for name in ("crops", *outputs)},
        opset_version=17,
    )


def _pad_within(model: onnx.ModelProto) -> None:
    """Leave zeros around an image to the convolution that follows: by themselves they copy it, and take it
    out of the layout in which convolutions are fast."""
    graph = model.graph
    padded = {node.output[0]: node for node in graph.node if node.op_type == "Pad" and _adds_zeros(node)}
    if not padded:
        return
    # How much is added is worked out by nodes of its own, from numbers that are known.
    shaped = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model))
    for conv in graph.node:
        pad = padded.get(conv.input[0]) if conv.op_type == "Conv" else None
        own = [entry for entry in conv.attribute if entry.name == "pads"]
        if pad is None or not own:
            continue
        worked_out = ReferenceEvaluator(shaped.extract_model([], [pad.input[1]])).run(None, {})
        added = np.ravel(np.asarray(list(worked_out)))
        # Of (N, C, H, W) all that comes before, then all that comes after.
        if len(added) != 8 or added[[0, 1, 4, 5]].any() or added.min() < 0:
            continue
        sides = zip(added[[2, 3, 6, 7]], own[0].ints, strict=True)
        own[0].ints[:] = [int(more) + less for more, less in sides]
        conv.input[0] = pad.input[0]
    _leave_out_unused(graph)


def _adds_zeros(pad: onnx.NodeProto) -> bool:
    modes = [entry.s for entry in pad.attribute if entry.name == "mode"]
    return modes in ([], [b"constant"]) and not any(pad.input[2:])


def _leave_out_unused(graph: onnx.GraphProto) -> None:
    wanted = {output.name for output in graph.output}
    for node in reversed(list(graph.node)):
        if wanted.isdisjoint(node.output):
            graph.node.remove(node)
        else:
            wanted.update(node.input)


@torch.inference_mode()
def _check(network: nn.Module, data: bytes, crops: Tensor) -> None:
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    for batch in (crops, crops[:1]):
        ours = [output.numpy() for output in network(batch)]
        theirs = session.run(None, {"crops": batch.numpy()})
        off = float(np.max([np.abs(a - np.asarray(b)).max() for a, b in zip(ours, theirs, strict=True)]))
        if not off <= PARITY:  # nor where it is no number
            raise ModelError(f"the exported file differs from the network by {off:.2g} in its outputs")
