"""What is said of inputs that are no files, and hints that fit what was scanned."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from unmask.types import Report, Verdict

ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
"""How an address begins; one letter alone is a Windows drive."""


def no_file(given: str) -> str:
    """Why `given` cannot be the path of a file, "" where it can."""
    if not given:
        return "an empty path names nothing"
    if given == "-" and not Path(given).exists():
        return "standard input is not read: give a file"
    if ADDRESS.match(given) and not Path(given).exists():
        if given.lower().startswith("file://"):
            return f"{given} is an address: give the path without file://"
        return f"{given} is an address: download it first and give the file, unmask works offline"
    return ""


def fitting(report: Report) -> Report:
    """The report, with another reason where what was given is a folder that cannot be entered."""
    from unmask.report.names import visible

    if report.verdict is Verdict.UNSUPPORTED and (reason := _closed(report.path)):
        return replace(
            report,
            verdict=Verdict.UNREADABLE,
            message=f"{visible(report.path)}: the folder cannot be entered ({reason})",
            hint="check that you may read the folder",
        )
    return report


def _closed(path: str) -> str:
    """Why the folder at `path` cannot be entered, "" where there is none or it can."""
    if not Path(path).is_dir():
        return ""
    try:
        os.scandir(path).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""
