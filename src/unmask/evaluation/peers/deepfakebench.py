"""Test results of DeepfakeBench (Yan et al., NeurIPS 2023): for each frame its path, label and P(fake).

Its own files are pickles, which run whatever code is in them when they are loaded; docs/peers.md has the
lines that turn them into what is read here: the arrays `image`, `label` and `pred`, in one order.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from unmask.data.layouts.deepfakebench import DATASETS
from unmask.data.layouts.faceforensics import METHODS
from unmask.data.layouts.names import ties_of
from unmask.data.sample import ORIGINAL
from unmask.errors import DataError
from unmask.evaluation.peers.score_table import (
    MAX_BYTES,
    SCORE_FILES,
    ImportedScore,
    a_number,
    plain_path,
    read_table,
    refuse_twice,
)

FIELDS = ("image", "label", "pred")

FOLDERS = {**DATASETS, "dfdc": "dfdc", "uadfv": "uadfv"}
"""Folder of a data set, in small letters → our name of it."""

DFD_FOLDERS = ("DeepFakeDetection", "actors")
"""Where Deep Fake Detection lies within FaceForensics++."""

HINT = "docs/peers.md says how to export it: image, label and pred, in a .npz, .json or .csv file"


@SCORE_FILES.register("deepfakebench")
def read_deepfakebench(path: Path) -> list[ImportedScore]:
    """The frames, or clips, of one test, from a `.npz`, `.json` or `.csv` file.

    A label of 0 is real, any other is fake. A clip is known by its first frame. A video is the folder of its
    frames, from the data set's folder on: videos of the same name in two folders stay apart.
    """
    images, labels, predictions = _columns(path)
    if not len(images) == len(labels) == len(predictions):
        raise DataError(
            f"{path} has {len(images)} images, {len(labels)} labels and {len(predictions)} predictions",
            hint="all three must be of one test",
        )
    clips = [_frames(image, f"{path}, row {row}") for row, image in enumerate(images)]
    refuse_twice(enumerate(clips), path, "row")
    return [
        _score(clip, label, prediction, f"{path}, row {row}")
        for row, (clip, label, prediction) in enumerate(zip(clips, labels, predictions, strict=True))
    ]


def _score(clip: tuple[str, ...], label: object, prediction: object, where: str) -> ImportedScore:
    kind = a_number(label, "label", where)
    if kind < 0 or kind != int(kind):
        raise DataError(f"{where}: label {label!r}", hint="0 is real, 1 is fake")
    score = a_number(prediction, "pred", where)
    if not 0 <= score <= 1:
        raise DataError(f"{where}: pred {score:g} is not in [0, 1]", hint="export the probability of fake")
    video = _from_dataset(str(PurePosixPath(clip[0]).parent))
    dataset = _dataset(video)
    fake = kind > 0
    return ImportedScore(
        file=_from_dataset(clip[0]),
        video=video,
        source=ties_of(dataset, PurePosixPath(video).name).source if dataset else video,
        dataset=dataset,
        method=_method(video, dataset) if fake else ORIGINAL,
        fake=fake,
        score=score,
    )


def _from_dataset(path: str) -> str:
    """The path from the data set's folder on, as it is where there is none: what comes before is of the
    machine it was on."""
    parts = PurePosixPath(path).parts
    known = [place for place, part in enumerate(parts) if part.lower() in FOLDERS]
    return str(PurePosixPath(*parts[known[0] :])) if known else path


def _dataset(video: str) -> str:
    parts = PurePosixPath(video).parts
    dataset = FOLDERS.get(parts[0].lower(), "") if parts else ""
    return "dfd" if dataset == "ffpp" and any(part in DFD_FOLDERS for part in parts) else dataset


def _method(video: str, dataset: str) -> str:
    """How it was forged, as far as the path tells; else the data set's name, as its layout has it."""
    return next((METHODS[part] for part in PurePosixPath(video).parts if part in METHODS), dataset)


def _frames(image: object, where: str) -> tuple[str, ...]:
    """The paths of one entry: a frame, or the frames of a clip."""
    names = [image] if isinstance(image, str) else image
    if not isinstance(names, list | tuple) or not names or not all(isinstance(name, str) for name in names):
        raise DataError(f"{where}: image is neither a path nor a list of them", hint=HINT)
    paths = tuple(plain_path(name) for name in names)
    if any("/" not in path for path in paths):
        raise DataError(f"{where}: {paths[0]!r} is no full path: its video is not known", hint=HINT)
    return paths


def _columns(path: Path) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
    ending = path.suffix.lower()
    if ending == ".npz":
        return _of_npz(path)
    if ending == ".json":
        return _of_json(path)
    if ending == ".csv":
        rows = [row for _, row in read_table(path, FIELDS, FIELDS)]
        return [r["image"] for r in rows], [r["label"] for r in rows], [r["pred"] for r in rows]
    if ending in (".pickle", ".pkl", ".npy"):
        raise DataError(f"{path}: pickles are not loaded, since they can run any code", hint=HINT)
    raise DataError(f"{path} is no export of DeepfakeBench that can be read", hint=HINT)


def _of_npz(path: Path) -> tuple[list[Any], list[Any], list[Any]]:
    try:
        # Before anything is read: a few compressed bytes can claim to be gigabytes.
        with zipfile.ZipFile(path) as members:
            if sum(member.file_size for member in members.infolist()) > MAX_BYTES:
                raise DataError(f"{path} is too large to be scores", hint="split it by data set")
        with np.load(path, allow_pickle=False) as arrays:
            images, labels, predictions = (np.asarray(arrays[field]) for field in FIELDS)
    except KeyError as error:
        raise DataError(f"{path} lacks an array: {error}", hint=HINT) from error
    # NumPy says with a bare ValueError that there is a pickle inside.
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint=HINT) from error
    if images.dtype.kind != "U":
        raise DataError(f"{path}: image is not an array of paths", hint=HINT)
    return images.tolist(), labels.ravel().tolist(), predictions.ravel().tolist()


def _of_json(path: Path) -> tuple[list[Any], list[Any], list[Any]]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint=HINT) from error
    columns = [document.get(field) if isinstance(document, dict) else None for field in FIELDS]
    if not all(isinstance(column, list) for column in columns):
        raise DataError(f"{path} does not hold the lists {', '.join(FIELDS)}", hint=HINT)
    images, labels, predictions = (list(column or ()) for column in columns)
    return images, labels, predictions
