"""The tables of a new and of an older database are those the code means."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text
from tests.web.databases import at_revision

from unmask.errors import UnmaskError
from unmask.web import database
from unmask.web.database import open_database, upgrade
from unmask.web.tables import Base

CUT_SHORT = '''
"""A change of every kind, cut short."""
import os
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{last}"

def upgrade():
    op.create_table("half", sa.Column("id", sa.Integer(), primary_key=True))
    with op.batch_alter_table("scans") as scans:
        scans.alter_column("name", new_column_name="called", existing_type=sa.String(255))
    op.execute("UPDATE scans SET called = 'half'")
    {end}
'''


def add_scan(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO scans (id, owner, name, sha256, size_bytes, settings, created, kind, message) "
                "VALUES ('a', 'ann', 'a.png', '0', 1, '{}', '2026-11-01 00:00:00', '', '')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO jobs (id, scan_id, task, state, attempt, cancel, created, reason, hint) "
                "VALUES (1, 'a', 'scan', 'queued', 0, :no, '2026-11-01 00:00:00', '', '')"
            ),
            {"no": False},
        )


def migrations_that_end(folder: Path, end: str) -> Path:
    """Our migrations, and one more that ends halfway."""
    last = sorted(path.name[1:5] for path in (database.MIGRATIONS / "versions").glob("v*.py"))[-1]
    copy = folder / "migrations"
    shutil.copytree(database.MIGRATIONS, copy)
    (copy / "versions" / "v9999_half.py").write_text(CUT_SHORT.format(last=last, end=end))
    return copy


def assert_as_it_was(engine: Engine) -> None:
    assert "half" not in inspect(engine).get_table_names()
    with engine.connect() as connection:
        assert connection.execute(text("SELECT name FROM scans")).scalars().all() == ["a.png"]
        assert connection.execute(text("SELECT id FROM jobs")).scalars().all() == [1]
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_migrations_make_the_tables_that_the_code_means(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_upgrading_twice_changes_nothing(engine: Engine) -> None:
    upgrade(engine)


def test_an_older_database_gets_the_same_tables_and_keeps_its_rows(url: str) -> None:
    engine = open_database(url)
    at_revision(engine, "0001")
    add_scan(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO tokens VALUES ('ann', 'hash', '2026-11-01 00:00:00')"))
    upgrade(engine)
    assert_as_it_was(engine)
    with engine.connect() as connection:
        # Ann's scans stay Ann's.
        assert connection.execute(text("SELECT owner FROM tokens")).scalars().all() == ["ann"]
        assert len(connection.execute(text("SELECT id FROM instance")).scalars().all()) == 1
    engine.dispose()


def test_an_upgrade_that_fails_leaves_everything_as_it_was(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_scan(engine)
    broken = migrations_that_end(tmp_path, "raise RuntimeError('cut short')")
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", broken)
        with pytest.raises(RuntimeError, match="cut short"):
            upgrade(engine)
    assert_as_it_was(engine)
    upgrade(engine)


def test_an_upgrade_that_is_killed_leaves_everything_as_it_was(engine: Engine, tmp_path: Path) -> None:
    add_scan(engine)
    broken = migrations_that_end(tmp_path, "os._exit(7)")
    program = (
        "import sys, pathlib; from unmask.web import database;"
        "database.MIGRATIONS = pathlib.Path(sys.argv[1]);"
        "database.upgrade(database.open_database(sys.argv[2]))"
    )
    url = engine.url.render_as_string(hide_password=False)
    ended = subprocess.run([sys.executable, "-c", program, str(broken), url], check=False)
    assert ended.returncode == 7
    assert_as_it_was(engine)
    upgrade(engine)


def test_a_change_of_a_table_costs_nothing_that_refers_to_it(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_scan(engine)
    monkeypatch.setattr(database, "MIGRATIONS", migrations_that_end(tmp_path, "pass"))
    upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT called FROM scans")).scalars().all() == ["half"]
        assert connection.execute(text("SELECT id FROM jobs")).scalars().all() == [1]


def test_a_newer_version_s_database_is_left_alone_and_that_is_said(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(database, "MIGRATIONS", migrations_that_end(tmp_path, "pass"))
        upgrade(engine)
    with pytest.raises(UnmaskError) as caught:
        upgrade(engine)
    assert "newer" in caught.value.hint


@pytest.mark.parametrize("url", ["nonsense", "oracle://x", "sqlite:///{file}/x.sqlite"])
def test_a_database_that_cannot_be_used_is_said_with_a_hint(url: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    with pytest.raises(UnmaskError) as caught:
        upgrade(open_database(url.replace("{file}", str(file))))
    assert caught.value.hint


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"hello" * 1000)
    with pytest.raises(UnmaskError, match="database"):
        upgrade(open_database(f"sqlite:///{path}"))
