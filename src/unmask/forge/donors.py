"""Look-alikes: which other face lends itself to a swap, judged by its landmarks alone.

After the nearest-landmark search of Face X-ray (Li et al., CVPR 2020): of some random faces of other
recordings the one whose landmarks, in the face's own frame, lie nearest, in the mirror if need be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.data.sample import Sample
from unmask.faces.crop import face_frame
from unmask.forge.forged import mirrored
from unmask.types import Landmarks

AMONG = 100
"""Random candidates of which the nearest is taken: fewer fit badly, more always give the same few."""


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A sample to take a face from, mirrored or as it is, and how far its landmarks are from those wanted:
    the root of the mean square, in units of the face scale."""

    sample: Sample
    mirrored: bool
    distance: float


class Donors:
    """Finds look-alikes among `samples` without reading pictures. Sources are drawn evenly, then crops."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = sorted(samples, key=lambda s: s.source)
        straight = [describe(s.landmarks) for s in self.samples]
        across = [describe(mirrored(s.landmarks, 0)) for s in self.samples]
        self._descriptors = np.array([straight, across], np.float32)
        names, self._starts, self._counts = np.unique(
            np.array([s.source for s in self.samples], dtype=np.str_), return_index=True, return_counts=True
        )
        self._numbers = {str(name): number for number, name in enumerate(names)}

    def look_alike(self, sample: Sample, rng: np.random.Generator, among: int = AMONG) -> LookAlike | None:
        """The nearest of `among` random faces of other sources and, as far as is known, other persons; None
        where there is none."""
        sources = rng.integers(len(self._starts), size=among)
        crops = self._starts[sources] + (rng.random(among) * self._counts[sources]).astype(np.int64)
        other = np.array([self._may_lend(self.samples[crop], sample) for crop in crops])
        return self._nearest(sample, crops[other])

    def other_moment(self, sample: Sample, rng: np.random.Generator) -> LookAlike | None:
        """Another crop of the same source, unmirrored; None where there is none."""
        number = self._numbers.get(sample.source)
        if number is None or self._counts[number] < 2:
            return None
        crops = self._starts[number] + rng.permutation(self._counts[number])[:8]
        others = [crop for crop in crops if self.samples[crop].path != sample.path]
        return self._nearest(sample, np.array(others[:3], np.int64), mirrors=1)

    def _may_lend(self, one: Sample, sample: Sample) -> bool:
        same_person = bool(one.identity) and one.identity == sample.identity
        return one.source != sample.source and not same_person

    def _nearest(self, sample: Sample, crops: NDArray[np.int64], mirrors: int = 2) -> LookAlike | None:
        if not crops.size:
            return None
        away = self._descriptors[:mirrors, crops] - describe(sample.landmarks)
        distances = np.sqrt((away**2).mean(axis=2))
        mirror, place = np.unravel_index(int(distances.argmin()), distances.shape)
        return LookAlike(self.samples[crops[place]], bool(mirror), float(distances[mirror, place]))


def describe(landmarks: Landmarks) -> NDArray[np.float32]:
    """The landmarks (10,) in the face's own frame, in units of its scale: alike whatever the face's place,
    size and tilt in the picture."""
    frame = face_frame(landmarks)
    away = (np.array(landmarks) - np.array(frame.origin)) / frame.scale
    return np.asarray(np.concatenate([away @ np.array(frame.right), away @ np.array(frame.down)]), np.float32)
