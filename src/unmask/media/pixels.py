"""From any of Pillow's modes to RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WHITE = (255, 255, 255, 255)
_TRANSPARENT_MODES = frozenset(("RGBA", "LA", "PA", "RGBa", "La"))


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """RGB uint8 (H, W, 3), contiguous. Transparency is laid on white; deeper pixels are scaled to 8 bits."""
    if image.mode.startswith("I") or image.mode == "F":
        grey = _to_8_bits(np.asarray(image), known_16_bits=image.mode.startswith("I;16"))
        return np.ascontiguousarray(np.repeat(grey[..., None], 3, axis=2))
    if image.mode in _TRANSPARENT_MODES or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, _WHITE), rgba)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"), dtype=np.uint8))


def _to_8_bits(values: NDArray[np.generic], *, known_16_bits: bool) -> NDArray[np.uint8]:
    """Grey (H, W) of unknown range: the least of [0, 1], [0, 255], [0, 65535] that holds it, else its own."""
    if known_16_bits:
        return np.asarray(np.asarray(values, dtype=np.uint32) * 255 // 65535, dtype=np.uint8)
    levels = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = (float(levels.min()), float(levels.max())) if levels.size else (0.0, 1.0)
    if low >= 0:
        low = 0.0
        whole = np.issubdtype(values.dtype, np.integer)
        ranges = (255.0, 65535.0) if whole else (1.0, 255.0, 65535.0)
        high = next((top for top in ranges if high <= top), high)
    scaled = (levels - low) * (255.0 / max(high - low, np.finfo(np.float64).tiny))
    return np.rint(scaled).astype(np.uint8)
