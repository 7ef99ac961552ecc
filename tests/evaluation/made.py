"""Made-up scores of files: quick to draw, and what is true of them is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from unmask.evaluation.table import FILE, JudgedBy, Scores, table

BAND = (0.7, 0.3)
"""P(fake) from which a made model says FAKE, and up to which it says REAL."""


def judge(name: str) -> JudgedBy:
    """A made model."""
    return JudgedBy(name, "ab" * 32, *BAND)


def row(model: str, file: str, fake: bool, p: float | None, **more: Any) -> dict[str, Any]:
    """One file by one model: `p` of None is a file without a face. Names of files begin with their data
    set."""
    high, low = BAND
    said = "NO_FACE" if p is None else "FAKE" if p >= high else "REAL" if p <= low else "UNSURE"
    return {
        "model": model,
        "level": FILE,
        "file": file,
        "kind": "image",
        "fake": fake,
        "dataset": file.partition("/")[0],
        "method": "swap" if fake else "",
        "source": file,
        "compression": "",
        "degradation": "",
        "severity": 0,
        "size": 100.0,
        "verdict": said,
        "probability": p,
    } | more


def made(
    names: Sequence[str],
    *,
    reals: int = 24,
    fakes: int = 24,
    seed: int = 0,
    degradations: Sequence[str] = (),
    lost: Callable[[int], bool] = lambda number: False,
    **more: Any,
) -> Scores:
    """Scores by models of which the first is the best, two files of a label to a source, on two data sets;
    files for whose number `lost` is true have no face. Severities 1, 3 and 5 of `degradations` make reals and
    fakes ever more alike."""
    random = np.random.default_rng(seed)
    states = [("", 0), *((name, severity) for name in degradations for severity in (1, 3, 5))]
    fake = np.repeat([False, True], [reals, fakes])
    own = random.normal(0, 1, len(fake))
    rows = []
    for state, severity in states:
        for place, name in enumerate(names):
            odds = fake * (3 - place / 4) * (1 - severity / 8) - 1 + own + random.normal(0, 0.8, len(fake))
            for number, p in enumerate(1 / (1 + np.exp(-odds))):
                told = None if lost(number) else float(p)
                file = f"set {number % 2}/{'fake' if fake[number] else 'real'} {number}"
                given = {"source": f"source {number // 2}", "degradation": state, "severity": severity}
                rows.append(row(name, file, bool(fake[number]), told, **given | more))
    return table(rows, [judge(name) for name in names])
