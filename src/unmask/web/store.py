"""Where uploads and what is made of them lie on disk: one folder per scan, and nothing outside it."""

from __future__ import annotations

import contextlib
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from unmask.errors import UnmaskError

ID_BYTES = 16
"""128 random bits: a scan's address cannot be guessed."""

ID_FORM = re.compile(r"[A-Za-z0-9_-]{22}")


def new_id() -> str:
    """A name for a scan that nobody can guess, fit for an address and a folder."""
    return secrets.token_urlsafe(ID_BYTES)


@dataclass(frozen=True, slots=True)
class Folder:
    """The files of one scan. The names are ours alone; what the user called the file is kept in its row."""

    path: Path

    @property
    def original(self) -> Path:
        """The upload, byte for byte."""
        return self.path / "original"

    @property
    def report(self) -> Path:
        """The report as JSON, with evidence."""
        return self.path / "report.json"

    @property
    def thumbnail(self) -> Path:
        """A small JPEG of the picture, or of the video's first frame."""
        return self.path / "thumbnail.jpg"

    @property
    def picture(self) -> Path:
        """A JPEG of a still that any browser shows."""
        return self.path / "picture.jpg"

    @property
    def preview(self) -> Path:
        """An MP4 that any browser plays, where the upload is none."""
        return self.path / "preview.mp4"

    @property
    def events(self) -> Path:
        """What happened while the file was looked at, a line of JSON each."""
        return self.path / "events.jsonl"

    def annotated(self, kind: str) -> Path:
        """The file once more with what was found drawn in."""
        return self.path / ("annotated.mp4" if kind == "video" else "annotated.png")


class Store:
    """All folders below one root.

    Raises:
        UnmaskError: the root cannot be made or written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming, self._scans, self._trash = root / "incoming", root / "scans", root / "trash"
        try:
            for folder in (self._incoming, self._scans, self._trash):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise UnmaskError(
                f"cannot keep anything in {str(root)!r}: {error.strerror}",
                hint="choose a folder that you may write to with --data",
            ) from error

    def folder(self, scan_id: str) -> Folder:
        """The folder of a scan. Raises `ValueError` for what cannot be one's name."""
        if not ID_FORM.fullmatch(scan_id):
            raise ValueError("not the name of a scan")
        return Folder(self._scans / scan_id)

    @contextlib.contextmanager
    def receiving(self) -> Iterator[Path]:
        """A path to write an upload to; what is still there when the block ends is removed."""
        path = self._incoming / secrets.token_hex(16)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def accept(self, received: Path, scan_id: str) -> Folder:
        """Move an upload to where the scan of this name is done."""
        folder = self.folder(scan_id)
        folder.path.mkdir(mode=0o700)
        received.rename(folder.original)
        return folder

    def remove(self, scan_id: str) -> None:
        """Delete all files of a scan; from one moment to the next they are out of reach."""
        path = self.folder(scan_id).path
        trash = self._trash / secrets.token_hex(16)
        with contextlib.suppress(FileNotFoundError):
            path.rename(trash)
        shutil.rmtree(trash, ignore_errors=True)

    def sweep(self, known: Iterable[str]) -> int:
        """Delete uploads that were broken off and folders that no row knows; returns how many.

        Only while no upload is under way: at the start of the server.
        """
        keep = set(known)
        gone = [path for path in self._scans.iterdir() if path.name not in keep]
        gone += [*self._incoming.iterdir(), *self._trash.iterdir()]
        for path in gone:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return len(gone)
