"""The options of the server: each exists once, here; the command line is made from these fields."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import platformdirs
from msgspec import Meta

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """How the server runs. The defaults are for one person on one machine and are safe there."""

    host: Annotated[str, Meta(description="Address to listen on; this one is for this machine alone.")] = (
        "127.0.0.1"
    )
    port: Annotated[int, Meta(ge=0, description="Port to listen on; 0 takes a free one.")] = 8765
    name: Annotated[
        tuple[str, ...],
        Meta(description="Name under which the server may be called, besides its address and localhost."),
    ] = ()
    data: Annotated[
        str | None, Meta(description="Folder for uploads and results; the user's data folder if not given.")
    ] = None
    database: Annotated[
        str | None,
        Meta(
            description="URL of a database, as postgresql+psycopg://…; SQLite in the data folder otherwise."
        ),
    ] = None
    workers: Annotated[int, Meta(ge=1, description="Files looked at at once.")] = 2
    keep_days: Annotated[
        float, Meta(gt=0, description="Delete uploads and all that was made of them after this many days.")
    ] = 7.0
    max_upload: Annotated[int, Meta(ge=1, description="Refuse larger uploads, in MiB.")] = 2048
    keep_free: Annotated[
        int,
        Meta(ge=0, description="Refuse uploads that would leave less room than this on the disk, in MiB."),
    ] = 1024
    max_waiting: Annotated[int, Meta(ge=1, description="Files that may wait at once, of everyone.")] = 500
    max_waiting_each: Annotated[int, Meta(ge=1, description="Files of one user that may wait at once.")] = 200
    timeout: Annotated[float, Meta(gt=0, description="Give up on a file after this many seconds.")] = 1800.0
    # Of which the program and the shipped models are 0.6 GiB; a short video in small format takes 1.6 GiB.
    memory: Annotated[int, Meta(ge=2048, description="Memory that a worker may take, in MiB.")] = 6144

    @property
    def folder(self) -> Path:
        """Where uploads and results lie."""
        return Path(self.data) if self.data else Path(platformdirs.user_data_dir("unmask")) / "web"

    @property
    def url(self) -> str:
        """Where the rows lie, as SQLAlchemy writes it."""
        return self.database or f"sqlite:///{self.folder / 'unmask.sqlite'}"

    @property
    def max_bytes(self) -> int:
        """The largest upload, in bytes."""
        return self.max_upload * MIB

    @property
    def free_bytes(self) -> int:
        """What uploads leave free on the disk, in bytes."""
        return self.keep_free * MIB
