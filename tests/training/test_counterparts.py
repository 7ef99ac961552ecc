"""Counterparts: a forgery is set against a real face of its recording, its data set or its kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unmask.data.sample import Sample
from unmask.training.counterparts import Counterparts

MARKS = ((82.6, 71.1), (126.5, 74.0), (102.7, 94.5), (82.9, 111.8), (120.8, 113.9))


def sample(source: str, dataset: str, kind: str, fake: bool = False) -> Sample:
    method = "swap" if fake else "original"
    return Sample(Path(source), fake, "train", method, dataset, source, kind, MARKS)


REALS = [
    sample("one", "talks", "frame"),
    sample("two", "talks", "frame"),
    sample("three", "signs", "frame"),
    sample("four", "album", "photo"),
]


@pytest.mark.parametrize(
    ("fake", "expected"),
    [
        (sample("one", "talks", "frame", fake=True), {"one"}),
        (sample("five", "talks", "frame", fake=True), {"one", "two"}),
        (sample("five", "news", "frame", fake=True), {"one", "two", "three"}),
        (sample("five", "generated", "photo", fake=True), {"four"}),
    ],
)
def test_the_nearest_real_faces_are_set_against_a_forgery(fake: Sample, expected: set[str]) -> None:
    counterparts, rng = Counterparts(REALS), np.random.default_rng(0)
    found = [counterparts.of(fake, rng) for _ in range(60)]
    assert {real.source for real in found if real} == expected


def test_a_kind_without_any_real_face_has_no_counterpart() -> None:
    fake = sample("five", "generated", "photo", fake=True)
    assert Counterparts(REALS[:3]).of(fake, np.random.default_rng(0)) is None
