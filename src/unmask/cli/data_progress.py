"""Progress of `unmask data`: a bar on a terminal, a line every few seconds in a log, nothing when quiet."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

EVERY = 5.0
"""Seconds between lines in a log; work that is done sooner prints none."""

Show = Callable[[str, int, int], None]


@contextmanager
def progress(*, quiet: bool = False) -> Iterator[Show]:
    """Gives `show(what, done, total)`, to be called as often as one likes."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield lambda what, done, total: None
        return
    if not console.is_terminal:
        yield _lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=None)
        current = ""

        def show(what: str, done: int, total: int) -> None:
            nonlocal current
            subject = what.partition(",")[0]
            if subject != current:
                # The time that is left is guessed anew for every kind of work.
                bar.reset(task)
                current = subject
            bar.update(task, description=what, completed=done, total=total)

        yield show


def _lines() -> Show:
    last = time.monotonic()

    def show(what: str, done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            click.echo(f"{what}  {done}/{total}", err=True)

    return show
