"""A recipe: one YAML file with everything to make a model again, checked before anything runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from unmask.errors import DataError
from unmask.faces.crop import CropSpec
from unmask.keys import refuse_unknown_keys
from unmask.training.distil import Distil
from unmask.training.samples import Mix
from unmask.zoo.own_start import OwnStart

Positive = Annotated[int, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
NotNegative = Annotated[float, Meta(ge=0)]


@dataclass(frozen=True)
class Optimizer:
    """How weights move. `sam` is AdamW within sharpness-aware minimisation (Foret et al., ICLR 2021),
    which takes two passes a step and looks `radius` away; `momentum` is for `sgd` alone."""

    kind: Literal["adam", "adamw", "sgd", "sam"] = "adamw"
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    radius: Annotated[float, Meta(gt=0)] = 0.05


@dataclass(frozen=True)
class Regularise:
    """Terms added to the loss: `l1_kernel` × the sum of |w| over kernels of convolutions and linear layers,
    `l2_activity` × the sum of squared outputs of those layers, mean over the batch."""

    l1_kernel: NotNegative = 0.0
    l2_activity: NotNegative = 0.0


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    The length is `steps` updates of `batch` crops or, where `epochs` is given, that many times the training
    crops. The rate warms up over `warm_up` steps, then follows `decay`: a cosine to zero, a tenth at a half
    and at three quarters of the way (`step`), or as it is (`constant`). `average` is the decay of the moving
    average of the weights that is validated and exported; 0 exports the weights themselves. Weights are
    chosen by `validate_each` crops of every recording, spread evenly (0: by all); calibrated on all.
    `patience` validations without a better one stop the training; 0 never does. `clip` bounds the gradient's
    norm. `compile` has torch write code for the network first: it takes a minute and a C++ compiler, and pays
    for long trainings of transformers.
    """

    steps: Positive = 3000
    epochs: Annotated[float, Meta(ge=0)] = 0.0
    batch: Positive = 32
    rate: Annotated[float, Meta(gt=0)] = 6e-4
    decay: Literal["cosine", "step", "constant"] = "cosine"
    weight_decay: NotNegative = 0.02
    warm_up: Annotated[int, Meta(ge=0)] = 150
    average: Annotated[float, Meta(ge=0, lt=1)] = 0.997
    label_smoothing: Annotated[float, Meta(ge=0, lt=0.5)] = 0.05
    validate_every: Positive = 500
    validate_each: Annotated[int, Meta(ge=0)] = 0
    patience: Annotated[int, Meta(ge=0)] = 0
    clip: Annotated[float, Meta(gt=0)] = 5.0
    bfloat16: bool = True
    compile: bool = False

    def length(self, crops: int) -> int:
        """Steps in all, for this many training crops."""
        return max(1, round(self.epochs * crops / self.batch)) if self.epochs else self.steps


@dataclass(frozen=True)
class Protocol:
    """Which crops train and which judge.

    `split` is `given` (the manifest's own, disjoint by source) or `random-frames`: `share` of all crops drawn
    for `val` one by one, whatever recording they come from. That is how many published figures came about;
    it lets a network recognise recordings, so a model made this way says so in its limits. `kinds` keeps only
    crops of these kinds. `file` is an evaluation protocol (docs/protocols.md), relative to the recipe: what
    it calls test may neither train nor choose.
    """

    split: Literal["given", "random-frames"] = "given"
    share: Annotated[float, Meta(gt=0, lt=1)] = 0.2
    kinds: tuple[Literal["photo", "frame"], ...] = ("photo", "frame")
    file: str = ""


@dataclass(frozen=True)
class Recipe:
    """All that decides what comes out of a training.

    `patch_dropout` is the share of its patches that a transformer does not see of a picture while it trains,
    but for the last steps, a share `whole` of all: a network that never saw a whole picture is off by a
    little where it does (Li et al., FLIP, CVPR 2023). `keep` is the share of the weights it started from in
    those that are exported: between the two lies what does better elsewhere than either (Wortsman et al.,
    Robust fine-tuning of zero-shot models, CVPR 2022). `soup` are whole weights of other runs of the same
    network that go back to the same public ones; what is exported is the plain mean of these, after `keep`,
    and each of those (Wortsman et al., Model soups, ICML 2022).
    """

    name: str
    network: str
    description: str
    licence: str
    limits: tuple[str, ...]
    start: str | OwnStart = "imagenet"
    dropout: Annotated[float, Meta(ge=0, lt=1)] | None = None
    patch_dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    whole: Share = 0.0
    keep: Share = 0.0
    soup: tuple[OwnStart, ...] = ()
    seed: int = 0
    crop: CropSpec = field(default_factory=CropSpec)
    mix: Mix = field(default_factory=Mix)
    schedule: Schedule = field(default_factory=Schedule)
    optimizer: Optimizer = field(default_factory=Optimizer)
    regularise: Regularise = field(default_factory=Regularise)
    protocol: Protocol = field(default_factory=Protocol)
    distil: Distil | None = None


def read_recipe(path: Path) -> Recipe:
    """The recipe in a YAML file.

    Raises:
        DataError: not readable, not YAML, an unknown key, or a value of the wrong type or range.
    """
    try:
        return parse_recipe(msgspec.yaml.decode(path.read_bytes()))
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(f"recipe {path}: {error}", hint="recipes/ holds working examples") from error
    except DataError as error:
        raise DataError(f"recipe {path}: {error.message}", hint=error.hint) from error


def parse_recipe(document: object) -> Recipe:
    """The recipe in a decoded YAML document.

    Raises:
        DataError: an unknown key.
        msgspec.ValidationError: a value of the wrong type or range.
    """
    refuse_unknown_keys(document, Recipe)
    return msgspec.convert(document, Recipe)
