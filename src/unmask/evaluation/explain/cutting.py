"""Exact crops of chosen faces: a scan keeps them as JPEG only, which is not what was judged."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from unmask.evaluation.explain.judge import Crop
from unmask.scanner import Progress, Scanner
from unmask.types import Face, FaceReport, Frame, Landmarks, Report

KEPT = 512
"""Crops kept while a file is scanned (77 MB at 224 pixels). Where there are more faces, it is looked at again
for those that are wanted."""

Key = tuple[int, Landmarks]
"""A face's frame and landmarks."""


class Cutter:
    """Scans files and gives the crops of their faces as the model saw them."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._kept: dict[Key, Crop] = {}
        self._wanted: frozenset[Key] | None = None

    def scan(self, path: Path, progress: Progress | None = None) -> Report:
        """The report on a file, as any scan gives it."""
        self._kept, self._wanted = {}, None
        return self._scanner.scan(path, progress, look=self._see)

    def crops(self, path: Path, faces: Iterable[FaceReport]) -> list[Crop]:
        """The crops of faces of the file scanned last."""
        keys = [(face.frame, face.landmarks) for face in faces]
        missing = frozenset(key for key in keys if key not in self._kept)
        if missing:
            self._wanted = missing
            self._scanner.scan(path, look=self._see)
        return [self._kept[key] for key in keys]

    def _see(self, frame: Frame, faces: Sequence[Face]) -> None:
        for face in faces:
            key = (frame.index, face.landmarks)
            if len(self._kept) < KEPT if self._wanted is None else key in self._wanted:
                self._kept[key] = self._scanner.detector.crops(frame.image, face.landmarks)[0]
