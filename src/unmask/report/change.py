"""Where a person's P(fake) changes for good: what a cut from a real to a forged part looks like in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unmask.types import TrackReport

LEAST_SIDE = 4
"""Judged faces there must be on each side of a change."""

LEAST_STEP = 0.15
"""Difference of the mean P(fake) of both sides from which a change is worth a sentence."""

LEAST_CLEAR = 6.0
"""The difference in units of its standard error: chance gives this in none of 10,000 steady tracks."""


@dataclass(frozen=True, slots=True)
class Change:
    """P(fake) is `before` on average up to `time` (seconds) and `after` from then on."""

    time: float
    before: float
    after: float


def change_of(track: TrackReport) -> Change | None:
    """The clearest change of level of a track, None where there is none worth telling."""
    faces = track.judged
    p = np.array([face.probability or 0.0 for face in faces])
    if len(p) < 2 * LEAST_SIDE:
        return None
    best: tuple[float, Change] | None = None
    for cut in range(LEAST_SIDE, len(p) - LEAST_SIDE + 1):
        left, right = p[:cut], p[cut:]
        step = float(right.mean() - left.mean())
        error = float(np.sqrt(left.var(ddof=1) / len(left) + right.var(ddof=1) / len(right))) + 1e-3
        clear = abs(step) / error
        if abs(step) >= LEAST_STEP and clear >= LEAST_CLEAR and (best is None or clear > best[0]):
            best = clear, Change(faces[cut].time, float(left.mean()), float(right.mean()))
    return best[1] if best else None
