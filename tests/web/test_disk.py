"""What users handed in is for our eyes only, and what is accepted outlasts a power cut."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from tests.web.conftest import HandIn

from unmask.web.database import open_database, upgrade
from unmask.web.scans import NoRoomError, Scans
from unmask.web.store import Store

pytestmark = pytest.mark.skipif(os.name == "nt", reason="looks at Unix modes and descriptors")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def make_database(path: Path) -> Engine:
    """A database that is in use: its log lies beside it."""
    engine = open_database(f"sqlite:///{path}")
    upgrade(engine)
    return engine


def modes_beside(path: Path) -> set[int]:
    found = list(path.parent.glob(path.name + "*"))
    assert len(found) >= 3
    return {mode(file) for file in found}


def test_nobody_else_may_look_at_the_rows_and_the_files(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        engine = make_database(tmp_path / "data" / "unmask.sqlite")
        with engine.connect() as connection:
            connection.execute(text("SELECT * FROM scans"))
            assert modes_beside(tmp_path / "data" / "unmask.sqlite") == {0o600}
        store = Store(tmp_path / "data")
        with store.receiving() as path:
            path.write_bytes(b"x")
            folder = store.accept(path, "x" * 22).path
        assert {mode(store.root), mode(store.scans), mode(folder)} == {0o700}
        engine.dispose()
    finally:
        os.umask(before)


def test_what_stood_open_is_closed_at_the_start(tmp_path: Path) -> None:
    root = tmp_path / "data"
    path = root / "unmask.sqlite"
    make_database(path).dispose()
    Store(root)
    for found in (root, root / "scans"):
        found.chmod(0o755)
    path.chmod(0o644)
    Store(root)
    engine = make_database(path)
    with engine.connect() as connection:
        connection.execute(text("SELECT * FROM scans"))
        assert modes_beside(path) == {0o600}
    engine.dispose()
    assert {mode(root), mode(root / "scans")} == {0o700}


def test_a_folder_that_holds_other_things_as_well_stays_open_for_them(tmp_path: Path) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(0o755)
    (root / "letter.txt").write_text("hello")
    store = Store(root)
    assert mode(root) == 0o755
    assert mode(store.scans) == 0o700


def test_a_scan_is_accepted_only_once_its_file_is_on_the_disk(
    scans: Scans, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[int, int] | str] = []
    really = os.fsync

    def fsync(descriptor: int) -> None:
        really(descriptor)
        known = os.fstat(descriptor)
        done.append((known.st_dev, known.st_ino))

    monkeypatch.setattr(os, "fsync", fsync)
    event.listen(scans.engine, "commit", lambda _: done.append("row"))
    files = scans.files(hand_in(scans))
    for path in (files.original, files.path, scans.store.scans):
        known = path.stat()
        assert (known.st_dev, known.st_ino) in done[: done.index("row")], path


def test_the_rows_of_sqlite_are_on_the_disk_once_they_are_committed(tmp_path: Path) -> None:
    engine = make_database(tmp_path / "unmask.sqlite")
    with engine.connect() as connection:
        full = 2
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == full
    engine.dispose()


def test_an_upload_that_the_disk_does_not_take_is_not_accepted(
    scans: Scans, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NoRoomError):
        hand_in(scans)
    monkeypatch.undo()
    assert scans.ids() == []
    assert scans.store.ids() == []
