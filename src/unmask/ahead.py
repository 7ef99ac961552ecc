"""Work on a few items of a stream at once and hand the results back in the stream's order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ahead(
    executor: Executor, function: Callable[[T], R], items: Iterable[T], depth: int
) -> Iterator[tuple[T, R]]:
    """Each item with `function(item)`, in order; at most `depth` items are under way or waiting.

    What `function` raises is raised when its item's turn comes. Closing the iterator drops what has not
    begun and waits for what has.
    """
    pending: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            pending.append((item, executor.submit(function, item)))
            if len(pending) >= depth:
                item, result = pending.popleft()
                yield item, result.result()
                del item
        while pending:
            item, result = pending.popleft()
            yield item, result.result()
    finally:
        for _, result in pending:
            result.cancel()
