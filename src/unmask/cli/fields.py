"""Make command-line options from the fields of an options dataclass, so that each option exists once."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any

import click
from msgspec import Meta

Command = Callable[..., Any]


def options_of(kind: type[Any]) -> Callable[[Command], Command]:
    """A decorator that adds one `--option` per field of the dataclass `kind`.

    Types, ranges and help come from the field's annotation (`Annotated[..., Meta(...)]`).
    """
    hints = typing.get_type_hints(kind, include_extras=True)

    def add(command: Command) -> Command:
        for entry in reversed(dataclasses.fields(kind)):
            command = _option(entry, hints[entry.name])(command)
        return command

    return add


def from_options(kind: type[Any], values: dict[str, Any]) -> Any:
    """An instance of `kind` from what click collected; options not given take the field's default."""
    names = {entry.name for entry in dataclasses.fields(kind)}
    return kind(
        **{name: value for name, value in values.items() if name in names and value not in (None, ())}
    )


def _option(entry: dataclasses.Field[Any], hint: Any) -> Callable[[Command], Command]:
    plain, meta = typing.get_args(hint)
    assert isinstance(meta, Meta)
    several = typing.get_origin(plain) is tuple
    choices = [kind for kind in typing.get_args(plain) if kind not in (type(None), Ellipsis)]
    is_union = typing.get_origin(plain) in (typing.Union, types.UnionType)
    base = choices[0] if several or is_union else plain
    limits = meta
    if typing.get_origin(base) is typing.Annotated:
        base, limits = typing.get_args(base)
    default = entry.default
    shown = ", ".join(default) if isinstance(default, tuple) else default
    text = meta.description or ""
    if default is not None:
        text += f"  [default: {shown:g}]" if isinstance(shown, float) else f"  [default: {shown}]"
    return click.option(
        "--" + entry.name.replace("_", "-"),
        type=_click_type(base, limits),
        default=None,
        multiple=several,
        help=text,
    )


def _click_type(base: type[Any], meta: Meta) -> click.ParamType[Any]:
    if base is int:
        return click.IntRange(min=None if meta.ge is None else int(meta.ge))
    if base is float:
        return click.FloatRange(min=meta.gt, min_open=True) if meta.gt is not None else click.FLOAT
    return click.STRING
