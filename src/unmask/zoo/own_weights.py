"""Weights of one's own from disk or a model hub: known by SHA-256, never run as code."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from unmask.errors import ModelError
from unmask.zoo.own_start import OwnStart

WITHIN = ("state_dict", "model_state_dict", "model", "network")
"""Keys under which training programs keep the weights in their files."""

PREFIXES = ("module.", "model.", "network.", "backbone.")
"""What wrappers put before every name."""

HEAD = "classifier."
"""What every network of the zoo calls its judging layers."""


def load_own(network: nn.Module, start: OwnStart) -> dict[str, Tensor]:
    """The state dict in the file that `start` names, by names that `network` may know.

    Raises:
        ModelError: the file cannot be had, is another one, or holds no plain weights.
    """
    return _without_prefix(_read(own_path(start)), network)


def own_path(start: OwnStart) -> Path:
    """The file that `start` names, fetched there if need be.

    Raises:
        ModelError: it cannot be had, or is another one.
    """
    path = _fetched(start) if start.hub else Path(start.file)
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(
            f"the weights {path} cannot be read: {error.strerror}",
            hint="the recipe names it by a path from the current folder",
        ) from error
    if digest != start.sha256.lower():
        raise ModelError(
            f"{path.name} has SHA-256 {digest}, not {start.sha256.lower()}",
            hint="it is another file than the recipe was written for",
        )
    return path


def place(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Load everything but the head of `network` from `state`.

    Names are the network's own; where they are not, entries are taken in their order, if each has the kind
    and the shape of its counterpart.

    Raises:
        ValueError: `state` does not fit.
    """
    wanted = {name: value for name, value in network.state_dict().items() if not name.startswith(HEAD)}
    if not set(wanted) <= set(state):
        state = _in_order(wanted, state)
    for name, value in wanted.items():
        if state[name].shape != value.shape:
            raise ValueError(f"{name} is {tuple(state[name].shape)}, not {tuple(value.shape)}")
    network.load_state_dict({name: state[name] for name in wanted}, strict=False)


def _in_order(wanted: dict[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The entries of `state` under the names in `wanted`; what follows the last is another head."""
    pairs = list(zip(wanted.items(), state.items(), strict=False))
    for (name, value), (other, given) in pairs:
        if name.rsplit(".", 1)[-1] != other.rsplit(".", 1)[-1] or value.shape != given.shape:
            raise ValueError(
                f"{other} {tuple(given.shape)} stands where {name} {tuple(value.shape)} is expected"
            )
    if len(pairs) < len(wanted):
        raise ValueError(f"{len(state)} entries where {len(wanted)} are needed")
    return {name: given for (name, _), (_, given) in pairs}


def _fetched(start: OwnStart) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(hf_hub_download(start.hub, start.file, revision=start.revision))
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        said = str(error).strip().splitlines()
        raise ModelError(
            f"{start.file} cannot be fetched from {start.hub}: {said[0] if said else type(error).__name__}",
            hint="fetch it by other means and give its path as start.file, without start.hub",
        ) from error


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            found: object = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError, SafetensorError) as error:
        raise ModelError(
            f"{path.name} holds no plain weights: {str(error).splitlines()[0]}",
            hint="save a state_dict, best as .safetensors; files that run code when loaded are refused",
        ) from error
    for key in WITHIN:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found or not all(isinstance(v, Tensor) for v in found.values()):
        raise ModelError(f"{path.name} holds no state dict", hint="save network.state_dict()")
    return found


def _without_prefix(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """`state` without what a wrapper put before every name, unless the network's own names begin so."""
    own = tuple(network.state_dict())
    for prefix in PREFIXES:
        shared = all(name.startswith(prefix) for name in state)
        if shared and not any(name.startswith(prefix) for name in own):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state
