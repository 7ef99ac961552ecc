"""The large matrices of a model that stands on a public network: made from a public file, kept out of ours.

Where only LayerNorms and a head were tuned, all else is the public network's own. A shipped model then is a
small file, and this file beside it, made once on the user's machine from a pinned package: matrices in 8-bit
integers, in the layout in which ONNX Runtime multiplies them (its operator MatMulNBits).
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

MIDDLE = 128
"""What is added to signed integers: the operator takes unsigned ones, and this for zero."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """Where a matrix (K, N) lies in the public file, in bytes from its start: int8 values row by row, and for
    each of the N columns a float32 scale."""

    deep: int
    wide: int
    values: int
    scales: int


@dataclass(frozen=True, slots=True)
class Plain:
    """`length` bytes of the public file that are taken as they are."""

    start: int
    length: int


@dataclass(frozen=True, slots=True)
class Tower:
    """How to make the file: from what, which matrices and then which floats, columns in blocks of `block`
    values, and the SHA-256 of the outcome."""

    source: Packaged
    block: int
    matrices: tuple[Matrix, ...]
    floats: tuple[Plain, ...]
    sha256: str = ""

    def bytes_of(self, public: NDArray[np.uint8]) -> Iterator[bytes]:
        """The parts of the file one after the other; of a matrix its integers (N, K / block, block) and
        scales (N · K / block)."""
        for matrix in self.matrices:
            deep, wide, blocks = matrix.deep, matrix.wide, matrix.deep // self.block
            values = public[matrix.values : matrix.values + deep * wide].view(np.int8).reshape(deep, wide)
            scales = public[matrix.scales : matrix.scales + 4 * wide].tobytes()
            yield (np.ascontiguousarray(values.T).astype(np.int16) + MIDDLE).astype(np.uint8).tobytes()
            yield np.repeat(np.frombuffer(scales, "<f4"), blocks).tobytes()
        for plain in self.floats:
            yield public[plain.start : plain.start + plain.length].tobytes()

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
