"""Small pictures of uploads, made where uploads are decoded, and which uploads a browser shows by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.report.atomic import write
from unmask.types import Face, FileFacts, Frame
from unmask.web.store import Folder

THUMBNAIL = 320
"""Pixels of a thumbnail's longer side."""

PICTURE = 2048
"""Pixels of the longer side of a still as pages show it."""

QUALITY = 85
"""Of the JPEG files."""

PLAYABLE = {
    "h264": ("mp4",),
    "vp8": ("webm",),
    "vp9": ("webm", "mp4"),
    "av1": ("webm", "mp4"),
}
"""Codec → containers in which every current browser plays it."""

PLAIN_PIXELS = ("yuv420p", "yuvj420p")


def playable(facts: FileFacts) -> bool:
    """True for videos that every current browser plays as they are."""
    containers = facts.container.lower().split(",")
    known = PLAYABLE.get(facts.codec.lower(), ())
    return facts.pixel_format in PLAIN_PIXELS and any(name in containers for name in known)


class Pictures:
    """Saves the pictures of a file while it is looked at: the first frame, and of a video the first face."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._saved = self._face_saved = False

    def __call__(self, frame: Frame, faces: Sequence[Face]) -> None:
        """See one frame, RGB uint8 (H, W, 3), and the faces in it."""
        if not self._saved:
            _save(frame.image, PICTURE, self.folder.picture)
        if not self._saved or (faces and not self._face_saved):
            _save(frame.image, THUMBNAIL, self.folder.thumbnail)
            self._face_saved = bool(faces)
        self._saved = True


def _save(image: NDArray[np.uint8], longest: int, path: Path) -> None:
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, jpeg = cv2.imencode(".jpg", image[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, QUALITY))
    write(path, jpeg.tobytes())
