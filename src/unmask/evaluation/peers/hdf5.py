"""What is in an HDF5 file of Keras 2.

Such a file holds a group per layer, named in the attribute `layer_names` in the order in which Keras loads
them; each group names its arrays in `weight_names`. A whole model has the same within `model_weights`.
"""

from __future__ import annotations

import io
import math

import h5py  # type: ignore[import-untyped]
import numpy as np

from unmask.errors import ModelError
from unmask.evaluation.peers.keras import Layer, Weights

MAX_VALUES = 1_000_000
"""Numbers in one array: the largest of the networks read here has 16 thousand."""

MAX_LAYERS = 256
MAX_WEIGHTS = 8


def layers_in(data: bytes) -> list[Layer]:
    """The layers of the HDF5 file `data` that have weights, in the file's order. A damaged file may hang or
    crash the process: call it in one apart, as `keras.read_layers` does.

    Raises:
        ModelError: as `keras.read_layers`.
    """
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            whole = file.get("model_weights", getlink=True) is not None
            root = _child(file, "model_weights", h5py.Group) if whole else file
            if "layer_names" not in root.attrs:
                raise ModelError(
                    "it is an HDF5 file, but not one that Keras 2 writes weights to",
                    hint="a file written by Keras 3 is of another layout: save the weights with Keras 2",
                )
            layers = [_layer(root, name) for name in _names(root, "layer_names", MAX_LAYERS)]
    # What h5py raises for a damaged file depends on where the damage is.
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError) as error:
        raise ModelError("it cannot be read as an HDF5 file of Keras", hint="get the file again") from error
    return [layer for layer in layers if layer.weights]


def _layer(root: h5py.Group, name: str) -> Layer:
    group = _child(root, name, h5py.Group)
    weights: dict[str, Weights] = {}
    for path in _names(group, "weight_names", MAX_WEIGHTS):
        weights[path.rsplit("/", 1)[-1].split(":", 1)[0]] = _array(group, path)
    return Layer(name, weights)


def _array(group: h5py.Group, path: str) -> Weights:
    dataset = _child(group, path, h5py.Dataset)
    if dataset.external or dataset.is_virtual:
        raise ModelError(f"the weights {path!r} lie in another file")
    # Before anything is read: a few compressed bytes can claim to be gigabytes.
    if math.prod(dataset.shape) > MAX_VALUES:
        raise ModelError(f"the weights {path!r} are too many for such a network")
    if dataset.dtype.kind != "f":
        raise ModelError(f"the weights {path!r} are not floating-point numbers")
    values = np.asarray(dataset[()], dtype=np.float32)
    if not np.isfinite(values).all():
        raise ModelError(f"the weights {path!r} are not all numbers")
    return values


def _child(group: h5py.Group, path: str, kind: type) -> h5py.Group:
    """What is at `path` below `group`, step by step: any of the steps could lead to another file."""
    child = group
    for name in path.split("/"):
        link = child.get(name, getlink=True) if isinstance(child, h5py.Group) else None
        if link is None:
            raise ModelError(f"there is no {path!r} in it, though it says so")
        if not isinstance(link, h5py.HardLink):
            raise ModelError(f"{path!r} is a link to elsewhere")
        child = child[name]
    if not isinstance(child, kind):
        raise ModelError(f"{path!r} is not a {kind.__name__.lower()}")
    return child


def _names(group: h5py.Group, attribute: str, most: int) -> list[str]:
    values = np.asarray(group.attrs[attribute]).ravel()
    if len(values) > most:
        raise ModelError(f"it names {len(values)} {attribute.replace('_', ' ')}, too many for such a network")
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]
