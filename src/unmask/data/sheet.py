"""A contact sheet: a few pictures of every label, dataset and method, to look at before training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from unmask.data.look import thumbnail
from unmask.data.manifest import Manifest
from unmask.data.pages import data_address, render_page
from unmask.errors import DataError
from unmask.report.atomic import replacing, write

SIDE = 112
"""Pixels of a thumbnail's longer side."""

GAP, CAPTION, FONT_SIZE = 6, 22, 13
MOST_HEIGHT = 60_000
"""Pixels: taller pictures are refused by many viewers."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Strip:
    """One line of the sheet: what it shows, and the rows that were drawn for it, by file name."""

    label: str
    dataset: str
    method: str
    rows: int
    sources: int
    shown: tuple[str, ...]

    @property
    def caption(self) -> str:
        """The line above the pictures."""
        return f"{self.label} · {self.dataset} · {self.method}   ({self.rows} rows, {self.sources} sources)"


def strips(manifest: Manifest, per: int, seed: int = 0) -> list[Strip]:
    """One strip per label, dataset and method, real first; `per` rows each, of as many sources as can be."""
    lines = []
    keys = ("label", "dataset", "method")
    for key, table in sorted(
        manifest.table.group_by(keys, maintain_order=True), key=lambda item: _order(item[0])
    ):
        paths, sources = table["path"].to_list(), table["source"].to_list()
        rounds: dict[str, int] = {}
        ranked: list[tuple[int, int, str]] = []
        for i in np.random.default_rng(seed).permutation(len(paths)):
            turn = rounds[sources[i]] = rounds.get(sources[i], -1) + 1
            ranked.append((turn, len(ranked), paths[i]))
        chosen = dict.fromkeys(path for _, _, path in sorted(ranked))
        label, dataset, method = (str(value) for value in key)
        lines.append(Strip(label, dataset, method, len(paths), len(rounds), tuple(chosen)[:per]))
    return lines


def show(manifest: Manifest, out: Path, per: int = 8, seed: int = 0, progress: Progress | None = None) -> int:
    """Write the sheet to `out` (.html: one self-contained page; .png: one picture); the pictures shown.

    Raises:
        DataError: another ending, or more lines than fit one picture.
        UnmaskError: the file cannot be written.
    """
    if out.suffix.lower() not in (".html", ".png"):
        raise DataError(f"a sheet cannot be written as {out.name}", hint="end it in .html or .png")
    lines = strips(manifest, per, seed)
    height = len(lines) * (CAPTION + SIDE + GAP) + GAP
    if out.suffix.lower() == ".png" and height > MOST_HEIGHT:
        raise DataError(f"{len(lines)} lines do not fit one picture", hint="write .html")
    names = [name for line in lines for name in line.shown]
    pictures: dict[str, Image.Image | None] = {}
    with ThreadPoolExecutor(thread_name_prefix="unmask-sheet") as pool:
        for name, picture in zip(
            names, pool.map(lambda n: thumbnail(manifest.root / n, SIDE), names), strict=True
        ):
            pictures[name] = picture
            if progress:
                progress(len(pictures), len(names))
    if out.suffix.lower() == ".png":
        with replacing(out) as temporary:
            _drawn(lines, pictures, per, height).save(temporary)
    else:
        write(out, _page(lines, pictures, f"{len(manifest.table)} rows").encode())
    return sum(picture is not None for picture in pictures.values())


def _order(key: tuple[object, ...]) -> tuple[bool, str, str]:
    label, dataset, method = key
    return label == "fake", str(dataset), str(method)


def _page(lines: Sequence[Strip], pictures: dict[str, Image.Image | None], title: str) -> str:
    shown = []
    for line in lines:
        there = [(name, pictures[name]) for name in line.shown]
        shown.append([(data_address(picture), name) for name, picture in there if picture])
    return render_page("sheet.html.j2", title=title, strips=lines, pictures=shown)


def _drawn(
    lines: Sequence[Strip], pictures: dict[str, Image.Image | None], per: int, height: int
) -> Image.Image:
    font = ImageFont.load_default(FONT_SIZE)
    captions = max((font.getlength(line.caption) for line in lines), default=0)
    width = max(GAP + per * (SIDE + GAP), int(captions) + 2 * GAP)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    top = GAP
    for line in lines:
        draw.text((GAP, top), line.caption, fill="black", font=font)
        for number, name in enumerate(line.shown):
            left = GAP + number * (SIDE + GAP)
            picture = pictures[name]
            if picture is None:
                draw.rectangle((left, top + CAPTION, left + SIDE, top + CAPTION + SIDE), outline="red")
                draw.text((left + GAP, top + CAPTION + GAP), "unreadable", fill="red", font=font)
            else:
                sheet.paste(picture, (left, top + CAPTION))
        top += CAPTION + SIDE + GAP
    return sheet
