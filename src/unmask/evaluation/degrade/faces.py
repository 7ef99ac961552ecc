"""Disturbs what a face finder finds: how much a verdict hangs on where exactly the face is cut out."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from unmask.errors import UnmaskError
from unmask.evaluation.degrade.registry import DEGRADATIONS, FaceDegradation
from unmask.faces import FaceFinder, Use
from unmask.faces.crop import CENTRE_BELOW_EYES, face_frame
from unmask.options import ScanOptions
from unmask.scanner import Scanner
from unmask.types import Face, Point


@DEGRADATIONS.register("margin")
class Margin(FaceDegradation):
    """The crop takes in more or less around the face; its centre and its turn stay.

    Factor by which the crop's side is larger or smaller at most: 1.05, 1.1, 1.15, 1.25, 1.4. Two good face
    finders differ by about the first; at the last the crop ends within the face, or the face fills
    little more than half of it.
    """

    unit = "times larger or smaller, at most"
    levels = (1.05, 1.1, 1.15, 1.25, 1.4)

    def disturb(self, face: Face, random: np.random.Generator) -> Face:
        """Box and landmarks scaled about the centre of the crop, by a factor whose logarithm is uniform."""
        most = np.log(self.levels[self.at])
        factor = float(np.exp(random.uniform(-most, most)))
        centre = np.array(face_frame(face.landmarks).point(0.0, CENTRE_BELOW_EYES))
        corners = np.array(face.box).reshape(2, 2)
        return _moved(
            face,
            centre + factor * (corners - centre),
            centre + factor * (np.array(face.landmarks) - centre),
        )


@DEGRADATIONS.register("box")
class Box(FaceDegradation):
    """Each edge of the box and each landmark is off by itself: the crop is shifted, turned and scaled.

    Largest distance, in % of the face's longer side: 3, 5, 7, 10, 14. 3 % is what two good face finders
    differ by (0.07 of the distance between the eyes in the median, see `docs/faces.md`); at 14 % an eye may
    be taken for where its brow is, and the crop is turned by up to 30 degrees.
    """

    unit = "% of the face's longer side, at most"
    levels = (3, 5, 7, 10, 14)

    def disturb(self, face: Face, random: np.random.Generator) -> Face:
        """Edges moved uniformly up to the distance, landmarks uniformly within a disc of that radius."""
        most = self.levels[self.at] / 100 * face.size
        edges = random.uniform(-most, most, 4)
        angles = random.uniform(0, 2 * np.pi, 5)
        radii = most * np.sqrt(random.uniform(0, 1, 5))
        steps = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return _moved(face, (np.array(face.box) + edges).reshape(2, 2), np.array(face.landmarks) + steps)


class NoisyFinder:
    """A face finder whose faces are disturbed by the degradation `kind`; their number and order stay.

    What is drawn for a face hangs on `seed` and on its box alone: the same picture gives the same faces,
    whatever thread asks and in whatever order, and a higher severity moves the same way and further.

    Raises:
        UnmaskError: there is no such severity, or no degradation of faces of this name.
    """

    def __init__(self, finder: FaceFinder, kind: str, severity: int, seed: int) -> None:
        degradation = DEGRADATIONS[kind]
        if not issubclass(degradation, FaceDegradation):
            raise UnmaskError(f"{kind} degrades files, not the faces found", hint="use degrade_file instead")
        self._finder = finder
        self._degradation = degradation(severity, seed)

    @property
    def name(self) -> str:
        """See `FaceFinder`."""
        return self._finder.name

    @property
    def concurrent(self) -> bool:
        """See `FaceFinder`."""
        return self._finder.concurrent

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        """See `FaceFinder`."""
        made = self._degradation
        return [made.disturb(face, _random(face, made.seed)) for face in self._finder.find(image)]


class _DisturbedScanner(Scanner):
    def __init__(self, options: ScanOptions, kind: str, severity: int, seed: int) -> None:
        super().__init__(options)
        plain = self._make_finder
        self._make_finder = lambda threads, use: NoisyFinder(plain(threads, use), kind, severity, seed)
        self._finder(Use.STILL)


def disturbed_scanner(options: ScanOptions, kind: str, severity: int, seed: int = 0) -> Scanner:
    """A scanner that cuts out faces where a `NoisyFinder` says they are.

    Raises:
        UnmaskError: as `Scanner` and `NoisyFinder`.
    """
    return _DisturbedScanner(options, kind, severity, seed)


def _random(face: Face, seed: int) -> np.random.Generator:
    """Seeded by the box in whole pixels: finders differ in the last bits between machines."""
    text = repr((seed, *(round(edge) for edge in face.box)))
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest()))


def _moved(face: Face, corners: NDArray[np.float64], landmarks: NDArray[np.float64]) -> Face:
    """The face with other corners (2, 2) and landmarks (5, 2); a box turned inside out is turned back."""
    (x1, y1), (x2, y2) = np.sort(corners, axis=0).tolist()
    one, two, three, four, five = (_point(row) for row in landmarks)
    return Face((x1, y1, x2, y2), (one, two, three, four, five), face.score)


def _point(row: NDArray[np.float64]) -> Point:
    return float(row[0]), float(row[1])
