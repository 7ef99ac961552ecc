"""How the server bears a crowd, and what its queue costs a scan.

    python benchmarks/web.py            # takes some minutes (needs unmask[web,dev])

A crowd: starts `unmask serve` with two workers and hands in 50 files at once, photos and short clips, every
one different. Counts what was lost and what was answered with an error, and times pages while the workers are
busy.

The cost of a file:

- scan: what a process of two takes with `unmask.scan_many`.
- product: the same for what a worker of the server does with it (the scan, a thumbnail, what is told on
  the way, the report with its evidence on the disk, at low priority), without any queue.
- queue: from being accepted to being begun by a worker that has nothing else to do, and what the dispatcher
  takes to claim a job, hand it to a worker that does nothing, and write down its end.

product - scan is small against the differences between runs unless the machine is idle.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import os
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from unittest import mock

import httpx

import unmask
from unmask.isolated import isolated
from unmask.options import ScanOptions
from unmask.web.database import open_database, upgrade
from unmask.web.dispatcher import Dispatcher, Orders
from unmask.web.instance import pair
from unmask.web.options import ServeOptions
from unmask.web.queue import Outcome, Work
from unmask.web.scans import LOCAL, Received, ScanInfo, Scans
from unmask.web.store import Folder, Store
from unmask.web.tables import State, Task
from unmask.web.worker import Limits, open_worker, perform

ROOT = Path(__file__).parents[1]
MEDIA = ROOT / "examples" / "media"
WORKERS = 2
WARM = 2 * WORKERS
"""Files that come first and are not timed: each worker opens its networks and loads its code with them."""

ALONE = 10
"""Files that are handed in one by one."""

PAGES_EVERY = 0.05
"""Seconds between two pages that are asked for."""


def make_files(folder: Path, count: int, mark: bytes) -> list[Path]:
    """Copies of the example media that differ in bytes nobody decodes: three photos to one clip."""
    photo, clip = (MEDIA / "astronaut.png").read_bytes(), (MEDIA / "half-forged.mp4").read_bytes()
    paths = []
    for n in range(count):
        tail = struct.pack(">I4s16s", 24, b"free", mark + n.to_bytes(8, "big"))
        path = folder / (f"{n}.mp4" if n % 4 == 3 else f"{n}.png")
        path.write_bytes((clip if n % 4 == 3 else photo) + tail)
        paths.append(path)
    return paths


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A server of its own; gives its address."""
    command = [
        sys.executable,
        "-m",
        "unmask",
        "serve",
        "--port",
        "0",
        "--data",
        str(folder),
        "--workers",
        str(WORKERS),
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().split()[3]
    finally:
        server.terminate()
        server.wait(20)


async def hand_in(client: httpx.AsyncClient, path: Path, answers: Counter[int]) -> str:
    """Hand in one file, as often as it takes; the name of its scan."""
    content = path.read_bytes()
    while True:
        answer = await client.post("/api/v1/scans", files={"file": (path.name, content)})
        answers[answer.status_code] += 1
        if answer.status_code == 201:
            return str(answer.json()["id"])
        if answer.status_code not in (429, 503):
            raise SystemExit(f"{path.name}: {answer.status_code} {answer.text}")
        await asyncio.sleep(float(answer.headers["retry-after"]))


async def unfinished(client: httpx.AsyncClient) -> bool:
    """Whether any scan waits or runs."""
    states = ({"state": state, "limit": 1} for state in ("queued", "running"))
    return any([(await client.get("/api/v1/scans", params=state)).json()["scans"] for state in states])


async def crowd(url: str, paths: Sequence[Path]) -> tuple[Counter[int], list[float], Counter[str]]:
    """Hand everything in at once and wait; the answers' codes, the pages' times in ms, how scans ended."""
    answers: Counter[int] = Counter()
    times: list[float] = []
    limits = httpx.Limits(max_connections=len(paths) + 4)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        # A photo first: models are opened and code is warm.
        warm = await hand_in(client, MEDIA / "astronaut.png", Counter())
        while (await client.get(f"/api/v1/scans/{warm}")).json()["state"] != "done":
            await asyncio.sleep(0.1)
        ids = await asyncio.gather(*(hand_in(client, path, answers) for path in paths))
        while await unfinished(client):
            for page in ("/", f"/scans/{warm}", f"/scans/{ids[0]}", "/api/v1/scans"):
                began = time.perf_counter()
                answer = await client.get(page, headers={"accept": "text/html"})
                times.append(1000 * (time.perf_counter() - began))
                answers[answer.status_code] += 1
                await asyncio.sleep(PAGES_EVERY)
        states = [(await client.get(f"/api/v1/scans/{scan_id}")).json()["state"] for scan_id in ids]
    return answers, times, Counter(states)


def queue_up(folder: Path, paths: Sequence[Path]) -> list[str]:
    """Have the files wait in a data folder that nobody serves yet; the names of their scans."""
    serve = ServeOptions(data=str(folder))
    store = Store(serve.folder)
    engine = open_database(serve.url)
    upgrade(engine)
    pair(engine, store)
    scans, ids = Scans(engine, store, most=len(paths), most_each=len(paths)), []
    for path in paths:
        with store.receiving() as place:
            shutil.copyfile(path, place)
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            ids.append(scans.create(LOCAL, Received(place, path.name, sha256, path.stat().st_size))[0].id)
    engine.dispose()
    return ids


def queue_alone(folder: Path, paths: Sequence[Path]) -> float:
    """Seconds that the dispatcher takes for one job of a worker that does nothing."""
    ids = queue_up(folder, paths)
    serve = ServeOptions(data=str(folder), workers=1)
    engine = open_database(serve.url)
    scans = Scans(engine, Store(serve.folder))
    with mock.patch("unmask.web.dispatcher.perform", nothing):
        dispatcher = Dispatcher(Orders(serve, ScanOptions()))
        thread = threading.Thread(target=dispatcher.run)
        thread.start()
        while not all(info.state.is_final for info in found(scans, ids)):
            time.sleep(1)
        dispatcher.over.set()
        dispatcher.called.set()
        thread.join()
    ends = [info.job.finished for info in found(scans, ids) if info.state is State.DONE and info.job.finished]
    engine.dispose()
    assert len(ends) == len(ids)
    return (ends[-1] - ends[WARM]).total_seconds() / (len(ends) - 1 - WARM)


def nothing(*_: object) -> None:
    """A worker's part where only the queue's is measured."""


def found(scans: Scans, ids: Sequence[str]) -> list[ScanInfo]:
    """Scans that are there, as they stand."""
    return [info for scan_id in ids if (info := scans.get(LOCAL, scan_id)) is not None]


async def until_begun(url: str, paths: Sequence[Path]) -> float:
    """Seconds from a file's being accepted to its being begun where nothing else is to do, the median."""
    waits = []
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        for path in paths:
            scan_id = await hand_in(client, path, Counter())
            while await unfinished(client):
                await asyncio.sleep(0.2)
            scan = (await client.get(f"/api/v1/scans/{scan_id}")).json()
            begun, accepted = (datetime.fromisoformat(scan[key]) for key in ("started", "created"))
            waits.append((begun - accepted).total_seconds())
    return statistics.median(waits)


def as_workers_do(path: str) -> bool:
    """What a worker of the server does with a file, in a folder beside it."""
    folder = Folder(Path(path).with_suffix(".worked"))
    folder.path.mkdir()
    os.link(path, folder.original)
    done = perform(Work(0, "benchmark", Task.SCAN, 1, {}), folder, Path(path).name)
    shutil.rmtree(folder.path)
    return isinstance(done, Outcome)


def without_queue(paths: Sequence[Path]) -> float:
    """Seconds that the server's workers take without its queue, from the `WARM`th result to the last."""
    threads = max(1, (os.cpu_count() or 1) // WORKERS)
    prepared = [ScanOptions(threads=threads), Limits.of(ServeOptions())]
    with contextlib.closing(
        isolated(
            [str(path) for path in paths],
            as_workers_do,
            workers=WORKERS,
            timeout=600,
            prepare=open_worker,
            prepared_with=prepared,
        )
    ) as results:
        return timed((done is True for _, done in results), len(paths))


def scan_alone(paths: Sequence[Path]) -> float:
    """Seconds that the same files take without a server, from the `WARM`th report to the last."""
    reports = unmask.scan_many(paths, workers=WORKERS)
    return timed((report.verdict.is_judgement for report in reports), len(paths))


def timed(results: Iterator[bool], count: int) -> float:
    """Seconds from the `WARM`th of `count` good results to the last."""
    assert all(next(results) for _ in range(WARM))
    began = time.perf_counter()
    assert sum(results) == count - WARM
    return time.perf_counter() - began


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--files", type=int, default=50)
    options.add_argument("--runs", type=int, default=3)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "media").mkdir()
        paths = make_files(folder / "media", chosen.files, b"crowd---")
        with serving(folder / "crowd") as url:
            answers, times, states = asyncio.run(crowd(url, paths))
            wait = asyncio.run(until_begun(url, make_files(folder / "media", ALONE, b"alone---")))
        times.sort()
        print(f"{len(paths)} files at once, {WORKERS} workers: {dict(states)}; answers {dict(answers)}")
        print(
            f"pages while workers are busy: median {statistics.median(times):.0f} ms, "
            f"p95 {times[int(0.95 * len(times))]:.0f} ms of {len(times)}"
        )
        scans, products, jobs = [], [], []
        for run in range(chosen.runs):
            paths = make_files(folder / "media", WARM + chosen.files, b"run%05d" % run)
            scans.append(scan_alone(paths) * WORKERS / chosen.files)
            products.append(without_queue(paths) * WORKERS / chosen.files)
            jobs.append(queue_alone(folder / f"run{run}", paths))
            print(
                f"run {run}, a file: scan {1000 * scans[-1]:.0f} ms, product {1000 * products[-1]:.0f} ms, "
                f"queue {1000 * wait:.1f} ms until it is begun and {1000 * jobs[-1]:.1f} ms for its job"
            )
        scan, product, queue = (
            statistics.median(scans),
            statistics.median(products),
            wait + statistics.median(jobs),
        )
        print(
            f"median of {chosen.runs}: the queue costs {queue / scan:.1%} of a scan, "
            f"what pages show {product / scan - 1:+.1%}"
        )


if __name__ == "__main__":
    main()
