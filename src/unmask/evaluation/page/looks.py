"""How models are told apart in drawings: by colour, dash and marker at once, the same all over the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from unmask.evaluation.figures import MEDIUM, Line

MOST_LOOKS = 8
"""Models drawn in a look of their own; more cannot be told apart, and are thin grey lines."""

OUTLINES = (
    "M-4 0A4 4 0 1 0 4 0A4 4 0 1 0-4 0Z",
    "M-3.6-3.6H3.6V3.6H-3.6Z",
    "M0-4.8 4.6 3.6H-4.6Z",
    "M0-5 5 0 0 5-5 0Z",
    "M0 4.8 4.6-3.6H-4.6Z",
    "M-4.8-1.6H-1.6V-4.8H1.6V-1.6H4.8V1.6H1.6V4.8H-1.6V1.6H-4.8Z",
    "M0-5 4.8-1.5 3 4.2H-3L-4.8-1.5Z",
    "M-4.4-2.2-2.2-4.4 0-2.2 2.2-4.4 4.4-2.2 2.2 0 4.4 2.2 2.2 4.4 0 2.2-2.2 4.4-4.4 2.2-2.2 0Z",
)
"""The markers, around their middle in pixels: disc, square, triangle, diamond, triangle downward, plus,
pentagon, cross."""


@dataclass(frozen=True, slots=True)
class Look:
    """The classes of a model's lines and the id of its marker; `own` is False for what is drawn grey."""

    style: str
    outline: str
    own: bool


REST = Look("rest", "", False)


def looks_of(names: Sequence[str], lines: Sequence[Line]) -> dict[str, Look]:
    """A look for each model. Where there are too many, the first named and those of the highest mean AUC on
    files get one."""
    chosen = list(names)
    if len(names) > MOST_LOOKS:
        mean = {name: _mean_auc(name, lines) for name in names}
        best = sorted(names[1:], key=lambda name: (-mean[name], names.index(name)))
        kept = {names[0], *best[: MOST_LOOKS - 1]}
        chosen = [name for name in names if name in kept]
    own = {name: Look(f"m{at}", f"o{at}", True) for at, name in enumerate(chosen)}
    return {name: own.get(name, REST) for name in names}


def _mean_auc(name: str, lines: Sequence[Line]) -> float:
    values = [
        line.summary.auc.value
        for line in lines
        if (line.model, line.level, line.by) == (name, MEDIUM, "") and line.summary is not None
    ]
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else -1.0
