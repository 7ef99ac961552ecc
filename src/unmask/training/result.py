"""What a training run leaves in `result.json`: its facts and, per split, every figure with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import brier_score_loss, log_loss, precision_recall_fscore_support

from unmask.errors import DataError
from unmask.figures.resampling import Resampling
from unmask.figures.scores import auc, equal_error_rate

RESULT_FILE = "result.json"
"""The name of the file in a run's folder."""

RESULT_FORMAT = "unmask-run/1"


@dataclass(frozen=True)
class ClassFigures:
    """Precision, recall and F1 in [0, 1] of one label, and how many samples bear it."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class SplitFigures:
    """How well P(fake) does on one split of `n` crops; all but `log_loss` lie in [0, 1].

    `majority` is the accuracy of always naming the larger class. `low` and `high` bound 95 % intervals by
    bootstrap over sources. `confusion` counts (true real, false alarms, misses, true fake) at `threshold`.
    """

    split: str
    n: int
    threshold: float
    majority: float
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    balanced_accuracy: float
    auc: float
    auc_low: float
    auc_high: float
    eer: float
    real: ClassFigures
    fake: ClassFigures
    confusion: tuple[int, int, int, int]
    log_loss: float
    brier: float


@dataclass(frozen=True)
class RunResult:
    """One training run. Times are ISO 8601; `macs` and `ms_per_face` (one CPU thread) are per crop.

    `train_majority` and `val_majority` are the shares of the larger class; `log` is the file with the curves,
    beside this one.
    """

    name: str
    network: str
    protocol: str
    started: str
    finished: str
    seconds: float
    steps: int
    epochs: float
    seed: int
    parameters: int
    macs: int | None
    ms_per_face: float | None
    train_size: int
    train_majority: float
    val_size: int
    val_majority: float
    figures: tuple[SplitFigures, ...]
    log: str
    recipe_sha256: str
    model_sha256: str
    format: str = RESULT_FORMAT

    def on(self, split: str) -> SplitFigures | None:
        """The figures on the split of that name, None where it was not measured."""
        return next((figures for figures in self.figures if figures.split == split), None)


def read_result(path: Path) -> RunResult:
    """The run described by a `result.json`.

    Raises:
        DataError: the file cannot be read, is no run's result, or is of another format.
    """
    try:
        result = msgspec.json.decode(path.read_bytes(), type=RunResult)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except msgspec.MsgspecError as error:
        raise DataError(
            f"{path} is not the result of a training run: {error}", hint="train it again with this version"
        ) from error
    if result.format != RESULT_FORMAT:
        raise DataError(
            f"{path} is of format {result.format!r}, this version reads {RESULT_FORMAT!r}",
            hint="train it again with this version",
        )
    return result


def figures_of(
    split: str,
    labels: ArrayLike,
    probabilities: ArrayLike,
    sources: Sequence[str],
    threshold: float = 0.5,
) -> SplitFigures:
    """The figures of P(fake) `probabilities` (N,) against `labels` (N,), True is fake.

    A sample is called fake where its probability is above or at `threshold`.

    Raises:
        DataError: the lengths differ, only one of the two labels is present, or a probability lies outside
            [0, 1].
    """
    fake, p = np.asarray(labels, dtype=bool), np.asarray(probabilities, dtype=np.float64)
    if not len(fake) == len(p) == len(sources):
        raise DataError(f"{len(fake)} labels, {len(p)} probabilities and {len(sources)} sources do not match")
    if fake.all() or not fake.any():
        raise DataError(f"figures on {split!r} need both real and fake samples")
    if not ((p >= 0) & (p <= 1)).all():
        raise DataError("a probability lies outside [0, 1]", hint="leave failures out and report coverage")
    called = p >= threshold
    by_class = precision_recall_fscore_support(fake, called, labels=[False, True], zero_division=0)
    real_row, fake_row = (
        ClassFigures(float(precision), float(recall), float(f1), int(support))
        for precision, recall, f1, support in zip(*by_class, strict=True)
    )
    resampled = Resampling(fake, sources)
    accuracy_low, accuracy_high = resampled.share_interval(called == fake)
    auc_low, auc_high = resampled.auc_interval(p)
    return SplitFigures(
        split=split,
        n=len(fake),
        threshold=threshold,
        majority=float(max(fake.mean(), 1 - fake.mean())),
        accuracy=float((called == fake).mean()),
        accuracy_low=accuracy_low,
        accuracy_high=accuracy_high,
        balanced_accuracy=(real_row.recall + fake_row.recall) / 2,
        auc=auc(fake, p),
        auc_low=auc_low,
        auc_high=auc_high,
        eer=equal_error_rate(fake, p),
        real=real_row,
        fake=fake_row,
        confusion=(
            int((~fake & ~called).sum()),
            int((~fake & called).sum()),
            int((fake & ~called).sum()),
            int((fake & called).sum()),
        ),
        log_loss=float(log_loss(fake, np.clip(p, 1e-7, 1 - 1e-7), labels=[False, True])),
        brier=float(brier_score_loss(fake, p)),
    )
