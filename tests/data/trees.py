"""Tiny trees of the true shape of public data sets, and manifests made by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from unmask.data.manifest import Manifest, Row, table_of, write_manifest


def touch(root: Path, *names: str) -> Path:
    """Empty files, with the folders above them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def put_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def manifest_at(path: Path, root: Path, rows: Iterable[Row]) -> Path:
    return write_manifest(path, Manifest(root, table_of(rows)))


def clip(path: Path, photo: NDArray[np.uint8], frames: int = 24) -> Path:
    """A short H.264 video in which `photo` moves a little."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = (side // 2 * 2 for side in photo.shape[:2])
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(24), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            image = np.roll(photo[:height, :width], number % 4, axis=1)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        out.mux(stream.encode())
    return path
