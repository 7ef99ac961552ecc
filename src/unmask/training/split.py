"""Which samples train and which judge, by a recipe's protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unmask.data.corpus import Sample
from unmask.errors import DataError
from unmask.training.recipe import Protocol

RANDOM_FRAMES_LIMIT = (
    "Its figures come from a random split over frames: frames of one recording lie on both sides, so they "
    "say how well it knows its recordings again, not how well it tells forgeries."
)
"""What a model made under `random-frames` says of itself."""


def apply_protocol(samples: Sequence[Sample], protocol: Protocol, seed: int) -> list[Sample]:
    """The samples with the split the protocol gives them.

    Raises:
        DataError: none is left.
    """
    kept = [s for s in samples if s.kind in protocol.kinds]
    if not kept:
        raise DataError(
            f"no sample is of kind {' or '.join(protocol.kinds)}", hint="change protocol.kinds in the recipe"
        )
    if protocol.split == "given":
        return kept
    pool = [s for s in kept if s.split in ("train", "val")]
    order = np.random.default_rng(seed).permutation(len(pool))
    chosen = set(order[: round(protocol.share * len(pool))].tolist())
    return [replace(s, split="val" if i in chosen else "train") for i, s in enumerate(pool)]
