"""What every degradation is, and the one table that names them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from unmask.errors import UnmaskError
from unmask.evaluation.degrade.encode import Step
from unmask.registry import Registry
from unmask.types import Face, Frame

SEVERITIES = (1, 2, 3, 4, 5)
"""1 is what any platform does to a file; at 5 the face is just still recognisable."""

Medium = Literal["image", "video"]
Image = NDArray[np.uint8]
"""RGB (H, W, 3)."""
Size = tuple[int, int]
"""(width, height) in pixels."""


class Degradation(ABC):
    """One way to degrade, at one severity of `SEVERITIES`; one object serves one file.

    `seed` stands for the file's content: what is random is drawn from it, so that the same file is degraded
    in the same way every time.
    """

    media: ClassVar[frozenset[Medium]] = frozenset()
    """What it can be done to; empty where not files but found faces are disturbed."""
    unit: ClassVar[str]
    """What the numbers of `levels` are."""
    levels: ClassVar[Sequence[object]]
    """The five severities in that unit, mild to strong."""

    def __init__(self, severity: int, seed: int) -> None:
        if severity not in SEVERITIES:
            raise UnmaskError(
                f"there is no severity {severity}", hint=f"choose one of: {', '.join(map(str, SEVERITIES))}"
            )
        self.at = severity - 1
        """The place of the severity in `levels`."""
        self.seed = seed


class FileDegradation(Degradation):
    """What is done to a file."""

    @abstractmethod
    def steps(self, size: Size) -> list[Step]:
        """What is done to a video of this size: one encoding per step."""


class PictureDegradation(FileDegradation):
    """What is done to each picture by itself, in stills and in the frames of a video alike."""

    media = frozenset(("image", "video"))

    @abstractmethod
    def picture(self, frame: Frame) -> Image:
        """The degraded picture, of the same size; a still is the frame 0."""

    def steps(self, size: Size) -> list[Step]:
        """Every frame is degraded and the video encoded again with so little loss that it hardly adds any."""
        return [Step(self._frames)]

    def _frames(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        return (replace(frame, image=self.picture(frame)) for frame in frames)


class FaceDegradation(Degradation):
    """What is done to the faces that were found, before they are cut out."""

    @abstractmethod
    def disturb(self, face: Face, random: np.random.Generator) -> Face:
        """The same face with its box and landmarks moved."""


DEGRADATIONS: Registry[type[Degradation]] = Registry("degradation")
"""Name → degradation."""


def applies_to(kind: str) -> frozenset[Medium]:
    """What the degradation can be done to; empty for those of found faces (see `NoisyFinder`).

    Raises:
        UnmaskError: there is none of this name.
    """
    return DEGRADATIONS[kind].media
