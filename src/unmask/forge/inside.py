"""Faces that went through what the rest of their picture did not: a codec, sharpening, noise, smoothing."""

from __future__ import annotations

import numpy as np

from unmask.faces.crop import face_frame
from unmask.forge.blend import alpha
from unmask.forge.forged import Forged, Image
from unmask.forge.mask import bounds, soft_mask
from unmask.forge.treat import treat
from unmask.types import Landmarks

OUTLINES = {"face": 0.45, "head": 0.15, "inner": 0.25, "mouth": 0.15}
RATIOS = (0.8, 1.0, 1.0, 1.0)
PAD = 8
"""Pixels around the mask that are treated as well, so that filters see no edge where there is none."""


def recompress(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Forged:
    """`image` with what lies within a mask on its face treated once or twice; see `treat.TREATMENTS`.

    RGB uint8 (H, W, 3) like `image`, which is left as it is; `landmarks` are in its pixels. Outside the mask
    nothing changes. The same `rng` state gives the same result.
    """
    frame = face_frame(landmarks)
    outline = str(rng.choice(list(OUTLINES), p=list(OUTLINES.values())))
    mask = soft_mask(image.shape[:2], frame, landmarks, outline, rng, RATIOS)
    where = bounds(mask, PAD)
    treated, names = treat(np.ascontiguousarray(image[where]), frame.face_size, rng)
    changed = image.copy()
    changed[where] = treated
    return Forged(alpha(image, changed, mask), mask, ("recompress", outline, *names))
