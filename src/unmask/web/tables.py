"""The rows the server keeps: what was handed in, the jobs that came of it, and the tokens that may hand in.

Migrations (`migrations/`) make these tables; a test holds the two together.
"""

from __future__ import annotations

import enum
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

LONGEST_NAME = 255
"""Characters of an uploaded file's name that are kept."""


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


class Instant(TypeDecorator[datetime]):
    """A time in UTC; databases that keep no zone give it back with one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        stored: datetime = value
        return stored.replace(tzinfo=UTC) if stored.tzinfo is None else stored.astimezone(UTC)


class State(enum.StrEnum):
    """Where a job is on its way."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True where nothing more will happen by itself."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


class Task(enum.StrEnum):
    """What is done with an upload."""

    SCAN = "scan"
    PREVIEW = "preview"
    ANNOTATE = "annotate"


class Base(DeclarativeBase):
    """All tables."""


class Scan(Base):
    """A file that was handed in, and what is known of it. `same` finds the scan of the same file, by the same
    owner, with the same model and settings; None where it was superseded or came to nothing."""

    __tablename__ = "scans"
    __table_args__ = (Index("scans_by_owner_and_time", "owner", "created"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(LONGEST_NAME))
    sha256: Mapped[str] = mapped_column(String(64))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    settings: Mapped[str] = mapped_column(Text)
    same: Mapped[str | None] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(Instant, default=now, index=True)
    kind: Mapped[str] = mapped_column(String(16), default="")
    duration: Mapped[float | None] = mapped_column(Float)
    verdict: Mapped[str | None] = mapped_column(String(16))
    probability: Mapped[float | None] = mapped_column(Float)
    message: Mapped[str] = mapped_column(Text, default="")

    # Read in one statement with the scan: between two, a job may end and its scan still have no verdict.
    jobs: Mapped[list[Job]] = relationship(
        back_populates="scan", cascade="all, delete-orphan", passive_deletes=True, lazy="joined"
    )


class Job(Base):
    """One piece of work on a scan's file. `attempt` counts how often it was begun; `reason` and `hint` say
    why it failed."""

    __tablename__ = "jobs"
    # SQLite would give the number of a deleted job to the next one, and its outcome with it.
    __table_args__ = (
        UniqueConstraint("scan_id", "task"),
        Index("jobs_by_state", "state", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    scan_id: Mapped[str] = mapped_column(ForeignKey("scans.id", ondelete="CASCADE"))
    task: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default=State.QUEUED.value)
    attempt: Mapped[int] = mapped_column(Integer, default=0)
    cancel: Mapped[bool] = mapped_column(default=False)
    created: Mapped[datetime] = mapped_column(Instant, default=now)
    started: Mapped[datetime | None] = mapped_column(Instant)
    finished: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str] = mapped_column(Text, default="")
    hint: Mapped[str] = mapped_column(Text, default="")

    scan: Mapped[Scan] = relationship(back_populates="jobs")


class Token(Base):
    """Who may call a server that asks for tokens; only the SHA-256 of what they hold is kept. `owner` is what
    their scans know them by: it is given to nobody else, whatever they are called."""

    __tablename__ = "tokens"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    owner: Mapped[str] = mapped_column(String(64), unique=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[datetime] = mapped_column(Instant, default=now)


class Instance(Base):
    """One row: the id of this database, which its data folder keeps as well."""

    __tablename__ = "instance"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
