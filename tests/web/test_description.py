"""Whatever is sent to the API, it answers as its description says and never with a fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from unmask.options import ScanOptions
from unmask.web.app import make_app
from unmask.web.database import open_database, upgrade
from unmask.web.options import ServeOptions

ENDLESS = "/api/v1/events"
"""The stream of all events has no end of its own."""

CHECKS = (not_a_server_error, response_schema_conformance, status_code_conformance)


def test_no_request_is_answered_with_a_fault(tmp_path: Path) -> None:
    options = ServeOptions(data=str(tmp_path / "data"), name=("testserver",), max_upload=1)
    (tmp_path / "data").mkdir()
    engine = open_database(options.url)
    upgrade(engine)
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", make_app(engine, options, ScanOptions()))
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path == ENDLESS:
            continue

        @given(case=operation.as_strategy())
        @settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
        def answered(case: Any) -> None:
            case.call_and_validate(checks=CHECKS)

        answered()
        tried += 1
    engine.dispose()
    assert tried > 12
