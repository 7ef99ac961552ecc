"""What the tests of the degradations share: the kinds by what they are for, and how outcomes are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.evaluation.degrade import (
    DEGRADATIONS,
    applies_to,
)
from unmask.faces import FINDERS, Use
from unmask.media import Sampling, open_media
from unmask.types import Face, Frame

OF_PICTURES = [kind for kind in DEGRADATIONS if "image" in applies_to(kind)]
OF_VIDEOS = [kind for kind in DEGRADATIONS if "video" in applies_to(kind)]
OF_FACES = [kind for kind in DEGRADATIONS if not applies_to(kind)]
WORSE_BY = 0.5
"""dB of PSNR that each severity costs at least."""
SHORT = 12
"""Frames of the example video that most tests are content with."""


def read(path: Path) -> list[Frame]:
    with open_media(path, threads=1) as media:
        return list(media.frames(Sampling(stride=1)))


def times(path: Path) -> list[float]:
    return [frame.time for frame in read(path)]


def seconds(path: Path) -> float:
    """How long the container says it lasts."""
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base


def likeness(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """PSNR in dB."""
    return float(cv2.PSNR(one, other))


def the_face(finder_of: Use = Use.STILL) -> Callable[[NDArray[np.uint8]], list[Face]]:
    return FINDERS["centerface"](1, finder_of).find
