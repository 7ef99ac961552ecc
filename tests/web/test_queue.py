"""Jobs are begun once, in order, and none is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine
from tests.web.conftest import HandIn

from unmask.types import Verdict
from unmask.web.queue import MOST_ATTEMPTS, Outcome, Queue
from unmask.web.scans import LOCAL, Scans
from unmask.web.tables import State, Task


def test_jobs_are_taken_in_order_and_each_once(scans: Scans, hand_in: HandIn, engine: Engine) -> None:
    ids = [hand_in(scans, content=str(n).encode()).id for n in range(20)]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda _: Queue(engine).take(), range(24)))
    works = [work for work in taken if work is not None]
    assert sorted(work.scan for work in works) == sorted(ids)
    assert taken.count(None) == 4
    assert [work.scan for work in sorted(works, key=lambda work: work.job)] == ids


def test_what_was_under_way_when_the_server_died_is_begun_again(scans: Scans, hand_in: HandIn) -> None:
    queue, info = Queue(scans.engine), hand_in(scans)
    assert queue.take() is not None
    assert queue.take() is None
    assert Queue(scans.engine).recover() == 1
    work = queue.take()
    assert work is not None
    assert (work.scan, work.attempt) == (info.id, 2)


def test_a_file_that_takes_the_server_down_is_given_up(scans: Scans, hand_in: HandIn) -> None:
    queue, info = Queue(scans.engine), hand_in(scans)
    for _ in range(MOST_ATTEMPTS):
        assert queue.take() is not None
        queue.recover()
    assert queue.take() is None
    known = scans.get(LOCAL, info.id)
    assert known is not None
    assert known.state is State.FAILED
    assert "3 times" in known.job.reason
    assert known.job.hint


def test_stopping_in_good_order_does_not_count_as_an_attempt(scans: Scans, hand_in: HandIn) -> None:
    queue = Queue(scans.engine)
    hand_in(scans)
    for _ in range(MOST_ATTEMPTS + 2):
        work = queue.take()
        assert work is not None
        assert work.attempt == 1
        queue.put_back(work)


def test_cancelled_work_is_not_begun_again(scans: Scans, hand_in: HandIn) -> None:
    queue, info = Queue(scans.engine), hand_in(scans)
    queue.take()
    scans.cancel(LOCAL, info.id)
    queue.recover()
    assert queue.take() is None
    known = scans.get(LOCAL, info.id)
    assert known is not None
    assert known.state is State.CANCELLED


def test_what_was_found_is_kept_with_the_scan(scans: Scans, hand_in: HandIn) -> None:
    queue, info = Queue(scans.engine), hand_in(scans)
    work = queue.take()
    assert work is not None
    queue.done(work, Outcome(Verdict.FAKE, 0.9, "why", "video", 3.5, playable=False))
    known = scans.get(LOCAL, info.id)
    assert known is not None
    assert (known.verdict, known.probability, known.message) == (Verdict.FAKE, 0.9, "why")
    assert (known.kind, known.duration, known.state) == ("video", 3.5, State.DONE)
    follow = queue.take()
    assert follow is not None
    assert follow.task is Task.PREVIEW


def test_work_on_what_was_deleted_ends_quietly(scans: Scans, hand_in: HandIn) -> None:
    queue, info = Queue(scans.engine), hand_in(scans)
    work = queue.take()
    assert work is not None
    scans.delete(LOCAL, info.id)
    assert queue.unwanted([work]) == {work.job}
    queue.done(work, Outcome(Verdict.REAL, 0.1, "", "image", None))
    queue.failed(work, "why")
    queue.cancelled(work)


def test_what_came_of_a_deleted_job_is_written_on_nobody_elses(scans: Scans, hand_in: HandIn) -> None:
    queue, hers = Queue(scans.engine), hand_in(scans, content=b"1", owner="her")
    work = queue.take()
    assert work is not None
    scans.delete("her", hers.id)
    his = hand_in(scans, content=b"2", owner="him")
    assert queue.unwanted([work]) == {work.job}
    queue.done(work, Outcome(Verdict.FAKE, 0.9, "hers", "image", None))
    known = scans.get("him", his.id)
    assert known is not None
    assert (known.state, known.verdict) == (State.QUEUED, None)


def test_a_dispatcher_that_was_given_up_changes_nothing_any_more(scans: Scans, hand_in: HandIn) -> None:
    queue, info = Queue(scans.engine), hand_in(scans)
    old = queue.take()
    assert old is not None
    queue.recover()
    new = queue.take()
    assert new is not None
    queue.put_back(old)
    queue.failed(old, "late")
    assert queue.take() is None
    queue.done(new, Outcome(Verdict.REAL, 0.1, "", "image", None))
    known = scans.get(LOCAL, info.id)
    assert known is not None
    assert (known.state, known.verdict) == (State.DONE, Verdict.REAL)
