"""A page that explains the API from its own description, without scripts or anything from elsewhere."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.responses import Response

from unmask.web import pages


def install_docs(app: FastAPI) -> None:
    """Serve the API's description at /api/docs."""

    @app.get("/api/docs", include_in_schema=False)
    def docs(request: Request) -> Response:
        return pages.api_docs_page(request, app.openapi())
