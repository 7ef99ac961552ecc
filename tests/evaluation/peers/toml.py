"""Descriptions as TOML, for tests."""

from __future__ import annotations

import json


def toml(values: dict[str, object]) -> str:
    """Keys and values as TOML; None leaves a key out."""
    return "".join(f"{key} = {toml_value(value)}\n" for key, value in values.items() if value is not None)


def toml_value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml_value(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)
