"""Reads back the text of a PDF that typst wrote, page by page: enough for the tests, and no more."""

from __future__ import annotations

import re
import zlib

TOKEN = re.compile(rb"/(f\d+) [\d.]+ Tf|/([A-Z]\w+)\s*\(|BDC|BMC|EMC|\(")


def pages(pdf: bytes) -> list[str]:
    """The text of each page without any white space, which a PDF does not keep where a line ends."""
    objects = _objects(pdf)
    found = []
    for page in _pages(objects):
        fonts = {
            name.decode(): _to_unicode(objects, int(number))
            for name, number in re.findall(rb"/(f\d+) (\d+) 0 R", objects[_reference(page, b"Resources")])
        }
        found.append(squeezed(_text(_stream(objects[_reference(page, b"Contents")]), fonts)))
    return found


def starts(pdf: bytes) -> list[float]:
    """Where each run of text begins, in points from the left edge of its page."""
    objects = _objects(pdf)
    content = b"".join(_stream(objects[_reference(page, b"Contents")]) for page in _pages(objects))
    return [float(x) for x in re.findall(rb"1 0 0 -1 (-?[\d.]+) -?[\d.]+ cm[^q]*?BT", content)]


def squeezed(text: str) -> str:
    """`text` as it would stand in `pages`."""
    return "".join(text.split())


def _objects(pdf: bytes) -> dict[int, bytes]:
    return {int(m[1]): m[2] for m in re.finditer(rb"\n(\d+) 0 obj\n(.*?)\nendobj", pdf, re.DOTALL)}


def _pages(objects: dict[int, bytes]) -> list[bytes]:
    return [content for content in objects.values() if content.startswith(b"<</Type/Page/")]


def _reference(holder: bytes, name: bytes) -> int:
    match = re.search(rb"/" + name + rb" (\d+) 0 R", holder)
    assert match is not None
    return int(match[1])


def _stream(holder: bytes) -> bytes:
    start = re.search(rb"stream\r?\n", holder)
    assert start is not None
    data = holder[start.end() : holder.rindex(b"\nendstream")]
    return zlib.decompress(data) if b"/FlateDecode" in holder[: start.start()] else data


def _to_unicode(objects: dict[int, bytes], font: int) -> dict[int, str]:
    """Glyph number → what it stands for."""
    if b"/ToUnicode" not in objects[font]:
        return {}
    table = _stream(objects[_reference(objects[font], b"ToUnicode")])
    pairs = re.findall(rb"^<([0-9A-F]{4})> <([0-9A-F]+)>$", table, re.MULTILINE)
    return {int(glyph, 16): bytes.fromhex(text.decode()).decode("utf-16-be") for glyph, text in pairs}


def _text(content: bytes, fonts: dict[str, dict[int, str]]) -> str:
    """What is drawn, in the order of drawing; where a stretch names its text, that instead of its glyphs."""
    text: list[str] = []
    font: dict[int, str] = {}
    named: list[bool] = []
    naming, at = False, 0
    while (token := TOKEN.search(content, at)) is not None:
        at = token.end()
        if token[1]:
            font = fonts[token[1].decode()]
        elif token[2]:
            literal, at = _literal(content, at)
            if token[2] == b"ActualText":
                naming = True
                text.append(literal.decode("utf-16" if literal[:2] == b"\xfe\xff" else "latin-1"))
        elif token[0] in (b"BDC", b"BMC"):
            named.append(naming)
            naming = False
        elif token[0] == b"EMC":
            named.pop()
        else:
            literal, at = _literal(content, at)
            if not any(named):
                text += [font[literal[n] << 8 | literal[n + 1]] for n in range(0, len(literal), 2)]
    return "".join(text)


def _literal(content: bytes, at: int) -> tuple[bytes, int]:
    """The string whose opening bracket ends at `at`, and where it ends."""
    plain = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}
    value, depth = bytearray(), 1
    while True:
        byte = content[at : at + 1]
        if byte == b"\\":
            octal = re.compile(rb"[0-7]{1,3}").match(content, at + 1)
            escaped = content[at + 1 : at + 2]
            value += bytes([int(octal[0], 8)]) if octal else plain.get(escaped, escaped)
            at = octal.end() if octal else at + 2
            continue
        depth += (byte == b"(") - (byte == b")")
        at += 1
        if depth == 0:
            return bytes(value), at
        value += byte
