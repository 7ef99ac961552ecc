"""Where uploads and what is made of them lie on disk: one folder per scan, and nothing outside it."""

from __future__ import annotations

import contextlib
import logging
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from unmask.errors import UnmaskError
from unmask.report.atomic import write
from unmask.web.disk import OWNER_ONLY, flush, held, tighten

log = logging.getLogger("unmask.web")

ID_BYTES = 16
"""128 random bits: a scan's address cannot be guessed."""

ID_FORM = re.compile(r"[A-Za-z0-9_-]{22}")

SETTLED = 3600.0
"""Seconds after which a folder that no row knows will not get one any more: an upload is moved to its place a
moment before its row is written."""


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
    def pdf(self) -> Path:
        """The report as PDF, once somebody asked for it."""
        return self.path / "report.pdf"

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
    """All folders below one root, for our own eyes only.

    Raises:
        UnmaskError: the root cannot be made or written to.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming, self.scans, self._trash = root / "incoming", root / "scans", root / "trash"
        self.instance_file = root / "instance"
        try:
            root.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY)
            for folder in (self._incoming, self.scans, self._trash):
                folder.mkdir(exist_ok=True, mode=OWNER_ONLY)
                tighten(folder, OWNER_ONLY)
            # A folder that holds other things as well is not ours to close.
            if all(_is_ours(path.name) for path in root.iterdir()):
                tighten(root, OWNER_ONLY)
        except OSError as error:
            raise UnmaskError(
                f"cannot keep anything in {str(root)!r}: {error.strerror}",
                hint="choose a folder that you may write to with --data",
            ) from error
        flush(root)

    def instance(self) -> str:
        """The id of the database that this folder belongs to; empty where that was never written down."""
        try:
            return self.instance_file.read_text("ascii", "replace").strip()
        except FileNotFoundError:
            return ""

    def set_instance(self, instance: str) -> None:
        """Write down which database this folder belongs to."""
        flush(write(self.instance_file, instance.encode() + b"\n"))
        flush(self.root)

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Be the only server of this folder: it takes what another one has under way for left behind.

        Raises:
            UnmaskError: another one is.
        """
        return held(
            self.root / "lock",
            0,
            UnmaskError(
                f"another server uses {str(self.root)!r}",
                hint="stop it, or choose another folder with --data",
            ),
        )

    def working(self, patience: float) -> contextlib.AbstractContextManager[None]:
        """Be the only one who works on this folder's jobs. Who did so for a server that was killed may live a
        moment longer than it: that one is waited for, `patience` seconds at most.

        Raises:
            UnmaskError: it does not end.
        """
        return held(
            self.root / "dispatcher.lock",
            patience,
            UnmaskError(
                f"the dispatcher of an earlier server still works in {str(self.root)!r}",
                hint="end that process (unmask.web.dispatcher), or choose another folder with --data",
            ),
        )

    def folder(self, scan_id: str) -> Folder:
        """The folder of a scan. Raises `ValueError` for what cannot be one's name."""
        if not ID_FORM.fullmatch(scan_id):
            raise ValueError("not the name of a scan")
        return Folder(self.scans / scan_id)

    def ids(self) -> Sequence[str]:
        """The names of all scans that have a folder."""
        return [path.name for path in self.scans.iterdir() if ID_FORM.fullmatch(path.name)]

    @contextlib.contextmanager
    def receiving(self) -> Iterator[Path]:
        """A path to write an upload to; what is still there when the block ends is removed."""
        path = self._incoming / secrets.token_hex(16)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def accept(self, received: Path, scan_id: str) -> Folder:
        """Move an upload to where the scan of this name is done; it outlasts a power cut from then on."""
        flush(received)
        folder = self.folder(scan_id)
        folder.path.mkdir(mode=OWNER_ONLY)
        received.rename(folder.original)
        flush(folder.path)
        flush(self.scans)
        return folder

    def remove(self, scan_id: str) -> None:
        """Delete all files of a scan; from one moment to the next they are out of reach. What cannot be
        deleted now is left for `sweep`."""
        path = self.folder(scan_id).path
        trash = self._trash / secrets.token_hex(16)
        try:
            path.rename(trash)
        except FileNotFoundError:
            return
        except OSError as error:
            log.warning("the files of %s cannot be deleted now: %s", scan_id, error.strerror)
            return
        shutil.rmtree(trash, ignore_errors=True)

    def clear(self) -> None:
        """Delete uploads that were broken off. Only while none is under way: at the start of the server."""
        for path in self._incoming.iterdir():
            _delete(path)

    def sweep(self, known: Iterable[str], *, settled: float = SETTLED) -> int:
        """Delete what was left in the trash, and folders that none of the `known` scans has and that have not
        changed for `settled` seconds; returns how many."""
        keep, now = set(known), time.time()
        gone = [path for path in self.scans.iterdir() if path.name not in keep and _age(path, now) >= settled]
        return sum(_delete(path) for path in (*gone, *self._trash.iterdir()))


def _is_ours(name: str) -> bool:
    return name in ("incoming", "scans", "trash", "lock", "dispatcher.lock", "instance") or name.startswith(
        "unmask.sqlite"
    )


def _age(path: Path, now: float) -> float:
    """Seconds since a folder changed; 0 where it is gone by now."""
    try:
        return now - path.stat().st_mtime
    except OSError:
        return 0.0


def _delete(path: Path) -> bool:
    """Delete a file or a folder; False where that could not be done, and was written down."""
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        log.warning("%s cannot be deleted now: %s", path.name, error.strerror)
        return False
    return True
