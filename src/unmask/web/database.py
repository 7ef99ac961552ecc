"""Open the database and bring its tables up to date."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from unmask.errors import UnmaskError
from unmask.web.disk import OWNER_ONLY, OWNER_ONLY_FILE, flush, tighten

MIGRATIONS = Path(__file__).parent / "migrations"

PATIENCE_MS = 10_000
"""How long SQLite waits for another writer."""


def open_database(url: str) -> Engine:
    """The database at `url`; SQLite files are made where there are none.

    Raises:
        UnmaskError: the URL cannot be read, or its driver is missing.
    """
    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite":
            if address.database and not address.database.startswith((":memory:", "file:")):
                _make_private(Path(address.database))
            engine = create_engine(address, connect_args={"timeout": PATIENCE_MS / 1000})
            event.listen(engine, "connect", _prepare_sqlite)
            return engine
        return create_engine(address, pool_pre_ping=True)
    except (ArgumentError, NoSuchModuleError, ImportError, OSError) as error:
        raise UnmaskError(
            f"the database cannot be opened: {error}",
            hint="give a URL such as postgresql+psycopg://user:password@host/name "
            "(pip install 'unmask[postgresql]')",
        ) from error


def upgrade(engine: Engine) -> None:
    """Make the tables, or bring those of an older version up to date: wholly, or not at all.

    Raises:
        UnmaskError: the database does not answer, is not ours, or is a newer version's.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with _changing(engine) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise UnmaskError(
            f"the database cannot be used: {_first_line(error)}",
            hint="it was used by a newer unmask: use that one, or another --database",
        ) from error
    except (SQLAlchemyError, OSError) as error:
        raise UnmaskError(
            f"the database cannot be used: {error.__class__.__name__}: {_first_line(error)}",
            hint="check that it runs, that its URL is right, and that you may make tables in it",
        ) from error


@contextlib.contextmanager
def _changing(engine: Engine) -> Iterator[Connection]:
    """A transaction in which tables may be changed."""
    if engine.dialect.name != "sqlite":
        with engine.begin() as connection:
            yield connection
        return
    with engine.connect() as connection:
        # Tables are changed by making them anew: dropping the old ones must not drop what refers to them.
        # That is switched off outside of transactions only, and for this connection only.
        connection.detach()
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        # Python's driver begins no transaction by itself for statements that change tables.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()


def _make_private(path: Path) -> None:
    """Have the file of a database, and what SQLite puts beside it, be for our eyes only from the start."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY)
    if not path.exists():
        path.touch(mode=OWNER_ONLY_FILE)
        flush(path.parent)
    for ending in ("", "-wal", "-shm", "-journal"):
        tighten(path.with_name(path.name + ending), OWNER_ONLY_FILE)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        # What is accepted outlasts a power cut.
        "synchronous=FULL",
        "foreign_keys=ON",
        # What is deleted is overwritten, not only forgotten.
        "secure_delete=ON",
        f"busy_timeout={PATIENCE_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _first_line(error: BaseException) -> str:
    text = str(getattr(error, "orig", None) or error)
    return text.splitlines()[0] if text else ""
