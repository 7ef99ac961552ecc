"""Several manifests as one, so that collections can be split and checked together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from unmask.data.manifest import Manifest
from unmask.errors import DataError


def join(manifests: Sequence[Manifest]) -> Manifest:
    """All rows, in the order given, with paths from the deepest folder that holds all roots.

    Raises:
        DataError: none is given, they share no folder, or one file is in two of them.
    """
    if not manifests:
        raise DataError("there is nothing to join", hint="give two manifests or more")
    try:
        root = Path(os.path.commonpath([manifest.root for manifest in manifests]))
    except ValueError as error:
        raise DataError(
            "the manifests' folders share no folder above them", hint="move them to one disk"
        ) from error
    tables = []
    for manifest in manifests:
        prefix = manifest.root.relative_to(root).as_posix()
        path = pl.col("path") if prefix == "." else pl.concat_str(pl.lit(f"{prefix}/"), pl.col("path"))
        tables.append(manifest.table.with_columns(path.alias("path")))
    _check_distinct(tables)
    return Manifest(root, pl.concat(tables))


def _check_distinct(tables: Sequence[pl.DataFrame]) -> None:
    seen: set[str] = set()
    for table in tables:
        paths = set(table["path"])
        both = seen & paths
        if both:
            raise DataError(
                f"{len(both)} files are in two manifests ({min(both)} …)", hint="join each data set once"
            )
        seen |= paths
