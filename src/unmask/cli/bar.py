"""Progress of long work: a bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

EVERY = 10.0
"""Seconds between lines where there is no terminal."""


@contextmanager
def steps(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """Gives `show(done, total, message)`; a message that is not empty stays on the screen."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(done: int, total: int, message: str) -> None:
            bar.update(task, completed=done, total=total)
            if message:
                console.print(f"{done}/{total}  {message}", highlight=False)

        yield show


def _lines() -> Callable[[int, int, str], None]:
    last = -EVERY

    def show(done: int, total: int, message: str) -> None:
        nonlocal last
        now = time.monotonic()
        if message.startswith("val") or done == total or (message and now - last >= EVERY):
            click.echo(f"{done}/{total}  {message}", err=True)
            last = now

    return show
