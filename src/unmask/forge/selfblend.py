"""Self-blended images: pseudo-fakes made from one real face, for training.

After Shiohara & Yamasaki, "Detecting Deepfakes with Self-Blended Images" (CVPR 2022): two copies of one face,
one of them changed in colour and sharpness, moved a little, and blended back through a soft, deformed face
mask. What is left are the traces that every swap has (a seam, two colour statistics, two resolutions) and
none of the traces of one generator.
"""

from __future__ import annotations

import numpy as np

from unmask.faces.crop import face_frame
from unmask.forge.forged import Forged, Image
from unmask.forge.look import change_look, move
from unmask.forge.mask import soft_mask
from unmask.types import Landmarks

OUTLINE_WEIGHTS = {"face": 0.4, "head": 0.2, "inner": 0.2, "mouth": 0.13, "eyes": 0.07}


def self_blend(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Forged:
    """A self-blended image of the face with these landmarks.

    `image` is RGB uint8 (H, W, 3) and is left as it is; `landmarks` are in its pixels. The same `rng` state
    gives the same result. Colours may change outside the mask, since either side may be the changed copy.
    """
    frame = face_frame(landmarks)
    outline = str(rng.choice(list(OUTLINE_WEIGHTS), p=list(OUTLINE_WEIGHTS.values())))
    mask = soft_mask(image.shape[:2], frame, landmarks, outline, rng)
    changed = change_look(image, frame, rng)
    if rng.random() < 0.5:
        source, target = changed, image
    else:
        source, target = image, changed
    source = move(source, frame, rng)
    weight = mask[..., None]
    blended = target + (source.astype(np.float32) - target) * weight
    return Forged(np.clip(blended + 0.5, 0, 255).astype(np.uint8), mask, ("self_blend", outline))
