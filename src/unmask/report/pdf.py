"""Reports as PDF files: the same words and drawings as the page, set for paper and for an archive."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from unmask.errors import UnmaskError
from unmask.report.names import ascii_only, visible
from unmask.report.paper import Document, lay_out
from unmask.types import Report

if TYPE_CHECKING:
    import typst

TEMPLATE = Path(__file__).parent / "templates" / "report.typ"

STANDARD = "ua-1"
"""PDF/UA-1: tagged, with alternatives for pictures, so that a screen reader can read it out."""


def render_pdf(report: Report) -> bytes:
    """The report as a PDF/UA file (A4, tagged, text that can be selected), made without any network.

    The same report gives the same bytes on the same machine: the file's own date is the scan's.

    Fonts come with `typst`. Characters that they lack (Chinese, say) are looked for in the fonts of the
    system; those that no font has are printed as escapes such as `\\u5f20`, so no text goes missing.

    Raises:
        UnmaskError: `typst` is not installed.
    """
    document, pictures = lay_out(report)
    try:
        return _compile(document, pictures)
    except RuntimeError as error:
        missing = _undisplayable(error)
    try:
        return _compile(document, pictures, missing)
    except RuntimeError:
        # Better a report that is not PDF/UA than none; a box stands for what cannot be printed.
        return _compile(document, pictures, missing, standard=None)


def _compile(
    document: Document,
    pictures: dict[str, bytes],
    missing: frozenset[str] = frozenset(),
    standard: str | None = STANDARD,
) -> bytes:
    """The PDF, with the characters of `missing` as escapes.

    Raises:
        RuntimeError: the document breaks the standard.
    """
    try:
        import typst
    except ImportError as error:
        raise UnmaskError(
            "a report cannot be written as PDF: typst is not installed", hint="pip install 'unmask[web]'"
        ) from error
    data = msgspec.json.encode(_printable(msgspec.to_builtins(document), missing))
    # typst documents files in memory, which its types leave out.
    compiled: Callable[..., bytes] = typst.compile
    return compiled(
        {"main.typ": TEMPLATE.read_bytes(), "report.json": data, **pictures},
        format="pdf",
        font_paths=_fonts(),
        timestamp=document.stamp or 0,
        pdf_standards=[standard] if standard else [],
    )


@functools.cache
def _fonts() -> typst.Fonts:
    """The fonts of typst and of the system, searched for once."""
    import typst

    return typst.Fonts()


def _undisplayable(error: RuntimeError) -> frozenset[str]:
    """The characters that, by typst's own complaint, no font has."""
    told = re.findall(r'the text `"(.*?)"` could not be displayed', getattr(error, "diagnostic", str(error)))
    text = "".join(re.sub(r"\\u\{([0-9a-f]+)\}", lambda code: chr(int(code[1], 16)), part) for part in told)
    return frozenset(character for character in text if not character.isascii())


def _printable(value: object, missing: frozenset[str]) -> object:
    """`value` with all its text made visible; text from files may hide or reorder what stands around it."""
    match value:
        case str():
            return "".join(ascii_only(c) if c in missing else c for c in visible(value))
        case dict():
            return {key: _printable(item, missing) for key, item in value.items()}
        case list() | tuple():
            return [_printable(item, missing) for item in value]
    return value
