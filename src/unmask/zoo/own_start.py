"""How a recipe names weights of one's own to start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

Digest = Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]


@dataclass(frozen=True)
class OwnStart:
    """Weights that are not among those the zoo knows.

    `file` holds a state dict, or is a model that was exported (`.onnx`; see `zoo.unfold`). It is a path from
    the current folder or, with `hub`, a file's name in that repository of the Hugging
    Face hub at `revision`. `sha256` is the file's digest; another file is refused. `model` is the model that
    was exported from them, where it was trained here: what it has seen is told of what comes of it, too.
    """

    file: str
    sha256: Digest
    hub: str = ""
    revision: str = "main"
    model: str = ""
