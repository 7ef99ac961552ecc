"""What was measured already, a line each, so that a long measurement can be stopped and goes on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unmask.errors import DataError


def read_journal(journal: Path, head: Mapping[str, object]) -> dict[str, Any]:
    """What was done before: key → what was found. A last line cut short by a crash is left out.

    `head` is what must not change between two calls on one journal.

    Raises:
        DataError: the journal begins with another head.
    """
    if not journal.is_file():
        journal.parent.mkdir(parents=True, exist_ok=True)
        return {}
    done: dict[str, Any] = {}
    with journal.open(encoding="utf-8") as lines:
        first = lines.readline()
        try:
            if json.loads(first) != head:
                raise DataError(
                    f"{journal} was begun with other models or options",
                    hint="give another --out, or delete it",
                )
        except ValueError:
            journal.unlink()
            return {}
        for line in lines:
            with contextlib.suppress(ValueError):
                key, found = json.loads(line)
                done[key] = found
    return done
