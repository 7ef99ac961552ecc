"""What was explained as pages that need nothing but themselves, in the style of the reports."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from unmask.evaluation.explain import words
from unmask.evaluation.explain.check import Rival, Way
from unmask.evaluation.explain.drawing import Dot, Panel, dots, panels
from unmask.evaluation.explain.file import FaceExplained, FileExplained
from unmask.evaluation.explain.judge import Crop, Fill
from unmask.evaluation.explain.media import Group, MediaExplained
from unmask.evaluation.explain.pictures import (
    address,
    laid_over,
    mean_scales,
    outline,
    scale_of,
    sized,
)
from unmask.report import words as report_words
from unmask.report.html import TEMPLATES as REPORT_TEMPLATES
from unmask.report.names import visible

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Pictured:
    """A map's name and its picture's `data:` address."""

    name: str
    picture: str


@dataclass(frozen=True, slots=True)
class ShownFace:
    """A face as the page shows it."""

    face: FaceExplained
    crop: str
    maps: tuple[Pictured, ...]
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Tile:
    """One group's mean map."""

    group: Group
    picture: str


@dataclass(frozen=True, slots=True)
class Strip:
    """Pictures of all groups by one measure, with the two ends of the colour scale they share."""

    title: str
    what: str
    ends: tuple[str, str]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Plot:
    """The areas of all groups for one map, one fill, one way."""

    title: str
    dots: tuple[Dot, ...]


def file_page(told: FileExplained, crops: Sequence[Crop]) -> str:
    """The page of one file. It shows the faces that it explains; it names the file and not its folders."""
    names = list(dict.fromkeys(map_.name for face in told.faces for map_ in face.maps))
    scales = {
        name: scale_of([map_.rows for face in told.faces for map_ in face.maps if map_.name == name])
        for name in names
    }
    shown = [
        ShownFace(
            face,
            address(sized(crop)),
            tuple(
                Pictured(map_.name, address(laid_over(crop, map_.rows, scales[map_.name])))
                for map_ in face.maps
            ),
            tuple(panels(face)),
        )
        for face, crop in zip(told.faces, crops, strict=True)
    ]
    return _render("file.html.j2", told=told, shown=shown, names=names, scales=scales)


def media_page(told: MediaExplained) -> str:
    """The page of labelled media: no single face is on it."""
    names = [map_.name for map_ in told.groups[0].maps]
    return _render(
        "media.html.j2",
        told=told,
        names=names,
        strips=[strip for name in names for strip in _strips(told, name)],
        plots={name: _plots(told, name) for name in names},
    )


def _strips(told: MediaExplained, name: str) -> list[Strip]:
    mean, against = mean_scales(told)[name]
    drawn = outline(told.crop)
    means, distances = [], []
    for group in told.groups:
        map_ = next(map_ for map_ in group.maps if map_.name == name)
        means.append(Tile(group, address(laid_over(drawn, map_.rows, mean))))
        if map_.against_real:
            distances.append(Tile(group, address(laid_over(drawn, map_.against_real, against))))
    title = words.TITLES[name]
    strips = [Strip(f"{title}, mean", words.WHAT_MAPS_ARE[name], words.ends(mean), tuple(means))]
    if distances:
        what = (
            "Distance of the mean from that of the real faces, in standard deviations of single real "
            "recordings: where a method’s fakes differ for this model."
        )
        strips.append(
            Strip(f"{title}, against real faces", what, words.ends_against(against), tuple(distances))
        )
    return strips


def _plots(told: MediaExplained, name: str) -> list[Plot]:
    return [
        Plot(
            f"{way.capitalize()}, {words.FILLED[fill]}: "
            + ("lower is better" if way is Way.DELETION else "higher is better"),
            tuple(dots(told, name, fill, way)),
        )
        for fill in Fill
        for way in Way
    ]


def _render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, REPORT_TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_made_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = (REPORT_TEMPLATES / "style.css", TEMPLATES / "explain.css")
    style = "".join(part.read_text(encoding="utf-8") for part in parts)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    environment.globals.update(
        words=words,
        said=report_words,
        Fill=Fill,
        Way=Way,
        Rival=Rival,
        style=Markup(style),
        # The page may show its own pictures and its own style, and nothing else may happen in it.
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
    )
    return environment


def _made_visible(value: object) -> object:
    """File names may hold characters that reorder or hide what stands around them."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
