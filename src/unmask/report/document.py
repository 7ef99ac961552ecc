"""The report as a JSON document: one object per file, with a published schema (JSON Schema 2020-12)."""

from __future__ import annotations

import inspect
import math
from typing import Any

import msgspec

from unmask.errors import UnmaskError
from unmask.types import SCHEMA_VERSION, Report

SCHEMA_ID = f"urn:unmask:schema:report:{SCHEMA_VERSION}"


def to_json(report: Report, *, evidence: bool = False, indent: int | None = 2) -> bytes:
    """`report` as UTF-8 JSON, keys in the order of the fields, without a line end.

    `evidence=True` puts in the face crops (JPEG, base64) and heatmaps; they are left out otherwise, since
    pictures of faces should not be kept longer than needed. `indent=None` gives one line.

    Raises:
        ValueError: a number is not finite, which JSON cannot say.
    """
    tree = _plain(msgspec.to_builtins(report), evidence, "report")
    encoded = msgspec.json.encode(tree)
    return encoded if indent is None else msgspec.json.format(encoded, indent=indent)


def from_json(data: bytes | str) -> Report:
    """The report that `to_json` wrote.

    Raises:
        UnmaskError: not a report, or one of a newer, incompatible version.
    """
    try:
        report = msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnmaskError(
            f"this is not an unmask report: {error}", hint="give a file that was written as report JSON"
        ) from error
    if report.schema_version.split(".")[0] != SCHEMA_VERSION.split(".")[0]:
        raise UnmaskError(
            f"the report has format {report.schema_version}, this unmask reads {SCHEMA_VERSION}",
            hint="use the unmask version that wrote it, which the report names, or scan the file again",
        )
    return report


def schema() -> dict[str, Any]:
    """The JSON Schema of the document; `docs/schema/` holds a published copy."""
    (reference,), definitions = msgspec.json.schema_components([Report], ref_template="#/$defs/{name}")
    for definition in definitions.values():
        if "description" in definition:
            # Some versions of the library leave the indentation of the source in.
            definition["description"] = inspect.cleandoc(definition["description"])
        for name, field in definition.get("properties", {}).items():
            if name == "probability":
                _limit_to_unit_interval(field)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "unmask report",
        "description": "The judgement on one image or video: is any face in it real or manipulated?",
        "version": SCHEMA_VERSION,
        **reference,
        "$defs": dict(sorted(definitions.items())),
    }
    # Defaults are given as Python values, dataclasses among them.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    return plain


def _limit_to_unit_interval(field: dict[str, Any]) -> None:
    """Write into the schema of a probability that it lies in [0, 1]."""
    for choice in field.get("anyOf", [field]):
        if choice.get("type") == "number":
            choice.update(minimum=0, maximum=1)


def _plain(value: Any, evidence: bool, where: str) -> Any:
    """`value`, built of JSON's own types, with finite numbers, encodable text, and evidence as wished."""
    if isinstance(value, dict):
        return {
            key: None if key == "evidence" and not evidence else _plain(item, evidence, f"{where}.{key}")
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(item, evidence, f"{where}[{n}]") for n, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{where} is {value}")
    if isinstance(value, str) and not value.isascii():
        # A file name need not be valid Unicode; JSON must be.
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    return value
