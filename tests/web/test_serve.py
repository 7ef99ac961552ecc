"""The whole server, with its dispatcher and workers: nothing accepted is lost, whoever dies."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from PIL import Image
from tests.web.processes import is_gone, processor_time, until
from tests.web.served import Served

from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.web import serve
from unmask.web.dispatcher import Orders
from unmask.web.options import ServeOptions
from unmask.web.serve import Workers, prepared, run

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")


@pytest.fixture
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    server = Served(tmp_path / "data", getattr(request, "param", ()))
    server.start()
    yield server
    assert server.process is not None
    if server.process.poll() is None:
        server.stop()


def test_a_photo_and_a_video_are_judged_as_on_the_command_line(
    served: Served, photo_path: Path, video_path: Path
) -> None:
    ids = [served.hand_in(photo_path), served.hand_in(video_path)]
    for scan_id, path in zip(ids, (photo_path, video_path), strict=True):
        told = served.wait(scan_id, "done", "failed")
        report = served.client.get(told["links"]["report_json"]).json()
        alone = subprocess.run(
            [sys.executable, "-m", "unmask", "scan", str(path), "--json"], capture_output=True, check=False
        )
        import json

        expected = json.loads(alone.stdout)
        expected = expected[0] if isinstance(expected, list) else expected
        assert report["verdict"] == expected["verdict"] == told["verdict"]
        assert report["probability"] == pytest.approx(expected["probability"], abs=1e-6)
        assert report["path"] == path.name


def test_events_show_a_video_being_looked_at(served: Served, long_video: Path) -> None:
    scan_id = served.hand_in(long_video)
    names = []
    with served.client.stream("GET", f"/api/v1/scans/{scan_id}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        names = [line[7:] for line in answer.iter_lines() if line.startswith("event: ")]
    assert names[-1] == "done"
    assert "started" in names
    assert names.count("progress") >= 2


def test_a_killed_worker_fails_its_own_job_alone(served: Served, long_video: Path, photo_path: Path) -> None:
    doomed = served.hand_in(long_video, stride="1")
    served.wait(doomed, "running")
    until(lambda: (served.folder / "scans" / doomed / "events.jsonl").exists())
    before = {pid: processor_time(pid) for pid in served.workers()}
    time.sleep(1)
    busy = max(before, key=lambda pid: processor_time(pid) - before[pid])
    os.kill(busy, signal.SIGKILL)
    told = served.wait(doomed, "failed")
    assert "worker" in told["reason"]
    assert told["hint"]
    assert served.wait(served.hand_in(photo_path), "done", "failed")["state"] == "done"


def test_a_killed_dispatcher_is_replaced_and_its_jobs_are_begun_again(
    served: Served, video_path: Path, photo_path: Path
) -> None:
    scan_id = served.hand_in(video_path, stride="1")
    served.wait(scan_id, "running")
    workers = served.workers()
    os.kill(served.dispatcher(), signal.SIGKILL)
    until(lambda: all(is_gone(pid) for pid in workers))
    assert served.wait(scan_id, "done", "failed")["state"] == "done"
    assert served.wait(served.hand_in(photo_path), "done", "failed")["state"] == "done"


def test_health_tells_whether_anyone_looks_at_files(served: Served) -> None:
    until(lambda: served.client.get("/health").status_code == 200)
    os.kill(served.dispatcher(), signal.SIGKILL)
    answer = until(lambda: told if (told := served.client.get("/health")).status_code != 200 else None)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["hint"]
    assert int(answer.headers["retry-after"]) > 0
    until(lambda: served.client.get("/health").status_code == 200)


def test_a_dispatcher_that_cannot_be_started_is_started_as_soon_as_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serve, "RESTART_AFTER", 0.1)
    really, tried = subprocess.Popen, 0

    def start(*args: Any, **more: Any) -> subprocess.Popen[bytes]:
        nonlocal tried
        tried += 1
        if tried < 4:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return really(*args, **more)

    monkeypatch.setattr(serve.subprocess, "Popen", start)
    began = time.monotonic()
    workers = Workers(Orders(ServeOptions(data=str(tmp_path)), ScanOptions()))
    try:
        assert not workers.alive()
        workers.notify()
        until(workers.alive)
        assert time.monotonic() - began > 0.1 + 0.2 + 0.4
    finally:
        workers.close()
    assert not workers.alive()
    assert caplog.text.count("Resource temporarily unavailable") == 3


def test_a_dispatcher_that_outlives_its_server_is_waited_for(
    served: Served, long_video: Path, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_id = served.hand_in(long_video, stride="1")
    served.wait(scan_id, "running")
    left = served.dispatcher()
    os.kill(left, signal.SIGSTOP)
    try:
        served.stop(signal.SIGKILL)
        options = ServeOptions(port=0, data=str(served.folder))
        with monkeypatch.context() as patch:
            patch.setattr(serve, "HANDOVER", 1.0)
            with (
                pytest.raises(UnmaskError, match="earlier server") as caught,
                prepared(options, ScanOptions()),
            ):
                pass
        assert "end that process" in caught.value.hint
        go_on = threading.Timer(3, os.kill, [left, signal.SIGCONT])
        go_on.start()
        served.start()
        assert not go_on.is_alive()
        until(lambda: is_gone(left))
    finally:
        if not is_gone(left):
            os.kill(left, signal.SIGKILL)
    assert served.wait(scan_id, "running")["reason"] == ""
    assert served.wait(served.hand_in(photo_path), "done", "failed")["state"] == "done"


def test_nothing_accepted_is_lost_when_everything_is_killed(
    served: Served, video_path: Path, photo_path: Path
) -> None:
    ids = [served.hand_in(video_path, stride=str(n)) for n in (2, 3, 4)] + [served.hand_in(photo_path)]
    served.wait(ids[0], "running")
    dispatcher, workers = served.dispatcher(), served.workers()
    served.stop(signal.SIGKILL)
    until(lambda: all(is_gone(pid) for pid in (dispatcher, *workers)))
    served.start()
    assert [served.wait(scan_id, "done", "failed")["state"] for scan_id in ids] == ["done"] * 4


def test_ctrl_c_leaves_no_process_and_loses_nothing(served: Served, long_video: Path) -> None:
    scan_id = served.hand_in(long_video, stride="1")
    served.wait(scan_id, "running")
    dispatcher, workers = served.dispatcher(), served.workers()
    assert served.process is not None
    began = time.monotonic()
    served.stop()
    assert time.monotonic() - began < 10
    assert served.process.returncode in (0, 130)
    assert all(is_gone(pid) for pid in (dispatcher, *workers))
    served.start()
    assert served.wait(scan_id, "running")["reason"] == ""


def test_a_running_scan_is_cancelled(served: Served, long_video: Path, photo_path: Path) -> None:
    scan_id = served.hand_in(long_video, stride="1")
    served.wait(scan_id, "running")
    served.client.post(f"/api/v1/scans/{scan_id}/cancel")
    assert served.wait(scan_id, "cancelled", "done")["state"] == "cancelled"
    assert served.wait(served.hand_in(photo_path), "done", "failed")["state"] == "done"


def test_a_scan_deleted_while_it_runs_leaves_nothing(served: Served, long_video: Path) -> None:
    scan_id = served.hand_in(long_video, stride="1")
    served.wait(scan_id, "running")
    until(lambda: (served.folder / "scans" / scan_id / "events.jsonl").exists())
    assert served.client.delete(f"/api/v1/scans/{scan_id}").status_code == 204
    time.sleep(2)
    assert not (served.folder / "scans" / scan_id).exists()
    assert list((served.folder / "trash").iterdir()) == []


@pytest.mark.parametrize("served", [("--memory", "2048")], indirect=True)
def test_a_picture_too_large_for_the_memory_fails_alone(
    served: Served, tmp_path: Path, photo_path: Path
) -> None:
    large = tmp_path / "large.png"
    Image.new("RGBA", (9900, 9900)).save(large, compress_level=1)
    told = served.wait(served.hand_in(large), "failed", "done")
    assert told["state"] == "failed" or told["verdict"] in ("UNSUPPORTED", "UNREADABLE"), told
    assert served.wait(served.hand_in(photo_path), "done", "failed")["state"] == "done"


@pytest.mark.parametrize("served", [("--timeout", "1")], indirect=True)
def test_a_file_that_takes_too_long_is_given_up_with_a_reason(served: Served, long_video: Path) -> None:
    told = served.wait(served.hand_in(long_video, stride="1"), "done", "failed")
    assert told["verdict"] == "TIMED_OUT"
    assert "1 s" in told["message"]


def test_two_servers_do_not_share_a_folder(served: Served) -> None:
    with pytest.raises(UnmaskError, match="another server"):
        run(ServeOptions(port=0, data=str(served.folder)), ScanOptions())


def test_sharing_is_refused_without_tokens(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError, match="token"):
        run(ServeOptions(port=0, data=str(tmp_path)), ScanOptions(), share=lambda _: None)  # type: ignore[arg-type,return-value]


def test_small_answers_are_sent_at_once() -> None:
    with serve._listener(uvicorn.Config("", host="127.0.0.1", port=0)) as listener:
        # Only then does asyncio keep the kernel from waiting 40 ms for more.
        assert listener.proto == socket.IPPROTO_TCP


def test_an_address_in_use_is_said(served: Served, tmp_path: Path) -> None:
    port = served.client.base_url.port
    assert port is not None
    with pytest.raises(UnmaskError, match=str(port)):
        run(ServeOptions(port=port, data=str(tmp_path / "other")), ScanOptions())
