"""Reports as HTML pages that need nothing but themselves: no network, no script, no second file."""

from __future__ import annotations

import base64
import functools
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup

from unmask.report import charts, words
from unmask.report.evidence import Shown, scale_of, show, telling
from unmask.report.names import visible
from unmask.types import Report, TrackReport, Verdict

TEMPLATES = Path(__file__).parent / "templates"

LONGEST_TABLE = 500
"""Faces of one person listed one by one; more would make the page slow, and JSON has them all."""


@dataclass(frozen=True, slots=True)
class PersonOnPage:
    """What the page shows of one track."""

    track: TrackReport
    timeline: charts.Timeline | None
    faces: tuple[Shown, ...]


def render_html(report: Report) -> str:
    """One self-contained page. Its faces and heatmaps are those the report carries as evidence.

    Pages are passed on, so they name the file and not the folders it lay in.
    """
    tracks = sorted(report.tracks, key=charts.most_fake_first)
    chosen = {track.id: telling(track) for track in tracks}
    scale = scale_of(face for faces in chosen.values() for face in faces)
    timelines = charts.timelines(report)
    people = [
        PersonOnPage(
            track,
            timelines.get(track.id),
            tuple(shown for face in chosen[track.id] if (shown := show(face, scale)) is not None),
        )
        for track in tracks
    ]
    judged = report.probability is not None and report.band is not None
    return _page("report.html.j2").render(
        report=report,
        name=Path(report.path).name or report.path,
        people=people,
        scale=scale,
        gauge=charts.gauge(report.probability, report.band) if judged else None,  # type: ignore[arg-type]
        picture=charts.picture_size(report),
        longest_table=LONGEST_TABLE,
    )


def render_index(pages: Sequence[tuple[Report, str]]) -> str:
    """A page that leads to the reports at the given relative addresses (file names), fakes first."""
    ordered = sorted(pages, key=lambda page: -1.0 if page[0].probability is None else page[0].probability)
    counts = [(verdict, sum(report.verdict is verdict for report, _ in pages)) for verdict in Verdict]
    common = _common_folder([report.path for report, _ in pages])
    return _page("index.html.j2").render(
        pages=[
            (report, os.path.relpath(report.path, common) if common else report.path, _relative(href))
            for report, href in reversed(ordered)
        ],
        counts=[(verdict, count) for verdict, count in counts if count],
    )


def _common_folder(paths: Sequence[str]) -> str:
    """The deepest folder that all files lie in, "" where there is none."""
    try:
        return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])  # noqa: PTH100, PTH120
    except ValueError:
        return ""  # on several drives, or no files at all


def _relative(href: str) -> str:
    """`href` as an address that can only mean a file beside the page."""
    return "./" + quote(os.fsencode(href))


def _page(name: str) -> jinja2.Template:
    return _environment().get_template(name)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_made_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    environment.globals.update(
        words=words,
        Verdict=Verdict,
        style=Markup(style),
        # The page may show its own pictures and its own style, and nothing else may happen in it.
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
    )
    return environment


def _made_visible(value: object) -> object:
    """Text from files may hold characters that reorder or hide what stands around it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
