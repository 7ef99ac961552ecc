"""Files that are either written whole or not at all."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

from unmask.errors import UnmaskError

WRITABLE = "choose a folder that exists and that you may write to, with room on its disk"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and move it there when the block ends well; else remove it.

    The temporary name keeps the ending, which writers choose their format by.

    Raises:
        UnmaskError: the file cannot be written.
    """
    temporary = path.with_name(f".unmask-{secrets.token_hex(8)}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnmaskError(f"cannot write {str(path)!r}: {reason}", hint=WRITABLE) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write(path: Path, data: bytes) -> Path:
    """Write `data` to `path` in one step and return the path."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)
    return path
