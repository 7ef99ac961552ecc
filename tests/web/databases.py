"""Databases to test with: SQLite always, PostgreSQL where Debian's packages (or others) have put it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine
from tests.web.processes import is_gone, until

from unmask.web import database


def postgresql_programs() -> Path | None:
    """The folder with `initdb` and `pg_ctl`, None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    known = shutil.which("initdb")
    return found[-1].parent if found else Path(known).parent if known else None


def at_revision(engine: Engine, revision: str) -> None:
    """Make the tables of an older version."""
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URL of an empty database on a server of its own, which ends with the block."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    cluster = folder / "cluster"
    cluster.mkdir(mode=0o700)
    if user:
        shutil.chown(cluster, user)
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and parent not in (Path("/"), Path("/tmp")):
                parent.chmod(parent.stat().st_mode | 0o011)
        folder.chmod(0o711)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(*command: str) -> None:
        subprocess.run(command, user=user, check=True, cwd="/", stdout=subprocess.DEVNULL)

    call(
        str(programs / "initdb"), "-D", str(cluster), "-U", "unmask", "-A", "trust", "-E", "UTF8", "--no-sync"
    )
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={cluster} -c fsync=off"
    control = (str(programs / "pg_ctl"), "-D", str(cluster), "-w", "-l", str(cluster / "log"))
    call(*control, "-o", settings, "start")
    try:
        yield f"postgresql+psycopg://unmask@127.0.0.1:{port}/postgres"
    finally:
        # Not with `pg_ctl`: its user cannot come here once another run of pytest has closed the folder above.
        server = int((cluster / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGQUIT)
        until(lambda: is_gone(server))
