"""From a data set's folder to a manifest, with an account of what did not get into it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from unmask.data.layouts import LAYOUTS
from unmask.data.layouts.found import ASIDE, media_below
from unmask.data.manifest import Manifest, table_of
from unmask.errors import DataError


@dataclass(frozen=True, eq=False)
class Indexed:
    """A manifest and its account: files `missing` although named, media `unplaced`, how many lie `aside`
    (masks and the like), and what else is worth knowing."""

    manifest: Manifest
    missing: tuple[str, ...]
    unplaced: tuple[str, ...]
    aside: int
    notes: tuple[str, ...]


def index(folder: Path, layout: str) -> Indexed:
    """Every medium of `folder` that `layout` knows, in the order of path.

    Raises:
        DataError: the folder does not have this layout, or nothing of it was found.
        UnmaskError: there is no such layout.
    """
    found = LAYOUTS[layout](folder)
    if not found.rows:
        missing = f"; {len(found.missing)} named files are missing" if found.missing else ""
        raise DataError(
            f"nothing to index in {folder}{missing}", hint="is it unpacked, and is --layout the right one?"
        )
    rows = sorted(found.rows, key=lambda row: (row.path, row.box or ()))
    placed = {row.path for row in rows}
    unplaced, aside = [], 0
    for place in found.within or [folder]:
        for path in media_below(place):
            name = found.relative(path)
            if name in placed:
                continue
            if ASIDE & set(Path(name).parts):
                aside += 1
            else:
                unplaced.append(name)
    table = table_of(rows)
    return Indexed(
        Manifest(folder.absolute(), table), tuple(found.missing), tuple(unplaced), aside, tuple(found.notes)
    )


def counts(manifest: Manifest) -> list[tuple[str, str, str, str, int, int]]:
    """(dataset, label, method, kind, rows, sources) for each that occurs, sorted."""
    names = ("dataset", "label", "method", "kind")
    rows: Counter[tuple[str, ...]] = Counter()
    sources: dict[tuple[str, ...], set[str]] = {}
    for *key, source in manifest.table.select(*names, "source").iter_rows():
        rows[tuple(key)] += 1
        sources.setdefault(tuple(key), set()).add(source)
    return [(*key, rows[key], len(sources[key])) for key in sorted(rows)]  # type: ignore[misc]
