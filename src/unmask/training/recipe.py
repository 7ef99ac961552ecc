"""A recipe: one YAML file with everything to make a model again, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from unmask.errors import DataError
from unmask.faces.crop import CropSpec
from unmask.training.samples import Mix

Positive = Annotated[int, Meta(gt=0)]


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: `steps` updates of `batch` crops, AdamW, warm-up, then a cosine to zero.

    `average` is the decay of the moving average of the weights that is validated and exported.
    """

    steps: Positive = 3000
    batch: Positive = 32
    rate: Annotated[float, Meta(gt=0)] = 6e-4
    weight_decay: Annotated[float, Meta(ge=0)] = 0.02
    warm_up: Annotated[int, Meta(ge=0)] = 150
    average: Annotated[float, Meta(ge=0, lt=1)] = 0.997
    label_smoothing: Annotated[float, Meta(ge=0, lt=0.5)] = 0.05
    validate_every: Positive = 500
    bfloat16: bool = True


@dataclass(frozen=True)
class Recipe:
    """All that decides what comes out of a training."""

    name: str
    network: str
    description: str
    licence: str
    limits: tuple[str, ...]
    start: str = "imagenet"
    seed: int = 0
    crop: CropSpec = field(default_factory=CropSpec)
    mix: Mix = field(default_factory=Mix)
    schedule: Schedule = field(default_factory=Schedule)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a YAML file.

    Raises:
        DataError: not readable, not YAML, an unknown key, or a value of the wrong type or range.
    """
    try:
        document = msgspec.yaml.decode(path.read_bytes())
        _refuse_unknown_keys(document, Recipe)
        return msgspec.convert(document, Recipe)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(f"recipe {path}: {error}", hint="recipes/ holds working examples") from error


def _refuse_unknown_keys(document: object, kind: type, where: str = "") -> None:
    # msgspec ignores keys that a dataclass does not have; in a recipe such a key is a misspelt setting.
    if not isinstance(document, dict):
        return
    fields = {entry.name: entry.type for entry in msgspec.inspect.type_info(kind).fields}  # type: ignore[attr-defined]
    for key, value in document.items():
        if key not in fields:
            raise DataError(f"unknown key {where}{key!r}", hint=f"known: {', '.join(fields)}")
        nested = getattr(fields[key], "cls", None)
        if nested is not None:
            _refuse_unknown_keys(value, nested, f"{where}{key}.")
