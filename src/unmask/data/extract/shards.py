"""Pack crops into tar files named as webdataset reads them: `key.webp` and `key.json` beside each other."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from unmask.data.manifest import Row
from unmask.report.atomic import replacing, write

INDEX = "shards.json"
"""Written after the last shard: where it is, the packing is complete."""


def pack(out: Path, rows: Sequence[Row], per_shard: int, progress: Callable[[int, int], None]) -> list[Path]:
    """Write `<split or all>-000000.tar` … into `out/shards` and return them.

    Samples are shuffled (the same way at every call), so that one shard is a fair draw of its split.
    `key.json` holds the row without its path. The loose crops are removed once all shards stand.

    Raises:
        UnmaskError: a shard cannot be written.
    """
    folder = out / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    by_split: dict[str, list[Row]] = {}
    for row in rows:
        by_split.setdefault(row.split or "all", []).append(row)
    shards: list[Path] = []
    counts: dict[str, int] = {}
    done = 0
    for split, members in sorted(by_split.items()):
        order = np.random.default_rng(0).permutation(len(members))
        for number, start in enumerate(range(0, len(members), per_shard)):
            shard = folder / f"{split}-{number:06d}.tar"
            chosen = [members[i] for i in order[start : start + per_shard]]
            _write_shard(shard, out, chosen, start)
            shards.append(shard)
            counts[shard.name] = len(chosen)
            done += len(chosen)
            progress(done, len(rows))
    write(folder / INDEX, msgspec.json.format(msgspec.json.encode(counts), indent=2))
    shutil.rmtree(out / "faces", ignore_errors=True)
    return shards


def _write_shard(path: Path, out: Path, rows: Sequence[Row], start: int) -> None:
    with replacing(path) as temporary, tarfile.open(temporary, "w") as tar:
        for number, row in enumerate(rows):
            key = f"{start + number:09d}"
            _add(tar, f"{key}{Path(row.path).suffix}", (out / row.path).read_bytes())
            _add(tar, f"{key}.json", msgspec.json.encode(_facts(row)))


def _facts(row: Row) -> dict[str, object]:
    facts: dict[str, object] = msgspec.to_builtins(row)
    facts["label"] = "fake" if facts.pop("fake") else "real"
    del facts["path"]
    return facts


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))
