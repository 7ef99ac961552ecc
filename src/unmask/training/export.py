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


@torch.inference_mode()
def _check(network: nn.Module, data: bytes, crops: Tensor) -> None:
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    for batch in (crops, crops[:1]):
        ours = [output.numpy() for output in network(batch)]
        theirs = session.run(None, {"crops": batch.numpy()})
        off = float(np.max([np.abs(a - np.asarray(b)).max() for a, b in zip(ours, theirs, strict=True)]))
        if not off <= PARITY:  # nor where it is no number
            raise ModelError(f"the exported file differs from the network by {off:.2g} in its outputs")
