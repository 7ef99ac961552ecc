"""Faces as a generator's decoder would have drawn them: cut out upright at the generator's size, drawn anew
with the traces that decoders leave, and put back.

Only the face is drawn anew, since most of these traces are found in honest pictures too, all over them:
whoever resizes, smooths or compresses a photo leaves them. What is left to find is that they end within the
picture. An uneven lattice is the exception: no camera draws one, but generators of whole pictures do.
"""

from __future__ import annotations

import cv2
import numpy as np

from unmask.faces.crop import CropSpec, FaceFrame, crop_matrix, face_frame, warp
from unmask.forge.blend import alpha
from unmask.forge.forged import Forged, Image
from unmask.forge.mask import soft_mask
from unmask.forge.render import RENDERS
from unmask.types import Landmarks

SIZES = (64, 96, 128, 160, 192, 224, 256, 320, 512)
"""Pixels of what generators draw: the face with `MARGIN` around it."""

MARGIN = 1.35
NEAR = (0.55, 1.3)
"""Sizes are taken that are this many times the face's own: larger ones would leave nothing of the trace,
smaller ones nothing of the face."""

OUTLINES = {"face": 0.45, "head": 0.25, "inner": 0.3}
RATIOS = (0.8, 1.0, 1.0, 1.0)

TEXTURES = {"forget_texture": 0.35, "roll_off": 0.2, "polish": 0.2, "none": 0.25}
GRIDS = {"upsample_unevenly": 0.4, "add_lattice": 0.2, "add_peaks": 0.15, "none": 0.25}

WHOLE = 0.15
"""Share in which the lattice lies over the whole picture."""


def decoder(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Forged:
    """`image` with its face, or its lattice alone over all of it, as a decoder would draw it.

    RGB uint8 (H, W, 3) like `image`, which is left as it is; `landmarks` are in its pixels. Outside the mask
    nothing changes. The same `rng` state gives the same result.
    """
    if rng.random() < WHOLE:
        name = ("upsample_unevenly", "add_lattice")[int(rng.integers(2))]
        whole = np.ones(image.shape[:2], np.float32)
        return Forged(RENDERS[name](image, rng), whole, ("decoder", "whole", name))
    frame = face_frame(landmarks)
    outline = str(rng.choice(list(OUTLINES), p=list(OUTLINES.values())))
    mask = soft_mask(image.shape[:2], frame, landmarks, outline, rng, RATIOS)
    names = draw_traces(rng)
    drawn = draw_anew(image, landmarks, frame, names, rng)
    return Forged(alpha(image, drawn, mask), mask, ("decoder", outline, *names))


def draw_traces(rng: np.random.Generator) -> tuple[str, ...]:
    """What becomes of texture and what grid is left, by their odds; one of both at least."""
    texture, grid = (str(rng.choice(list(odds), p=list(odds.values()))) for odds in (TEXTURES, GRIDS))
    if texture == grid == "none":
        texture = "forget_texture"
    return tuple(name for name in (texture, grid) if name != "none")


def draw_anew(
    image: Image, landmarks: Landmarks, frame: FaceFrame, names: tuple[str, ...], rng: np.random.Generator
) -> Image:
    """The picture with the square around the face drawn by a generator of one of `SIZES`; beyond the square
    its edge is mirrored."""
    height, width = image.shape[:2]
    own = MARGIN * frame.face_size
    near = [size for size in SIZES if NEAR[0] * own <= size <= NEAR[1] * own]
    size = int(rng.choice(near)) if near else max(16, round(own))
    spec = CropSpec(size, MARGIN)
    crop = warp(image, crop_matrix(landmarks, spec), size)
    for name in names:
        crop = RENDERS[name](crop, rng)
    how = int(rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC)))
    back = cv2.warpAffine(
        crop, crop_matrix(landmarks, spec), (width, height), flags=how, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(back, np.uint8)
