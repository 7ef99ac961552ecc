"""Open the database and bring its tables up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from unmask.errors import UnmaskError

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
            if address.database:
                Path(address.database).parent.mkdir(parents=True, exist_ok=True)
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
    """Make the tables, or bring those of an older version up to date.

    Raises:
        UnmaskError: the database does not answer, or is not ours.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (SQLAlchemyError, OSError) as error:
        raise UnmaskError(
            f"the database cannot be used: {error.__class__.__name__}: {_first_line(error)}",
            hint="check that it runs, that its URL is right, and that you may make tables in it",
        ) from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
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
