"""How fast a scan is, as ratios in one run: against bare decoding, against the study's way, and by memory.

    python benchmarks/scan.py              # everything but the study's way
    python benchmarks/scan.py --study      # that too; takes some minutes (needs unmask[lab])

The clip is made from the example photo: 60 s, 1080p, 30 frames a second, H.264 with B-frames, a moving
camera and sensor noise, so that it decodes about as fast as a phone's video does. Times are medians of
`--runs` whole processes, run in turn.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "examples" / "media" / "astronaut.png"
WIDTH, HEIGHT, RATE, SECONDS = 1920, 1080, 30, 60
STRIDE = 10

DECODE = """
import av, sys
with av.open(sys.argv[1]) as media:
    stream = media.streams.video[0]
    stream.thread_type, stream.codec_context.thread_count = "AUTO", int(sys.argv[2])
    print(sum(1 for _ in media.decode(stream)))
"""


def make_clip(path: Path) -> None:
    """Write the clip: a camera that sways over the enlarged photo, with noise."""
    photo = cv2.imread(str(PHOTO))
    assert photo is not None
    large = cv2.resize(photo, (2200, 2200), interpolation=cv2.INTER_CUBIC)
    rng = np.random.default_rng(0)
    grains = [rng.normal(0, 3, (HEIGHT, WIDTH, 3)).astype(np.int8) for _ in range(8)]
    partial = path.with_suffix(".partial.mp4")
    with av.open(str(partial), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"crf": "23", "preset": "veryfast", "g": "60"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(RATE * SECONDS):
            x = int(140 + 120 * np.sin(index / 40))
            y = int(60 + 50 * np.cos(index / 55))
            view = cv2.add(large[y : y + HEIGHT, x : x + WIDTH], grains[index % 8], dtype=cv2.CV_8U)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(view, format="bgr24")))
        out.mux(stream.encode(None))
    partial.rename(path)


def repeat_clip(clip: Path, times: int, path: Path) -> None:
    """Write the clip `times` times over, packet by packet."""
    with av.open(str(path), "w") as out:
        with av.open(str(clip)) as source:
            target = out.add_stream_from_template(source.streams.video[0])
        for turn in range(times):
            with av.open(str(clip)) as source:
                stream = source.streams.video[0]
                length = stream.duration or 0
                for packet in source.demux(stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    packet.pts += turn * length
                    packet.dts += turn * length
                    packet.stream = target
                    out.mux(packet)


TIMER = """
import os, subprocess, sys, time
began = time.perf_counter()
_, status, usage = os.wait4(subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL).pid, 0)
print(os.waitstatus_to_exitcode(status), time.perf_counter() - began, usage.ru_maxrss)
"""
"""A process's peak memory counts what its parent held when it was forked: so a small parent starts it."""


def timed(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak memory (MiB) of a whole process."""
    timer = subprocess.run([sys.executable, "-S", "-c", TIMER, *command], check=True, capture_output=True)
    code, wall, memory = timer.stdout.split()
    if int(code) not in (0, 1, 3, 4):
        raise SystemExit(f"{command} failed: {timer.stderr.decode()}")
    return float(wall), float(memory) / 1024


def medians(commands: dict[str, list[str]], runs: int) -> dict[str, tuple[float, float]]:
    """Median seconds and largest memory of each command, run in turn after one warm-up."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            result = timed(command)
            if turn:
                taken[name].append(result)
    return {
        name: (statistics.median(wall for wall, _ in rows), max(memory for _, memory in rows))
        for name, rows in taken.items()
    }


def study(clip: Path) -> float:
    """Seconds of the study's way: OpenCV reads every frame, MTCNN in torch on every 10th, a LeNet a face."""
    import torch

    sys.path.insert(0, str(ROOT / "scripts"))
    from convert_mtcnn import download, original

    lenet = torch.nn.Sequential(
        torch.nn.Conv2d(3, 20, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(20, 50, 5, padding=2),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(50 * 16 * 16, 500),
        torch.nn.ReLU(),
        torch.nn.Linear(500, 2),
    ).eval()
    with tempfile.TemporaryDirectory() as folder:
        mtcnn = original(download(Path(folder)), Path(folder))
        began = time.perf_counter()
        reader, index = cv2.VideoCapture(str(clip)), 0
        with torch.inference_mode():
            while True:
                more, frame = reader.read()
                if not more:
                    break
                if index % STRIDE == 0:
                    image = np.ascontiguousarray(frame[..., ::-1])
                    boxes, _ = mtcnn.detect(image)
                    for box in [] if boxes is None else boxes:
                        x1, y1, x2, y2 = (max(0, int(v)) for v in box)
                        face = cv2.resize(image[y1:y2, x1:x2], (64, 64))
                        lenet(torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255)
                index += 1
    return time.perf_counter() - began


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--threads", type=int, default=os.cpu_count())
    options.add_argument("--study", action="store_true", help="time the study's way, too")
    options.add_argument("--clip", type=Path, help="a clip of your own instead of the made one")
    chosen = options.parse_args()
    folder = Path(tempfile.gettempdir()) / "unmask-benchmark"
    folder.mkdir(exist_ok=True)
    clip = chosen.clip or folder / "clip-1080p-60s.mp4"
    cached(clip, make_clip)
    threads = str(chosen.threads)
    unmask = [sys.executable, "-m", "unmask"]
    scan = [*unmask, "scan", "--threads", threads, "--json"]
    figures = medians(
        {
            "decode": [sys.executable, "-c", DECODE, str(clip), threads],
            "scan": [*scan, str(clip)],
            "photo": [*scan, str(PHOTO)],
            "help": [*unmask, "--help"],
        },
        chosen.runs,
    )
    decode, whole = figures["decode"][0], figures["scan"][0]
    print("| what | measured | goal |\n| --- | --- | --- |")
    print(f"| bare decoding | {decode:.2f} s | |")
    print(f"| scan / bare decoding | {whole / decode:.2f} ({whole:.2f} s) | at most 1.5 |")
    print(f"| a photo, whole process | {figures['photo'][0]:.2f} s | under 1.5 s |")
    print(f"| `unmask --help` | {figures['help'][0]:.2f} s | under 0.3 s |")
    if chosen.study:
        seconds = study(clip)
        print(f"| study's way / scan | {seconds / whole:.1f} ({seconds:.0f} s) | at least 12 |")
        print(f"| study's way / bare decoding | {seconds / decode:.1f} | |")
    long = folder / "clip-1080p-600s.mp4"
    cached(long, lambda path: repeat_clip(clip, 10, path))
    memory = timed([*scan, str(long)])[1]
    short = figures["scan"][1]
    print(f"| peak memory, 1 min | {short:.0f} MiB | under 600 |")
    print(f"| peak memory, 10 min / 1 min | {memory / short:.2f} ({memory:.0f} MiB) | at most 1.10 |")


def cached(path: Path, make: Callable[[Path], None]) -> None:
    """Make a file that is not there yet."""
    if not path.exists():
        print(f"making {path.name} …", file=sys.stderr)
        make(path)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
