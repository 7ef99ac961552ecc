"""Workers end with their dispatcher, keep to their limits, and say of a failure only what a user may read."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from pebble import ProcessPool
from PIL import Image
from tests.web.processes import is_gone, until

from unmask.cli import cli
from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.web import worker
from unmask.web.options import ServeOptions
from unmask.web.queue import Failure, Outcome, Work
from unmask.web.store import Folder, Store
from unmask.web.tables import Task

pytestmark = pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")

SCAN_ID = "x" * 22


def sleeps(platform: str, late: bool) -> None:
    """Be a worker on a system; where `late`, one that begins to watch only after its parent has died."""
    print(os.getpid(), flush=True)
    sys.platform = platform
    parent = os.getppid()
    while late and os.getppid() == parent:
        time.sleep(0.01)
    worker.die_with_parent()
    print("watches", flush=True)
    time.sleep(60)


PARENT = """
import multiprocessing, sys, time
from tests.web.test_worker import sleeps
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=sleeps, args=(sys.argv[1], sys.argv[2] == "late"))
    child.start()
    time.sleep(60)
"""


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("when", ["in time", "late"])
def test_a_worker_ends_with_its_dispatcher(platform: str, when: str, tmp_path: Path) -> None:
    program = tmp_path / "parent.py"
    program.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(program), platform, when],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in (str(Path.cwd()), *sys.path) if p)},
        text=True,
    )
    assert parent.stdout is not None
    with parent.stdout as lines:
        child = int(lines.readline())
        if when == "in time":
            assert lines.readline() == "watches\n"
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        until(lambda: is_gone(child))


@pytest.fixture
def call() -> Iterator[Callable[..., Any]]:
    """Calls functions in another process."""
    pool = ProcessPool(1, context=multiprocessing.get_context("spawn"))

    def do(function: Callable[..., Any], *args: object) -> Any:
        future: Future[Any] = pool.schedule(function, args=args)
        return future.result(60)

    yield do
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


@pytest.fixture
def call_worker(call: Callable[..., Any]) -> Callable[..., Any]:
    """Calls functions in a worker."""
    limits = worker.Limits.of(ServeOptions(max_upload=1))
    call(worker.open_worker, ScanOptions(timeout=60, threads=1), limits)
    return call


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    store = Store(tmp_path / "data")
    with store.receiving() as path:
        # Noise: it takes as much room as an image can.
        pixels = np.random.default_rng(1).integers(0, 256, (1600, 1600, 3), np.uint8)
        Image.fromarray(pixels).save(path, "png")
        return store.accept(path, SCAN_ID)


def limit(name: str) -> str:
    """A limit of this process, as the kernel has it."""
    lines = Path("/proc/self/limits").read_text().splitlines()
    return next(line for line in lines if line.startswith(name))[len(name) :].split()[0]


def test_a_worker_has_its_limits(call_worker: Callable[..., Any]) -> None:
    assert call_worker(limit, "Max file size") == str(4 << 20)
    assert call_worker(limit, "Max address space") == str(6144 << 20)
    assert call_worker(limit, "Max core file size") == "0"


def test_a_file_made_larger_than_allowed_fails_in_words_and_leaves_nothing(
    call_worker: Callable[..., Any], folder: Folder
) -> None:
    def work(task: Task) -> Work:
        return Work(1, SCAN_ID, task, 1, {})

    assert isinstance(call_worker(worker.perform, work(Task.SCAN), folder, "noise.png"), Outcome)
    before = set(folder.path.iterdir())
    failure = call_worker(worker.perform, work(Task.ANNOTATE), folder, "noise.png")
    assert isinstance(failure, Failure)
    assert "too large" in failure.message
    assert str(folder.path.parent) not in failure.message + failure.hint
    assert set(folder.path.iterdir()) == before


def test_too_little_memory_is_refused_in_words(call: Callable[..., Any]) -> None:
    with pytest.raises(UnmaskError, match="700 MiB of memory are too little") as caught:
        call(worker.open_worker, ScanOptions(threads=1), worker.Limits.of(ServeOptions(memory=700)))
    assert "--memory" in caught.value.hint


def test_too_little_memory_is_refused_before_the_server_starts(tmp_path: Path) -> None:
    told = CliRunner().invoke(cli, ["serve", "--data", str(tmp_path), "--memory", "512"])
    assert told.exit_code == 2
    assert "2048" in told.output
