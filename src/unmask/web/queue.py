"""The queue is the table of jobs: what is accepted is in it, whatever dies; a job is begun by marking its
row.

A queue beside the database could lose a job between the two, or begin one twice; rows cannot.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from unmask.types import Verdict
from unmask.web.tables import Job, State, Task, now

MOST_ATTEMPTS = 3
"""Times a job is begun when the server itself dies under it: a file that takes the machine down must not do
so for ever."""


@dataclass(frozen=True, slots=True)
class Work:
    """One job to do."""

    job: int
    scan: str
    task: Task
    attempt: int
    settings: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scan found, as its row keeps it. `playable`: a browser plays the upload as it is."""

    verdict: Verdict
    probability: float | None
    message: str
    kind: str
    duration: float | None
    playable: bool = True


@dataclass(frozen=True, slots=True)
class Failure:
    """What a job ended with, as plain data: errors themselves may not survive the way between processes.
    `message` and `hint` are those of our own errors and empty for all others, whose words are for the log."""

    error: str
    message: str = ""
    hint: str = ""


class Queue:
    """Take jobs and say what came of them. One process at a time works a queue."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def recover(self) -> int:
        """Put back what was under way when the server died; what died with it too often fails. Returns how
        many jobs wait."""
        with Session(self.engine) as session, session.begin():
            for job in session.scalars(select(Job).where(Job.state == State.RUNNING.value)):
                if job.cancel:
                    _end(job, State.CANCELLED)
                elif job.attempt >= MOST_ATTEMPTS:
                    _end(job, State.FAILED, f"the server stopped {job.attempt} times while at it")
                    job.hint = "the file may be more than this machine can take"
                else:
                    job.state = State.QUEUED.value
            session.flush()
            return len(session.scalars(select(Job.id).where(Job.state == State.QUEUED.value)).all())

    def take(self) -> Work | None:
        """The oldest job that waits, marked as running; None where none does."""
        with Session(self.engine) as session, session.begin():
            waiting = select(Job.id).where(Job.state == State.QUEUED.value).order_by(Job.id).limit(1)
            # Where several take at once, each takes another; SQLite lets one write at a time anyway.
            waiting = waiting.with_for_update(skip_locked=True)
            taken = session.scalar(
                update(Job)
                .where(Job.id == waiting.scalar_subquery(), Job.state == State.QUEUED.value)
                .values(state=State.RUNNING.value, attempt=Job.attempt + 1, started=now())
                .returning(Job.id)
            )
            if taken is None:
                return None
            job = session.get_one(Job, taken)
            return Work(job.id, job.scan_id, Task(job.task), job.attempt, json.loads(job.scan.settings))

    def unwanted(self, running: Collection[Work]) -> set[int]:
        """The numbers of those of the running jobs that were cancelled or deleted."""
        if not running:
            return set()
        query = select(Job.id, Job.scan_id, Job.attempt).where(
            Job.id.in_([work.job for work in running]),
            Job.cancel.is_(False),
            Job.state == State.RUNNING.value,
        )
        with Session(self.engine) as session:
            kept = {(row[0], row[1], row[2]) for row in session.execute(query)}
        return {work.job for work in running if (work.job, work.scan, work.attempt) not in kept}

    def put_back(self, work: Work) -> None:
        """A job that was begun waits again, as if it had not been: the server stops in good order."""
        with Session(self.engine) as session, session.begin():
            job = _row(session, work)
            if job is not None:
                job.state, job.attempt = State.QUEUED.value, max(0, job.attempt - 1)

    def done(self, work: Work, outcome: Outcome | None = None) -> None:
        """A job came to its end; of a scan, `outcome` is what it found."""
        with Session(self.engine) as session, session.begin():
            job = _row(session, work)
            if job is None:
                return
            _end(job, State.DONE)
            if outcome is not None:
                scan = job.scan
                scan.verdict, scan.probability = outcome.verdict.value, outcome.probability
                scan.message, scan.kind, scan.duration = outcome.message, outcome.kind, outcome.duration
                if not outcome.playable and not any(other.task == Task.PREVIEW for other in scan.jobs):
                    session.add(Job(scan_id=scan.id, task=Task.PREVIEW.value, state=State.QUEUED.value))

    def failed(self, work: Work, reason: str, hint: str = "") -> None:
        """A job came to nothing, and why."""
        self._give_up(work, State.FAILED, reason, hint)

    def cancelled(self, work: Work) -> None:
        """A job was stopped as its owner wished."""
        self._give_up(work, State.CANCELLED)

    def _give_up(self, work: Work, state: State, reason: str = "", hint: str = "") -> None:
        with Session(self.engine) as session, session.begin():
            job = _row(session, work)
            if job is None:
                return
            _end(job, state, reason)
            job.hint = hint


def _row(session: Session, work: Work) -> Job | None:
    """The row of this very attempt, None where it was deleted, or begun again since by someone else."""
    same = (Job.id == work.job, Job.scan_id == work.scan, Job.attempt == work.attempt)
    return session.scalar(select(Job).where(*same, Job.state == State.RUNNING.value).with_for_update())


def _end(job: Job, state: State, reason: str = "") -> None:
    job.state, job.finished, job.reason = state.value, now(), reason
    if job.task == Task.SCAN and state is not State.DONE:
        # Handed in again, the file is to be judged again.
        job.scan.same = None
