"""A data folder is worked with its own database and with no other: nothing is swept away by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from tests.web.conftest import HandIn
from tests.web.databases import at_revision

from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.web.database import open_database, upgrade
from unmask.web.instance import pair
from unmask.web.options import ServeOptions
from unmask.web.scans import LOCAL, Scans
from unmask.web.serve import prepared
from unmask.web.store import Store


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Engine]:
    """Another database, with nothing in it."""
    engine = open_database(f"sqlite:///{tmp_path / 'other.sqlite'}")
    upgrade(engine)
    yield engine
    engine.dispose()


def test_a_new_folder_and_a_new_database_are_each_others_from_then_on(engine: Engine, store: Store) -> None:
    pair(engine, store)
    known = store.instance()
    assert len(known) == 22
    upgrade(engine)
    pair(engine, store)
    assert store.instance() == known


def test_another_database_does_not_cost_the_files_in_a_folder(
    tmp_path: Path, hand_in: HandIn, photo_path: Path
) -> None:
    serve = ServeOptions(port=0, data=str(tmp_path / "data"))
    with prepared(serve, ScanOptions()):
        pass
    engine = open_database(serve.url)
    scans = Scans(engine, Store(serve.folder))
    info = hand_in(scans, content=photo_path.read_bytes())
    engine.dispose()
    wrong = ServeOptions(port=0, data=serve.data, database=f"sqlite:///{tmp_path / 'wrong.sqlite'}")
    with pytest.raises(UnmaskError, match="another database") as caught, prepared(wrong, ScanOptions()):
        pass
    assert "--database" in caught.value.hint
    assert scans.files(info).original.exists()
    with prepared(serve, ScanOptions()):
        assert scans.files(info).original.exists()


@pytest.mark.parametrize("from_before", [False, True])
def test_a_folder_whose_database_was_lost_is_left_alone_until_it_is_moved_away(
    scans: Scans, hand_in: HandIn, other: Engine, from_before: bool, tmp_path: Path
) -> None:
    store = scans.store
    pair(scans.engine, store)
    hand_in(scans)
    if from_before:
        store.instance_file.unlink()
    with pytest.raises(UnmaskError, match="another database") as caught:
        pair(other, store)
    assert repr(str(store.scans)) in caught.value.hint
    store.scans.rename(tmp_path / "away")
    pair(other, Store(store.root))


def test_a_database_whose_files_lie_elsewhere_is_not_worked_until_that_is_meant(
    scans: Scans, hand_in: HandIn, tmp_path: Path
) -> None:
    pair(scans.engine, scans.store)
    hand_in(scans)
    elsewhere = Store(tmp_path / "elsewhere")
    with pytest.raises(UnmaskError, match="do not lie") as caught:
        pair(scans.engine, elsewhere)
    known = scans.store.instance()
    assert f"write {known} into {str(elsewhere.instance_file)!r}" in caught.value.hint
    elsewhere.instance_file.write_text(known)
    pair(scans.engine, elsewhere)


def test_an_emptied_folder_may_be_used_with_a_new_database(
    scans: Scans, hand_in: HandIn, other: Engine
) -> None:
    pair(scans.engine, scans.store)
    hand_in(scans)
    scans.delete_all(LOCAL)
    pair(other, scans.store)


def test_an_installation_from_before_goes_on_with_all_it_has(url: str, store: Store) -> None:
    engine = open_database(url)
    at_revision(engine, "0001")
    scan_id = "a" * 22
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO scans (id, owner, name, sha256, size_bytes, settings, created, kind, message) "
                "VALUES (:id, 'ann', 'a.png', '0', 1, '{}', '2026-11-01 00:00:00', '', '')"
            ),
            {"id": scan_id},
        )
        connection.execute(
            text(
                "INSERT INTO jobs (scan_id, task, state, attempt, cancel, created, reason, hint) "
                "VALUES (:id, 'scan', 'queued', 0, :no, '2026-11-01 00:00:00', '', '')"
            ),
            {"id": scan_id, "no": False},
        )
    with store.receiving() as path:
        path.write_bytes(b"x")
        store.accept(path, scan_id)
    upgrade(engine)
    pair(engine, store)
    scans = Scans(engine, store)
    store.sweep(scans.ids(), settled=0.0)
    info = scans.get("ann", scan_id)
    assert info is not None
    assert scans.files(info).original.exists()
    engine.dispose()
