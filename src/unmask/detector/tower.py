"""The large matrices of a model that stands on a public network: made from a public file, kept out of ours.

Where only LayerNorms and a head were tuned, all else is the public network's own. A shipped model then is a
small file, and this file beside it, made once on the user's machine from a pinned package: its matrices in
8-bit integers with a scale for each column, and its tables of floats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from unmask.errors import ModelError
from unmask.packaged import Packaged, holds, kept

NAME = "tower.bin"
"""What models call the file."""


@dataclass(frozen=True, slots=True)
class Piece:
    """`length` bytes of the public file from `start` on."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Tower:
    """How to make the file: which pieces of what follow one another, and the SHA-256 of the outcome."""

    source: Packaged
    pieces: tuple[Piece, ...]
    sha256: str = ""

    def bytes_of(self, public: NDArray[np.uint8]) -> Iterator[bytes]:
        """The pieces one after the other."""
        for piece in self.pieces:
            yield public[piece.start : piece.start + piece.length].tobytes()

    def path(self, what: str, *, fetch: bool) -> Path:
        """The file in the user's cache; made if need be and asked for.

        Raises:
            ModelError: it is not there or damaged and not to be fetched, cannot be fetched or kept, or comes
                out wrong.
        """
        path = self.source.folder / self.sha256[:16] / NAME
        if holds(path, self.sha256):
            return path
        if not fetch:
            damaged = path.exists()
            raise ModelError(
                f"{what} needs weights that are " + ("damaged" if damaged else "not on this machine yet"),
                hint=f"fetch them {'again' if damaged else 'once'} with `unmask models --fetch {what}`",
            )
        public = np.memmap(self.source.path(f"what {what} stands on"), np.uint8, "r")
        digest = hashlib.sha256()
        with kept(path, f"what {what} stands on") as file:
            for data in self.bytes_of(public):
                digest.update(data)
                file.write(data)
            if digest.hexdigest() != self.sha256:
                raise ModelError(f"the weights of {what} came out wrong", hint="please report it")
        return path


def parse_tower(text: bytes) -> Tower:
    """The plan in a JSON file beside a shipped model."""
    return msgspec.json.decode(text, type=Tower)
