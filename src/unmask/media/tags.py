"""The few metadata entries that say how a file was made, cleaned for reports."""

from __future__ import annotations

from collections.abc import Iterable

MAX_VALUE_CHARACTERS = 200
"""Generators write whole prompts and workflows; the start is enough to recognise them."""
MAX_TAGS = 32

_KEPT = frozenset(
    (
        "encoder",
        "encoded_by",
        "encoding_tool",
        "software",
        "creation_time",
        "date",
        "datetime",
        "datetimeoriginal",
        "make",
        "model",
        "hostcomputer",
        "handler_name",
        "major_brand",
        "compatible_brands",
        "title",
        "comment",
        "description",
        "imagedescription",
        "com.apple.quicktime.make",
        "com.apple.quicktime.model",
        "com.apple.quicktime.software",
        "com.apple.quicktime.creationdate",
        "com.android.version",
        "com.android.manufacturer",
        "com.android.model",
        # What picture generators leave in PNG files.
        "parameters",
        "prompt",
        "workflow",
    )
)
"""Names (lower case) worth a line in a report. Places and persons are left out on purpose."""


def clean_tags(pairs: Iterable[tuple[object, object]]) -> tuple[tuple[str, str], ...]:
    """The kept pairs, first of each (name, value), with control characters dropped and values cut short."""
    kept: dict[tuple[str, str], None] = {}
    for name, value in pairs:
        key = str(name).lower()
        if key in _KEPT and len(kept) < MAX_TAGS:
            text = _printable(value)
            if text:
                kept[(key, text)] = None
    return tuple(kept)


def _printable(value: object) -> str:
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
    words = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_VALUE_CHARACTERS]).split()
    clean = " ".join(words)
    return clean if len(clean) <= MAX_VALUE_CHARACTERS else clean[: MAX_VALUE_CHARACTERS - 1] + "…"
