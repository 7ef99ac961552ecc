"""Forged parts: another mouth, other eyes or another nose in a face that is otherwise its own, as lip-sync
and expression forgeries leave it, and parts over a moved copy of themselves, as blending over time does.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from unmask.faces.crop import FaceFrame, face_frame
from unmask.forge.blend import BLENDS, alpha
from unmask.forge.colour import match
from unmask.forge.decoder import draw_anew, draw_traces
from unmask.forge.forged import Donor, Forged, Image
from unmask.forge.look import move
from unmask.forge.mask import OUTLINES, soft_mask
from unmask.forge.mesh import fit_face
from unmask.forge.treat import sharpen, soften, tone
from unmask.types import Landmarks


@dataclass(frozen=True, slots=True)
class Part:
    """Its share of the draws, and how far its own copy is stretched across and down: a mouth opens."""

    share: float
    across: tuple[float, float]
    down: tuple[float, float]


PARTS = {
    "mouth": Part(0.3, (0.85, 1.18), (0.75, 1.4)),
    "lips": Part(0.15, (0.85, 1.18), (0.75, 1.3)),
    "lower": Part(0.25, (0.93, 1.08), (0.88, 1.15)),
    "eyes": Part(0.18, (0.94, 1.07), (0.8, 1.25)),
    "nose": Part(0.12, (0.82, 1.25), (0.9, 1.12)),
}

GHOSTS = {"face": 0.4, "inner": 0.25, "mouth": 0.2, "eyes": 0.15}
"""Outlines that are laid over a moved copy of themselves, and their shares."""

WAYS = {"donor": 0.4, "own": 0.35, "ghost": 0.25}
RATIOS = (0.75, 1.0, 1.0, 1.0)
SIDES = (64.0, 256.0)
"""Pixels of the face that generators of parts give: 96 for Wav2Lip (Prajwal et al., ACM MM 2020)."""

MOVED = 0.02
"""Of the face scale: standard deviation of a part's shift."""

LEAST_GHOST, MOST_GHOST = 0.3, 0.6
"""Share of the moved copy; at a half both are seen alike."""


def parts(
    image: Image,
    landmarks: Landmarks,
    rng: np.random.Generator,
    donor: Donor | None = None,
    *,
    drawn: bool = False,
) -> Forged:
    """`image` with one part of its face forged, RGB uint8 (H, W, 3) like it.

    The part is the donor's where there is one, or the face's own, stretched, or a blend with itself. With
    `drawn` it is no blend with itself, and has a decoder's traces before it is blended in. `landmarks` are in
    pixels of `image`, which is left as it is; outside the mask nothing changes. The same `rng` state gives
    the same result.
    """
    frame = face_frame(landmarks)
    way = str(rng.choice(list(WAYS), p=list(WAYS.values())))
    if way == "ghost" and not drawn:
        return _ghost(image, frame, landmarks, rng, donor)
    name = str(rng.choice(list(PARTS), p=[part.share for part in PARTS.values()]))
    mask = soft_mask(image.shape[:2], frame, landmarks, name, rng, RATIOS)
    if way == "donor" and donor is not None:
        side = float(np.exp(rng.uniform(*np.log(SIDES))))
        other, cover = fit_face(donor, image, landmarks, mask, side)
        mask = mask * cover
        colour = str(rng.choice(("reinhard", "mean", "none" if donor.same else "half"), p=(0.5, 0.3, 0.2)))
        other = match(image, other, mask, colour)
    else:
        way, colour = "own", "none"
        other = _stretched(image, frame, PARTS[name], name, rng)
        if rng.random() < 0.7:
            other = soften(other, frame.face_size, rng)
        elif rng.random() < 0.5:
            other = sharpen(other, frame.face_size, rng)
        if rng.random() < 0.4:
            other = tone(other, frame.face_size, rng)
    traces = draw_traces(rng) if drawn else ()
    if drawn:
        other = draw_anew(other, landmarks, frame, traces, rng)
    blending = str(rng.choice(list(BLENDS), p=(0.5, 0.3, 0.2)))
    words = ("drawn_parts" if drawn else "parts", name, way, colour, blending, *traces)
    return Forged(BLENDS[blending](image, other, mask), mask, words)


def _ghost(
    image: Image, frame: FaceFrame, landmarks: Landmarks, rng: np.random.Generator, donor: Donor | None
) -> Forged:
    """The part averaged with a moved copy of itself, or with itself at another moment."""
    name = str(rng.choice(list(GHOSTS), p=list(GHOSTS.values())))
    share = rng.uniform(LEAST_GHOST, MOST_GHOST)
    mask = soft_mask(image.shape[:2], frame, landmarks, name, rng, (1.0,)) * np.float32(share)
    if donor is not None and donor.same:
        other, cover = fit_face(donor, image, landmarks, mask, SIDES[1])
        mask = mask * cover
    else:
        other = move(image, frame, rng)
    return Forged(alpha(image, other, mask), mask, ("parts", name, "ghost"))


def _stretched(image: Image, frame: FaceFrame, part: Part, name: str, rng: np.random.Generator) -> Image:
    """The whole picture stretched along the face's axes about the part's middle, and shifted a little."""
    height, width = image.shape[:2]
    ys = [y for _, y in OUTLINES[name]]
    axes = np.array([frame.right, frame.down]).T
    stretch = np.diag([rng.uniform(*part.across), rng.uniform(*part.down)])
    linear = axes @ stretch @ axes.T
    middle = np.array(frame.point(0.0, (min(ys) + max(ys)) / 2))
    shift = rng.normal(0, MOVED, 2) * frame.scale
    matrix = np.column_stack([linear, middle + shift - linear @ middle])
    moved = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(moved, np.uint8)
