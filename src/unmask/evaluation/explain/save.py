"""What was explained, as JSON and as a folder with a page, the figures and the pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from unmask.errors import UnmaskError
from unmask.evaluation.explain.check import Check
from unmask.evaluation.explain.file import FaceExplained, FileExplained
from unmask.evaluation.explain.judge import Crop
from unmask.evaluation.explain.means import GroupCheck
from unmask.evaluation.explain.media import Group, MediaExplained
from unmask.report.atomic import WRITABLE, replacing, write

PAGE, FIGURES, SHEET = "explain.html", "explain.json", "maps.png"


def to_json(told: FileExplained | MediaExplained) -> bytes:
    """All figures and maps as indented JSON; no pictures. Where there is no interval its ends are null."""
    document = msgspec.to_builtins(told)
    of_file = isinstance(told, FileExplained)
    parts: Sequence[FaceExplained | Group] = told.faces if isinstance(told, FileExplained) else told.groups
    for part, written in zip(parts, document["faces" if of_file else "groups"], strict=True):
        checks: Sequence[Check | GroupCheck] = part.checks
        for check, entry in zip(checks, written["checks"], strict=True):
            entry["beaten"] = [str(rival) for rival in check.beaten]
            entry["holds"] = check.holds
    return msgspec.json.format(msgspec.json.encode(_plain(document)), indent=2) + b"\n"


def save_file(told: FileExplained, crops: Sequence[Crop], folder: Path) -> Path:
    """Write the page, the figures, and the crops and maps as PNG, numbered as on the page; the page's path.

    Raises:
        UnmaskError: something cannot be written.
    """
    from unmask.evaluation.explain.page import file_page
    from unmask.evaluation.explain.pictures import laid_over, png, scale_of

    _make(folder)
    for number, (face, crop) in enumerate(zip(told.faces, crops, strict=True), start=1):
        write(folder / f"face{number}-crop.png", png(crop))
        for map_ in face.maps:
            same = [other.rows for each in told.faces for other in each.maps if other.name == map_.name]
            picture = laid_over(crop, map_.rows, scale_of(same))
            write(folder / f"face{number}-{map_.name}.png", png(picture))
    write(folder / FIGURES, to_json(told))
    return write(folder / PAGE, file_page(told, crops).encode())


def save_media(told: MediaExplained, folder: Path) -> Path:
    """Write the page, the figures and the picture of all mean maps; the page's path.

    Raises:
        UnmaskError: something cannot be written.
    """
    from unmask.evaluation.explain.page import media_page
    from unmask.evaluation.explain.pictures import sheet

    _make(folder)
    with replacing(folder / SHEET) as temporary:
        sheet(told).save(temporary)
    write(folder / FIGURES, to_json(told))
    return write(folder / PAGE, media_page(told).encode())


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnmaskError(f"cannot write to {str(folder)!r}: {error.strerror}", hint=WRITABLE) from error


def _plain(value: Any) -> Any:
    """`value` with null for numbers that are none, and file names as text that JSON can hold."""
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
