"""The published weights of MesoNet (Afchar et al., WIFS 2018), from the authors' Keras files, without Keras.

The authors' two networks are those of our zoo, layer by layer: convolutions padded to the same size, ReLU,
batch normalisation with Keras's epsilon of 1e-3, pooling by 2, 2, 2 and 4, a hidden layer with LeakyReLU 0.1.
Their output is the probability of the class `real` (the folders `df` and `real` count as 0 and 1), so the
last layer is negated here: above 0 is fake.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unmask.errors import ModelError
from unmask.evaluation.peers.keras import Layer, read_layers
from unmask.evaluation.peers.network import Described, Fake
from unmask.evaluation.peers.peer import PEERS
from unmask.evaluation.peers.scanned import ScannedPeer, card_of
from unmask.evaluation.peers.wrap import wrap
from unmask.faces.crop import CropSpec
from unmask.options import ScanOptions

if TYPE_CHECKING:
    import onnx
    from torch import nn

    from unmask.zoo.meso import Meso

MAX_BYTES = 4 * 1024**2
"""The authors' files have less than 250 kB, with the state of the optimiser twice as much."""

CROP = CropSpec(size=256, margin=1.0)
"""What the authors' code cuts out is 1.3 × 2.2 times the larger of the eye distance and the eye-to-mouth
distance. On the 10,613 faces that `faces.crop.FACE_PER_SCALE` was measured on, that is 0.97 to 1.08 of what
we call the face's longer side, in the median 1.00."""

BRANCHES = 7
"""Convolutions in an Inception block: one alone, and three pairs."""

BY_DEPTH = (1, 3, 5, 0, 2, 4, 6)
"""The order in which Keras lists them: by depth, so the first ones of the pairs come before all others. Given
as places in the order in which they stand in the network's own code."""

NAMES = {4: "meso4", 16: "mesoinception4"}
"""Convolutions in the file → network of the zoo."""

HINT = (
    "give Meso4_DF.h5, Meso4_F2F.h5, MesoInception_DF.h5 or MesoInception_F2F.h5 of the authors' repository"
)

LIMITS = (
    "the decision on a person is taken from the mean of log-odds, where the authors count frames",
    "which forgeries it was trained on is known from its file's name alone",
)


@PEERS.register("mesonet")
def open_mesonet(path: Path, options: ScanOptions) -> ScannedPeer:
    """The peer whose weights are in the Keras file at `path`.

    Raises:
        ModelError: as `convert`.
        UnmaskError: as `Scanner`.
    """
    return ScannedPeer(convert(path), options)


def convert(path: Path) -> bytes:
    """The model file made of the authors' weights at `path`.

    Raises:
        ModelError: it cannot be read, or does not hold the weights of one of their networks.
    """
    data = _read(path)
    layers = read_layers(data, str(path))
    name = NAMES.get(sum(_is_convolution(layer) for layer in layers), "")
    if not name:
        raise ModelError(f"{path} holds another network than MesoNet's", hint=HINT)
    network = network_of(name, layers, str(path))
    card = card_of(
        path.stem,
        sha256=hashlib.sha256(data).hexdigest(),
        architecture=name,
        description="MesoNet with its authors' weights (Afchar et al., WIFS 2018), as they are.",
        crop=CROP,
        training_data="5,111 forged and 7,250 real faces from web videos, or Face2Face; see the paper",
        licence="Apache-2.0, as the authors' repository",
        limits=LIMITS,
    )
    how = Described(
        planes=True,
        blue_first=False,
        scale=1 / 255,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        fake=Fake.LOGIT,
    )
    return wrap(_to_onnx(network), how, card, str(path))


