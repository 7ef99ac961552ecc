"""Drawing on pictures as they are stored: RGB for stills, YUV 4:2:0 for video.

Video is drawn on in its own colours, so that every pixel beside the drawings goes to the encoder unchanged.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

RGB = tuple[int, int, int]

Picture = NDArray[np.uint8]

LUMA = {"601": (0.299, 0.114), "709": (0.2126, 0.0722), "2020": (0.2627, 0.0593)}
"""(Kr, Kb) of ITU-R BT.601, BT.709 and BT.2020: the weights of red and blue in the luma."""


class Canvas(Protocol):
    """What the marks are drawn on; positions are pixels, and what lies outside is cut off."""

    width: int
    height: int

    def fill(self, x1: int, y1: int, x2: int, y2: int, colour: RGB) -> None:
        """Fill columns `x1` to `x2` and rows `y1` to `y2` (ends excluded)."""

    def paste(self, x: int, y: int, tile: Picture) -> None:
        """Put `tile`, RGB (h, w, 3), with its upper left corner at (x, y)."""


class RgbCanvas:
    """An RGB picture (H, W, 3), drawn on in place."""

    def __init__(self, image: Picture) -> None:
        self.image = image
        self.height, self.width = image.shape[:2]

    def fill(self, x1: int, y1: int, x2: int, y2: int, colour: RGB) -> None:
        """See `Canvas`."""
        self.image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = colour

    def paste(self, x: int, y: int, tile: Picture) -> None:
        """See `Canvas`."""
        _paste(self.image, x, y, tile)


class YuvCanvas:
    """A picture in planar YUV 4:2:0, 8 bits, limited range, of even width and height.

    `packed` (H * 3 / 2, W) holds the three planes one after another, as encoders take it. Drawings are moved
    to even pixels, where the colour planes have theirs.
    """

    def __init__(self, width: int, height: int, matrix: str = "709") -> None:
        self.width, self.height = width, height
        self._matrix = _rgb_to_yuv(*LUMA[matrix])
        self.packed = np.empty((height * 3 // 2, width), np.uint8)
        flat = self.packed.reshape(-1)
        luma, quarter = width * height, width * height // 4
        self.planes = (
            flat[:luma].reshape(height, width),
            flat[luma : luma + quarter].reshape(height // 2, width // 2),
            flat[luma + quarter :].reshape(height // 2, width // 2),
        )

    def fill(self, x1: int, y1: int, x2: int, y2: int, colour: RGB) -> None:
        """See `Canvas`."""
        values = self._yuv(np.array(colour, np.float64))
        x1, y1, x2, y2 = (max(value // 2, 0) for value in (x1, y1, x2 + 1, y2 + 1))
        self.planes[0][2 * y1 : 2 * y2, 2 * x1 : 2 * x2] = values[0]
        for plane, value in zip(self.planes[1:], values[1:], strict=True):
            plane[y1:y2, x1:x2] = value

    def paste(self, x: int, y: int, tile: Picture) -> None:
        """See `Canvas`; `tile` has even sides."""
        values = self._yuv(tile.astype(np.float64))
        _paste(self.planes[0], x // 2 * 2, y // 2 * 2, values[..., 0])
        half = values.reshape(values.shape[0] // 2, 2, values.shape[1] // 2, 2, 3)
        coarse = np.asarray(half.mean(axis=(1, 3)) + 0.5, dtype=np.uint8)
        for n in (1, 2):
            _paste(self.planes[n], x // 2, y // 2, coarse[..., n])

    def _yuv(self, rgb: NDArray[np.float64]) -> Picture:
        return np.asarray(rgb @ self._matrix.T + (16.5, 128.5, 128.5), dtype=np.uint8)


def _paste(plane: Picture, x: int, y: int, tile: Picture) -> None:
    left, top = max(-x, 0), max(-y, 0)
    target = plane[max(y, 0) : max(y + tile.shape[0], 0), max(x, 0) : max(x + tile.shape[1], 0)]
    target[:] = tile[top : top + target.shape[0], left : left + target.shape[1]]


def _rgb_to_yuv(kr: float, kb: float) -> NDArray[np.float64]:
    """(3, 3) from RGB in 0..255 to Y in 0..219 and U, V in -112..112 (ITU-R BT.601 and successors)."""
    y = np.array([kr, 1 - kr - kb, kb])
    u = (np.array([0.0, 0.0, 1.0]) - y) / (2 * (1 - kb))
    v = (np.array([1.0, 0.0, 0.0]) - y) / (2 * (1 - kr))
    return np.stack([y * 219 / 255, u * 224 / 255, v * 224 / 255])
