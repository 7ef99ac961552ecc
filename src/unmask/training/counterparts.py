"""For a forgery the real face to set against it: of the same recording, else of the same data set, else of
the same kind of medium."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from unmask.data.sample import Sample

FRAME = "frame"


class Counterparts:
    """Finds the counterparts among real samples; within what is found, sources are drawn evenly."""

    def __init__(self, reals: Sequence[Sample]) -> None:
        found: dict[tuple[str, ...], dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
        for sample in reals:
            for key in _keys(sample):
                found[key][sample.source].append(sample)
        self._sources = {key: list(of.values()) for key, of in found.items()}

    def of(self, fake: Sample, rng: np.random.Generator) -> Sample | None:
        """A real sample to set against `fake`; None where there is none of its kind."""
        for key in _keys(fake):
            if key in self._sources:
                sources = self._sources[key]
                crops = sources[rng.integers(len(sources))]
                return crops[rng.integers(len(crops))]
        return None


def _keys(sample: Sample) -> list[tuple[str, ...]]:
    """From near to far. A data set of photos is no company: what its forgeries were made of is mostly
    unknown, and the two halves of a set may differ in format and size."""
    if sample.kind != FRAME:
        return [(sample.kind,)]
    return [(FRAME, sample.dataset, sample.source), (FRAME, sample.dataset), (FRAME,)]