def network_of(name: str, layers: Sequence[Layer], where: str) -> Meso:
    """The zoo's network `name` with the weights of `layers`, in the order of Keras's file; above 0 is fake.

    Raises:
        ModelError: an array is missing or of another shape; `where` names the file in errors.
    """
    # Not at the top: opening other peers need not wait for torch.
    import torch
    from torch import nn

    from unmask.zoo.meso import Meso

    network = Meso(inception=name == "mesoinception4", size=CROP.size).eval()
    parts = list(network.modules())
    convolutions = [part for part in parts if isinstance(part, nn.Conv2d)]
    norms = [part for part in parts if isinstance(part, nn.BatchNorm2d)]
    linear = [part for part in parts if isinstance(part, nn.Linear)]
    ours = [*_order(convolutions, layers), *norms, *linear]
    theirs = [
        *(layer for layer in layers if _is_convolution(layer)),
        *(layer for layer in layers if "gamma" in layer.weights),
        *(layer for layer in layers if _is_dense(layer)),
    ]
    if len(ours) != len(theirs) or len(theirs) != len(layers):
        raise ModelError(f"{where} holds another network than MesoNet's", hint=HINT)
    for part, layer in zip(ours, theirs, strict=True):
        values = _arranged(layer)
        wanted = {key: tuple(value.shape) for key, value in part.state_dict().items() if value.ndim}
        if wanted != {key: value.shape for key, value in values.items()}:
            raise ModelError(f"{where}: layer {layer.name!r} is of another shape than MesoNet's", hint=HINT)
        if (values.get("running_var", np.zeros(1)) < 0).any():
            raise ModelError(
                f"{where}: layer {layer.name!r} has a negative variance", hint="get the file again"
            )
        part.load_state_dict({key: torch.from_numpy(value) for key, value in values.items()}, strict=False)
    with torch.no_grad():
        for value in linear[-1].parameters():
            value.neg_()
    return network


def _order(convolutions: list[nn.Conv2d], layers: Sequence[Layer]) -> list[nn.Conv2d]:
    """The network's convolutions in the order of the file.

    Keras goes by depth; a file in the order of the code, as other tools write it, is told by its first
    kernel, which then is of a single filter.
    """
    if len(convolutions) == min(NAMES):
        return convolutions
    first = next(layer for layer in layers if _is_convolution(layer))
    if first.weights["kernel"].shape[-1] == convolutions[0].out_channels:
        return convolutions
    blocks = [[convolutions[start + place] for place in BY_DEPTH] for start in (0, BRANCHES)]
    return [*blocks[0], *blocks[1], *convolutions[2 * BRANCHES :]]


def _arranged(layer: Layer) -> dict[str, NDArray[np.float32]]:
    """Keras's arrays, channels last, as torch has them, channels first, by torch's names."""
    given = layer.weights
    if "gamma" in given:
        names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean"}
        names["moving_variance"] = "running_var"
        return {names.get(key, key): value for key, value in given.items()}
    kernel = given["kernel"]
    kernel = kernel.transpose(3, 2, 0, 1) if kernel.ndim == 4 else _channels_first(kernel).T
    others = {key: value for key, value in given.items() if key != "kernel"}
    return others | {"weight": np.ascontiguousarray(kernel)}


def _channels_first(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of the hidden layer's matrix (8 × 8 × 16, 16) from rows, columns, channels to channels, rows,
    columns; other matrices as they are."""
    side, channels = 8, 16
    if len(kernel) != side * side * channels:
        return kernel
    return kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(len(kernel), -1)


def _to_onnx(network: Meso) -> onnx.ModelProto:
    import onnx
    import torch
    from torch import Tensor, nn

    class Scores(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pictures: Tensor) -> Tensor:
            score: Tensor = self.network(pictures)[0]
            return score

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter announces its successor, which needs further packages.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Scores().eval(),
            (torch.zeros(2, 3, CROP.size, CROP.size),),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            input_names=["pictures"],
            output_names=["logit"],
            dynamic_axes={"pictures": {0: "n"}, "logit": {0: "n"}},
            opset_version=17,
        )
    return onnx.load_model_from_string(buffer.getvalue())


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}", hint=HINT) from error
    if len(data) > MAX_BYTES:
        raise ModelError(f"{path} is too large for MesoNet's weights", hint=HINT)
    return data


def _is_convolution(layer: Layer) -> bool:
    return "kernel" in layer.weights and layer.weights["kernel"].ndim == 4


def _is_dense(layer: Layer) -> bool:
    return "kernel" in layer.weights and layer.weights["kernel"].ndim == 2
