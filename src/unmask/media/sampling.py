"""Which frames of a file are looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Sampling:
    """Every `stride`-th frame from the first; or `frames` of them spread evenly, which wins over `stride`.

    A still always gives its one frame. Raises ValueError where a number is below 1.
    """

    stride: int = 10
    frames: int | None = None

    def __post_init__(self) -> None:
        if self.stride < 1 or (self.frames is not None and self.frames < 1):
            raise ValueError("stride and frames must be 1 or more")

    def ranks(self, total: int) -> NDArray[np.int64]:
        """The wanted frames of a file with `total` of them: presentation indices (K,), ascending, unique.

        `frames` = K takes the middles of K equal parts, so neither the often black first frame nor the
        last one is favoured; all frames where the file has no more than K.
        """
        if self.frames is None:
            return np.arange(0, total, self.stride, dtype=np.int64)
        if self.frames >= total:
            return np.arange(total, dtype=np.int64)
        return (2 * np.arange(self.frames, dtype=np.int64) + 1) * total // (2 * self.frames)
