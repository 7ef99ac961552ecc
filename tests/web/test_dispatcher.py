"""What hangs, raises or is left behind is dealt with, and the next job is done; one at a time is at work."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.web.conftest import HandIn
from tests.web.processes import children, is_gone, until
from tests.web.test_scans import grow_old

from unmask.options import ScanOptions
from unmask.web import dispatcher, worker
from unmask.web.database import open_database, upgrade
from unmask.web.dispatcher import Dispatcher, Orders
from unmask.web.options import ServeOptions
from unmask.web.scans import LOCAL, ScanInfo, Scans
from unmask.web.store import Store
from unmask.web.tables import State


@pytest.fixture
def serve(tmp_path: Path) -> ServeOptions:
    return ServeOptions(data=str(tmp_path / "data"), workers=1, timeout=6.0)


@pytest.fixture
def desk(serve: ServeOptions) -> Iterator[Scans]:
    """The scans of a server that is not there."""
    engine = open_database(serve.url)
    upgrade(engine)
    yield Scans(engine, Store(serve.folder))
    engine.dispose()


@contextlib.contextmanager
def at_work(serve: ServeOptions) -> Iterator[None]:
    """A dispatcher at work in this process."""
    work = Dispatcher(Orders(serve, ScanOptions()))
    thread = threading.Thread(target=work.run)
    thread.start()
    try:
        yield
    finally:
        work.over.set()
        thread.join(30)


def ended(scans: Scans, info: ScanInfo) -> ScanInfo:
    """The scan once it is over."""

    def look() -> ScanInfo | None:
        known = scans.get(LOCAL, info.id)
        return known if known is not None and known.state.is_final else None

    over: ScanInfo = until(look)
    return over


def test_a_worker_that_hangs_is_ended_and_its_job_fails_with_a_reason(
    serve: ServeOptions,
    desk: Scans,
    long_video: Path,
    photo_path: Path,
    hand_in: HandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatcher, "GRACE", 1.0)
    hanging = hand_in(desk, content=long_video.read_bytes(), stride=1)
    sound = hand_in(desk, content=photo_path.read_bytes())
    with at_work(serve):
        until(lambda: desk.files(hanging).events.exists())
        (stopped,) = children(os.getpid(), "spawn_main")
        os.kill(stopped, signal.SIGSTOP)
        over, next_one = ended(desk, hanging), ended(desk, sound)
    assert over.state is State.FAILED
    assert "not finished after 6 s" in over.job.reason
    assert next_one.state is State.DONE
    assert is_gone(stopped)


class ForeignError(Exception):
    """An error as some libraries have them: it cannot be made again from what it was pickled as."""

    def __init__(self, code: int, place: str) -> None:
        super().__init__(f"{code} at {place}")


def open_faulty_worker(options: ScanOptions, limits: worker.Limits) -> None:
    """Prepare a worker in which looking at a file named `foreign.png` raises what cannot be pickled."""
    really = worker._perform

    def perform(work: worker.Work, folder: worker.Folder, name: str) -> worker.Outcome | None:
        if name == "foreign.png":
            raise ForeignError(7, str(folder.path))
        return really(work, folder, name)

    worker._perform = perform
    worker.open_worker(options, limits)


def test_an_error_that_no_other_process_can_read_fails_its_own_job_alone(
    serve: ServeOptions,
    desk: Scans,
    photo_path: Path,
    hand_in: HandIn,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(dispatcher, "open_worker", open_faulty_worker)
    foreign = hand_in(desk, name="foreign.png")
    sound = hand_in(desk, content=photo_path.read_bytes())
    with at_work(serve):
        over, next_one = ended(desk, foreign), ended(desk, sound)
    assert over.state is State.FAILED
    assert over.job.reason == "a fault in unmask, not in your file"
    assert next_one.state is State.DONE


def test_what_is_left_behind_is_deleted_while_the_server_runs(
    serve: ServeOptions, desk: Scans, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "RETENTION_EVERY", 0.5)
    root = desk.store.root
    with at_work(serve):
        time.sleep(1)
        (root / "trash" / "left").mkdir()
        orphan = desk.store.scans / ("x" * 22)
        orphan.mkdir()
        grow_old(orphan)
        until(lambda: not orphan.exists() and not (root / "trash" / "left").exists())


@contextlib.contextmanager
def dispatching(serve: ServeOptions) -> Iterator[subprocess.Popen[bytes]]:
    """A dispatcher in a process of its own."""
    with subprocess.Popen([sys.executable, "-m", "unmask.web.dispatcher"], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(Orders(serve, ScanOptions())) + b"\n")
        process.stdin.flush()
        yield process
        process.stdin.close()
        process.wait(20)


def test_a_dispatcher_waits_for_the_one_before_it(
    serve: ServeOptions, desk: Scans, hand_in: HandIn, photo_path: Path
) -> None:
    info = hand_in(desk, content=photo_path.read_bytes())
    with contextlib.ExitStack() as earlier:
        earlier.enter_context(desk.store.working(0))
        with dispatching(serve) as process:
            time.sleep(4)
            known = desk.get(LOCAL, info.id)
            assert known is not None
            assert known.state is State.QUEUED
            assert process.poll() is None
            earlier.close()
            assert ended(desk, info).state is State.DONE
