"""The tables of a new and of an older database are those the code means."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine

from unmask.errors import UnmaskError
from unmask.web.database import open_database, upgrade
from unmask.web.tables import Base


def test_migrations_make_the_tables_that_the_code_means(engine: Engine) -> None:
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_upgrading_twice_changes_nothing(engine: Engine) -> None:
    upgrade(engine)


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
