"""The options of a scan that a user may choose for one file: as fields of a form, and checked."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Meta

from unmask.options import ScanOptions
from unmask.web.problems import ProblemError

SETTINGS = ("stride", "frames", "min_face")
"""The fields of `ScanOptions` that a user may set for one file."""


@dataclass(frozen=True, slots=True)
class Field:
    """One number to fill in; `default` is empty where nothing is set."""

    name: str
    label: str
    help: str
    least: int
    default: str


def form_fields(defaults: ScanOptions, chosen: Mapping[str, object] | None = None) -> tuple[Field, ...]:
    """The fields of a form, with what was `chosen` before or else the server's `defaults` in them."""
    hints = typing.get_type_hints(ScanOptions, include_extras=True)
    return tuple(
        _field(name, hints[name], (chosen or {}).get(name, getattr(defaults, name))) for name in SETTINGS
    )


def checked(fields: Mapping[str, str], defaults: ScanOptions | None = None) -> dict[str, object]:
    """What a form says, as values of `ScanOptions`; what is empty, or as in `defaults`, is left out.

    Raises:
        ProblemError: a value is no number or out of range.
    """
    filled = {name: fields[name].strip() for name in SETTINGS if fields.get(name, "").strip()}
    try:
        options = msgspec.convert(filled, ScanOptions, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError(422, f"a setting is out of range: {error}", hint="see /api/docs") from error
    values = {name: getattr(options, name) for name in filled}
    return {
        name: value for name, value in values.items() if defaults is None or value != getattr(defaults, name)
    }


def _field(name: str, hint: typing.Any, value: object) -> Field:
    plain, meta = typing.get_args(hint)
    limits = meta
    for choice in typing.get_args(plain):
        # A field that may be left empty has its range within: Annotated[int, Meta(…)] | None.
        if typing.get_origin(choice) is typing.Annotated:
            limits = typing.get_args(choice)[1]
    assert isinstance(meta, Meta)
    return Field(
        name=name,
        label=name.replace("_", " ").capitalize(),
        help=meta.description or "",
        least=int(limits.ge or 0),
        default="" if value is None else str(value),
    )
