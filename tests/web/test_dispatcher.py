"""A worker that hangs is ended, and the next one does the rest."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from tests.web.conftest import HandIn
from tests.web.processes import children, is_gone, until

from unmask.options import ScanOptions
from unmask.web import dispatcher
from unmask.web.database import open_database, upgrade
from unmask.web.dispatcher import Dispatcher, Orders
from unmask.web.options import ServeOptions
from unmask.web.scans import LOCAL, Scans
from unmask.web.store import Store
from unmask.web.tables import State


def test_a_worker_that_hangs_is_ended_and_its_job_fails_with_a_reason(
    tmp_path: Path, long_video: Path, photo_path: Path, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "GRACE", 1.0)
    serve = ServeOptions(data=str(tmp_path / "data"), workers=1, timeout=6.0)
    store = Store(serve.folder)
    engine = open_database(serve.url)
    upgrade(engine)
    scans = Scans(engine, store)
    hanging = hand_in(scans, content=long_video.read_bytes(), stride=1)
    sound = hand_in(scans, content=photo_path.read_bytes())
    work = Dispatcher(Orders(serve, ScanOptions()))
    thread = threading.Thread(target=work.run)
    thread.start()
    try:
        until(lambda: scans.files(hanging).events.exists())
        (worker,) = children(os.getpid(), "spawn_main")
        os.kill(worker, signal.SIGSTOP)
        over = until(lambda: info if (info := scans.get(LOCAL, hanging.id)) and info.state.is_final else None)
        next_one = until(
            lambda: info if (info := scans.get(LOCAL, sound.id)) and info.state.is_final else None
        )
    finally:
        work.over.set()
        thread.join(30)
        engine.dispose()
    assert over.state is State.FAILED
    assert "not finished after 6 s" in over.job.reason
    assert next_one.state is State.DONE
    assert is_gone(worker)
