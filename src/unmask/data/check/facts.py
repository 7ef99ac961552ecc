"""What a file gives away before anyone looks at the face: format, sizes, compression, colours."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from unmask.data.layouts.found import VIDEOS
from unmask.data.look import look
from unmask.errors import UnmaskError

COLOUR_SIDE = 64
"""Colour statistics are taken from a copy this small: they are of the whole, not of details."""

JPEG_SUM = 3688.0
"""Sum of the luminance table of the JPEG standard (ITU-T T.81, table K.1). libjpeg scales the table by
5000 / quality below 50 and by 200 - 2 × quality from there, in percent."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What was found of one file.

    `numbers` and `words` are the facts by name (see `FAMILIES`); `hash` is the picture's 64-bit perceptual
    hash; `problem` is why there is none of it.
    """

    numbers: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    hash: int | None = None
    problem: str = ""


FAMILIES: dict[str, tuple[str, ...]] = {
    "file format": ("format", "mode", "subsampling"),
    "file size": ("bytes",),
    "picture size": ("width", "height", "aspect"),
    "bytes per pixel": ("bytes_per_pixel",),
    "JPEG quality": ("jpeg_quality",),
    "face size": ("face_size", "face_share", "side"),
    "colours": ("red", "green", "blue", "red_spread", "green_spread", "blue_spread", "saturation"),
}
"""Family → names of its facts. None of them says anything about forgery."""


def read_facts(paths: Sequence[Path], threads: int, progress: Callable[[int, int], None]) -> list[FileFacts]:
    """The facts of each file, in order; a file given twice is read once. Never raises for what a file is."""
    distinct = list(dict.fromkeys(paths))
    facts: dict[Path, FileFacts] = {}
    with ThreadPoolExecutor(threads, "unmask-facts") as pool:
        for path, found in zip(distinct, pool.map(read, distinct), strict=True):
            facts[path] = found
            progress(len(facts), len(distinct))
    return [facts[path] for path in paths]


def read(path: Path) -> FileFacts:
    """The facts of one file."""
    try:
        if path.suffix.lower() in VIDEOS:
            return _of_video(path)
        return _of_picture(path)
    except FileNotFoundError:
        return FileFacts(problem="missing")
    except UnmaskError as error:
        return FileFacts(problem="missing" if not path.exists() else f"unreadable: {error.message}")
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        # Pillow raises any of these for damaged pictures, by format.
        return FileFacts(problem=f"unreadable: {error}")


def jpeg_quality(tables: dict[int, Any]) -> float:
    """The libjpeg quality (1 to 100) whose luminance table has this sum; NaN where there is no table.

    `tables` is Pillow's `quantization`: 64 numbers per table.
    """
    if 0 not in tables or len(tables[0]) != 64:
        return float("nan")
    scale = 100 * float(np.sum(tables[0])) / JPEG_SUM
    quality = 5000 / scale if scale > 100 else (200 - scale) / 2
    return float(round(min(max(quality, 1.0), 100.0)))


def _of_picture(path: Path) -> FileFacts:
    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as picture:
        words = {
            "format": str(picture.format),
            "mode": picture.mode,
            "subsampling": _subsampling(picture),
        }
        quality = jpeg_quality(getattr(picture, "quantization", {}))
        width, height = picture.size
        rgb = picture.convert("RGB")
    numbers = _sizes(len(data), width, height, width * height) | _colours(rgb)
    numbers["jpeg_quality"] = quality
    return FileFacts(numbers, words, _hash(rgb))


def _of_video(path: Path) -> FileFacts:
    image, facts = look(path)
    rgb = Image.fromarray(image)
    pixels = facts.width * facts.height * (facts.frame_count or 1)
    words = {"format": f"{facts.container} {facts.codec}", "mode": facts.pixel_format, "subsampling": ""}
    numbers = _sizes(facts.size_bytes, facts.width, facts.height, pixels) | _colours(rgb)
    return FileFacts(numbers | {"jpeg_quality": float("nan")}, words, _hash(rgb))


def _sizes(size: int, width: int, height: int, pixels: int) -> dict[str, float]:
    return {
        "bytes": float(size),
        "bytes_per_pixel": size / pixels,
        "width": float(width),
        "height": float(height),
        "aspect": width / height,
    }


def _colours(rgb: Image.Image) -> dict[str, float]:
    small: NDArray[np.float64] = np.asarray(
        rgb.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX), dtype=np.float64
    )
    mean, spread = small.mean(axis=(0, 1)), small.std(axis=(0, 1))
    saturation = float((small.max(axis=2) - small.min(axis=2)).mean())
    names = ("red", "green", "blue")
    return (
        {name: float(value) for name, value in zip(names, mean, strict=True)}
        | {f"{name}_spread": float(value) for name, value in zip(names, spread, strict=True)}
        | {"saturation": saturation}
    )


def _subsampling(picture: Image.Image) -> str:
    if picture.format != "JPEG":
        return ""
    from PIL import JpegImagePlugin

    sampling = JpegImagePlugin.get_sampling(picture)
    return {0: "4:4:4", 1: "4:2:2", 2: "4:2:0"}.get(sampling, "other")


def _hash(rgb: Image.Image) -> int:
    return int(str(imagehash.phash(rgb)), 16)


def threads_for(count: int) -> int:
    """As many threads as there are cores; Pillow and libav let others run while they decode."""
    return max(1, min(os.cpu_count() or 1, count))
