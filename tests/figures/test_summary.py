"""All figures at once agree with scikit-learn, and their intervals cover the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    log_loss,
    roc_auc_score,
    roc_curve,
)

from unmask.errors import DataError
from unmask.figures import sources as module
from unmask.figures import summary
from unmask.figures.reliability import expected_calibration_error
from unmask.figures.scores import equal_error_rate
from unmask.figures.summary import summarise


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 300), st.sampled_from([2, 5, 50, 10**9]), st.floats(0.05, 0.95))
def test_figures_agree_with_scikit_learn_also_on_tied_scores(
    seed: int, count: int, values: int, threshold: float
) -> None:
    rng = np.random.default_rng(seed)
    fake = rng.random(count) < 0.4
    fake[:2] = [False, True]
    p = np.clip(np.round((rng.random(count) + 0.4 * fake) / 1.4 * values) / values, 0, 1)
    told = summarise(fake, p, np.arange(count), threshold=threshold, draws=2)
    near = 1e-9
    assert told.auc.value == pytest.approx(roc_auc_score(fake, p), abs=near)
    assert told.average_precision.value == pytest.approx(average_precision_score(fake, p), abs=near)
    assert told.accuracy.value == pytest.approx(accuracy_score(fake, p >= threshold), abs=near)
    assert told.balanced_accuracy.value == pytest.approx(
        balanced_accuracy_score(fake, p >= threshold), abs=near
    )
    assert told.brier.value == pytest.approx(brier_score_loss(fake, p), abs=near)
    assert told.log_loss.value == pytest.approx(log_loss(fake, np.clip(p, 1e-12, 1 - 1e-12)), abs=near)
    assert told.calibration_error.value == pytest.approx(expected_calibration_error(fake, p), abs=near)
    assert told.equal_error_rate.value == pytest.approx(equal_error_rate(fake, p), abs=near)
    fpr, tpr, _ = roc_curve(fake, p, drop_intermediate=False)
    assert told.detection_at_1.value == pytest.approx(tpr[fpr <= 0.01].max(), abs=near)
    assert told.detection_at_10.value == pytest.approx(tpr[fpr <= 0.1].max(), abs=near)
    assert told.majority == pytest.approx(max(fake.mean(), 1 - fake.mean()), abs=near)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """Sources of several samples that resemble each other, 60 of each label; the truth from a large draw."""

    def sample(rng: np.random.Generator, sources: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        fake = np.repeat(np.arange(2 * sources) % 2 == 1, 4)
        source = np.repeat(np.arange(2 * sources), 4)
        own = rng.normal(0, 1, 2 * sources)[source]
        return fake, 1 / (1 + np.exp(-(1.2 * fake + own + rng.normal(0, 1, len(fake)) - 0.6))), source

    truth = summarise(*sample(np.random.default_rng(1), 100_000), draws=2)
    hits = {"auc": 0, "accuracy": 0, "balanced_accuracy": 0, "brier": 0, "false_alarm_rate": 0}
    runs = 250
    for seed in range(runs):
        told = summarise(*sample(np.random.default_rng(seed + 2), 60), draws=200, seed=seed)
        for name in hits:
            interval = getattr(told, name)
            hits[name] += interval.low <= getattr(truth, name).value <= interval.high
    for name, count in hits.items():
        assert 0.915 <= count / runs <= 0.985, (name, count / runs)


def test_large_sets_get_the_intervals_that_drawing_all_of_them_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    source = np.arange(8_000).repeat(2)
    fake = source % 2 == 1
    p = 1 / (1 + np.exp(-(1.2 * fake + rng.normal(0, 1, 8_000)[source] + rng.normal(0, 1, len(source)))))
    whole = summarise(fake, p, source)
    monkeypatch.setattr(module, "MOST_DRAWN", 4_000)
    monkeypatch.setattr(module, "SOURCES_OF_PART", 500)
    part = summarise(fake, p, source)
    for name in (*summary.RANKED, *summary.SUMMED):
        one, other = getattr(whole, name), getattr(part, name)
        assert one.value == other.value
        assert other.low < other.value < other.high, name
        # 1 % of the reals of a part this small are 20 sources.
        near = 0.5 if name == "detection_at_1" else 0.25
        assert (other.high - other.low) / (one.high - one.low) == pytest.approx(1, abs=near), name


def test_a_large_set_of_few_sources_is_drawn_from_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """As faces of videos are: thinning by samples alone would leave next to no source."""
    rng = np.random.default_rng(0)
    source = np.arange(60).repeat(200)
    fake = source % 2 == 1
    p = 1 / (1 + np.exp(-(1.2 * fake + rng.normal(0, 1, 60)[source] + rng.normal(0, 1, len(source)))))
    whole = summarise(fake, p, source, draws=500)
    monkeypatch.setattr(module, "MOST_DRAWN", 200)
    part = summarise(fake, p, source, draws=500)
    assert part == whole


def test_one_source_of_each_label_among_many_samples_gives_no_interval() -> None:
    source = np.arange(2).repeat(8_000)
    told = summarise(source == 1, np.linspace(0.1, 0.9, 16_000), source, draws=20)
    assert told.auc.value == 1.0
    assert np.isnan(told.auc.low)


def test_a_fake_and_its_original_are_drawn_together() -> None:
    """Their scores rise and fall together, so their order is surer than of as many strangers."""
    rng = np.random.default_rng(0)
    source = np.arange(200).repeat(2)
    fake = np.arange(400) % 2 == 1
    p = 1 / (1 + np.exp(-(2 * fake + 3 * rng.normal(0, 1, 200)[source] + 0.1 * rng.normal(0, 1, 400))))
    tied, strange = summarise(fake, p, source), summarise(fake, p, np.arange(400))
    assert tied.auc.value == strange.auc.value
    assert tied.auc.high - tied.auc.low < 0.7 * (strange.auc.high - strange.auc.low)
    assert (tied.real_sources, tied.fake_sources) == (200, 200)


def test_detection_at_a_rate_needs_reals_that_can_show_it() -> None:
    rng = np.random.default_rng(0)
    fake = np.arange(160) % 2 == 1
    told = summarise(fake, np.clip(0.3 + 0.3 * fake + 0.1 * rng.normal(0, 1, 160), 0, 1), np.arange(160))
    assert np.isnan(told.detection_at_1.low), "80 reals: not one may be called fake"
    assert told.detection_at_10.low <= told.detection_at_10.value <= told.detection_at_10.high


def test_calibration_error_is_bounded_from_above() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        p = rng.random(300)
        told = summarise(rng.random(300) < p, p, np.arange(300), draws=100).calibration_error
        assert told.low == 0.0
        assert told.value < told.high


def test_drawing_rows_instead_of_sources_would_be_too_sure() -> None:
    rng = np.random.default_rng(0)
    fake = np.repeat(np.arange(40) % 2 == 1, 50)
    source = np.repeat(np.arange(40), 50)
    p = 1 / (1 + np.exp(-(fake + rng.normal(0, 1, 40)[source])))
    honest, naive = summarise(fake, p, source), summarise(fake, p, np.arange(len(p)))
    assert honest.auc.value == naive.auc.value
    assert honest.auc.high - honest.auc.low > 3 * (naive.auc.high - naive.auc.low)


def test_one_label_gives_what_can_be_said_and_no_number_for_the_rest() -> None:
    told = summarise(np.zeros(20, bool), np.linspace(0, 1, 20), np.arange(20), threshold=0.9)
    assert np.isnan(told.auc.value)
    assert np.isnan(told.auc.low)
    assert np.isnan(told.balanced_accuracy.value)
    assert told.false_alarm_rate.value == pytest.approx(0.1)
    assert told.false_alarm_rate.low <= 0.1 <= told.false_alarm_rate.high
    assert told.accuracy.value == pytest.approx(0.9)


def test_few_sources_give_no_interval() -> None:
    told = summarise(np.arange(40) % 2 == 1, np.linspace(0, 1, 40), np.arange(40) % 4)
    assert np.isnan(told.auc.low)
    assert not np.isnan(told.auc.value)


@pytest.mark.parametrize("broken", [[0.5, np.nan], [0.5, np.inf], [-0.1, 0.5], [0.5, 1.1]])
def test_what_is_no_probability_is_refused(broken: list[float]) -> None:
    with pytest.raises(DataError):
        summarise([True, False], broken, ["a", "b"])


def test_nothing_to_measure_is_said() -> None:
    with pytest.raises(DataError, match="nothing"):
        summarise([], [], [])
