"""What happens to pictures on their way to us: compression, resizing, blur, noise, light.

Real and fake samples go through the same draw, so that none of it can tell them apart.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import av
import cv2
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

Share = Annotated[float, Meta(ge=0, le=1)]
Image = NDArray[np.uint8]

_UPSCALERS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA)


@dataclass(frozen=True, slots=True)
class Odds:
    """How often each step of a degradation happens at full strength; what is recorded is compressed by that
    alone."""

    light: Share = 0.5
    blur: Share = 0.25
    resize: Share = 0.6
    noise: Share = 0.2
    compress: Share = 0.75
    record: Share = 0.0


USUAL = Odds()


def degrade(image: Image, rng: np.random.Generator, strength: float = 1.0, odds: Odds = USUAL) -> Image:
    """A degraded copy of `image` (RGB uint8 (H, W, 3)), same shape.

    `strength` in [0, 1] scales the odds of each step; 0 returns the picture as it is. Steps in the order a
    picture meets them: light, blur, resizing, noise, one or two compressions.
    """
    height, width = image.shape[:2]

    def happens(probability: float) -> bool:
        return bool(rng.random() < probability * strength)

    if happens(odds.light):
        image = change_light(image, rng)
    if happens(odds.blur):
        image = blur(image, rng)
    if happens(odds.resize):
        factor = float(np.exp(rng.uniform(np.log(0.3), np.log(1.0))))
        size = (max(16, round(width * factor)), max(16, round(height * factor)))
        how = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
    if happens(odds.noise):
        spread = rng.uniform(1, 9)
        noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(spread)
        image = np.clip(image + noise, 0, 255).astype(np.uint8)
    # Without it nothing is drawn, so that recipes from before there was it mean the same.
    if odds.record and happens(odds.record):
        image = record(image, rng)
    elif happens(odds.compress):
        image = compress(image, rng)
        if happens(0.25):
            image = compress(image, rng)
    if image.shape[:2] != (height, width):
        how = int(rng.choice(_UPSCALERS))
        image = np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)
    return image


def change_light(image: Image, rng: np.random.Generator) -> Image:
    """Brightness, contrast, gamma, and at times no colour at all."""
    levels = np.arange(256, dtype=np.float32) / 255
    levels = levels ** rng.uniform(0.75, 1.33)
    levels = (levels - 0.5) * rng.uniform(0.8, 1.2) + 0.5 + rng.uniform(-0.08, 0.08)
    tables = np.stack([levels * rng.uniform(0.95, 1.05) for _ in range(3)], axis=-1)[None]
    image = np.asarray(cv2.LUT(image, np.clip(tables * 255 + 0.5, 0, 255).astype(np.uint8)), np.uint8)
    if rng.random() < 0.1:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return image


def blur(image: Image, rng: np.random.Generator) -> Image:
    """Out of focus, or moved while the shutter was open."""
    if rng.random() < 0.6:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8)), np.uint8)
    length = int(rng.integers(3, 9))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), rng.uniform(0, 180), 1)
    turned = np.asarray(cv2.warpAffine(kernel, turn, (length, length)), np.float32)
    return np.asarray(cv2.filter2D(image, -1, turned / max(float(turned.sum()), 1e-6)), np.uint8)


def compress(image: Image, rng: np.random.Generator) -> Image:
    """JPEG, WebP, or one intra frame of H.264, at a quality from good to poor."""
    way = rng.choice(("jpeg", "webp", "h264"), p=(0.5, 0.2, 0.3))
    if way == "jpeg":
        # The lower end is what messengers and thumbnails do.
        return _imencode(image, ".jpg", cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 96)))
    if way == "webp":
        return _imencode(image, ".webp", cv2.IMWRITE_WEBP_QUALITY, int(rng.integers(30, 96)))
    return h264(image, crf=int(rng.integers(18, 39)))


def record(image: Image, rng: np.random.Generator) -> Image:
    """One frame of a recording: a codec predicts it from earlier ones, which show the same a little moved."""
    height, width = image.shape[:2]
    frames = [image]
    step, grow = rng.normal(0, 0.012, 2) * width, rng.normal(0, 0.006)
    for _ in range(int(rng.integers(1, 4))):
        shift = len(frames) * step + rng.normal(0, 0.3, 2)
        scale = np.exp(len(frames) * grow)
        middle = (1 - scale) * np.array([width, height]) / 2
        move = np.array([[scale, 0, middle[0] + shift[0]], [0, scale, middle[1] + shift[1]]])
        moved = cv2.warpAffine(
            image, move, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        frames.append(np.asarray(moved, np.uint8))
    frames.reverse()
    if rng.random() < 0.8:
        preset = str(rng.choice(("ultrafast", "veryfast", "medium"), p=(0.3, 0.6, 0.1)))
        crf = str(int(rng.integers(20, 38)))
        # Looking ahead would not give the same stream every time.
        return _filmed(frames, "libx264", {"crf": crf, "preset": preset, "tune": "zerolatency"})
    coarse = str(int(rng.integers(3, 13)))
    return _filmed(frames, "mpeg4", {"qmin": coarse, "qmax": coarse})


def _imencode(image: Image, suffix: str, flag: int, quality: int) -> Image:
    packed = cv2.imencode(suffix, image[..., ::-1], (flag, quality))[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB), np.uint8)


def h264(image: Image, crf: int) -> Image:
    """`image` as one H.264 intra frame at constant rate factor `crf` (0 to 51, larger is worse) shows it.

    Sides are cropped to even numbers for 4:2:0 and filled up again by repeating the last row or column.
    """
    return _filmed([image], "libx264", {"crf": str(crf), "preset": "ultrafast", "tune": "zerolatency"})


def _filmed(frames: Sequence[Image], codec: Literal["libx264", "mpeg4"], options: dict[str, str]) -> Image:
    """The last of these frames, encoded one after the other."""
    height, width = frames[-1].shape[:2]
    packed, plain = io.BytesIO(), "h264" if codec == "libx264" else "m4v"
    with av.open(packed, "w", format=plain) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = width // 2 * 2, height // 2 * 2, "yuv420p"
        stream.options = {**options}
        stream.codec_context.thread_count = 1
        for frame in frames:
            even = np.ascontiguousarray(frame[: height // 2 * 2, : width // 2 * 2])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        out.mux(stream.encode(None))
    packed.seek(0)
    with av.open(packed, "r", format=plain) as back:
        back.streams.video[0].codec_context.thread_count = 1
        *_, last = back.decode(video=0)
    decoded = last.to_ndarray(format="rgb24")
    pads = ((0, height - decoded.shape[0]), (0, width - decoded.shape[1]), (0, 0))
    return np.asarray(np.pad(decoded, pads, mode="edge"), np.uint8)
