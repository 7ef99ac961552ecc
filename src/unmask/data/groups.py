"""Which rows belong together because they share a recording or a person."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unmask.errors import DataError

TIES = {"source": ("source", "partner_source"), "identity": ("identity", "partner")}
"""What can tie rows → the columns that hold it: a swap belongs to its target's and to its donor's group."""


def groups(table: pl.DataFrame, by: Sequence[str] = ("source",)) -> NDArray[np.int64]:
    """The group of each row, (N,), numbered from 0 in order of appearance.

    Rows are in one group if a chain of shared values leads from one to the other (union-find). A row with no
    value at all is tied by its path alone.

    Raises:
        DataError: `by` names something that cannot tie rows.
    """
    unknown = [name for name in by if name not in TIES]
    if unknown or not by:
        raise DataError(
            f"rows cannot be grouped by {', '.join(unknown) or 'nothing'}",
            hint=f"choose from {', '.join(TIES)}",
        )
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while (above := parent.setdefault(key, key)) != key:
            parent[key] = key = parent[above]
        return key

    first: list[str] = []
    names = [(kind, column) for kind in by for column in TIES[kind]]
    for path, *values in table.select("path", *(column for _, column in names)).iter_rows():
        keys = [f"{kind}\0{v}" for (kind, _), v in zip(names, values, strict=True) if v] or [f"path\0{path}"]
        for key in keys[1:]:
            parent[root(key)] = root(keys[0])
        root(keys[0])
        first.append(keys[0])
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(root(key), len(numbers)) for key in first], dtype=np.int64)
