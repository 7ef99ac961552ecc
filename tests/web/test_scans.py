"""Handing in, finding, cancelling and deleting; each owner for themselves."""

from __future__ import annotations

import html
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event, update
from sqlalchemy.orm import Session
from tests.web.conftest import HandIn

from unmask.types import Verdict
from unmask.web import asked
from unmask.web.options import ServeOptions
from unmask.web.queue import Outcome, Queue
from unmask.web.scans import LOCAL, NotReadyError, ScanInfo, Scans, TooManyError
from unmask.web.store import SETTLED, Store
from unmask.web.tables import Scan, State, Task, now
from unmask.web.tokens import Tokens

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


def test_a_scan_tried_again_does_not_come_back_between_a_file_and_its_newer_scan(
    scans: Scans, hand_in: HandIn
) -> None:
    queue, first = Queue(scans.engine), hand_in(scans)
    work = queue.take()
    assert work is not None
    queue.failed(work, "why")
    second = hand_in(scans)
    scans.ask(LOCAL, first.id, Task.SCAN)
    while (work := queue.take()) is not None:
        queue.done(work, FOUND)
    assert [info.state for info in scans.list(LOCAL)] == [State.DONE] * 2
    assert hand_in(scans).id == second.id


@pytest.mark.parametrize("look", ["get", "list", "unfinished", "hand_in"])
def test_a_scan_that_ends_while_it_is_read_is_read_whole(scans: Scans, hand_in: HandIn, look: str) -> None:
    first, queue = hand_in(scans), Queue(scans.engine)
    work = queue.take()
    assert work is not None
    ended = []

    def end(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT") and "FROM scans" in statement and not ended:
            ended.append(work)
            # On a connection of its own, as the dispatcher does.
            with ThreadPoolExecutor(1) as pool:
                pool.submit(queue.done, work, FOUND).result()

    event.listen(scans.engine, "after_cursor_execute", end)
    reads = {
        "get": lambda: [scans.get(LOCAL, first.id)],
        "list": lambda: scans.list(LOCAL),
        "unfinished": lambda: scans.unfinished(LOCAL),
        "hand_in": lambda: [hand_in(scans)],
    }
    for info in [*reads[look](), *reads[look]()]:
        assert info is not None
        assert (info.verdict is None) == (info.state is State.RUNNING)
    assert ended


def test_a_file_refused_when_handed_in_again_is_still_known(
    engine: Engine, store: Store, hand_in: HandIn
) -> None:
    scans = Scans(engine, store, most=1)
    first = hand_in(scans)
    with pytest.raises(TooManyError):
        hand_in(scans, again=True)
    assert hand_in(scans).id == first.id


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


@pytest.mark.parametrize("retried", [False, True])
def test_no_more_files_wait_than_may_when_all_come_at_once(
    engine: Engine, store: Store, hand_in: HandIn, retried: bool
) -> None:
    scans, queue = Scans(engine, store, most=5), Queue(engine)
    ids = []
    if retried:
        for n in range(16):
            ids.append(hand_in(scans, content=str(n).encode()).id)
            scans.cancel(LOCAL, ids[-1])

    def come(n: int) -> ScanInfo | None:
        try:
            return scans.ask(LOCAL, ids[n], Task.SCAN) if retried else hand_in(scans, content=b"%d" % n)
        except TooManyError:
            return None

    with ThreadPoolExecutor(16) as pool:
        accepted = [info for info in pool.map(come, range(16)) if info is not None]
    assert len(accepted) == 5
    assert sum(queue.take() is not None for _ in range(16)) == 5
    assert len(store.ids()) == len(scans.ids())


def test_pages_of_the_list_hold_each_scan_once_however_many_are_of_one_instant(
    scans: Scans, hand_in: HandIn
) -> None:
    ids = {hand_in(scans, content=str(n).encode()).id for n in range(7)}
    with Session(scans.engine) as session, session.begin():
        session.execute(update(Scan).values(created=now()))
    page, listed = scans.list(LOCAL, limit=2), []
    while page:
        listed += [info.id for info in page]
        page = scans.list(LOCAL, before=page[-1].created, before_id=page[-1].id, limit=2)
    assert len(listed) == 7
    assert set(listed) == ids


@pytest.mark.parametrize("address", ["/api/v1/scans?limit=2", "/history"])
def test_the_address_of_the_next_page_leaves_nothing_out(
    client: TestClient, app_engine: Engine, options: ServeOptions, hand_in: HandIn, address: str
) -> None:
    scans = Scans(app_engine, Store(options.folder))
    ids = [hand_in(scans, content=str(n).encode()).id for n in range(50)]
    for scan_id in ids:
        scans.cancel(LOCAL, scan_id)
    with Session(app_engine) as session, session.begin():
        session.execute(update(Scan).values(created=now()))
    listed, following = [], address
    while following:
        text = html.unescape(client.get(following).text)
        listed += re.findall(r'(?:"id":|data-id=)"([^"]+)"', text)
        found = re.search(r'(?:"next":|hx-get=)"(/[^"]+)"', text)
        following = found[1] if found else ""
    assert sorted(listed) == sorted(ids)


def test_a_token_of_the_same_name_does_not_open_the_scans_of_an_earlier_one(
    scans: Scans, hand_in: HandIn
) -> None:
    tokens = Tokens(scans.engine)
    first = tokens.holder(tokens.add("ann"))
    assert first is not None
    hand_in(scans, owner=first)
    tokens.remove("ann")
    second = tokens.holder(tokens.add("ann"))
    assert second is not None
    assert scans.list(second) == []
    assert len(scans.list(first)) == 1


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


def refuse_to_move(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have the system refuse to move this folder, as it does where something holds on to it."""
    really = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path == folder:
            raise PermissionError(13, "Permission denied")
        return really(path, target)

    monkeypatch.setattr(Path, "rename", rename)


def test_one_folder_that_cannot_be_deleted_does_not_keep_the_others(
    scans: Scans, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    infos = [hand_in(scans, content=str(n).encode()) for n in range(3)]
    with Session(scans.engine) as session, session.begin():
        session.execute(update(Scan).values(created=now() - timedelta(days=8)))
    stuck = scans.files(infos[1]).path
    with monkeypatch.context() as patch:
        refuse_to_move(patch, stuck)
        assert scans.delete_older(7) == 3
    assert scans.store.ids() == [infos[1].id]
    assert "Permission denied" in caplog.text
    grow_old(stuck)
    assert scans.sweep() == 1
    assert scans.store.ids() == []


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


def test_a_report_deleted_while_it_is_asked_for_is_said(
    scans: Scans, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = hand_in(scans)
    request = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(scans=scans)))
    # It was there a moment ago.
    monkeypatch.setattr(Path, "is_file", lambda _: True)
    with pytest.raises(NotReadyError):
        asked.report(request, info)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["..", "a/b", "", "x" * 21, "../" + "x" * 19])
def test_no_name_leads_out_of_the_folder(store: Store, name: str) -> None:
    with pytest.raises(ValueError):
        store.folder(name)


def grow_old(folder: Path) -> None:
    """Have a folder look as if nothing had changed in it for long."""
    then = time.time() - SETTLED - 1
    os.utime(folder, (then, then))


def test_what_no_row_knows_is_swept_away_at_the_start(scans: Scans, hand_in: HandIn) -> None:
    info = hand_in(scans)
    orphan = scans.store.root / "scans" / ("x" * 22)
    orphan.mkdir()
    (orphan / "original").write_bytes(b"x")
    (scans.store.root / "incoming" / "half").write_bytes(b"x")
    scans.store.clear()
    assert scans.store.sweep(scans.ids(), settled=0.0) == 1
    assert not list((scans.store.root / "incoming").iterdir())
    assert not orphan.exists()
    assert scans.files(info).original.exists()


def test_what_is_just_being_accepted_is_not_swept_away(scans: Scans, hand_in: HandIn) -> None:
    info, root = hand_in(scans), scans.store.root
    for name in ("x" * 22, "y" * 22):
        (root / "scans" / name).mkdir()
    grow_old(root / "scans" / ("x" * 22))
    (root / "trash" / "left").mkdir()
    (root / "incoming" / "arriving").write_bytes(b"x")
    assert scans.sweep() == 2
    assert set(scans.store.ids()) == {info.id, "y" * 22}
    assert (root / "incoming" / "arriving").exists()
