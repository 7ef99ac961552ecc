"""Pictures of maps: over the face that they are of, or over a drawn outline where they are means."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from unmask.evaluation.explain.file import Rows
from unmask.evaluation.explain.judge import Crop
from unmask.evaluation.explain.means import LEAST_SOURCES
from unmask.evaluation.explain.media import MediaExplained
from unmask.evaluation.explain.words import TITLES, ends, ends_against, group_counts
from unmask.faces.crop import CENTRE_BELOW_EYES, FACE_PER_SCALE, CropSpec
from unmask.report.evidence import FAKE_RGB, REAL_RGB, overlay
from unmask.report.names import elide, visible

SIDE = 240
"""Pixels of a face's side on a page and in a picture."""

QUALITY = 88
"""JPEG quality of the pictures in a page."""

PAPER, LINE = 244, 150
"""Grey of the outline's ground and of its lines."""

GAP, CAPTION, NAMES, FONT, SMALL = 12, 46, 250, 17, 13
"""Pixels of the picture of means."""

INK, QUIET = "#1b1c1e", "#5d6167"

EYES_APART, MOUTH_WIDE = 0.5, 0.4
NOSE_BELOW, MOUTH_BELOW, CHIN_BELOW, CROWN_ABOVE = 0.33, 0.555, 0.95, 0.58
"""Where a face's parts lie in units of `FaceFrame.scale`, below the point between the eyes."""


def sized(picture: Crop) -> Crop:
    """A square picture as large as pages show it."""
    side = len(picture)
    if side == SIDE:
        return picture
    way = cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (SIDE, SIDE), interpolation=way), dtype=np.uint8)


def laid_over(picture: Crop, rows: Rows, scale: float) -> Crop:
    """A map over a picture: red speaks for a fake, blue for a real face, the strongest at ± `scale`."""
    grid = np.array(rows, dtype=np.float64)
    if scale <= 0:
        return np.repeat(cv2.cvtColor(sized(picture), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    return overlay(sized(picture), grid, scale)


def scale_of(maps: Sequence[Rows]) -> float:
    """The largest absolute value of these maps, so that one colour means the same on all of them."""
    return max((abs(value) for rows in maps for row in rows for value in row), default=0.0)


def png(picture: Crop) -> bytes:
    """An RGB picture as a PNG file."""
    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def address(picture: Crop) -> str:
    """`data:` address of an RGB picture."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode("ascii")


def outline(spec: CropSpec) -> Crop:
    """A drawn face, RGB (S, S, 3), where the alignment puts one in a crop."""
    unit = SIDE / (spec.margin * FACE_PER_SCALE)

    def at(x: float, y: float) -> tuple[int, int]:
        # A sixteenth of a pixel, which the drawing below is told to count in.
        return round(16 * (SIDE / 2 + unit * x)), round(16 * (SIDE / 2 + unit * (y - CENTRE_BELOW_EYES)))

    def long(x: float) -> int:
        return round(16 * unit * x)

    picture = np.full((SIDE, SIDE, 3), PAPER, dtype=np.uint8)
    middle = (CHIN_BELOW - CROWN_ABOVE) / 2
    half = (CHIN_BELOW + CROWN_ABOVE) / 2
    pen = {"color": (LINE,) * 3, "thickness": 2, "lineType": cv2.LINE_AA, "shift": 4}
    ellipses = [
        (at(0, middle), (long(0.56), long(half)), 0, 360),
        (at(-EYES_APART / 2, 0), (long(0.11), long(0.05)), 0, 360),
        (at(EYES_APART / 2, 0), (long(0.11), long(0.05)), 0, 360),
        (at(-EYES_APART / 2, -0.05), (long(0.16), long(0.11)), 210, 330),
        (at(EYES_APART / 2, -0.05), (long(0.16), long(0.11)), 210, 330),
        (at(0, NOSE_BELOW - 0.02), (long(0.08), long(0.05)), 0, 180),
        (at(0, MOUTH_BELOW - 0.03), (long(MOUTH_WIDE / 2), long(0.09)), 10, 170),
    ]
    for centre, axes, start, end in ellipses:
        cv2.ellipse(picture, centre, axes, 0, start, end, **pen)  # type: ignore[call-overload]
    return picture


def sheet(told: MediaExplained) -> Image.Image:
    """All mean maps in one picture: a line per group, and beside each map how far it lies from the reals'."""
    names = [map_.name for map_ in told.groups[0].maps]
    scales = mean_scales(told)
    columns = [title for name in names for title in (TITLES[name], "against real faces")]
    width = NAMES + len(columns) * (SIDE + GAP)
    top = CAPTION + GAP
    height = top + len(told.groups) * (SIDE + GAP) + CAPTION
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    large, small = ImageFont.load_default(FONT), ImageFont.load_default(SMALL)
    drawn = outline(told.crop)
    for n, title in enumerate(columns):
        draw.text((NAMES + n * (SIDE + GAP), GAP), title, fill=INK, font=large)
    for line, group in enumerate(told.groups):
        y = top + line * (SIDE + GAP)
        draw.text((GAP, y), _fitting(group.name, NAMES - 2 * GAP, large), fill=INK, font=large)
        for n, part in enumerate(group_counts(group).split("; ")):
            draw.text((GAP, y + 28 + 18 * n), part, fill=QUIET, font=small)
        for n, map_ in enumerate(group.maps):
            for m, rows in enumerate((map_.rows, map_.against_real)):
                if rows:
                    picture = laid_over(drawn, rows, scales[map_.name][m])
                    page.paste(Image.fromarray(picture), (NAMES + (2 * n + m) * (SIDE + GAP), y))
    for n, name in enumerate(names):
        for m, told_ends in enumerate((ends, ends_against)):
            x = NAMES + (2 * n + m) * (SIDE + GAP)
            _legend(page, draw, (x, height - CAPTION + 2), told_ends(scales[name][m]), small)
    return page


def mean_scales(told: MediaExplained) -> dict[str, tuple[float, float]]:
    """By map: the largest absolute mean of any group, and the largest distance from the reals. Groups of very
    few recordings do not count where there are others: they would wash out the rest."""
    large = [group for group in told.groups if group.recordings >= LEAST_SOURCES] or told.groups
    found = {}
    for map_ in told.groups[0].maps:
        same = [other for group in large for other in group.maps if other.name == map_.name]
        found[map_.name] = (
            scale_of([other.rows for other in same]),
            scale_of([other.against_real for other in same]),
        )
    return found


def _legend(
    page: Image.Image,
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    told: tuple[str, str],
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    """A bar from blue over grey to red with its ends."""
    x, y = at
    position = np.linspace(-1, 1, SIDE)[:, None]
    colour = np.where(position > 0, FAKE_RGB, REAL_RGB)
    row: NDArray[np.float64] = 185 + (colour - 185) * np.abs(position)
    page.paste(Image.fromarray(np.tile(row[None].astype(np.uint8), (10, 1, 1))), (x, y))
    # The font that Pillow brings has no minus sign.
    first, last = (end.replace("−", "-") for end in told)
    draw.text((x, y + 13), first, fill=QUIET, font=font)
    draw.text((x + SIDE, y + 13), last, fill=QUIET, font=font, anchor="ra")


def _fitting(name: str, width: int, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    return elide(visible(name), width, lambda text: int(font.getlength(text)), "...")
