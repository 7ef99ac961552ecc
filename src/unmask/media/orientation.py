"""Turning stored pictures upright: the eight ways a picture can lie, and numpy for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Orientation:
    """Transpose first (swap rows and columns), then mirror left-right, then mirror up-down."""

    transpose: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def clockwise_degrees(self) -> int:
        """The clockwise turn in it (0, 90, 180, 270), a mirroring left-right set aside."""
        if self.transpose:
            return 270 if self.mirror_y else 90
        return 180 if self.mirror_y else 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) after turning."""
        return (height, width) if self.transpose else (width, height)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """`image` (H, W, 3) upright and contiguous; the same array if it already is."""
        if self == UPRIGHT:
            return image
        # Imported here: most files are upright already, and `import unmask` has to be quick.
        import cv2

        turned: NDArray[np.uint8] = image
        if self.transpose:
            turned = cv2.transpose(turned)  # type: ignore[assignment]
        if self.mirror_x or self.mirror_y:
            code = -1 if self.mirror_x and self.mirror_y else (1 if self.mirror_x else 0)
            turned = cv2.flip(turned, code)  # type: ignore[assignment]
        return np.ascontiguousarray(turned)


UPRIGHT = Orientation()

EXIF = {
    1: UPRIGHT,
    2: Orientation(mirror_x=True),
    3: Orientation(mirror_x=True, mirror_y=True),
    4: Orientation(mirror_y=True),
    5: Orientation(transpose=True),
    6: Orientation(transpose=True, mirror_x=True),
    7: Orientation(transpose=True, mirror_x=True, mirror_y=True),
    8: Orientation(transpose=True, mirror_y=True),
}
"""Exif 2.32, tag 0x0112: the stored orientation and what makes it upright."""


def from_display_matrix(matrix: bytes) -> Orientation:
    """Of a QuickTime display matrix: nine native 32-bit integers (a b u, c d v, x y w), x' = a·x + c·y.

    A turn by another angle than quarters (unheard of in practice) is taken to the nearest of them.
    """
    if len(matrix) < 36:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(matrix[:20], dtype=np.int32).tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Orientation(mirror_x=a < 0, mirror_y=d < 0)
    return Orientation(transpose=True, mirror_x=c < 0, mirror_y=b < 0)
