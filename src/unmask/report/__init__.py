"""What is said of a file, in the form a reader wants: terminal, JSON, HTML, PDF, annotated video.

`unmask.report.terminal`, `.html`, `.pdf` and `.annotate` are imported when used: each brings a library of its
own.
"""

from __future__ import annotations

from pathlib import Path

from unmask.errors import UnmaskError
from unmask.report.atomic import write
from unmask.report.document import from_json, schema, to_json
from unmask.types import Report

__all__ = ["from_json", "save", "schema", "to_json"]


def save(report: Report, path: str | Path) -> Path:
    """Write the report as `.html` (one self-contained page), `.pdf` or `.json`, by the name's ending.

    The file is written whole or not at all; one that is there is replaced. Returns the path.

    Raises:
        UnmaskError: another ending, the file cannot be written, or `.pdf` without `unmask[web]`.
    """
    target = Path(path)
    match target.suffix.lower():
        case ".json":
            return write(target, to_json(report) + b"\n")
        case ".html" | ".htm":
            from unmask.report.html import render_html

            return write(target, render_html(report).encode("utf-8"))
        case ".pdf":
            from unmask.report.pdf import render_pdf

            return write(target, render_pdf(report))
        case ending:
            raise UnmaskError(
                f"a report cannot be written to {target.name!r}: unknown ending {ending!r}",
                hint="end the name in .html, .pdf or .json",
            )
