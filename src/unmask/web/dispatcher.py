"""Hand jobs to workers, and keep their states true whatever happens to one. A process of its own.

    python -m unmask.web.dispatcher

The first line of its standard input says how to run (`Orders`, as JSON); every further line means that there
may be something to do; its end means that the server is gone, and the dispatcher goes too.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from unmask.errors import UnmaskError
from unmask.isolated import GRACE
from unmask.options import ScanOptions
from unmask.web.database import open_database
from unmask.web.options import ServeOptions
from unmask.web.queue import Failure, Outcome, Queue, Work
from unmask.web.scans import Scans
from unmask.web.store import Store
from unmask.web.worker import Limits, open_worker, perform

if TYPE_CHECKING:
    from pebble import ProcessFuture, ProcessPool

    Result = ProcessFuture[Outcome | Failure | None]

log = logging.getLogger("unmask.web")

AHEAD = 2
"""Jobs handed out beyond one per worker, so that two that end together need not wait for the next."""

TICK = 0.25
"""Seconds after which jobs and wishes to cancel are looked for without being called."""

PATIENCE = 1.0
"""Seconds until a database that did not answer is asked again."""

RETENTION_EVERY = 600.0
"""Seconds between two looks for what is too old to be kept."""

HANDOVER = 30.0
"""Seconds that the dispatcher of a server that was killed is waited for: it stops its workers first."""


@dataclass(frozen=True, slots=True)
class Orders:
    """All that the dispatcher needs to know."""

    serve: ServeOptions
    scan: ScanOptions


class Dispatcher:
    """Takes jobs from the queue and has them done, `workers` at a time."""

    def __init__(self, orders: Orders) -> None:
        from pebble import ProcessPool

        serve = orders.serve
        threads = max(1, (os.cpu_count() or 1) // serve.workers)
        self.options = replace(orders.scan, timeout=serve.timeout, threads=orders.scan.threads or threads)
        self.keep_days, self.most = serve.keep_days, serve.workers + AHEAD
        engine = open_database(serve.url)
        self.store = Store(serve.folder)
        self.queue, self.scans = Queue(engine), Scans(engine, self.store)
        self.running: dict[int, tuple[Work, Result]] = {}
        self.called, self.over = threading.Event(), threading.Event()
        self.pool: ProcessPool = ProcessPool(
            max_workers=serve.workers,
            context=multiprocessing.get_context("spawn"),
            initializer=open_worker,
            initargs=[self.options, Limits.of(serve)],
        )

    def listen(self, calls: IO[bytes]) -> None:
        """Take every line of `calls` for a call, and its end for the end of the server. Returns at its
        end."""
        for _ in calls:
            self.called.set()
        self.over.set()
        self.called.set()

    def run(self) -> None:
        """Work until it is over, or the pool breaks."""
        waiting = self.queue.recover()
        if waiting:
            log.info("%d jobs wait from before", waiting)
        looked = kept = -RETENTION_EVERY
        try:
            while self.pool.active and not self.over.is_set():
                self.called.clear()
                try:
                    self._collect()
                    self._hand_out()
                    now = time.monotonic()
                    if now - looked >= TICK:
                        self._drop_unwanted()
                        looked = now
                    if now - kept >= RETENTION_EVERY:
                        kept = now
                        self._forget_old()
                except SQLAlchemyError as error:
                    # Workers go on; what they find is written down once the database answers again.
                    log.warning("the database does not answer: %s", error.__class__.__name__)
                    self.over.wait(PATIENCE)
                except OSError as error:
                    log.warning("the data folder cannot be used: %s", error)
                    self.over.wait(PATIENCE)
                self.called.wait(TICK)
        finally:
            self._stop()

    def _hand_out(self) -> None:
        while len(self.running) < self.most and (work := self.queue.take()) is not None:
            name = self.scans.name_of(work.scan) or work.scan
            future = self.pool.schedule(
                perform,
                args=[work, self.store.folder(work.scan), name],
                timeout=self.options.timeout + GRACE,
            )
            self.running[work.job] = (work, future)
            # Something is done: the loop need not wait for its tick.
            future.add_done_callback(lambda _: self.called.set())

    def _collect(self) -> None:
        for job, (work, future) in list(self.running.items()):
            if future.done() and not isinstance(_error_of(future), BrokenProcessPool):
                self._settle(work, future)
                del self.running[job]

    def _settle(self, work: Work, future: Result) -> None:
        """Write down what came of a job."""
        from pebble import ProcessExpired

        try:
            outcome = future.result()
        except CancelledError:
            self.queue.cancelled(work)
        except FutureTimeoutError:
            self.queue.failed(
                work,
                f"not finished after {self.options.timeout:g} s, stopped",
                "the file may be made to hang decoders, or be too long for this server",
            )
        except ProcessExpired as error:
            log.warning("a worker died (exit code %s)", error.exitcode)
            self.queue.failed(
                work,
                "the worker that looked at this file stopped",
                "the file is damaged, hostile, or too much for the server's memory: try a smaller copy",
            )
        except Exception:
            log.exception("a fault of unmask's own")
            self._fail(work, Failure("Exception"))
        else:
            if isinstance(outcome, Failure):
                self._fail(work, outcome)
            else:
                self.queue.done(work, outcome)
        if self.scans.name_of(work.scan) is None:
            # Deleted while it was worked on: what the worker has written since goes as well.
            self.store.remove(work.scan)

    def _fail(self, work: Work, failure: Failure) -> None:
        if failure.message:
            self.queue.failed(work, failure.message, failure.hint)
        elif failure.error == MemoryError.__name__:
            self.queue.failed(
                work, "the file takes more memory than a worker may have", "try a smaller copy of it"
            )
        else:
            self.queue.failed(work, "a fault in unmask, not in your file", "please report it")

    def _drop_unwanted(self) -> None:
        for job in self.queue.unwanted([work for work, _ in self.running.values()]):
            self.running[job][1].cancel()  # type: ignore[no-untyped-call]

    def _forget_old(self) -> None:
        gone = self.scans.delete_older(self.keep_days)
        if gone:
            log.info("deleted %d scans older than %g days", gone, self.keep_days)
        left = self.scans.sweep()
        if left:
            log.info("deleted %d folders that were left behind", left)

    def _stop(self) -> None:
        """Stop at once; what was under way waits for the next start."""
        try:
            for work, _ in self.running.values():
                self.queue.put_back(work)
        except SQLAlchemyError:
            log.warning("the database does not answer: what is under way is begun again at the next start")
        finally:
            self.pool.stop()  # type: ignore[no-untyped-call]
            self.pool.join()


def _error_of(future: Result) -> BaseException | None:
    return None if future.cancelled() else future.exception()


def main() -> None:
    """Run until the server is gone."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s:     %(message)s", stream=sys.stderr)
    first = sys.stdin.buffer.readline()
    if not first:
        return
    orders = msgspec.json.decode(first, type=Orders)
    try:
        with Store(orders.serve.folder).working(HANDOVER):
            dispatcher = Dispatcher(orders)
            signal.signal(signal.SIGTERM, lambda *_: dispatcher.over.set())
            threading.Thread(
                target=dispatcher.listen, args=[sys.stdin.buffer], name="calls", daemon=True
            ).start()
            dispatcher.run()
    except UnmaskError as error:
        log.error("%s", error)
        sys.exit(1)


if __name__ == "__main__":
    main()
