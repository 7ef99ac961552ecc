"""What users do with scans: hand in, look up, list, cancel, delete. Everyone sees their own and no others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from unmask.errors import UnmaskError
from unmask.report.document import from_json
from unmask.types import Report, Verdict
from unmask.web.instance import one_at_a_time
from unmask.web.store import Folder, Store, new_id
from unmask.web.tables import LONGEST_NAME, Job, Scan, State, Task, now

LOCAL = "local"
"""The owner of everything on a server that asks for no token."""

PAGE = 50
"""Scans listed at once where nothing else is asked for."""


AT_ONCE = 500
"""Rows deleted with one statement: databases take only so many values in one."""


class TooManyError(UnmaskError):
    """As many files wait as may; `of_all` tells whether everyone's or only this owner's."""

    def __init__(self, message: str, *, hint: str = "", of_all: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.of_all = of_all


class NoRoomError(UnmaskError):
    """The disk takes no more."""


class NotReadyError(UnmaskError):
    """What is asked for is not there yet, or never will be."""


@dataclass(frozen=True, slots=True)
class JobInfo:
    """One piece of work, as it stands."""

    task: Task
    state: State
    attempt: int
    created: datetime
    started: datetime | None
    finished: datetime | None
    reason: str
    hint: str


@dataclass(frozen=True, slots=True)
class ScanInfo:
    """A scan as it stands; `verdict` and what follows are known once its state is done."""

    id: str
    owner: str
    name: str
    sha256: str
    size_bytes: int
    settings: Mapping[str, object]
    created: datetime
    jobs: Mapping[Task, JobInfo]
    kind: str = ""
    duration: float | None = None
    verdict: Verdict | None = None
    probability: float | None = None
    message: str = ""

    @property
    def job(self) -> JobInfo:
        """The scan's own piece of work."""
        return self.jobs[Task.SCAN]

    @property
    def state(self) -> State:
        """Where the scan is on its way."""
        return self.job.state


@dataclass(frozen=True, slots=True)
class Received:
    """An upload that lies on disk, not yet accepted."""

    path: Path
    name: str
    sha256: str
    size_bytes: int
    settings: Mapping[str, object] = field(default_factory=dict)


