"""Small real videos, encoded on the spot, and a plain decode of them to compare with."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 96, 64


@dataclass(frozen=True)
class Clip:
    """How to encode a test clip; `ticks` are presentation times in 1/`clock` s."""

    codec: str = "libx264"
    frames: int = 100
    size: tuple[int, int] = (WIDTH, HEIGHT)
    pixels: str = "yuv420p"
    rate: int = 25
    gop: int = 24
    options: dict[str, str] = field(default_factory=dict)
    clock: int | None = None
    ticks: Sequence[int] | None = None
    rotation: int | None = None
    audio: bool = False
    container_options: dict[str, str] = field(default_factory=dict)


def picture(number: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> NDArray[np.uint8]:
    """RGB (H, W, 3): a moving pattern, different in every frame, that motion compensation can follow."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    red = 127 + 120 * np.sin((x + 2 * number) / 7.0)
    green = 127 + 120 * np.sin((y + number) / 5.0)
    blue = (x * 2 + y + 9 * number) % 256
    image = np.stack([red, green, blue], axis=-1)
    grain = np.random.default_rng(number).normal(0, 6, image.shape)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


@contextlib.contextmanager
def own_scheduling() -> Iterator[None]:
    """Undo what SVT-AV1 does where it may: it makes the thread that calls it, and all that this starts later,
    real-time ones. Such a process takes a whole core from all others."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def write_clip(path: Path, clip: Clip) -> Path:
    """Encode `clip` with libav."""
    with own_scheduling(), av.open(str(path), "w", container_options=clip.container_options) as container:
        stream = container.add_stream(clip.codec, rate=clip.rate, options=clip.options)
        stream.width, stream.height = clip.size
        stream.pix_fmt = clip.pixels
        stream.codec_context.time_base = Fraction(1, clip.clock or clip.rate)
        stream.gop_size = clip.gop
        if not clip.codec.startswith("libx26"):
            # The x26x encoders aim at quality by themselves.
            stream.bit_rate = 200_000
        if clip.rotation is not None:
            stream.set_display_rotation(clip.rotation)
        sound = container.add_stream("aac", rate=16000) if clip.audio else None
        ticks = clip.ticks if clip.ticks is not None else range(clip.frames)
        for number, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(picture(number, clip.size), format="rgb24")
            frame.pts = tick
            frame.time_base = Fraction(1, clip.clock or clip.rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            silence = np.zeros((1, 1024), np.float32)
            tone = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
            tone.rate, tone.pts = 16000, 0
            container.mux(sound.encode(tone))
            container.mux(sound.encode(None))
    return path


def decode_all(path: Path) -> list[NDArray[np.uint8]]:
    """Every frame of a video as PyAV decodes it by itself, single-threaded."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
