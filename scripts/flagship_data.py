"""The split that the shipped models are trained on: look-alike sources tied, some methods never trained on.

    unmask data index CORPUS --layout corpus --out all.parquet
    python scripts/flagship_data.py all.parquet train.parquet --rotation 2

Sources that look the same are tied and go to one side, where most of their crops were. The methods that a
rotation holds out are in `val` alone, so that what is chosen there is chosen for methods nobody trained on.
The third rotation holds out whole data sets besides: all interviews, real and forged, as if they were media
of other origin.
The fourth, which `accurate` is made with, holds out some makes of recordings; the fifth is the first without
talking heads, for a model that goes on where one of the first left off. `--each 12` keeps that many crops of
a recording in `val`, where a quick answer is wanted.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path

import polars as pl

from unmask.data.check.duplicates import near_pairs
from unmask.data.check.facts import read_facts, threads_for
from unmask.data.groups import groups
from unmask.data.manifest import Manifest, read_manifest, read_samples, write_manifest
from unmask.training.fit import spread

TALKING_HEADS = (
    "anitalker", "cyberhost", "dreamtalk", "edtalk", "emo", "loopy", "omnihuman", "sadtalker", "vasa",
)  # fmt: skip
HELD_OUT = {
    1: ("faceshifter", "omnihuman", "imagen", "stylegan1"),
    2: ("faceswap", "stylegan2-studio", "grok", *TALKING_HEADS),
    3: ("stylegan2-studio", "grok", *TALKING_HEADS),
    4: ("stylegan2-studio", "grok", *TALKING_HEADS),
    5: ("faceshifter", "omnihuman", "imagen", "stylegan1"),
}
"""Each a swap, a GAN, a text-to-image model, and one talking head or all: trained on, these teach that who
speaks is forged, since hardly any real recordings stand against them (docs/experiments.md)."""

LEFT_OUT = {5: tuple(method for method in TALKING_HEADS if method != "omnihuman")}
"""Methods that are neither trained on nor measured: a model that is trained further has seen them before."""

DATA_SETS_HELD_OUT = {
    3: ("ffpp", "ffpp_frames", "dfd", "dfd_frames"),
    4: ("dfd", "dfd_frames", "signs-recognition"),
}


def tied(manifest: Manifest) -> list[int]:
    """The group of each row: by recording, by swap, and by looks."""
    table = manifest.table
    facts = read_facts(manifest.paths(), threads_for(len(table)), lambda done, total: None)
    group = groups(table).tolist()
    hashes = [fact.hash for fact in facts]
    parent = list(range(max(group) + 1))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = number = parent[parent[number]]
        return number

    for first, second, _ in near_pairs(hashes, group):
        parent[root(group[first])] = root(group[second])
    return [root(number) for number in group]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--rotation", type=int, choices=sorted(HELD_OUT), default=1)
    parser.add_argument("--each", type=int, default=0, help="crops of a recording in val; 0 keeps all")
    arguments = parser.parse_args()
    held_out = HELD_OUT[arguments.rotation]
    manifest = read_manifest(arguments.manifest)
    rows = manifest.table.to_dicts()
    group = tied(manifest)
    given: dict[int, Counter[str]] = defaultdict(Counter)
    for row, number in zip(rows, group, strict=True):
        given[number][row["split"]] += 1
    side = {number: count.most_common(1)[0][0] for number, count in given.items()}
    # A group of nothing but held-out methods can be measured whole.
    methods: dict[int, set[str]] = defaultdict(set)
    for row, number in zip(rows, group, strict=True):
        methods[number].add(row["method"])
        if row["dataset"] in DATA_SETS_HELD_OUT.get(arguments.rotation, ()):
            side[number] = "val"
    for number, found in methods.items():
        if found <= set(held_out):
            side[number] = "val"
    split = [
        "" if side[number] == "train" and row["method"] in held_out else side[number]
        for row, number in zip(rows, group, strict=True)
    ]
    unused = LEFT_OUT.get(arguments.rotation, ())
    split = ["" if row["method"] in unused else where for row, where in zip(rows, split, strict=True)]
    if arguments.each:
        samples = read_samples(arguments.manifest)
        val = [sample for sample, where in zip(samples, split, strict=True) if where == "val"]
        left_out = {sample.path for sample in val} - {sample.path for sample in spread(val, arguments.each)}
        split = ["" if s.path in left_out else where for s, where in zip(samples, split, strict=True)]
    table = manifest.table.with_columns(pl.Series("split", split))
    write_manifest(arguments.out, Manifest(manifest.root, table))
    moved = sum(row["split"] != where for row, where in zip(rows, split, strict=True))
    print(f"{moved} rows changed sides or were left out")
    print(table.group_by("split", "label").agg(pl.len(), pl.col("source").n_unique()).sort("split", "label"))


if __name__ == "__main__":
    main()
