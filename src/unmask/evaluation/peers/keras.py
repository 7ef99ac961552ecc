"""Read the weights in an HDF5 file of Keras 2, layer by layer, without Keras.

The HDF5 library can hang or crash on a damaged file, where no exception helps: it runs in a process apart.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from unmask.errors import ModelError

SECONDS = 30.0
"""Time to read a file in, most of it for starting a process: the reading itself takes milliseconds."""

Weights = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer: `weights` by their short names, such as `kernel` and `bias`, channels last as Keras has
    them; empty where it has none."""

    name: str
    weights: dict[str, Weights]


class _Sent(msgspec.Struct, frozen=True):
    """A layer on its way between processes: shape and little-endian float32 values of each array."""

    name: str
    weights: dict[str, tuple[tuple[int, ...], bytes]]


class _Answer(msgspec.Struct, frozen=True):
    """What the process apart says: layers, or why there are none."""

    layers: list[_Sent] = []
    error: str = ""
    hint: str = ""


def read_layers(data: bytes, where: str) -> list[Layer]:
    """The layers of the HDF5 file `data` that have weights, in the file's order; `where` names it in errors.

    Nothing outside the file is followed, and no more is read than weights of small networks need.

    Raises:
        ModelError: it is not such a file, or an array is too large or not of finite floating-point numbers.
    """
    program = f"from {__name__} import answer; answer()"
    # The child must find the packages that we found, wherever they came from.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    damaged = ModelError(
        f"{where} is damaged: the HDF5 library cannot cope with it", hint="get the file again"
    )
    try:
        child = subprocess.run(
            [sys.executable, "-c", program],
            input=data,
            capture_output=True,
            env=environment,
            timeout=SECONDS,
            check=False,
        )
        answer = msgspec.msgpack.decode(child.stdout, type=_Answer)
    except (subprocess.TimeoutExpired, msgspec.MsgspecError) as error:
        raise damaged from error
    if answer.error:
        raise ModelError(f"{where}: {answer.error}", hint=answer.hint)
    return [
        Layer(
            sent.name,
            {
                name: np.frombuffer(values, "<f4").reshape(shape).astype(np.float32)
                for name, (shape, values) in sent.weights.items()
            },
        )
        for sent in answer.layers
    ]


def answer() -> None:
    """In the process apart: the layers of the file on standard input, or why there are none, on standard
    output."""
    try:
        from unmask.evaluation.peers.hdf5 import layers_in

        layers = layers_in(sys.stdin.buffer.read())
        told = _Answer([_Sent(layer.name, _packed(layer)) for layer in layers])
    except ModelError as error:
        told = _Answer(error=error.message, hint=error.hint)
    except ImportError as error:
        told = _Answer(error=f"reading it needs another package: {error}", hint="pip install 'unmask[lab]'")
    sys.stdout.buffer.write(msgspec.msgpack.encode(told))


def _packed(layer: Layer) -> dict[str, tuple[tuple[int, ...], bytes]]:
    return {name: (value.shape, value.astype("<f4").tobytes()) for name, value in layer.weights.items()}
