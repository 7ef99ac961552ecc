"""Running an iterator in a thread of its own, a few items ahead of whoever consumes it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator
from typing import Generic, TypeVar

T = TypeVar("T")

JOIN_SECONDS = 10.0
"""How long `close` waits for the step under way; a decoder step is a fraction of a second."""


class Prefetch(Generic[T]):
    """Iterates `source` in a background thread with at most `depth` finished items waiting.

    What `source` raises is raised to the consumer, after the items before it. `close` stops the thread
    after the step it is in, closes `source` there, and forgets waiting items; the end of the iteration
    does the same.
    """

    def __init__(self, source: Generator[T], depth: int) -> None:
        self._source = source
        self._depth = depth
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._finished = False
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="unmask-prefetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Prefetch[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            while not self._items and not self._finished and not self._stopped:
                self._changed.wait()
            if self._items and not self._stopped:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        self.close()
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """Stop and wait for the thread; harmless when it has ended already."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._source:
                if not self._offer(item):
                    break
                del item
        except BaseException as raised:
            error = raised
        finally:
            self._source.close()
            with self._changed:
                self._error = error
                self._finished = True
                self._changed.notify_all()

    def _offer(self, item: T) -> bool:
        with self._changed:
            while len(self._items) >= self._depth and not self._stopped:
                self._changed.wait()
            if self._stopped:
                return False
            self._items.append(item)
            self._changed.notify_all()
            return True
