"""Scores of model files on samples, as they are and degraded, kept on disk so that they are had only once."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.data.sample import Sample
from unmask.detector.detector import BATCH
from unmask.detector.model import Model
from unmask.errors import DataError
from unmask.faces.crop import CropSpec, cut
from unmask.report.atomic import replacing
from unmask.training.degrade import degrade
from unmask.training.samples import read_image

STRENGTH = 0.9
"""Of the degradation: what users bring has been through messengers and platforms."""

SEED = 0

AS_IS, DEGRADED = 0, 1
"""The rows of a table of scores."""

SCHEME = 1
"""To be raised when the same model and sample would get another score than before."""

AHEAD = 16
"""Samples that are read and cut while the ones before are judged."""

TIMED_RUNS = 20

Progress = Callable[[int, int, str], None]


def scores_of(
    models: Sequence[Model], samples: Sequence[Sample], cache: Path, progress: Progress
) -> list[NDArray[np.float64]]:
    """Raw scores (2, N) of each model: of samples as they are, and each under one fixed draw of degradation.

    Every picture is read and degraded once for all models that need it. Scores are kept in the folder `cache`
    by the model's SHA-256 and the samples.

    Raises:
        DataError: pictures are missing or damaged.
    """
    key = _key(samples)
    paths = [cache / f"{model.sha256[:32]}-{key[:32]}.npy" for model in models]
    tables = [_kept(path, len(samples)) for path in paths]
    missing = [n for n, table in enumerate(tables) if table is None]
    if missing:
        judged = _judge([models[n] for n in missing], samples, progress)
        cache.mkdir(parents=True, exist_ok=True)
        for n, table in zip(missing, judged, strict=True):
            with replacing(paths[n]) as temporary:
                np.save(temporary, table, allow_pickle=False)
            tables[n] = table
    return [table for table in tables if table is not None]


def _key(samples: Sequence[Sample]) -> str:
    """A hash over what the samples' pictures are, changed ones included."""
    absent = [sample.path for sample in samples if not sample.path.is_file()]
    if absent:
        raise DataError(
            f"{len(absent)} of {len(samples)} pictures are missing, the first is {absent[0]}",
            hint="extract them again, or give the corpus that the manifest belongs to",
        )
    digest = hashlib.sha256(json.dumps([SCHEME, STRENGTH, SEED]).encode())
    for sample in samples:
        facts = sample.path.stat()
        row = [str(sample.path.resolve()), facts.st_size, facts.st_mtime_ns, sample.landmarks]
        digest.update(json.dumps(row).encode(errors="surrogateescape"))
    return digest.hexdigest()


def _kept(path: Path, count: int) -> NDArray[np.float64] | None:
    """The table at `path`, None where there is none that can be used."""
    try:
        table = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    usable = table.shape == (2, count) and table.dtype == np.float64
    return np.asarray(table, dtype=np.float64) if usable else None


def _judge(
    models: Sequence[Model], samples: Sequence[Sample], progress: Progress
) -> list[NDArray[np.float64]]:
    specs = list(dict.fromkeys(model.card.crop for model in models))
    tables = [np.zeros((2, len(samples))) for _ in models]
    done = 0
    for crops in _in_batches(samples, specs):
        count = len(crops)
        for table, model in zip(tables, models, strict=True):
            place = specs.index(model.card.crop)
            for row in (AS_IS, DEGRADED):
                batch = np.stack([of_sample[place][row] for of_sample in crops])
                table[row, done : done + count] = _scored(model, batch)
        done += count
        # A line now and then: on a terminal each one stays.
        told = done % (AHEAD * 20) == 0 or done == len(samples)
        progress(done, len(samples), f"samples judged by {len(models)} models" if told else "")
    return tables


def _scored(model: Model, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.concatenate([model.score(crops[n : n + BATCH]).raw for n in range(0, len(crops), BATCH)])


Crops = list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]
"""Of one sample, per spec: the crop as it is and degraded."""


def _in_batches(samples: Sequence[Sample], specs: Sequence[CropSpec]) -> Iterator[list[Crops]]:
    """The crops of all samples in order, up to `AHEAD` at a time; the next are made meanwhile."""
    with ThreadPoolExecutor(2) as pool:

        def begin(first: int) -> Iterator[Crops]:
            rows = range(first, min(first + AHEAD, len(samples)))
            return pool.map(lambda n: _crops(samples[n], n, specs), rows)

        ready = begin(0)
        for first in range(0, len(samples), AHEAD):
            coming = begin(first + AHEAD)
            yield list(ready)
            ready = coming


def _crops(sample: Sample, index: int, specs: Sequence[CropSpec]) -> Crops:
    image = read_image(sample)
    worse = degrade(image, np.random.default_rng((SEED, index)), STRENGTH)
    return [(cut(image, sample.landmarks, spec), cut(worse, sample.landmarks, spec)) for spec in specs]


def ms_per_face(model: Model) -> float:
    """Milliseconds per face as the scanner calls the model, in batches: the median of some runs."""
    size = model.card.crop.size
    crops = np.random.default_rng(0).integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
    times = []
    for _ in range(TIMED_RUNS):
        began = time.perf_counter()
        model.score(crops)
        times.append((time.perf_counter() - began) / BATCH * 1000)
    return float(np.median(times))
