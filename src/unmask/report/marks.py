"""The marks drawn into a picture: a box per face with its label, and the caption of the whole."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from unmask.report import words
from unmask.report.canvas import RGB, Canvas
from unmask.report.positions import Marked
from unmask.types import Report, Verdict

COLOUR: dict[Verdict, RGB] = {
    Verdict.FAKE: (213, 64, 20),
    Verdict.REAL: (0, 114, 178),
    Verdict.UNSURE: (240, 228, 66),
}
"""Vermilion, blue and yellow after Okabe and Ito: told apart with any colour blindness, on any skin."""

NO_JUDGEMENT: RGB = (128, 128, 128)

EDGE: RGB = (16, 16, 16)
"""Drawn around boxes, so that they stand out from any picture."""

PAPER: RGB = (16, 16, 16)
INK: RGB = (255, 255, 255)

SHORT_SIDE_PER_TEXT = 30
"""A label's height is the picture's shorter side over this, within `TEXT_PIXELS`."""

TEXT_PIXELS = (11, 64)

SHORT_SIDE_PER_LINE = 240
"""A box's line is as thick as the picture's shorter side over this, and at least `LEAST_LINE` pixels."""

LEAST_LINE = 2


def draw(canvas: Canvas, marks: Iterable[Marked], caption: str) -> None:
    """Draw boxes, labels and the caption (lower left)."""
    short = min(canvas.width, canvas.height)
    size = min(max(short // SHORT_SIDE_PER_TEXT, TEXT_PIXELS[0]), TEXT_PIXELS[1])
    line = max(short // SHORT_SIDE_PER_LINE, LEAST_LINE) // 2 * 2
    for marked in marks:
        colour = COLOUR.get(marked.verdict, NO_JUDGEMENT)
        # Even, like everything drawn: video has its colours at every other pixel only.
        x1, y1, x2, y2 = (round(value / 2) * 2 for value in marked.box)
        _frame(canvas, x1, y1, x2, y2, line + 2, EDGE)
        _frame(canvas, x1, y1, x2, y2, line, colour)
        tile = _tile(label(marked), size, _ink_on(colour), colour)
        above = y1 - line - tile.shape[0]
        canvas.paste(
            min(max(x1 - line, 0), max(canvas.width - tile.shape[1], 0)),
            above if above >= 0 else y2 + line,
            tile,
        )
    tile = _tile(caption, max(size * 4 // 5, TEXT_PIXELS[0]), INK, PAPER)
    canvas.paste(0, canvas.height - tile.shape[0], tile)


def label(marked: Marked) -> str:
    """`1: FAKE 0.97`, `2: too small`."""
    if marked.probability is None:
        return f"{marked.person}: {words.HEADLINE[marked.verdict].lower()}"
    return f"{marked.person}: {marked.verdict} {words.probability(marked.probability)}"


def caption_of(report: Report) -> str:
    """Says by what the picture was marked, and what was said of the whole file."""
    said = "" if report.probability is None else f" {words.probability(report.probability)}"
    return f"analysed with unmask: {report.verdict}{said}"


def _frame(canvas: Canvas, x1: int, y1: int, x2: int, y2: int, width: int, colour: RGB) -> None:
    """A hollow rectangle whose line lies around the box."""
    canvas.fill(x1 - width, y1 - width, x2 + width, y1, colour)
    canvas.fill(x1 - width, y2, x2 + width, y2 + width, colour)
    canvas.fill(x1 - width, y1, x1, y2, colour)
    canvas.fill(x2, y1, x2 + width, y2, colour)


def _ink_on(colour: RGB) -> RGB:
    """Black or white, whichever reads better on `colour`."""
    return (0, 0, 0) if 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 150 else INK


@functools.lru_cache(maxsize=512)
def _tile(text: str, size: int, ink: RGB, paper: RGB) -> NDArray[np.uint8]:
    """`text` on `paper` as RGB (h, w, 3) with even sides."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size)
    left, _, right, _ = font.getbbox(text)
    pad = max(size // 3, 2)
    width, height = (int(right - left) + 2 * pad + 1) // 2 * 2, (size * 3 // 2 + 1) // 2 * 2
    picture = Image.new("RGB", (width, height), paper)
    ImageDraw.Draw(picture).text((width / 2, height / 2), text, fill=ink, font=font, anchor="mm")
    return np.asarray(picture, dtype=np.uint8)
