"""The honest twin of each kind of pseudo-fake: a real picture that went, as a whole, through what the fake's
face went through.

Without it a network could tell pseudo-fakes by sharpening, codecs or noise as such, and would call every
edited photo a fake. With as many twins as pseudo-fakes none of these by itself says anything of the label.
"""

from __future__ import annotations

import cv2
import numpy as np

from unmask.faces.crop import face_frame
from unmask.forge.decoder import MARGIN, NEAR, SIZES, TEXTURES
from unmask.forge.forged import Image
from unmask.forge.look import change_look, move
from unmask.forge.parts import LEAST_GHOST, MOST_GHOST
from unmask.forge.render import RENDERS
from unmask.forge.treat import sharpen, soften, tone, treat
from unmask.types import Landmarks

STRETCH = 0.06
"""A picture shown at a slightly wrong ratio of its sides; what the crop then evens out is its size alone."""

MOIRE_PERIODS = (2.3, 9.0)
"""Pixels between the waves that a photographed screen or a scanned print shows, at any angle."""


def look_twin(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """Another camera's copy, whole: of self-blends and swaps."""
    return change_look(image, face_frame(landmarks), rng)


def parts_twin(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """Two frames in one, as converted frame rates have them, or a picture out of proportion."""
    frame = face_frame(landmarks)
    if rng.random() < 0.3:
        moved = move(image, frame, rng)
        share = rng.uniform(LEAST_GHOST, MOST_GHOST)
        return np.asarray(cv2.addWeighted(image, 1 - share, moved, share, 0), np.uint8)
    middle = np.array(frame.point(0.0, 0.25))
    linear = np.diag(1 + rng.uniform(-STRETCH, STRETCH, 2))
    matrix = np.column_stack([linear, middle - linear @ middle])
    size = (image.shape[1], image.shape[0])
    image = np.asarray(cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REFLECT_101), np.uint8)
    if rng.random() < 0.7:
        image = soften(image, frame.face_size, rng)
    elif rng.random() < 0.5:
        image = sharpen(image, frame.face_size, rng)
    return tone(image, frame.face_size, rng) if rng.random() < 0.4 else image


def decoder_twin(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """The whole picture at a generator's size, its texture treated in the same ways and at times with waves
    over it, but never with an uneven lattice."""
    height, width = image.shape[:2]
    own = MARGIN * face_frame(landmarks).face_size
    near = [size for size in SIZES if NEAR[0] * own <= size <= NEAR[1] * own]
    factor = int(rng.choice(near)) / own if near else 1.0
    texture = str(rng.choice(list(TEXTURES), p=list(TEXTURES.values())))
    size = (max(2, round(width * factor)), max(2, round(height * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    image = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
    if texture != "none":
        image = RENDERS[texture](image, rng)
    if texture == "none" or rng.random() < 0.5:
        image = moire(image, rng)
    how = int(rng.choice((cv2.INTER_LINEAR, cv2.INTER_CUBIC)))
    return np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)


def treated_twin(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """The whole picture treated once or twice."""
    return treat(image, face_frame(landmarks).face_size, rng)[0]


def moire(image: Image, rng: np.random.Generator) -> Image:
    """Waves of 0.6 to 2 levels at any angle and distance."""
    height, width = image.shape[:2]
    angle, period = rng.uniform(0, np.pi), rng.uniform(*MOIRE_PERIODS)
    turns = 2 * np.pi / period
    # cos(a + b) by its parts: one cosine a row and a column in place of one a pixel.
    across, down = turns * np.cos(angle) * np.arange(width), turns * np.sin(angle) * np.arange(height)
    wave = np.outer(np.cos(down), np.cos(across)) - np.outer(np.sin(down), np.sin(across))
    colour = (1 + 0.3 * rng.normal(0, 1, 3)) * rng.uniform(0.6, 2.0)
    waved = image + wave.astype(np.float32)[..., None] * colour.astype(np.float32)
    return np.asarray(np.clip(waved + 0.5, 0, 255), np.uint8)