class Scans:
    """All scans. `fingerprint` stands for the models and options the server scans with: the same file is
    judged again once they change."""

    def __init__(
        self, engine: Engine, store: Store, *, fingerprint: str = "", most: int = 500, most_each: int = 200
    ) -> None:
        self.engine, self.store, self.fingerprint = engine, store, fingerprint
        self.most, self.most_each = most, most_each

    def create(self, owner: str, upload: Received, *, again: bool = False) -> tuple[ScanInfo, bool]:
        """Accept an upload: the scan, and whether it is new. The same file with the same settings is not
        judged twice unless `again`.

        Raises:
            TooManyError: too many files wait.
            NoRoomError: the disk is full.
        """
        same = self._same(owner, upload)
        with Session(self.engine) as session:
            # Most is decided here, without holding anyone up; below, nobody can come between.
            if not again and (known := self._known(session, same)) is not None:
                return known, False
            self._check_room(session, owner)
        scan_id = new_id()
        try:
            self.store.accept(upload.path, scan_id)
        except OSError as error:
            self.store.remove(scan_id)
            raise NoRoomError("the server has no room for this file", hint="delete older scans") from error
        try:
            info, new = self._add(owner, upload, scan_id, same, again)
        except TooManyError:
            self.store.remove(scan_id)
            raise
        # Where the database breaks off, it alone knows whether there is a row: then the sweep asks it.
        if not new:
            self.store.remove(scan_id)
        return info, new

    def _add(
        self, owner: str, upload: Received, scan_id: str, same: str, again: bool
    ) -> tuple[ScanInfo, bool]:
        with Session(self.engine) as session, session.begin():
            one_at_a_time(session)
            if again:
                session.execute(update(Scan).where(Scan.same == same).values(same=None))
            elif (known := self._known(session, same)) is not None:
                return known, False
            self._check_room(session, owner)
            scan = Scan(
                id=scan_id,
                owner=owner,
                name=upload.name[:LONGEST_NAME],
                sha256=upload.sha256,
                size_bytes=upload.size_bytes,
                settings=json.dumps(dict(upload.settings), sort_keys=True),
                same=same,
                kind="",
                message="",
                jobs=[Job(task=Task.SCAN.value, state=State.QUEUED.value)],
            )
            session.add(scan)
            session.flush()
            return _info(scan), True

    def check_room(self, owner: str) -> None:
        """Refuse before an upload is taken in, rather than after.

        Raises:
            TooManyError: too many files wait.
        """
        with Session(self.engine) as session:
            self._check_room(session, owner)

    def _check_room(self, session: Session, owner: str) -> None:
        unfinished = Job.state.in_((State.QUEUED.value, State.RUNNING.value))
        query = select(Scan.owner, func.count()).join(Job).where(unfinished).group_by(Scan.owner)
        counts = {row[0]: int(row[1]) for row in session.execute(query)}
        hint = "wait until some are done, then hand it in again"
        if sum(counts.values()) >= self.most:
            raise TooManyError(f"{self.most} files wait already", hint=hint)
        if counts.get(owner, 0) >= self.most_each:
            raise TooManyError(f"{self.most_each} files of yours wait already", hint=hint, of_all=False)

    def get(self, owner: str, scan_id: str) -> ScanInfo | None:
        """The scan of this name, None where this owner has none."""
        with Session(self.engine) as session:
            scan = self._own(session, owner, scan_id)
            return None if scan is None else _info(scan)

    def list(
        self,
        owner: str,
        *,
        search: str = "",
        verdict: Verdict | None = None,
        state: State | None = None,
        before: datetime | None = None,
        before_id: str = "",
        limit: int = PAGE,
    ) -> list[ScanInfo]:
        """This owner's scans, newest first: those whose file's name holds `search`, or whose SHA-256 begins
        with it; of one verdict or state; made before a time, or at that time and listed after `before_id`."""
        query = select(Scan).where(Scan.owner == owner)
        if search:
            query = query.where(
                or_(
                    Scan.name.icontains(search, autoescape=True),
                    Scan.sha256.startswith(search.lower(), autoescape=True),
                )
            )
        if verdict is not None:
            query = query.where(Scan.verdict == verdict.value)
        if state is not None:
            query = query.join(Job).where(Job.task == Task.SCAN.value, Job.state == state.value)
        if before is not None:
            at_once = and_(Scan.created == before, Scan.id < before_id)
            query = query.where(or_(Scan.created < before, at_once))
        query = query.order_by(Scan.created.desc(), Scan.id.desc()).limit(limit)
        with Session(self.engine) as session:
            return [_info(scan) for scan in session.scalars(query).unique()]

    def count(self, owner: str) -> int:
        """How many scans this owner has."""
        with Session(self.engine) as session:
            return session.scalar(select(func.count()).select_from(Scan).where(Scan.owner == owner)) or 0

    def ahead(self, info: ScanInfo) -> int:
        """How many jobs will be begun before this scan's."""
        with Session(self.engine) as session:
            own = session.scalar(select(Job.id).where(Job.scan_id == info.id, Job.task == Task.SCAN.value))
            waiting = (
                select(func.count()).select_from(Job).where(Job.state == State.QUEUED.value, Job.id < own)
            )
            return (session.scalar(waiting) or 0) if own is not None else 0

    def cancel(self, owner: str, scan_id: str) -> ScanInfo | None:
        """Stop all work on a scan; what is done stays. None where this owner has no such scan."""
        with Session(self.engine) as session, session.begin():
            scan = self._own(session, owner, scan_id)
            if scan is None:
                return None
            unfinished = (Job.scan_id == scan_id, Job.state == State.QUEUED.value)
            # Looked at and changed in one step: a worker may be taking the job at this moment.
            session.execute(
                update(Job).where(*unfinished).values(state=State.CANCELLED.value, finished=now())
            )
            running = (Job.scan_id == scan_id, Job.state == State.RUNNING.value)
            session.execute(update(Job).where(*running).values(cancel=True))
            session.expire_all()
            scan = self._own(session, owner, scan_id)
            if scan is None:
                return None
            info = _info(scan)
            if info.state is State.CANCELLED or any(job.cancel for job in scan.jobs):
                scan.same = None
            return info

    def ask(self, owner: str, scan_id: str, task: Task) -> ScanInfo | None:
        """Have something more made of a finished scan, or tried again where it failed.

        Raises:
            NotReadyError: the scan is not done.
            TooManyError: too many files wait.
        """
        with Session(self.engine) as session, session.begin():
            one_at_a_time(session)
            scan = self._own(session, owner, scan_id)
            if scan is None:
                return None
            job = next((job for job in scan.jobs if job.task == task), None)
            if task is not Task.SCAN and _info(scan).state is not State.DONE:
                raise NotReadyError("the scan is not done", hint="wait until it is")
            if job is None or job.state in (State.FAILED, State.CANCELLED):
                self._check_room(session, owner)
                if job is not None:
                    session.delete(job)
                    session.flush()
                # `same` stays empty: the file may have been handed in once more since.
                session.add(Job(scan_id=scan.id, task=task.value, state=State.QUEUED.value))
                session.flush()
                session.refresh(scan)
            return _info(scan)

    def delete(self, owner: str, scan_id: str) -> bool:
        """Delete a scan, its file and all that was made of it; False where this owner has no such scan."""
        with Session(self.engine) as session, session.begin():
            scan = self._own(session, owner, scan_id)
            if scan is None:
                return False
            session.delete(scan)
        self.store.remove(scan_id)
        return True

    def delete_all(self, owner: str) -> int:
        """Delete everything of one owner; returns how many scans."""
        return self._delete(select(Scan.id).where(Scan.owner == owner))

    def delete_older(self, days: float) -> int:
        """Delete what was handed in more than `days` days ago; returns how many scans."""
        return self._delete(select(Scan.id).where(Scan.created < now() - timedelta(days=days)))

    def name_of(self, scan_id: str) -> str | None:
        """What its user called the file of a scan, whoever's it is; None where there is no such scan."""
        with Session(self.engine) as session:
            return session.scalar(select(Scan.name).where(Scan.id == scan_id))

    def unfinished(self, owner: str) -> Sequence[ScanInfo]:
        """This owner's scans that wait or are looked at, oldest first."""
        open_ = Job.state.in_((State.QUEUED.value, State.RUNNING.value))
        query = select(Scan).join(Job).where(Scan.owner == owner, Job.task == Task.SCAN.value, open_)
        with Session(self.engine) as session:
            return [_info(scan) for scan in session.scalars(query.order_by(Job.id)).unique()]

    def sweep(self) -> int:
        """Delete what deleted scans have left behind on the disk; returns how many folders."""
        return self.store.sweep(self.ids())

    def ids(self) -> Sequence[str]:
        """The names of all scans there are."""
        with Session(self.engine) as session:
            return session.scalars(select(Scan.id)).all()

    def files(self, info: ScanInfo) -> Folder:
        """The files of a scan."""
        return self.store.folder(info.id)

    def report(self, info: ScanInfo) -> Report:
        """The report of a finished scan, named as its user named the file.

        Raises:
            NotReadyError: there is none yet, or never will be.
        """
        try:
            return from_json(self.files(info).report.read_bytes())
        except OSError:
            raise NotReadyError(
                "there is no report on this file" + (" yet" if not info.state.is_final else ""),
                hint="wait until the scan is done" if not info.state.is_final else "hand the file in again",
            ) from None

    def _delete(self, query: object) -> int:
        with Session(self.engine) as session, session.begin():
            ids = session.scalars(query).all()  # type: ignore[call-overload]
            for start in range(0, len(ids), AT_ONCE):
                session.execute(delete(Scan).where(Scan.id.in_(ids[start : start + AT_ONCE])))
        for scan_id in ids:
            self.store.remove(scan_id)
        return len(ids)

    def _same(self, owner: str, upload: Received) -> str:
        told = [owner, upload.sha256, self.fingerprint, json.dumps(dict(upload.settings), sort_keys=True)]
        return hashlib.sha256("\0".join(told).encode()).hexdigest()

    @staticmethod
    def _known(session: Session, same: str) -> ScanInfo | None:
        """The scan that an upload needs no other than, None where there is none."""
        scan = session.scalars(select(Scan).where(Scan.same == same)).unique().one_or_none()
        return None if scan is None else _info(scan)

    @staticmethod
    def _own(session: Session, owner: str, scan_id: str) -> Scan | None:
        scan = session.get(Scan, scan_id)
        return scan if scan is not None and scan.owner == owner else None


def _info(scan: Scan) -> ScanInfo:
    return ScanInfo(
        id=scan.id,
        owner=scan.owner,
        name=scan.name,
        sha256=scan.sha256,
        size_bytes=scan.size_bytes,
        settings=json.loads(scan.settings),
        created=scan.created,
        jobs={Task(job.task): _job_info(job) for job in scan.jobs},
        kind=scan.kind,
        duration=scan.duration,
        verdict=None if scan.verdict is None else Verdict(scan.verdict),
        probability=scan.probability,
        message=scan.message,
    )


def _job_info(job: Job) -> JobInfo:
    return JobInfo(
        task=Task(job.task),
        state=State(job.state),
        attempt=job.attempt,
        created=job.created,
        started=job.started,
        finished=job.finished,
        reason=job.reason,
        hint=job.hint,
    )
