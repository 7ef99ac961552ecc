"""A change of level is told where there is one, and steady noise is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.report.reports import face, track, video_report

from unmask.report import words
from unmask.report.change import change_of
from unmask.types import Verdict


def test_a_forged_second_half_is_told_with_its_time() -> None:
    rng = np.random.default_rng(0)
    levels = [0.13] * 10 + [0.45] * 10
    faces = [face(n * 0.4, float(p + rng.normal(0, 0.04))) for n, p in enumerate(levels)]
    found = change_of(track(1, faces, 0.4))
    assert found is not None
    assert found.time == pytest.approx(4.0)
    assert (found.before, found.after) == (pytest.approx(0.13, abs=0.05), pytest.approx(0.45, abs=0.05))


def test_steady_tracks_short_tracks_and_single_odd_frames_are_left_alone() -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        level = rng.uniform(0.1, 0.9)
        values = np.clip(level + rng.normal(0, 0.1, 40), 0, 1)
        values[rng.integers(40)] = 0.99
        faces = [face(float(n), float(p)) for n, p in enumerate(values)]
        assert change_of(track(1, faces, float(level))) is None
    assert change_of(track(1, [face(0.0, 0.1), face(1.0, 0.9)], 0.5)) is None


def test_an_abstention_points_at_the_change() -> None:
    levels = [0.31] * 10 + [0.7] * 10
    changing = track(1, [face(n * 0.4, p) for n, p in enumerate(levels)], 0.5)
    steady = track(1, [face(n * 0.4, 0.5) for n in range(20)], 0.5)
    unsure = replace(video_report(), verdict=Verdict.UNSURE, tracks=(changing,))
    assert words.meaning(unsure) == words.UNSURE_BUT_CHANGED
    assert words.meaning(replace(unsure, tracks=(steady,))) == words.MEANING[Verdict.UNSURE]
    assert words.meaning(replace(unsure, verdict=Verdict.FAKE)) == words.MEANING[Verdict.FAKE]
