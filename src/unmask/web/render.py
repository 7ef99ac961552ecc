"""Fill in the templates. What comes from files is escaped, and made visible where it would hide or
reorder."""

from __future__ import annotations

import functools
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape

from unmask.report import words
from unmask.report.names import elide, visible
from unmask.types import Verdict
from unmask.version import __version__
from unmask.web.tables import State, Task
from unmask.web.view import STATE_SIGN, STATE_WORD, tone

TEMPLATES = Path(__file__).parent / "templates"


def page(request: Request, name: str, status_code: int = HTTPStatus.OK, **context: Any) -> HTMLResponse:
    """The template of this name as an answer."""
    text = (
        _environment()
        .get_template(name)
        .render(
            signed_in=getattr(request.state, "signed_in", False),
            shared=getattr(request.app.state, "tokens_required", False),
            path=request.scope["path"],
            **context,
        )
    )
    return HTMLResponse(text, status_code=status_code)


def moment(when: datetime) -> str:
    """A time as people read it; a script turns it into the reader's own."""
    return f"{when.day} {when:%b %Y, %H:%M} UTC"


def limit_of(size: int) -> str:
    """The largest upload: `2 GiB`, `500 MiB`."""
    mib = size / (1 << 20)
    return f"{mib / 1024:g} GiB" if mib >= 1024 and mib % 512 == 0 else f"{mib:g} MiB"


def days(count: float) -> str:
    """`7 days`, `1 day`, `12 hours`: how long things are kept."""
    return (
        words.number(round(count), "day") if count >= 1 else words.number(max(1, round(24 * count)), "hour")
    )


def with_code(text: str) -> Markup:
    """A docstring's text on one line, with what stands between `backticks` as code."""
    parts = " ".join(text.split()).split("`")
    marked = [
        Markup("<code>{}</code>").format(p) if n % 2 else Markup(escape(p)) for n, p in enumerate(parts)
    ]
    return Markup("").join(marked)


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
    environment.globals.update(
        words=words,
        Verdict=Verdict,
        State=State,
        Task=Task,
        STATE_WORD=STATE_WORD,
        STATE_SIGN=STATE_SIGN,
        version=__version__,
    )
    environment.filters.update(
        moment=moment, days=days, limit_of=limit_of, tone=tone, elide=elide, with_code=with_code
    )
    return environment


def _made_visible(value: object) -> object:
    """Text from files may hold characters that reorder or hide what stands around it."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
