"""The detector: aggregation by name, several models behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.detector.aggregate import AGGREGATIONS, WINDOW
from unmask.detector.card import Calibration, probability
from unmask.detector.detector import Detector
from unmask.errors import UnmaskError
from unmask.faces.crop import CropSpec

SCORES = st.lists(st.floats(-30, 30), min_size=1, max_size=60).map(np.array)


@given(SCORES)
def test_every_aggregation_lies_between_the_least_and_the_greatest_score(scores: np.ndarray) -> None:
    for name in AGGREGATIONS:
        value = AGGREGATIONS[name](scores)
        assert scores.min() - 1e-9 <= value <= scores.max() + 1e-9


def test_a_forged_stretch_in_a_long_clip_shows_in_window_but_not_in_mean() -> None:
    scores = np.full(600, -3.0)
    scores[300 : 300 + WINDOW] = 4.0
    assert AGGREGATIONS["window"](scores) == pytest.approx(4.0)
    assert AGGREGATIONS["mean"](scores) < -2.5


def test_stretch_shows_a_forged_stretch_and_does_not_grow_with_the_length_of_a_clip() -> None:
    random = np.random.default_rng(0)
    clips = {length: [random.normal(-3.0, 1.0, length) for _ in range(200)] for length in (12, 120, 1200)}
    told = {
        name: [float(np.mean([AGGREGATIONS[name](clip) for clip in clips[length]])) for length in clips]
        for name in ("window", "stretch")
    }
    assert told["stretch"] == pytest.approx([-3.0] * 3, abs=0.05)
    assert told["window"][2] > told["window"][0] + 0.5
    forged = clips[1200][0].copy()
    forged[600 : 600 + 2 * WINDOW] = random.normal(4.0, 1.0, 2 * WINDOW)
    assert AGGREGATIONS["stretch"](forged) > 1.0
    assert AGGREGATIONS["mean"](forged) < -2.5


def test_unknown_aggregation_names_the_known_ones(make_model: Callable[..., Path]) -> None:
    with pytest.raises(UnmaskError, match=r"(?s)loudest.*mean, median, stretch, top, window"):
        Detector.load([make_model()], aggregation="loudest")


def test_ensemble_averages_calibrated_log_odds_of_models_with_different_crops(
    make_model: Callable[..., Path],
) -> None:
    first = make_model("first", calibration=Calibration(2.0, 0.0))
    second = make_model("second", calibration=Calibration(1.0, -1.0), crop=CropSpec(32, 2.0))
    both = Detector.load([first, second])
    image = np.full((200, 200, 3), 140, np.uint8)
    marks = ((80.0, 100.0), (120.0, 100.0), (100.0, 120.0), (85.0, 142.0), (115.0, 142.0))
    (score,) = both.score([both.crops(image, marks)])
    assert score.raw == pytest.approx([0.75, 0.75])
    assert both.probability([score.raw]) == pytest.approx(probability((1.5 + -0.25) / 2))


def test_scores_do_not_depend_on_the_batch(make_model: Callable[..., Path]) -> None:
    detector = Detector.load([make_model()])
    crops = np.random.default_rng(1).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    together = [score.raw for score in detector.score([(crop,) for crop in crops])]
    alone = [detector.score([(crop,)])[0].raw for crop in crops]
    assert np.array(together) == pytest.approx(np.array(alone), abs=1e-5)
