"""One picture for a row of a manifest: the image itself, or the middle frame of a video."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unmask.errors import UnmaskError, UnreadableError
from unmask.media import MediaFacts, Sampling, open_media

TIMEOUT = 60.0
"""Seconds one file may take: a look needs one frame."""


def look(path: Path) -> tuple[NDArray[np.uint8], MediaFacts]:
    """RGB uint8 (H, W, 3), upright, and what the file says of itself.

    Raises:
        UnmaskError: the file cannot be read, is beyond a limit, or takes too long.
    """
    with open_media(path, threads=1, deadline=time.monotonic() + TIMEOUT) as media:
        for frame in media.frames(Sampling(frames=1)):
            return frame.image, media.facts
        raise UnreadableError(f"{path} gave no picture", hint="is it damaged?")


def thumbnail(path: Path, side: int) -> Image.Image | None:
    """A copy that fits `side` × `side` pixels; None where the file cannot be read."""
    try:
        image, _ = look(path)
    except UnmaskError:
        return None
    picture = Image.fromarray(image)
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture
