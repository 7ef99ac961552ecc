"""Whole-face swaps between look-alikes: another real person's face, warped, coloured and blended in.

After the blended images of Face X-ray (Li et al., CVPR 2020), with the mesh, the colours, the masks and the
blends that swapping programs offer, and at the resolutions that their generators have.
"""

from __future__ import annotations

import numpy as np

from unmask.faces.crop import face_frame
from unmask.forge.blend import BLENDS
from unmask.forge.colour import match
from unmask.forge.decoder import draw_anew, draw_traces
from unmask.forge.forged import Donor, Forged, Image
from unmask.forge.mask import soft_mask
from unmask.forge.mesh import fit_face
from unmask.forge.treat import sharpen
from unmask.types import Landmarks

OUTLINES = {"face": 0.5, "head": 0.2, "inner": 0.3}
COLOURS = {"reinhard": 0.5, "mean": 0.15, "histogram": 0.2, "half": 0.15}
BLENDING = {"alpha": 0.5, "poisson": 0.3, "bands": 0.2}
KEEPS_CONTRAST = ("mean", "half")
"""Poisson's equation spreads a difference of colour that is left over the face: after these it burns out."""

RATIOS = (0.85, 1.0, 1.0, 1.0, 1.0)
"""Two different faces show through each other where less than this is let through."""

GENERATOR_SIDES = (72.0, 256.0)
"""Pixels of the face that swapping networks give."""

SHARPENED = 0.2
"""Share that is sharpened after it was enlarged, as restoration networks do."""


def swap(
    image: Image, landmarks: Landmarks, rng: np.random.Generator, donor: Donor, *, drawn: bool = False
) -> Forged:
    """`image` with the donor's face in the place of its own, RGB uint8 (H, W, 3) like it.

    With `drawn` the donor's face has a decoder's traces before it is coloured and blended in. `landmarks` are
    in pixels of `image`, which is left as it is; outside the mask nothing changes. The same `rng` state gives
    the same result.
    """
    frame = face_frame(landmarks)
    outline, colour, blending = (
        str(rng.choice(list(odds), p=list(odds.values()))) for odds in (OUTLINES, COLOURS, BLENDING)
    )
    if blending == "poisson" and colour in KEEPS_CONTRAST:
        colour = "reinhard"
    mask = soft_mask(image.shape[:2], frame, landmarks, outline, rng, RATIOS)
    side = float(np.exp(rng.uniform(*np.log(GENERATOR_SIDES))))
    other, cover = fit_face(donor, image, landmarks, mask, side)
    mask = mask * cover
    if rng.random() < SHARPENED:
        other = sharpen(other, frame.face_size, rng)
    traces = draw_traces(rng) if drawn else ()
    if drawn:
        other = draw_anew(other, landmarks, frame, traces, rng)
    other = match(image, other, mask, colour)
    words = ("drawn_swap" if drawn else "swap", outline, colour, blending, *traces)
    return Forged(BLENDS[blending](image, other, mask), mask, words)
