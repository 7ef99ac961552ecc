"""The work on one medium, in a process of its own: decode, find faces, cut, write."""

from __future__ import annotations

import io
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unmask.data.extract.options import ExtractOptions
from unmask.data.extract.square import cut_square
from unmask.errors import UnmaskError
from unmask.faces import FINDERS, FaceFinder, Use
from unmask.media import Limits, Sampling, open_media
from unmask.types import BoxXYXY, Face, Landmarks

SAME_FACE = 0.3
"""Least overlap (intersection over union) of a found face and an annotated one; boxes of two sources agree
only roughly, and faces of two people rarely overlap at all."""


class Medium(msgspec.Struct, frozen=True):
    """One file to cut faces from. `name` is that of its crops, without ending, below the folder of faces;
    `boxes` are the annotated faces of a picture, in pixels, empty where it has none."""

    path: str
    file: str
    name: str
    boxes: tuple[BoxXYXY, ...] = ()


class Cut(msgspec.Struct, frozen=True):
    """One face that was written. `annotation` says which of the medium's boxes it is, -1 where there are
    none; the box and the landmarks are in pixels of the crop, `side` in pixels of the medium."""

    file: str
    frame: int
    time: float
    box: BoxXYXY
    landmarks: Landmarks
    side: int
    annotation: int


class Result(msgspec.Struct, frozen=True):
    """What came of one medium. `failure` is empty, or why it gave nothing and should be tried again."""

    path: str
    kind: str = ""
    cuts: tuple[Cut, ...] = ()
    frames: int = 0
    too_small: int = 0
    unmatched: int = 0
    failure: str = ""


_worker: Worker | None = None


class Worker:
    """Cuts one medium after another with networks opened once."""

    def __init__(self, options: ExtractOptions, out: Path, threads: int = 1) -> None:
        self.options, self.out, self.threads = options, out, threads
        self._finders: dict[Use, FaceFinder] = {}

    def extract(self, medium: Medium) -> Result:
        """Never raises for what the file is: a failure is part of the result."""
        try:
            return self._extract(medium)
        except UnmaskError as error:
            return Result(medium.path, failure=error.message)

    def _extract(self, medium: Medium) -> Result:
        options = self.options
        deadline = time.monotonic() + options.timeout
        cuts: list[Cut] = []
        frames = too_small = unmatched = 0
        with open_media(medium.file, Limits(), threads=self.threads, deadline=deadline) as media:
            finder = self._finder(Use.STILL if media.facts.kind == "image" else Use.VIDEO)
            for frame in media.frames(Sampling(options.stride, options.frames)):
                frames += 1
                found = finder.find(frame.image)
                large = [face for face in found if face.size >= options.min_face]
                too_small += len(found) - len(large)
                chosen = list(_chosen(large, medium.boxes, options.all_faces))
                unmatched += max(0, len(medium.boxes) - len(chosen))
                for number, (annotation, face) in enumerate(chosen):
                    name = medium.name
                    if media.facts.kind == "video":
                        name += f"/{frame.index:06d}"
                    if number:
                        name += f"-{number + 1}"
                    cuts.append(self._cut(frame.image, face, name, frame.index, frame.time, annotation))
            kind = media.facts.kind
        return Result(medium.path, kind, tuple(cuts), frames, too_small, unmatched)

    def _cut(
        self, image: NDArray[np.uint8], face: Face, name: str, frame: int, seconds: float, annotation: int
    ) -> Cut:
        options = self.options
        crop, box, landmarks, side = cut_square(image, face, options.margin, options.size)
        file = f"faces/{name}.{'jpg' if options.format == 'jpeg' else options.format}"
        target = self.out / file
        target.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own while it is written, the same at every try: what a kill leaves is written over.
        partial = target.with_name(f".{target.name}.partial")
        try:
            partial.write_bytes(encoded(crop, options.format, options.quality))
            partial.replace(target)
        except OSError as error:
            raise UnmaskError(f"cannot write {target}: {error.strerror or error}") from error
        return Cut(file, frame, seconds, box, landmarks, side, annotation)

    def _finder(self, use: Use) -> FaceFinder:
        if use not in self._finders:
            self._finders[use] = FINDERS[self.options.detector](self.threads, use)
        return self._finders[use]


def encoded(image: NDArray[np.uint8], format_: str, quality: int) -> bytes:
    """`image` (RGB uint8, (H, W, 3)) as a file of this format; JPEG keeps its colours at full resolution."""
    buffer = io.BytesIO()
    picture = Image.fromarray(image)
    if format_ == "png":
        picture.save(buffer, "PNG")
    elif format_ == "jpeg":
        picture.save(buffer, "JPEG", quality=quality, subsampling=0)
    else:
        picture.save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()


def open_worker(options: ExtractOptions, out: str) -> None:
    """Set up a worker process. Ctrl-C is its parent's to handle."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    _worker = Worker(options, Path(out))


def extract_one(medium: Medium) -> Result:
    """`Worker.extract` in a worker process."""
    assert _worker is not None
    return _worker.extract(medium)


def _chosen(faces: Sequence[Face], boxes: Sequence[BoxXYXY], all_faces: bool) -> Iterator[tuple[int, Face]]:
    """(number of the annotation or -1, face) of those to cut."""
    if not boxes:
        by_size = sorted(faces, key=lambda face: face.size, reverse=True)
        yield from ((-1, face) for face in (by_size if all_faces else by_size[:1]))
        return
    left = list(faces)
    for number, box in enumerate(boxes):
        best = max(left, key=lambda face: _overlap(face.box, box), default=None)
        if best is not None and _overlap(best.box, box) >= SAME_FACE:
            left.remove(best)
            yield number, best


def _overlap(a: BoxXYXY, b: BoxXYXY) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0
