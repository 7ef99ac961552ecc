"""Whether the data pipeline keeps up with training, as ratios in one run on the same cores.

    python benchmarks/train.py CORPUS

Feeding is timed with full augmentation (self-blending, degradation, jitter) by two processes, learning is a
MobileNetV2 step at 224 px on one batch that lies ready, both with all cores to themselves. Pseudo-fakes of
each kind, their twins and retouching are timed on one core on crops of 320 px that lie ready, as their
donors do; `--forge` times nothing else. Extraction is timed against a scan of the same two copies of the
clip that `benchmarks/scan.py` makes, both as whole processes.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch

from unmask.data.manifest import read_samples
from unmask.forge.donors import Donors
from unmask.forge.forged import Donor
from unmask.forge.kinds import KINDS
from unmask.forge.retouch import retouch
from unmask.training.fit import Fit
from unmask.training.recipe import Schedule, read_recipe
from unmask.training.samples import TrainingDraws, load, read_image

ROOT = Path(__file__).resolve().parents[1]
BATCH = 32


def feeding(corpus: Path, batches: int) -> float:
    """Crops a second that two processes prepare."""
    recipe = read_recipe(ROOT / "recipes" / "small.yaml")
    samples = [s for s in read_samples(corpus) if s.split == "train"]
    draws = TrainingDraws(samples, recipe.crop, recipe.mix, (batches + 8) * BATCH, seed=0)
    loader = iter(load(draws, BATCH, workers=2))
    for _ in range(8):
        next(loader)  # processes start and queues fill
    began = time.perf_counter()
    for _ in range(batches):
        next(loader)
    return batches * BATCH / (time.perf_counter() - began)


def learning(corpus: Path, folder: Path, steps: int) -> float:
    """Crops a second that training steps consume."""
    recipe = replace(
        read_recipe(ROOT / "recipes" / "small.yaml"), schedule=Schedule(batch=BATCH), start="none"
    )
    fit = Fit(recipe, read_samples(corpus), folder)
    crops = torch.randint(0, 256, (BATCH, 3, 224, 224), dtype=torch.uint8)
    labels = torch.arange(BATCH).remainder(2).float()
    times = []
    for _ in range(steps + 3):
        began = time.perf_counter()
        fit._update(crops, labels)
        times.append(time.perf_counter() - began)
    return BATCH / statistics.median(times[3:])


def forging(corpus: Path, count: int) -> dict[str, tuple[float, float]]:
    """What is done to a 320 px crop → median and 95th percentile of its milliseconds of one core."""
    cv2.setNumThreads(1)
    samples = [s for s in read_samples(corpus) if not s.fake]
    donors, rng = Donors(samples), np.random.default_rng(0)
    faces = []
    for sample in samples[:: max(1, len(samples) // (4 * count))]:
        image, found = read_image(sample), donors.look_alike(sample, rng)
        if image.shape[0] == 320 and len(faces) < count and found:
            faces.append((image, sample.landmarks, Donor(read_image(found.sample), found.sample.landmarks)))
    work: dict[str, Callable[..., object]] = {name: KINDS[name].make for name in KINDS}
    work |= {f"twin of {name}": lambda i, m, r, _, n=name: KINDS[n].twin(i, m, r) for name in KINDS}
    work["retouch"] = lambda image, marks, rng, _: retouch(image, marks, rng)
    spent = {}
    for name, call in work.items():
        for image, marks, donor in faces[:4]:
            call(image, marks, rng, donor)  # libraries load what they need when first used
        times = []
        for image, marks, donor in faces:
            # Of this thread alone: others may work on the same cores.
            began = time.thread_time()
            call(image, marks, rng, donor)
            times.append((time.thread_time() - began) * 1000)
        spent[name] = statistics.median(times), float(np.quantile(times, 0.95))
    return spent


def extraction(folder: Path) -> float:
    """Seconds of an extraction of two clips per second of a scan of them."""
    from scan import cached, make_clip, timed

    clip = Path(tempfile.gettempdir()) / "unmask-benchmark" / "clip-1080p-60s.mp4"
    clip.parent.mkdir(exist_ok=True)
    cached(clip, make_clip)
    for name in ("real/a.mp4", "fake/b.mp4"):
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(clip, folder / name)
    unmask = [sys.executable, "-m", "unmask"]
    manifest = folder / "media.parquet"
    timed([*unmask, "data", "index", str(folder), "--layout", "folders", "--out", str(manifest)])
    ratios = []
    for turn in range(3):
        scanned = timed([*unmask, "scan", str(folder / "real"), str(folder / "fake"), "--json"])[0]
        out = folder / f"faces-{turn}"
        extracted = timed([*unmask, "data", "extract", str(manifest), str(out), "--quiet"])[0]
        ratios.append(extracted / scanned)
    return statistics.median(ratios)


def print_forged(spent: dict[str, tuple[float, float]]) -> None:
    print("| a 320 px face, one core | median, at most 12 ms | 95th percentile |\n| --- | ---: | ---: |")
    for name, (median, high) in spent.items():
        print(f"| {name} | {median:.1f} ms | {high:.1f} ms |")


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("corpus", type=Path)
    options.add_argument("--batches", type=int, default=40)
    options.add_argument("--forge", action="store_true", help="only pseudo-fakes, twins and retouching")
    chosen = options.parse_args()
    forged = forging(chosen.corpus, 100)
    if chosen.forge:
        print_forged(forged)
        return
    fed = feeding(chosen.corpus, chosen.batches)
    with tempfile.TemporaryDirectory() as folder:
        learned = learning(chosen.corpus, Path(folder) / "run", 12)
        cut = extraction(Path(folder) / "media")
    print("| what | measured | goal |\n| --- | --- | --- |")
    print(
        f"| feeding / learning | {fed / learned:.2f} ({fed:.0f} and {learned:.0f} crops/s) | at least 1.3 |"
    )
    print(f"| extraction / scan of the same clips | {cut:.2f} | at most 1.3 |\n")
    print_forged(forged)


if __name__ == "__main__":
    main()
