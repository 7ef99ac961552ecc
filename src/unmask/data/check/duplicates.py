"""Pictures that look the same on both sides of a split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

MOST_BITS = 4
"""Hamming distance of 64-bit perceptual hashes up to which two pictures count as the same."""

BANDS = ((0, 13), (13, 13), (26, 13), (39, 13), (52, 12))
"""(first bit, bits) of MOST_BITS + 1 bands: of two hashes that differ in 4 bits, one band is equal."""

CHUNK = 2048
"""Hashes of one bucket that are compared with all others of it at a time: bounds the memory."""


def near_pairs(hashes: Sequence[int], side: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(i, j, bits) for all pairs on different sides whose hashes differ in at most `MOST_BITS` bits, i < j.

    A multi-index over bands (Norouzi, Punjani and Fleet, CVPR 2012): only pictures that agree in one band are
    compared, so that the work grows with the pictures, not with their pairs. Rows of one hash and side are
    represented by their first.
    """
    first: dict[tuple[int, int], int] = {}
    for i, key in enumerate(zip(hashes, side, strict=True)):
        first.setdefault(key, i)
    index = np.fromiter(first.values(), dtype=np.int64, count=len(first))
    values = np.array([hashes[i] for i in index], dtype=np.uint64)
    sides = np.array([side[i] for i in index], dtype=np.int64)
    seen: set[tuple[int, int]] = set()
    for shift, width in BANDS:
        band = (values >> np.uint64(shift)) & np.uint64((1 << width) - 1)
        order = np.argsort(band, kind="stable")
        cuts = np.flatnonzero(np.diff(band[order])) + 1
        for bucket in np.split(order, cuts):
            if len(bucket) > 1 and len(np.unique(sides[bucket])) > 1:
                for a, b, bits in _within(bucket, values, sides):
                    pair = (min(int(index[a]), int(index[b])), max(int(index[a]), int(index[b])))
                    if pair not in seen:
                        seen.add(pair)
                        yield (*pair, bits)


def _within(
    bucket: NDArray[np.int64], values: NDArray[np.uint64], sides: NDArray[np.int64]
) -> Iterator[tuple[int, int, int]]:
    for start in range(0, len(bucket), CHUNK):
        part = bucket[start : start + CHUNK]
        bits = np.bitwise_count(values[part][:, None] ^ values[bucket][None, :])
        near = (bits <= MOST_BITS) & (sides[part][:, None] < sides[bucket][None, :])
        for a, b in np.argwhere(near):
            yield int(part[a]), int(bucket[b]), int(bits[a, b])
