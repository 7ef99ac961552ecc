"""Start everything: tables, folders, the dispatcher, the server; and take it down again in order."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec
import uvicorn

from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.web.app import make_app
from unmask.web.database import open_database, upgrade
from unmask.web.dispatcher import HANDOVER, Orders
from unmask.web.guard import is_loopback
from unmask.web.instance import pair
from unmask.web.options import ServeOptions
from unmask.web.scans import Scans
from unmask.web.share import Opener, host_of
from unmask.web.store import Store

log = logging.getLogger("unmask.web")

RESTART_AFTER, RESTART_AT_MOST = 1.0, 60.0
"""Seconds before a dispatcher that died is started again: the first time, and when it dies time and again."""

STEADY = 60.0
"""Seconds that a dispatcher must have lived for its death to be taken for the first."""


class Workers:
    """The dispatcher's process: started again whenever it dies, until `close`."""

    def __init__(self, orders: Orders) -> None:
        self._orders = msgspec.json.encode(orders) + b"\n"
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._watch = threading.Thread(target=self._keep_alive, name="unmask-dispatcher", daemon=True)
        self._watch.start()

    def alive(self) -> bool:
        """Whether there is a dispatcher at this moment."""
        process = self._process
        return process is not None and process.poll() is None

    def notify(self) -> None:
        """There may be something to do."""
        with self._lock, contextlib.suppress(OSError, ValueError):
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.write(b"\n")
                self._process.stdin.flush()

    def close(self) -> None:
        """Stop the dispatcher and its workers; what is under way waits for the next start."""
        with self._lock:
            # From here on none is started.
            self._closing.set()
            process = self._process
        if process is not None:
            with contextlib.suppress(OSError):
                assert process.stdin is not None
                process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        self._watch.join(5)

    def _start(self) -> subprocess.Popen[bytes]:
        # In a session of its own: Ctrl-C is meant for the server, which then tells the dispatcher.
        process = subprocess.Popen(
            [sys.executable, "-m", "unmask.web.dispatcher"], stdin=subprocess.PIPE, start_new_session=True
        )
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.write(self._orders)
            process.stdin.flush()
        return process

    def _keep_alive(self) -> None:
        pause = RESTART_AFTER
        while True:
            began = time.monotonic()
            try:
                with self._lock:
                    if self._closing.is_set():
                        return
                    process = self._process = self._start()
                said = f"died (exit code {process.wait()})"
                with self._lock, contextlib.suppress(OSError):
                    assert process.stdin is not None
                    process.stdin.close()
            except OSError as error:
                said = f"cannot be started ({error.strerror})"
            if time.monotonic() - began > STEADY:
                pause = RESTART_AFTER
            if self._closing.is_set():
                return
            log.warning("the dispatcher %s: starting it again in %g s", said, pause)
            if self._closing.wait(pause):
                return
            pause = min(2 * pause, RESTART_AT_MOST)


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is about to listen."""

    server: uvicorn.Server
    workers: Workers


@contextlib.contextmanager
def prepared(
    serve: ServeOptions, scan: ScanOptions, *, require_token: bool = False, hosts: set[str] | None = None
) -> Iterator[Running]:
    """Everything but the listening: the tables are up to date, the dispatcher runs.

    Raises:
        UnmaskError: a model, the database or the data folder cannot be used, do not belong together, or
            another server uses them.
    """
    fingerprint = _fingerprint(scan)
    store = Store(serve.folder)
    with contextlib.ExitStack() as closing:
        closing.enter_context(store.alone())
        engine = open_database(serve.url)
        closing.callback(engine.dispose)
        with store.working(HANDOVER):
            # Nobody else is at work here: whoever has no row now is nobody's.
            upgrade(engine)
            pair(engine, store)
            store.clear()
            store.sweep(Scans(engine, store).ids(), settled=0.0)
        workers = Workers(Orders(serve, scan))
        closing.callback(workers.close)
        app = make_app(
            engine,
            serve,
            scan,
            fingerprint=fingerprint,
            require_token=require_token,
            hosts=hosts,
            notify=workers.notify,
            alive=workers.alive,
        )
        config = uvicorn.Config(
            app,
            host=serve.host,
            port=serve.port,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=3,
        )
        yield Running(uvicorn.Server(config), workers)


def run(
    serve: ServeOptions,
    scan: ScanOptions,
    *,
    require_token: bool = False,
    without_token: bool = False,
    share: Opener | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until Ctrl-C. `ready` is called with each address, the local one and the public one that `share`
    opens, once it can be connected to. `without_token` means that others than this machine's users may come
    in without one.

    Raises:
        UnmaskError: as `prepared`; the address cannot be listened on; open to others, or shared,
            without tokens.
    """
    if not (require_token or without_token or is_loopback(serve.host)):
        where = serve.host or "every address"
        raise UnmaskError(
            f"at {where}, everyone who reaches this machine would see and delete all scans",
            hint="add --require-token, or --without-token if that is meant",
        )
    if share is not None and not require_token:
        raise UnmaskError(
            "a public address without tokens would be open to everyone", hint="add --require-token"
        )
    hosts: set[str] = set()
    with prepared(serve, scan, require_token=require_token, hosts=hosts) as running:
        listener = _listener(running.server.config)
        name = serve.host if ":" not in serve.host else f"[{serve.host}]"
        local = f"http://{name}:{listener.getsockname()[1]}"
        listener.listen()
        ready(local)
        with contextlib.ExitStack() as closing:
            if share is not None:
                tunnel = share(local)
                closing.callback(tunnel.close)
                hosts.add(host_of(tunnel.url))
                ready(tunnel.url)
            with _orderly_end():
                running.server.run(sockets=[listener])


@contextlib.contextmanager
def _orderly_end() -> Iterator[None]:
    """Have SIGTERM, which the server obeys and then raises once more, end in what comes after the block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_: object) -> None:
        raise SystemExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _listener(config: uvicorn.Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    # Named as TCP, since asyncio sends small answers at once (TCP_NODELAY) only where it reads that.
    listener = socket.socket(family, proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise UnmaskError(
            f"cannot listen on {config.host} port {config.port}: {getattr(error, 'strerror', None) or error}",
            hint="choose another --port; 0 takes a free one",
        ) from error
    return listener


def _fingerprint(scan: ScanOptions) -> str:
    """What tells the models apart; also finds out at once whether they can be had."""
    from unmask.detector.detector import Detector
    from unmask.faces import FINDERS

    _ = FINDERS[scan.detector]
    return " ".join(facts.sha256 for facts in Detector.load(scan.model, aggregation=scan.aggregation).facts)
