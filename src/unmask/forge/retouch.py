"""What people and apps do to honest pictures: beauty filters, motion blur, glasses, captions and logos.

Reals and fakes of every kind are retouched with the same odds, after all forging: a beauty filter or a
caption says nothing about whether a face was forged.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.faces.crop import FaceFrame, face_frame
from unmask.forge.blend import alpha
from unmask.forge.forged import Image, Mask
from unmask.forge.treat import smooth, tone
from unmask.types import Landmarks

Retouch = Callable[[Image, FaceFrame, Landmarks, np.random.Generator], Image]

FINE = 4
"""Bits of sub-pixel precision in which lines are drawn."""

FEATHER = 0.3
"""Of the face's half axes: how softly a beauty filter ends. No mask of a forgery is as soft, which is what
tells them apart."""

WORDS = (
    "LIVE",
    "NEWS",
    "BREAKING",
    "@user",
    "Interview",
    "12:45",
    "www.",
    "Channel 5",
    "00:17",
    "SALE",
    "Part 2",
)
FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
)


def beautify(image: Image, frame: FaceFrame, _landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """Skin smoothed and a little lighter, all over the face and fading beyond it."""
    skin = smooth(image, frame.face_size, rng).astype(np.float32)
    skin += np.float32(rng.uniform(0, 10)) * (1 - skin / 255)
    mask = _all_over(image.shape[:2], frame) * np.float32(rng.uniform(0.4, 1.0))
    return alpha(image, np.clip(skin + 0.5, 0, 255).astype(np.uint8), mask)


def colour_filter(image: Image, frame: FaceFrame, _landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """A photo app's filter: tone, and more or less colour."""
    image = tone(image, frame.face_size, rng)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    amount = rng.uniform(0.5, 1.4)
    coloured = grey + (image.astype(np.float32) - grey) * np.float32(amount)
    return np.clip(coloured + 0.5, 0, 255).astype(np.uint8)


def shake(image: Image, frame: FaceFrame, _landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """The camera moved while the shutter was open: by 1.5 to 4 % of the face, along a line."""
    length = max(3.0, frame.face_size * rng.uniform(0.015, 0.04))
    side = 2 * math.ceil(length / 2) + 1
    kernel = np.zeros((side, side), np.float32)
    middle, angle = side // 2, rng.uniform(0, np.pi)
    dx, dy = length / 2 * np.cos(angle), length / 2 * np.sin(angle)
    ends = [(round((middle + s * dx) * 2**FINE), round((middle + s * dy) * 2**FINE)) for s in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_8, FINE)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)


