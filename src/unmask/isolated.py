"""Work done in processes that may crash or hang: each piece that does costs only itself."""

from __future__ import annotations

import itertools
import multiprocessing
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pebble import ProcessFuture

GRACE = 30.0
"""Seconds past a file's own time limit before its process is killed: for a decoder stuck in one call."""

AHEAD = 4
"""Pieces handed out per worker before the first of them is done."""

MOST_BROKEN = 3
"""Pools that may break one after the other without a result before that is an error."""

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Lost:
    """What is left of a piece of work whose process was killed after `seconds`, or else ended by itself."""

    seconds: float | None = None
    exit_code: int | None = None

    @property
    def hung(self) -> bool:
        """True where it did not end in time, False where it crashed."""
        return self.seconds is not None


def isolated(
    jobs: Iterable[Job],
    work: Callable[[Job], Result],
    *,
    workers: int,
    timeout: float,
    prepare: Callable[..., None],
    prepared_with: Sequence[Any] = (),
) -> Generator[tuple[Job, Result | Lost], None, None]:
    """Each job with its result, in the order given, each as soon as it and those before it are done.

    `workers` processes call `prepare(*prepared_with)` once and then `work` for job after job; one that takes
    longer than `timeout` seconds (plus `GRACE`) is killed and replaced. Stopped early or by Ctrl-C, nothing
    is left running. What `work` raises is raised here.
    """
    # Most scans are of one file: they need not wait for the pool's modules.
    from concurrent.futures.process import BrokenProcessPool

    from pebble import ProcessPool

    def start() -> ProcessPool:
        return ProcessPool(
            max_workers=workers,
            context=multiprocessing.get_context("spawn"),
            initializer=prepare,
            initargs=list(prepared_with),
        )

    def hand_out(job: Job) -> tuple[Job, ProcessFuture[Result] | None]:
        try:
            return job, pool.schedule(work, args=[job], timeout=timeout + GRACE)
        except RuntimeError:  # the pool broke since the last result
            return job, None

    waiting = iter(jobs)
    pool, broken = start(), 0
    pending: deque[tuple[Job, ProcessFuture[Result] | None]] = deque()
    try:
        while True:
            for job in itertools.islice(waiting, workers * AHEAD - len(pending)):
                pending.append(hand_out(job))
            if not pending:
                return
            job, future = pending[0]
            try:
                if future is None:
                    raise BrokenProcessPool("the pool broke before the work was handed out")
                outcome: Result | Lost = _outcome(future, timeout + GRACE)
            except BrokenProcessPool:
                # A process that ends before the pool knows what it works on takes the pool with it.
                broken += 1
                if broken == MOST_BROKEN:
                    raise
                pool.stop()  # type: ignore[no-untyped-call]
                pool.join()
                pool = start()
                pending = deque(
                    (job, future) if _is_known(future) else hand_out(job) for job, future in pending
                )
                continue
            broken = 0
            pending.popleft()
            yield job, outcome
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _is_known(future: ProcessFuture[Any] | None) -> bool:
    """Whether there is a result, or an error that is the job's own."""
    from concurrent.futures.process import BrokenProcessPool

    if future is None or not future.done() or future.cancelled():
        return False
    return not isinstance(future.exception(), BrokenProcessPool)


def _outcome(future: ProcessFuture[Result], seconds: float) -> Result | Lost:
    from pebble import ProcessExpired

    try:
        return future.result()
    except FutureTimeoutError:
        return Lost(seconds=seconds)
    except ProcessExpired as error:
        return Lost(exit_code=error.exitcode)
