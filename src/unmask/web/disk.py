"""Files that only we may read, that outlast a power cut, and that one process at a time may hold."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from unmask.errors import UnmaskError

OWNER_ONLY = 0o700
"""The mode of folders that hold what users handed in."""

OWNER_ONLY_FILE = 0o600
"""The mode of files that do."""


def tighten(path: Path, mode: int) -> None:
    """Take all rights beyond `mode` off a file or folder of ours; nothing where there is none, or where the
    system has no such rights."""
    if not hasattr(os, "geteuid"):  # Windows: the user's own folder is the user's alone.
        return
    with contextlib.suppress(OSError):
        known = path.stat()
        if known.st_uid == os.geteuid() and known.st_mode & 0o777 & ~mode:
            path.chmod(known.st_mode & mode)


def flush(path: Path) -> None:
    """Return once a file's bytes, or the names in a folder, are on the disk itself.

    Raises:
        OSError: a file cannot be written out. Folders are left alone where the system cannot do it.
    """
    is_folder = path.is_dir()
    try:
        # Windows writes out only what was opened for writing.
        descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        if not is_folder:
            raise


@contextlib.contextmanager
def held(path: Path, patience: float, otherwise: UnmaskError) -> Iterator[None]:
    """Hold the lock at `path`, waiting at most `patience` seconds for it; a process that dies lets go of it.

    Raises:
        UnmaskError: `otherwise`, where another process holds it for longer.
    """
    lock = FileLock(path, timeout=patience)
    try:
        lock.acquire()
    except Timeout:
        raise otherwise from None
    try:
        yield
    finally:
        lock.release()
