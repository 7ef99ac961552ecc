"""A checked manifest as one self-contained page, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from unmask.data.check.check import Checked, Twin
from unmask.data.check.words import verdict
from unmask.data.look import thumbnail
from unmask.data.pages import data_address, render_page

MOST_TWINS = 40
"""Pairs shown with pictures; more than that nobody looks through."""

MOST_LISTED = 100
THUMB_SIDE = 96


@dataclass(frozen=True, slots=True)
class ShownTwin:
    """A pair with its two thumbnails as data addresses; empty where a file cannot be read."""

    twin: Twin
    first: str
    second: str


def to_json(checked: Checked) -> bytes:
    """The whole tree, with `clean` and the verdict, as indented JSON."""
    document: dict[str, Any] = {"clean": checked.clean, "verdict": verdict(checked)}
    document |= msgspec.to_builtins(checked)
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def render(checked: Checked, title: str, root: Path) -> str:
    """The page's HTML; `root` is the manifest's, for the pictures of duplicates."""
    return render_page(
        "check.html.j2",
        title=title,
        checked=checked,
        verdict=verdict(checked),
        twins=list(_shown(checked, root)),
        most=MOST_LISTED,
    )


def _shown(checked: Checked, root: Path) -> Iterator[ShownTwin]:
    for twin in checked.twins[:MOST_TWINS]:
        yield ShownTwin(twin, _address(root / twin.first), _address(root / twin.second))


def _address(path: Path) -> str:
    picture = thumbnail(path, THUMB_SIDE)
    return "" if picture is None else data_address(picture)
