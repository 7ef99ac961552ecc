"""Refuse the keys of a decoded document that its schema does not have, and name the nearest one it has."""

from __future__ import annotations

import difflib
from typing import Any

import msgspec

from unmask.errors import DataError


def refuse_unknown_keys(document: object, kind: type) -> None:
    """Go down into `document` as the dataclass `kind` describes it; what has the wrong type is left alone.

    msgspec ignores keys that a dataclass does not have, but such a key is a misspelt setting.

    Raises:
        DataError: a key is not known.
    """
    _refuse(document, msgspec.inspect.type_info(kind), "")


def _refuse(document: object, kind: Any, where: str) -> None:
    for one in getattr(kind, "types", (kind,)):
        if isinstance(one, msgspec.inspect.DataclassType) and isinstance(document, dict):
            _refuse_of_dataclass(document, one, where)
        item = getattr(one, "item_type", None)
        if item is not None and isinstance(document, list):
            for number, value in enumerate(document, start=1):
                _refuse(value, item, f"{where[:-1]}[{number}].")


def _refuse_of_dataclass(
    document: dict[object, object], kind: msgspec.inspect.DataclassType, where: str
) -> None:
    known = {entry.encode_name: entry.type for entry in kind.fields}
    for key, value in document.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1)
            nearest = f"did you mean {near[0]!r}? " if near else ""
            raise DataError(f"unknown key {where}{key!r}", hint=f"{nearest}known: {', '.join(known)}")
        _refuse(value, known[str(key)], f"{where}{key}.")
