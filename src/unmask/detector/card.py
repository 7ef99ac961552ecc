"""The card inside every model file: all that is needed to use the model honestly."""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from unmask.errors import ModelError
from unmask.faces.crop import CropSpec
from unmask.types import Band, OperatingPoint

CARD_KEY = "unmask.card"
"""The ONNX metadata property that holds the card as JSON."""

CARD_FORMAT = "unmask-model/1"

Logit = float


@dataclass(frozen=True)
class Calibration:
    """Platt scaling (1999): P(fake) = sigmoid(scale × score + offset), fitted on the validation split."""

    scale: float
    offset: float

    def logit(self, score: float) -> Logit:
        """The calibrated log-odds of a raw score."""
        return self.scale * score + self.offset


@dataclass(frozen=True)
class Figure:
    """One measured quality: AUC with its 95 % interval on a named set at a level (photo, recording, …)."""

    on: str
    level: str
    auc: float
    low: float
    high: float
    units: int


@dataclass(frozen=True)
class ModelCard:
    """What a model file says of itself. Its input is `crops`, uint8 RGB (N, S, S, 3) as `crop` says;
    normalisation lies within the network. Its outputs are `score` (N,) and, where there is one, `evidence`
    (N, h, w), whose mean is the score."""

    name: str
    version: str
    architecture: str
    description: str
    crop: CropSpec
    aggregation: str
    calibration: Calibration
    band: Band
    operating_points: tuple[OperatingPoint, ...]
    figures: tuple[Figure, ...]
    training_data: str
    limits: tuple[str, ...]
    licence: str
    seed: int
    recipe_sha256: str
    format: str = CARD_FORMAT


def parse_card(text: str | None, where: str) -> ModelCard:
    """The card from a model file's metadata; `where` names the file in errors.

    Raises:
        ModelError: there is no card, it is of another format, or a field is missing or of the wrong type.
    """
    if not text:
        raise ModelError(
            f"{where} is an ONNX file, but has no unmask card in it",
            hint="export it with `unmask train`, which writes the card",
        )
    try:
        card = msgspec.json.decode(text, type=ModelCard)
    except msgspec.MsgspecError as error:
        raise ModelError(f"the card in {where} cannot be read: {error}") from error
    if card.format != CARD_FORMAT:
        raise ModelError(
            f"{where} has a card of format {card.format!r}, this version reads {CARD_FORMAT!r}",
            hint="update unmask",
        )
    return card


def probability(logit: Logit) -> float:
    """The logistic function, without overflow."""
    return 1 / (1 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1 + math.exp(logit))
