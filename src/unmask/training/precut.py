"""Crops cut once and kept on disk as one array, for small networks that would wait for pictures otherwise."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.data.corpus import Sample
from unmask.faces.crop import CropSpec, cut
from unmask.report.atomic import replacing
from unmask.training.samples import Jitter, read_image

ROOM = 1 / 16
"""Part of the side kept around each crop for shifts."""


class Precut:
    """Finished crops of some samples, a little larger than asked for; jitter is a shift and a mirror.

    The array is made once per set of samples and crop, and shared between processes by mapping the file.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        spec: CropSpec,
        folder: Path,
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self.room = max(1, round(spec.size * ROOM))
        side = spec.size + 2 * self.room
        wide = CropSpec(side, spec.margin * side / spec.size)
        names = hashlib.sha256()
        for sample in samples:
            names.update(f"{sample.path}\n{sample.landmarks}\n".encode())
        names.update(repr(wide).encode())
        self.path = folder / f"crops-{spec.size}-{names.hexdigest()[:16]}.npy"
        self._row = {sample.path: row for row, sample in enumerate(samples)}
        self._crops: NDArray[np.uint8] | None = None
        if not self.path.is_file():
            _write(samples, wide, self.path, progress)

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_crops": None}

    def crop(
        self, sample: Sample, spec: CropSpec, jitter: Jitter, image: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """The kept crop of `sample`; `image` must be None."""
        assert image is None, "a kept crop cannot be changed"
        if self._crops is None:
            self._crops = np.load(self.path, mmap_mode="r")
        wide = self._crops[self._row[sample.path]]
        moves = (round(self.room + share * spec.size) for share in jitter.shift)
        x, y = (min(max(move, 0), 2 * self.room) for move in moves)
        crop = wide[y : y + spec.size, x : x + spec.size]
        return np.ascontiguousarray(crop[:, ::-1] if jitter.mirrored else crop)


def _write(
    samples: Sequence[Sample], spec: CropSpec, path: Path, progress: Callable[[int, int], None]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (len(samples), spec.size, spec.size, 3)
    with replacing(path) as partial:  # by a name of its own, since several devices may cut at once
        crops = np.lib.format.open_memmap(partial, mode="w+", dtype=np.uint8, shape=shape)
        with ThreadPoolExecutor() as pool:
            images = pool.map(lambda s: cut(read_image(s), s.landmarks, spec), samples)
            for row, crop in enumerate(images):
                crops[row] = crop
                progress(row + 1, len(samples))
        crops.flush()
