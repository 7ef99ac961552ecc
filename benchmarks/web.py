"""How the server bears a crowd, and what its queue costs a scan.

    python benchmarks/web.py            # takes some minutes (needs unmask[web,dev])

Starts `unmask serve` with two workers and hands in 50 files at once, photos and short clips, every one
different. Counts what was lost and what was answered with an error, and times pages while the workers are
busy. Then the same files once more with nobody looking, against `unmask.scan_many` with two processes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import httpx

import unmask

ROOT = Path(__file__).parents[1]
MEDIA = ROOT / "examples" / "media"
WORKERS = 2
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


async def unfinished(client: httpx.AsyncClient) -> int:
    """How many scans wait or run."""
    counts = [
        len((await client.get("/api/v1/scans", params={"state": state, "limit": 200})).json()["scans"])
        for state in ("queued", "running")
    ]
    return sum(counts)


async def crowd(
    url: str, paths: Sequence[Path], look: bool
) -> tuple[Counter[int], list[float], list[dict[str, str]]]:
    """Hand everything in at once and wait; the answers' codes, the pages' times in ms, the scans."""
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
            for page in ("/", f"/scans/{warm}", f"/scans/{ids[0]}", "/api/v1/scans") if look else ():
                began = time.perf_counter()
                answer = await client.get(page, headers={"accept": "text/html"})
                times.append(1000 * (time.perf_counter() - began))
                answers[answer.status_code] += 1
                await asyncio.sleep(PAGES_EVERY)
            await asyncio.sleep(0.5)
        scans = [(await client.get(f"/api/v1/scans/{scan_id}")).json() for scan_id in ids]
    return answers, times, scans


def took(scans: Sequence[dict[str, str]]) -> float:
    """Seconds from the first file's beginning to the last one's end."""
    begins = [datetime.fromisoformat(scan["started"]) for scan in scans]
    ends = [datetime.fromisoformat(scan["finished"]) for scan in scans]
    return (max(ends) - min(begins)).total_seconds()


def directly(paths: Sequence[Path]) -> float:
    """Seconds that the same files take without a server, from the first to the last report."""
    reports = unmask.scan_many([MEDIA / "astronaut.png"] * WORKERS * 2 + list(paths), workers=WORKERS)
    for _ in range(WORKERS * 2):
        next(reports)
    began = time.perf_counter()
    assert sum(1 for _ in reports) == len(paths)
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
            answers, times, scans = asyncio.run(crowd(url, paths, look=True))
        done = Counter(scan["state"] for scan in scans)
        times.sort()
        print(f"{len(paths)} files at once, {WORKERS} workers: {dict(done)}; answers {dict(answers)}")
        print(
            f"pages while workers are busy: median {statistics.median(times):.0f} ms, "
            f"p95 {times[int(0.95 * len(times))]:.0f} ms of {len(times)}"
        )
        ratios = []
        for run in range(chosen.runs):
            paths = make_files(folder / "media", chosen.files, b"run%05d" % run)
            with serving(folder / f"run{run}") as url:
                served = took(asyncio.run(crowd(url, paths, look=False))[2])
            alone = directly(paths)
            ratios.append(served / alone)
            print(f"run {run}: served {served:.2f} s, scan_many {alone:.2f} s, ratio {served / alone:.3f}")
        print(f"served / scan_many: {statistics.median(ratios):.3f} (median of {len(ratios)})")


if __name__ == "__main__":
    main()
