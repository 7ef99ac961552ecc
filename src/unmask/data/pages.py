"""Make the room's pages: one file each, pictures and style within."""

from __future__ import annotations

import base64
import io
from typing import Any

import jinja2
from PIL import Image

THUMB_QUALITY = 80


def render_page(template: str, **values: Any) -> str:
    """The HTML of a template in `data/templates`; every value is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("unmask.data", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)


def data_address(picture: Image.Image) -> str:
    """The picture as a small JPEG within an address, for `src`."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=THUMB_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
