"""Show text that came with a file (its name, its tags) without letting it play tricks on the reader."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

JOINERS = "\u200c\u200d"
"""Format characters that ordinary writing needs (Persian, Indic scripts, emoji); they cannot reorder text."""

HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that move the cursor, reorder text, or cannot be seen."""


def visible(text: str) -> str:
    """`text` with control, direction-changing and unencodable characters as escapes such as `\\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in HIDDEN and c not in JOINERS else c for c in text)


def ascii_only(text: str) -> str:
    """`visible(text)` with everything beyond ASCII as escapes, for terminals that know no more."""
    return visible(text).encode("ascii", "backslashreplace").decode("ascii")


def elide(text: str, width: int, measure: Callable[[str], int] = len, mark: str = "…") -> str:
    """`text` cut in the middle to at most `width` cells: the end of a name tells as much as its start.

    `measure` gives the cells a string takes on the screen; `mark` stands for what is left out.
    """
    if measure(text) <= width:
        return text
    room = width - measure(mark)
    if room <= 0:
        return mark[: max(width, 0)]
    head = _fitting(text, room - room // 2, measure)
    tail = _fitting(text[::-1], room - measure(head), measure)[::-1]
    return head + mark + tail


def _fitting(text: str, width: int, measure: Callable[[str], int]) -> str:
    """The longest beginning of `text` that takes at most `width` cells."""
    taken = 0
    for n, character in enumerate(text):
        taken += measure(character)
        if taken > width:
            return text[:n]
    return text


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
