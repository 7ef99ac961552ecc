"""YuNet: a very small, very fast detector whose weights are fetched once and checked before use."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import cv2
import numpy as np
import platformdirs
from numpy.typing import NDArray

from unmask.errors import ModelError
from unmask.faces.finder import FINDERS, Use
from unmask.faces.found import to_faces
from unmask.faces.letterbox import letterbox
from unmask.types import Face

VARIABLE = "UNMASK_YUNET"
"""Environment variable with the path of a YuNet file to use instead of the fetched one."""

FILE_NAME = "face_detection_yunet_2023mar.onnx"
URL = f"https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/{FILE_NAME}"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
LARGEST = 1 << 20
"""Bytes read from the network at most; the file has 232,589."""
PATIENCE = 30.0
"""Seconds the server may stay silent."""

STILL_LONG_SIDE = 640
"""Working size for single pictures, in pixels."""
VIDEO_LONG_SIDE = 416
"""Working size for video: half the cost, and faces of 20 px in a 640-wide picture are still found."""
SAME_FACE = 0.3
"""Boxes that overlap more than this (IoU) are one face; OpenCV's value."""
MOST_CANDIDATES = 5000
"""Boxes kept before suppression; OpenCV's value."""


class YuNet:
    """The detector of Wu et al., "YuNet: A Tiny Millisecond-level Face Detector" (2023), run by OpenCV.

    `long_side` is the working size: pictures are shrunk to it, never enlarged. `threshold` is the lowest
    score (0 to 1) that counts as a face. OpenCV decides on the threads. Raises `ModelError` when there are
    no weights.
    """

    name = "yunet"
    concurrent = False

    def __init__(
        self,
        threads: int = 1,
        *,
        weights: Path | None = None,
        long_side: int = STILL_LONG_SIDE,
        threshold: float = 0.6,
    ) -> None:
        path = weights if weights is not None else weights_path()
        self.long_side = long_side
        # OpenCV 5 prints a warning for every network it opens; errors are raised and told by us.
        loudness = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._detector = cv2.FaceDetectorYN.create(
                str(path), "", (32, 32), threshold, SAME_FACE, MOST_CANDIDATES
            )
            self.find(np.zeros((32, 32, 3), dtype=np.uint8))
        except cv2.error as error:
            raise ModelError(
                f"{path} is not a YuNet network",
                hint=f"remove the file, or set {VARIABLE} to a good one",
            ) from error
        finally:
            cv2.utils.logging.setLogLevel(loudness)

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        """Faces in `image` (RGB uint8, (H, W, 3)), best score first, in pixels of `image`."""
        small = letterbox(image, self.long_side, 1)
        height, width = small.canvas.shape[:2]
        self._detector.setInputSize((width, height))
        found = self._detector.detect(np.ascontiguousarray(small.canvas[..., ::-1]))[1]
        if found is None:
            return []
        rows = np.asarray(found, dtype=np.float32)
        corners = np.stack([rows[:, :2], rows[:, :2] + rows[:, 2:4]], axis=1)
        order = np.argsort(-rows[:, 14], kind="stable")
        boxes = small.to_picture(corners[order]).reshape(-1, 4)
        points = small.to_picture(rows[order, 4:14].reshape(-1, 5, 2))
        return to_faces(boxes, points, rows[order, 14])


def weights_path() -> Path:
    """The YuNet file: from `UNMASK_YUNET`, else from the user's cache, else fetched into that cache.

    Raises `ModelError` when the variable names no file, or when fetching fails.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen:
        path = Path(chosen)
        if not path.is_file():
            raise ModelError(
                f"{VARIABLE} is set to {chosen}, which is not a file", hint=f"correct or unset {VARIABLE}"
            )
        return path
    cached = platformdirs.user_cache_path("unmask") / "weights" / FILE_NAME
    if not cached.is_file():
        fetch(URL, SHA256, cached)
    return cached


def fetch(url: str, sha256: str, target: Path) -> None:
    """Write what is at `url` to `target` if it has that SHA-256; `target` is whole or not there at all.

    Raises `ModelError` when the address cannot be read or holds something else.
    """
    # Needed once in a lifetime, and slow to import.
    import urllib.error
    import urllib.request

    by_hand = f"download {url} by hand and set {VARIABLE} to its path, or choose another face detector"
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            data = response.read(LARGEST)
    except (urllib.error.URLError, OSError) as error:
        raise ModelError(f"YuNet's weights cannot be fetched: {error}", hint=by_hand) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise ModelError(
            f"YuNet's weights at {url} have SHA-256 {digest}, expected {sha256}; they were not kept",
            hint=by_hand,
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as part:
            part.write(data)
        Path(part.name).replace(target)
    except OSError as error:
        raise ModelError(f"YuNet's weights cannot be kept: {error}", hint=by_hand) from error


@FINDERS.register("yunet")
def _make(threads: int, use: Use) -> YuNet:
    return YuNet(threads, long_side=VIDEO_LONG_SIDE if use is Use.VIDEO else STILL_LONG_SIDE)
