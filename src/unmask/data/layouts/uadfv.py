"""UADFV (Li, Chang and Lyu, 2018): `real/0000.mp4` and the swap made from it, `fake/0000_fake.mp4`."""

from __future__ import annotations

from pathlib import Path

from unmask.data.layouts.found import LAYOUTS, Found, clips_of, expect, rows_of
from unmask.data.layouts.names import uadfv as ties
from unmask.data.sample import ORIGINAL


@LAYOUTS.register("uadfv")
def uadfv(root: Path) -> Found:
    """All clips, with those missing whose other half is there."""
    expect(root, "real", "fake")
    found = Found(root)
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for folder, fake in (("real", False), ("fake", True)):
        for clip in clips_of(root / folder):
            names[fake].add(clip.name.removesuffix("_fake"))
            found.rows.extend(
                rows_of(
                    found,
                    clip,
                    ties(clip.name),
                    fake=fake,
                    dataset="uadfv",
                    method="fakeapp" if fake else ORIGINAL,
                )
            )
    found.missing = [f"real/{name}.mp4" for name in sorted(names[True] - names[False])]
    found.missing += [f"fake/{name}_fake.mp4" for name in sorted(names[False] - names[True])]
    return found
