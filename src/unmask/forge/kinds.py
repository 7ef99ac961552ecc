"""The kinds of pseudo-fakes by name: how each is made, whose face it needs, and its honest twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

import numpy as np

from unmask.forge.decoder import decoder
from unmask.forge.forged import Donor, Forged, Image
from unmask.forge.inside import recompress
from unmask.forge.parts import parts
from unmask.forge.selfblend import self_blend
from unmask.forge.swap import swap
from unmask.forge.twin import decoder_twin, look_twin, parts_twin, treated_twin
from unmask.registry import Registry
from unmask.types import Landmarks

Lender = Literal["nobody", "another", "anybody"]
"""Whose face a kind needs besides: none, another person's, or if there is one another's or the own at another
moment."""


class Make(Protocol):
    """Forges a face; a donor is given where the kind asks for one and there is one."""

    def __call__(
        self, image: Image, landmarks: Landmarks, rng: np.random.Generator, donor: Donor | None
    ) -> Forged: ...


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind is made, whose face it borrows, and how its twin is."""

    make: Make
    lender: Lender
    twin: Callable[[Image, Landmarks, np.random.Generator], Image]


KINDS: Registry[Kind] = Registry("kind of pseudo-fake")


def _alone(forge: Callable[[Image, Landmarks, np.random.Generator], Forged]) -> Make:
    """`forge` needs no donor."""
    return lambda image, landmarks, rng, _donor: forge(image, landmarks, rng)


def _swap(
    image: Image, landmarks: Landmarks, rng: np.random.Generator, donor: Donor | None, *, drawn: bool = False
) -> Forged:
    # Where nobody else is in the corpus, half of a swap is still there: the blend, or what drew the face.
    if donor is None:
        return (decoder if drawn else self_blend)(image, landmarks, rng)
    return swap(image, landmarks, rng, donor, drawn=drawn)


KINDS.register("self_blend")(Kind(_alone(self_blend), "nobody", look_twin))
KINDS.register("swap")(Kind(_swap, "another", look_twin))
KINDS.register("parts")(Kind(parts, "anybody", parts_twin))
KINDS.register("drawn_swap")(Kind(partial(_swap, drawn=True), "another", decoder_twin))
KINDS.register("drawn_parts")(Kind(partial(parts, drawn=True), "anybody", decoder_twin))
KINDS.register("decoder")(Kind(_alone(decoder), "nobody", decoder_twin))
KINDS.register("recompress")(Kind(_alone(recompress), "nobody", treated_twin))
