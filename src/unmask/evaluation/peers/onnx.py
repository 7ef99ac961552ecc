"""Any detector that is an ONNX network judging single face crops, described by a TOML file beside it."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import onnx
from msgspec import Meta
from onnx import TensorProto
from onnx.external_data_helper import load_external_data_for_model

from unmask.detector.aggregate import AGGREGATIONS
from unmask.errors import ModelError
from unmask.evaluation.peers.network import Described, Fake, first_line
from unmask.evaluation.peers.peer import PEERS
from unmask.evaluation.peers.scanned import ScannedPeer, card_of
from unmask.evaluation.peers.settings import read_settings
from unmask.evaluation.peers.wrap import all_graphs, wrap
from unmask.faces.crop import CropSpec
from unmask.options import ScanOptions

NOT_STATED = "not stated"


class OnnxSettings(msgspec.Struct, frozen=True):
    """A network as its TOML file describes it; docs/peers.md says what each key means.

    Nothing that changes a figure has a default. `size` is in pixels, `margin` in sides of the face's box;
    `mean` and `std` are in the order of `colour`, after `scale`. `model` is taken from the file's own folder.
    """

    name: Annotated[str, Meta(min_length=1)]
    model: Annotated[str, Meta(min_length=1)]
    size: Annotated[int, Meta(ge=8, le=2048)]
    margin: Annotated[float, Meta(ge=0.5, le=5)]
    layout: Literal["nchw", "nhwc"]
    colour: Literal["rgb", "bgr"]
    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fake: Literal["probability", "logit", "probability_of_real"] | int
    softmax: bool | None = None
    sha256: str = ""
    input: str = ""
    output: str = ""
    aggregation: str = "mean"
    licence: str = NOT_STATED
    url: str = NOT_STATED


@PEERS.register("onnx")
def open_onnx(path: Path, options: ScanOptions) -> ScannedPeer:
    """The peer that the TOML file at `path` describes.

    Raises:
        ModelError: as `convert`.
        UnmaskError: as `Scanner`.
    """
    return ScannedPeer(convert(path), options)


def convert(path: Path) -> bytes:
    """The model file made of the network that the TOML file at `path` describes.

    Raises:
        ModelError: the description is wrong in itself or for the network, the network cannot be read, is not
            the one of `sha256`, keeps its weights outside the description's folder, or cannot be wrapped.
        UnmaskError: there is no such aggregation.
    """
    told = read_settings(path, OnnxSettings)
    how = _described(path, told)
    AGGREGATIONS[told.aggregation]
    network, sha256 = _read(path, told)
    card = card_of(
        told.name,
        sha256=sha256,
        architecture=f"{Path(told.model).name}, as it came",
        description=f"A detector of others, wrapped as it is. Where from: {told.url}.",
        crop=CropSpec(told.size, told.margin),
        training_data="see where it comes from",
        licence=told.licence,
        aggregation=told.aggregation,
    )
    return wrap(network, how, card, str(path.parent / told.model))


def _described(path: Path, told: OnnxSettings) -> Described:
    numbers = (told.scale, *told.mean, *told.std)
    if not all(map(math.isfinite, numbers)) or told.scale == 0 or min(told.std) <= 0:
        raise ModelError(
            f"{path}: scale, mean and std do not make a number of a pixel",
            hint="std must be above 0 and scale not 0; without any change they are 1, zeros and ones",
        )
    if isinstance(told.fake, int) != (told.softmax is not None):
        raise ModelError(
            f"{path}: softmax goes with fake as the index of a class, and with nothing else",
            hint="true where the outputs are scores before the softmax, false where they add up to 1",
        )
    return Described(
        planes=told.layout == "nchw",
        blue_first=told.colour == "bgr",
        scale=told.scale,
        mean=told.mean,
        std=told.std,
        fake=told.fake if isinstance(told.fake, int) else Fake(told.fake),
        softmax=bool(told.softmax),
        input=told.input,
        output=told.output,
    )


def _read(path: Path, told: OnnxSettings) -> tuple[onnx.ModelProto, str]:
    """The network with all its weights, and the hash of its file."""
    file = path.parent / told.model
    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{file} cannot be read: {error.strerror}", hint=f"model in {path} is taken from its own folder"
        ) from error
    sha256 = hashlib.sha256(data).hexdigest()
    if told.sha256 and told.sha256.lower() != sha256:
        raise ModelError(
            f"{file} is not the file that {path} speaks of: its SHA-256 is {sha256}",
            hint="get the file again, or take sha256 out if another one is meant",
        )
    try:
        network = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own classes share no other base
        raise ModelError(f"{file} is not an ONNX network", hint="give a .onnx file") from error
    _load_weights_beside(network, file, path.parent)
    return network, sha256


def _load_weights_beside(network: onnx.ModelProto, file: Path, folder: Path) -> None:
    """Take in weights that lie in files of their own. A network must not make us read any other file."""
    places = [
        Path(entry.value)
        for tensor in _tensors(network)
        if tensor.data_location == TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    ]
    inside = folder.resolve()
    for place in dict.fromkeys(places):
        if not (file.parent / place).resolve().is_relative_to(inside):
            raise ModelError(
                f"{file} keeps weights in {str(place)!r}, outside the folder of its description",
                hint="put all its files into one folder",
            )
    if places:
        try:
            load_external_data_for_model(network, str(file.parent))
        except Exception as error:  # onnx raises its own checker's errors, ValueError and OSError
            raise ModelError(
                f"the weights of {file} cannot be read: {first_line(error)}",
                hint="put the files it came with beside it",
            ) from error
    # onnxruntime would look for such a file wherever the program happens to run.
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in _tensors(network)):
        raise ModelError(f"{file} keeps weights outside of it where they cannot be read")


def _tensors(network: onnx.ModelProto) -> list[onnx.TensorProto]:
    graphs = [graph for part in (network.graph, *network.functions) for graph in all_graphs(part)]
    nodes = [node for part in (*graphs, *network.functions) for node in part.node]
    sparse = [entry for graph in graphs for entry in graph.sparse_initializer]
    return [
        *(tensor for graph in graphs for tensor in graph.initializer),
        *(tensor for entry in sparse for tensor in (entry.values, entry.indices)),
        *(tensor for node in nodes for a in node.attribute for tensor in (a.t, *a.tensors)),
    ]
