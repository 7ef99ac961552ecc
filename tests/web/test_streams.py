"""Streams of events: they end, they leave the pages their threads, and nobody takes all of them."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from tests.web.conftest import HandIn
from tests.web.processes import PATIENCE, until

from unmask.options import ScanOptions
from unmask.web import events
from unmask.web.app import make_app
from unmask.web.options import ServeOptions
from unmask.web.queue import Queue
from unmask.web.scans import LOCAL, Scans, TooManyError
from unmask.web.store import Store


@pytest.fixture
def all_scans(app_engine: Engine, options: ServeOptions) -> Scans:
    return Scans(app_engine, Store(options.folder))


@pytest.fixture
def live(app_engine: Engine, options: ServeOptions) -> Iterator[httpx.Client]:
    """A client of the application behind a real server, which must end soon whatever is still open."""
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(app_engine, options, ScanOptions()),
            port=0,
            log_level="warning",
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
        yield client
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture
def held() -> Iterator[list[socket.socket]]:
    """Connections that are kept open until the server has ended; to be asked for before it."""
    connections: list[socket.socket] = []
    yield connections
    for connection in connections:
        connection.close()


def told(text: str) -> list[tuple[str, Any]]:
    """The events in a stream that has ended."""
    parts = [part.splitlines() for part in text.split("\n\n") if part.startswith("event: ")]
    return [(lines[0][7:], json.loads(lines[1][6:])) for lines in parts]


def opened(stack: ExitStack, client: httpx.Client, address: str) -> httpx.Response:
    return stack.enter_context(client.stream("GET", address))


def test_nobody_has_more_streams_than_their_share_and_those_closed_count_no_more(
    live: httpx.Client, all_scans: Scans, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_EACH", 3)
    one = f"/api/v1/scans/{hand_in(all_scans).id}/events"
    with ExitStack() as stack:
        for address in (one, "/api/v1/events", one):
            assert opened(stack, live, address).status_code == 200
        for address in (one, "/api/v1/events"):
            refused = live.get(address)
            assert refused.status_code == 429
            assert refused.headers["content-type"] == "application/problem+json"
            assert int(refused.headers["retry-after"]) > 0
            assert refused.json()["hint"]
        assert live.get("/api/v1/scans").status_code == 200

    def taken() -> bool:
        with live.stream("GET", one) as answer:
            return answer.status_code == 200

    until(taken)


def test_everyone_has_a_share_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_EACH", 1)
    streams = events.Streams()
    with streams.place("her"), streams.place("him"), pytest.raises(TooManyError), streams.place("her"):
        pass
    with streams.place("her"):
        pass
    assert not streams._open


@pytest.mark.parametrize("address", ["/api/v1/events", "/api/v1/scans/{id}/events"])
def test_a_stream_ends_after_a_while_and_can_be_asked_for_again(
    client: TestClient, all_scans: Scans, hand_in: HandIn, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LIFE", 0.5)
    scan_id = hand_in(all_scans).id
    for _ in range(2):
        answer = client.get(address.format(id=scan_id))
        assert answer.status_code == 200
        assert [name for name, _ in told(answer.text)] in (["scan"], ["queued"])


def test_streams_take_no_threads_from_the_pages(
    client: TestClient,
    all_scans: Scans,
    hand_in: HandIn,
    finish: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def none(*_: object, **__: object) -> None:
        raise AssertionError("taken from everyone's threads")

    scan_id = hand_in(all_scans).id
    finish(scan_id)
    monkeypatch.setattr(asyncio, "to_thread", none)
    assert [name for name, _ in told(client.get(f"/api/v1/scans/{scan_id}/events").text)] == ["done"]


def test_a_stream_that_waits_for_the_database_holds_up_nobody(
    live: httpx.Client, all_scans: Scans, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan_id = hand_in(all_scans).id
    go_on = threading.Event()
    look = events.OfScan.look

    def slow(news: events.OfScan) -> Any:
        go_on.wait(PATIENCE)
        return look(news)

    monkeypatch.setattr(events.OfScan, "look", slow)
    with ExitStack() as stack:
        for _ in range(20):
            opened(stack, live, f"/api/v1/scans/{scan_id}/events")
        began = time.monotonic()
        assert live.get("/").status_code == 200
        assert live.get(f"/api/v1/scans/{scan_id}").status_code == 200
        assert time.monotonic() - began < 5
        go_on.set()


def test_clients_that_do_not_read_hold_up_neither_pages_nor_the_end(
    held: list[socket.socket], live: httpx.Client, all_scans: Scans, hand_in: HandIn
) -> None:
    """As a browser does with a video that it has enough of for now."""
    info = hand_in(all_scans)
    all_scans.files(info).picture.write_bytes(bytes(32 << 20))
    host, port = live.base_url.host, live.base_url.port
    head = f"GET /api/v1/scans/{info.id}/picture.jpg HTTP/1.1\r\nHost: {host}\r\n"
    held += [socket.create_connection((host, port)) for _ in range(60)]
    for n, connection in enumerate(held):
        connection.sendall((head + ("Range: bytes=1-\r\n" if n % 2 else "") + "\r\n").encode())
    for connection in held:
        assert connection.recv(9) == b"HTTP/1.1 "
    began = time.monotonic()
    assert live.get("/").status_code == 200
    assert live.get(f"/api/v1/scans/{info.id}").status_code == 200
    assert time.monotonic() - began < 5


def test_a_deleted_scan_ends_its_streams_with_a_word(
    live: httpx.Client, all_scans: Scans, hand_in: HandIn
) -> None:
    scan_id = hand_in(all_scans).id
    names: list[str] = []
    address = f"/api/v1/scans/{scan_id}/events"
    with live.stream("GET", address) as one, live.stream("GET", "/api/v1/events") as every:
        lines = every.iter_lines()
        while next(lines) != "event: scan":
            pass
        assert all_scans.delete(LOCAL, scan_id)
        while (line := next(lines)) != "event: deleted":
            assert not line.startswith("event: ")
        assert json.loads(next(lines)[6:]) == {"id": scan_id}
        names = [line[7:] for line in one.iter_lines() if line.startswith("event: ")]
    assert names == ["queued", "deleted"]
    # Asked for once more, as browsers do, it says the same and nothing of an error.
    again = live.get(address)
    assert (again.status_code, told(again.text)) == (200, [("deleted", {})])


def test_a_stream_ends_quietly_while_the_database_does_not_answer(
    client: TestClient, all_scans: Scans, hand_in: HandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("connection refused"))

    scan_id = hand_in(all_scans).id
    monkeypatch.setattr("unmask.web.scans.Scans.get", broken)
    answer = client.get(f"/api/v1/scans/{scan_id}/events")
    assert (answer.status_code, told(answer.text)) == (200, [])


def test_what_a_worker_writes_is_told_once_and_in_order(
    all_scans: Scans, hand_in: HandIn, app_engine: Engine
) -> None:
    scan_id = hand_in(all_scans).id
    news = events.OfScan(all_scans, LOCAL, scan_id)
    assert [event.event for event in news.look()[0]] == ["queued"]
    queue = Queue(app_engine)
    work = queue.take()
    assert work is not None
    path: Path = all_scans.store.folder(scan_id).events
    path.write_text('{"event": "started"}\n{"event": "progress", "share": 0.5}\n{"event": "prog')
    looks = [news.look()[0] for _ in range(8)]
    assert [event.event for look in looks for event in look] == ["started", "progress"]
    path.write_text(path.read_text() + 'ress", "share": 1.0}\n')
    queue.failed(work, "it broke", "mend it")
    first, second = news.look(), news.look()
    # All frames are looked at: the row is asked at the very next look.
    assert [event.event for event in first[0]] == ["progress"]
    assert [event.event for event in second[0]] == ["failed"]
    assert second[1]
