"""How much of a file unmask is willing to take on: safe defaults against hostile or mistaken input."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1 << 30
LARGEST_BROADCAST_FRAME = 8192 * 4320
"""Pixels of DCI 8K, the largest picture size in production use."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What goes beyond any of these is refused with `UnsupportedError` before it is decoded."""

    max_bytes: int = 4 * GIB
    """Size of the file: every byte is read once for its hash, and 4 GiB is hours of ordinary video."""

    max_pixels: int = 100_000_000
    """Width x height of a still: 100 megapixels are 300 MB as RGB; only the largest cameras reach it."""

    max_frame_pixels: int = LARGEST_BROADCAST_FRAME
    """Width x height of a video frame: decoders hold some twenty of them at once."""

    max_seconds: float = 4 * 3600.0
    """Length of a video or animation: longer than a film, shorter than a forgotten recording."""
