"""Handing in, finding, cancelling and deleting; each owner for themselves."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session
from tests.web.conftest import HandIn

from unmask.types import Verdict
from unmask.web.queue import Outcome, Queue
from unmask.web.scans import LOCAL, NotReadyError, Scans, TooManyError
from unmask.web.store import Store
from unmask.web.tables import Scan, State, Task, now

FOUND = Outcome(Verdict.REAL, 0.1, "why", "image", None)


def test_the_same_file_is_not_judged_twice_unless_asked(scans: Scans, hand_in: HandIn) -> None:
    first = hand_in(scans)
    assert hand_in(scans, name="other name.png").id == first.id
    assert hand_in(scans, again=True).id != first.id
    assert hand_in(scans, stride=5).id != first.id
    assert hand_in(scans, content=b"two").id != first.id


def test_the_same_file_is_judged_again_by_other_models(engine: Engine, store: Store, hand_in: HandIn) -> None:
    first = hand_in(Scans(engine, store, fingerprint="one"))
    assert hand_in(Scans(engine, store, fingerprint="two")).id != first.id


def test_the_same_file_is_judged_again_after_it_failed(scans: Scans, hand_in: HandIn) -> None:
    first = hand_in(scans)
    queue = Queue(scans.engine)
    work = queue.take()
    assert work is not None
    queue.failed(work, "why", "hint")
    assert hand_in(scans).id != first.id


def test_the_same_file_handed_in_many_times_at_once_is_one_scan(scans: Scans, hand_in: HandIn) -> None:
    with ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(lambda _: hand_in(scans), range(16)))
    assert len({info.id for info in infos}) == 1
    assert len(scans.ids()) == 1
    assert [path.name for path in (scans.store.root / "scans").iterdir()] == [infos[0].id]


def test_owners_do_not_see_each_other(scans: Scans, hand_in: HandIn) -> None:
    hers = hand_in(scans, owner="her")
    his = hand_in(scans, owner="him")
    assert hers.id != his.id
    assert scans.get("him", hers.id) is None
    assert scans.cancel("him", hers.id) is None
    assert scans.ask("him", hers.id, Task.ANNOTATE) is None
    assert not scans.delete("him", hers.id)
    assert [info.id for info in scans.list("him")] == [his.id]
    assert scans.delete_all("him") == 1
    assert scans.get("her", hers.id) is not None


def test_scans_are_found_by_name_hash_verdict_and_state(scans: Scans, hand_in: HandIn) -> None:
    queue = Queue(scans.engine)
    first = hand_in(scans, name="100%_Interview.MP4", content=b"1")
    work = queue.take()
    assert work is not None
    queue.done(work, FOUND)
    second = hand_in(scans, name="b.png", content=b"2")

    def names(**wanted: object) -> list[str]:
        return [info.id for info in scans.list(LOCAL, **wanted)]  # type: ignore[arg-type]

    assert names() == [second.id, first.id]
    assert names(search="interview") == [first.id]
    assert names(search="%") == [first.id]
    assert names(search="_") == [first.id]
    assert names(search=second.sha256[:9].upper()) == [second.id]
    assert names(verdict=Verdict.REAL) == [first.id]
    assert names(state=State.QUEUED) == [second.id]
    assert names(before=second.created) == [first.id]
    assert names(limit=1) == [second.id]


def test_no_more_files_wait_than_may(engine: Engine, store: Store, hand_in: HandIn) -> None:
    scans = Scans(engine, store, most=3, most_each=2)
    hand_in(scans, content=b"1", owner="her")
    hand_in(scans, content=b"2", owner="her")
    with pytest.raises(TooManyError) as caught:
        hand_in(scans, content=b"3", owner="her")
    assert not caught.value.of_all
    hand_in(scans, content=b"4", owner="him")
    with pytest.raises(TooManyError) as caught:
        hand_in(scans, content=b"5", owner="him")
    assert caught.value.of_all
    assert hand_in(scans, content=b"1", owner="her").name == "a.png"
    assert len(list((store.root / "scans").iterdir())) == 3
    assert not list((store.root / "incoming").iterdir())


def test_deleting_leaves_nothing(scans: Scans, hand_in: HandIn) -> None:
    info = hand_in(scans)
    folder = scans.files(info).path
    assert (folder / "original").read_bytes() == b"one"
    assert scans.delete(LOCAL, info.id)
    assert not folder.exists()
    assert scans.get(LOCAL, info.id) is None
    assert not scans.delete(LOCAL, info.id)
    assert not list((scans.store.root / "trash").iterdir())


def test_what_is_too_old_goes_with_its_media(scans: Scans, hand_in: HandIn) -> None:
    old, new = hand_in(scans, content=b"1"), hand_in(scans, content=b"2")
    with Session(scans.engine) as session, session.begin():
        session.execute(update(Scan).where(Scan.id == old.id).values(created=now() - timedelta(days=8)))
    assert scans.delete_older(7) == 1
    assert not scans.files(old).path.exists()
    assert scans.ids() == [new.id]
    assert scans.files(new).original.exists()


def test_a_waiting_scan_is_cancelled_at_once_and_a_running_one_soon(scans: Scans, hand_in: HandIn) -> None:
    queue = Queue(scans.engine)
    running, waiting = hand_in(scans, content=b"1"), hand_in(scans, content=b"2")
    work = queue.take()
    assert work is not None
    assert work.scan == running.id
    cancelled = scans.cancel(LOCAL, waiting.id)
    assert cancelled is not None
    assert cancelled.state is State.CANCELLED
    assert queue.unwanted([work]) == set()
    scans.cancel(LOCAL, running.id)
    assert queue.unwanted([work]) == {work.job}
    assert queue.take() is None


def test_more_is_made_only_of_what_is_done_and_only_once(scans: Scans, hand_in: HandIn) -> None:
    queue, info = Queue(scans.engine), hand_in(scans)
    with pytest.raises(NotReadyError):
        scans.ask(LOCAL, info.id, Task.ANNOTATE)
    work = queue.take()
    assert work is not None
    queue.done(work, FOUND)
    scans.ask(LOCAL, info.id, Task.ANNOTATE)
    scans.ask(LOCAL, info.id, Task.ANNOTATE)
    work = queue.take()
    assert work is not None
    assert work.task is Task.ANNOTATE
    assert queue.take() is None
    queue.failed(work, "no room")
    again = scans.ask(LOCAL, info.id, Task.ANNOTATE)
    assert again is not None
    assert again.jobs[Task.ANNOTATE].state is State.QUEUED


def test_a_report_that_is_not_there_is_said(scans: Scans, hand_in: HandIn) -> None:
    with pytest.raises(NotReadyError, match="yet"):
        scans.report(hand_in(scans))


@pytest.mark.parametrize("name", ["..", "a/b", "", "x" * 21, "../" + "x" * 19])
def test_no_name_leads_out_of_the_folder(store: Store, name: str) -> None:
    with pytest.raises(ValueError):
        store.folder(name)


def test_what_no_row_knows_is_swept_away_at_the_start(scans: Scans, hand_in: HandIn) -> None:
    info = hand_in(scans)
    orphan = scans.store.root / "scans" / ("x" * 22)
    orphan.mkdir()
    (orphan / "original").write_bytes(b"x")
    (scans.store.root / "incoming" / "half").write_bytes(b"x")
    assert scans.store.sweep(scans.ids()) == 2
    assert not orphan.exists()
    assert scans.files(info).original.exists()
