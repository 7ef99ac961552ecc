"""The one interface every face detector has, and the table that names them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from unmask.registry import Registry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from unmask.types import Face


class FaceFinder(Protocol):
    """Finds the faces in a picture."""

    @property
    def name(self) -> str:
        """The name it is registered under."""

    @property
    def concurrent(self) -> bool:
        """Whether `find` may be called by several threads at once."""

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces in `image` (RGB uint8, (H, W, 3)), best score first, in pixels of `image`."""


class Use(enum.Enum):
    """What a detector is made for: single pictures are worth more time each than frames of a video."""

    STILL = "still"
    VIDEO = "video"


FINDERS: Registry[Callable[[int, Use], FaceFinder]] = Registry("face detector")
"""Name → factory; the arguments are the number of threads the detector may use, and what for."""
