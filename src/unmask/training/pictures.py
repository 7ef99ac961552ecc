"""What a finished run looks like: curves, ROC, confusion, and a page of figures in words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from sklearn.metrics import roc_curve

from unmask.training.journal import Entry
from unmask.training.result import SplitFigures

REAL, FAKE = "#2a6f97", "#c8553d"
"""The colours of the two labels, told apart without red and green."""

LINES = {"train": (REAL, "--"), "val": (FAKE, "-")}


def draw_run(
    path: Path,
    title: str,
    journal: Sequence[Entry],
    figures: SplitFigures,
    fake: ArrayLike,
    probabilities: ArrayLike,
) -> None:
    """Write one picture (PNG): loss and accuracy through training, the ROC curve, and the confusion matrix.

    `fake` are labels (N,) and `probabilities` P(fake) (N,) of the split that `figures` describe.
    """
    figure = Figure(figsize=(12, 7.5), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=13)
    (loss, accuracy), (roc, confusion) = figure.subplots(2, 2)
    _curve(loss, journal, "loss")
    _curve(accuracy, journal, "accuracy")
    accuracy.axhline(figures.majority, color="grey", linewidth=1, linestyle=":", label="majority")
    accuracy.legend(frameon=False)
    _roc(roc, figures, fake, probabilities)
    _confusion(confusion, figures)
    partial = path.with_suffix(".partial.png")
    figure.savefig(partial, dpi=110)
    partial.replace(path)


def _curve(axes: Axes, journal: Sequence[Entry], name: str) -> None:
    for kind, (colour, style) in LINES.items():
        points = [(entry.step, entry.value) for entry in journal if (entry.kind, entry.name) == (kind, name)]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, linestyle=style, label=kind)
    axes.set(xlabel="step", ylabel=name)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)


def _roc(axes: Axes, figures: SplitFigures, fake: ArrayLike, probabilities: ArrayLike) -> None:
    false_alarms, hits, _ = roc_curve(np.asarray(fake, bool), np.asarray(probabilities))
    axes.plot(false_alarms, hits, color=FAKE)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, linestyle=":")
    axes.set(xlabel="real called fake", ylabel="fake called fake", aspect="equal")
    axes.set_title(
        f"{figures.split}: AUC {figures.auc:.3f} [{figures.auc_low:.3f}, {figures.auc_high:.3f}]", fontsize=10
    )
    axes.spines[["top", "right"]].set_visible(False)


def _confusion(axes: Axes, figures: SplitFigures) -> None:
    tn, fp, fn, tp = figures.confusion
    counts = np.array([[tn, fp], [fn, tp]])
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for row in range(2):
        for column in range(2):
            share = counts[row, column] / max(1, counts[row].sum())
            axes.text(
                column,
                row,
                f"{counts[row, column]}\n{share:.1%}",
                ha="center",
                va="center",
                color="white" if share > 0.5 else "black",
            )
    axes.set_xticks([0, 1], ["called real", "called fake"])
    axes.set_yticks([0, 1], ["real", "fake"])
    axes.set_title(
        f"accuracy {figures.accuracy:.3f} [{figures.accuracy_low:.3f}, {figures.accuracy_high:.3f}], "
        f"majority {figures.majority:.3f}",
        fontsize=10,
    )
