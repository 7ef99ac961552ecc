"""What is said of inputs that are no paths."""

from __future__ import annotations

import re
from pathlib import Path

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
