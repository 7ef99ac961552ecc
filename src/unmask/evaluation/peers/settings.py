"""The small TOML file that describes a peer, read strictly: a misspelt key would silently change figures."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from unmask.errors import ModelError

MAX_BYTES = 64 * 1024
"""No description of a peer comes near this."""

S = TypeVar("S", bound=msgspec.Struct)


def read_settings(path: Path, kind: type[S]) -> S:
    """The TOML file at `path` as a `kind`.

    Raises:
        ModelError: it cannot be read, is not TOML, has an unknown key, lacks one, or a value is of the wrong
            type or out of range.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise ModelError(f"{path} is too large for the description of a peer")
        table = tomllib.loads(data.decode())
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read: {error.strerror}", hint="give the TOML file that describes the peer"
        ) from error
    # The parser goes down into nested values by calling itself.
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise ModelError(f"{path} is not TOML: {error}", hint="docs/peers.md has examples") from error
    _refuse_unknown(path, table, kind)
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        raise ModelError(f"{path}: {error}", hint="docs/peers.md says what each key means") from error


def _refuse_unknown(path: Path, table: dict[str, Any], kind: type[msgspec.Struct], where: str = "") -> None:
    known: dict[str, Any] = {
        field.encode_name: field.type
        for field in msgspec.inspect.type_info(kind).fields  # type: ignore[attr-defined]
    }
    for key, value in table.items():
        if key not in known:
            raise ModelError(f"{path}: unknown key {where}{key!r}", hint=f"known: {', '.join(known)}")
        for nested in (known[key], *getattr(known[key], "types", ())):
            if isinstance(value, dict) and isinstance(nested, msgspec.inspect.StructType):
                _refuse_unknown(path, value, nested.cls, f"{key}.")