def put_on_glasses(image: Image, frame: FaceFrame, landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """Two rims with a bridge and temples, their lenses clear, tinted or dark."""
    width, height = rng.uniform(0.18, 0.23) * frame.scale, rng.uniform(0.11, 0.19) * frame.scale
    thick = max(1, round(frame.scale * rng.uniform(0.006, 0.026)))
    rims, lenses = (np.zeros(image.shape[:2], np.uint8) for _ in range(2))
    drop = rng.uniform(-0.02, 0.06)
    round_ = rng.random() < 0.5
    for eye, outwards in ((landmarks[0], -1), (landmarks[1], 1)):
        centre = np.array(eye) + drop * frame.scale * np.array(frame.down)
        outline = _lens(centre, frame, width, height, round_)
        cv2.fillPoly(lenses, [outline], 255, cv2.LINE_AA, FINE)
        cv2.polylines(rims, [outline], True, 255, thick, cv2.LINE_AA, FINE)
        right = np.array(frame.right)
        for side, reach in ((outwards, 0.16), (-outwards, 0.05)):
            edge = centre + side * width * right
            _line(rims, edge, edge + side * reach * frame.scale * right, thick)
    opaque = rng.choice((0.0, 0.15, 0.4, 0.85), p=(0.5, 0.2, 0.15, 0.15))
    shade = _dark(rng)
    image = alpha(image, _flat(image, shade), _weight(lenses, opaque))
    return alpha(
        image, _flat(image, _dark(rng)), _weight(cv2.GaussianBlur(rims, (0, 0), 0.5), rng.uniform(0.75, 1))
    )


def write_over(image: Image, _frame: FaceFrame, _landmarks: Landmarks, rng: np.random.Generator) -> Image:
    """A caption, a time or a logo anywhere on the picture, at times on a bar."""
    height, width = image.shape[:2]
    text, font = str(rng.choice(WORDS)), int(rng.choice(FONTS))
    size = rng.uniform(0.05, 0.14) * height
    scale, thick = size / 22, max(1, round(size / 12))
    (long, tall), below = cv2.getTextSize(text, font, scale, thick)
    left = int(rng.integers(-long // 3, max(1, width - long // 2)))
    base = int(rng.choice((rng.uniform(0.05, 0.2), rng.uniform(0.8, 1.0), rng.uniform(0, 1))) * height)
    if rng.random() < 0.4 and not 0.25 * height < base < 0.8 * height:
        bar = np.zeros((height, width), np.uint8)
        cv2.rectangle(bar, (left - tall, base - 2 * tall), (left + long + tall, base + 2 * below), 255, -1)
        image = alpha(image, _flat(image, _any_colour(rng)), _weight(bar, rng.uniform(0.4, 1)))
    letters = np.zeros((height, width), np.uint8)
    cv2.putText(letters, text, (left, base), font, scale, 255, thick, cv2.LINE_AA)
    return alpha(image, _flat(image, _any_colour(rng)), _weight(letters, rng.uniform(0.5, 1)))


RETOUCHES: dict[str, tuple[float, Retouch]] = {
    "beautify": (0.3, beautify),
    "colour_filter": (0.2, colour_filter),
    "shake": (0.15, shake),
    "put_on_glasses": (0.15, put_on_glasses),
    "write_over": (0.2, write_over),
}
"""Name → share of the draws, and what it does."""


def retouch(image: Image, landmarks: Landmarks, rng: np.random.Generator) -> tuple[Image, tuple[str, ...]]:
    """`image`, RGB uint8 (H, W, 3), retouched in one way, or in two for one in four, and the ways' names.

    `landmarks` are in its pixels; the picture given is left as it is. The same `rng` state gives the same
    result.
    """
    names, shares = list(RETOUCHES), [share for share, _ in RETOUCHES.values()]
    count = 2 if rng.random() < 0.25 else 1
    drawn = tuple(str(name) for name in rng.choice(names, count, replace=False, p=shares))
    frame = face_frame(landmarks)
    for name in drawn:
        image = RETOUCHES[name][1](image, frame, landmarks, rng)
    return image, drawn


def _all_over(shape: tuple[int, int], frame: FaceFrame) -> Mask:
    """(H, W): 1 on the face, falling to 0 over `FEATHER`."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    x, y = columns - frame.origin[0], rows - frame.origin[1]
    across = (x * frame.right[0] + y * frame.right[1]) / (0.5 * frame.scale)
    down = (x * frame.down[0] + y * frame.down[1] - 0.25 * frame.scale) / (0.62 * frame.scale)
    away = np.sqrt(across * across + down * down)
    ramp = np.clip((1 + FEATHER - away) / (2 * FEATHER), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def _lens(
    centre: NDArray[np.float64], frame: FaceFrame, width: float, height: float, round_: bool
) -> NDArray[np.int32]:
    turn = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    power = 1.0 if round_ else 0.5
    x = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** power * width
    y = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** power * height
    points = centre + x[:, None] * np.array(frame.right) + y[:, None] * np.array(frame.down)
    return np.asarray((points * 2**FINE).round(), np.int32)


def _line(canvas: Any, start: NDArray[np.float64], end: NDArray[np.float64], thick: int) -> None:
    first, last = ([round(v * 2**FINE) for v in point.tolist()] for point in (start, end))
    cv2.line(canvas, first, last, 255, thick, cv2.LINE_AA, FINE)


def _flat(image: Image, colour: NDArray[np.uint8]) -> Image:
    return np.broadcast_to(colour, image.shape)


def _weight(drawn: Any, most: float) -> Mask:
    return np.asarray(drawn, np.float32) * np.float32(most / 255)


def _dark(rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.asarray(rng.uniform(0, 70) + rng.uniform(0, 20, 3), np.uint8)


def _any_colour(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Mostly black or white, else any."""
    if rng.random() < 0.7:
        return np.full(3, 255 if rng.random() < 0.6 else 0, np.uint8)
    return rng.integers(0, 256, 3).astype(np.uint8)
