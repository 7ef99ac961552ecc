"""The options of a scan that a user may choose for one file: as fields of a form, and checked."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from msgspec import Meta

from unmask.options import ScanOptions
from unmask.web.problems import ProblemError

MOST = {"stride": 10_000, "frames": 100_000, "min_face": 8192}
"""The fields of `ScanOptions` that a user may set for one file, and how large: of four hours of film, the
longest that is taken, these are one frame in seven minutes and one in four; no frame is wider than 8192."""


@dataclass(frozen=True, slots=True)
class Field:
    """One number to fill in; `default` is empty where nothing is set."""

    name: str
    label: str
    help: str
    least: int
    most: int
    default: str


def form_fields(defaults: ScanOptions, chosen: Mapping[str, object] | None = None) -> tuple[Field, ...]:
    """The fields of a form, with what was `chosen` before or else the server's `defaults` in them."""
    hints = typing.get_type_hints(ScanOptions, include_extras=True)
    return tuple(
        _field(name, hints[name], (chosen or {}).get(name, getattr(defaults, name))) for name in MOST
    )


def checked(fields: Mapping[str, str], defaults: ScanOptions | None = None) -> dict[str, object]:
    """What a form says, as values of `ScanOptions`; what is empty, or as in `defaults`, is left out.

    Raises:
        ProblemError: a value is no number or out of range.
    """
    filled = {name: fields[name].strip() for name in MOST if fields.get(name, "").strip()}
    try:
        options = msgspec.convert(filled, ScanOptions, strict=False)
    except msgspec.ValidationError as error:
        raise ProblemError(422, f"a setting is out of range: {error}", hint="see /api/docs") from error
    values = {name: getattr(options, name) for name in filled}
    for name, value in values.items():
        if value > MOST[name]:
            raise ProblemError(
                422, f"a setting is out of range: {name} is at most {MOST[name]}", hint="see /api/docs"
            )
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
        most=MOST[name],
        default="" if value is None else str(value),
    )
