"""Calibration and band, on scores whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmask.data.sample import Sample
from unmask.detector.card import Calibration
from unmask.training import calibrate
from unmask.training.calibrate import Unit
from unmask.training.fit import Scored, spread
from unmask.types import RECORDING


def units(rng: np.random.Generator, count: int = 2000) -> list[Unit]:
    """Photos whose true log-odds of being fake are 2 × score - 1, half of them fake."""
    found: dict[bool, list[Unit]] = {True: [], False: []}
    while min(map(len, found.values())) < count // 2:
        score = rng.normal(0.5, 1.5)
        fake = bool(rng.random() < 1 / (1 + np.exp(-(2 * score - 1))))
        found[fake].append(Unit(np.array([score]), fake, "m", "d", str(score), recording=False))
    return found[True][: count // 2] + found[False][: count // 2]


def test_calibration_finds_the_true_log_odds() -> None:
    sample = units(np.random.default_rng(0), 8000)
    fit = calibrate.fit_calibration(sample, calibrate.aggregated(sample, "mean"))
    assert fit.scale == pytest.approx(2.0, rel=0.1)
    assert fit.offset == pytest.approx(-1.0, abs=0.15)


def test_band_keeps_its_rates_and_holds_one_half() -> None:
    sample = units(np.random.default_rng(1))
    scores = calibrate.aggregated(sample, "mean")
    chances = calibrate.probabilities_of(scores, calibrate.fit_calibration(sample, scores))
    band = calibrate.fit_band(sample, chances)
    assert band.real_below < 0.5 < band.fake_above
    labels = np.array([unit.fake for unit in sample])
    assert (chances[~labels] >= band.fake_above).mean() <= calibrate.FALSE_ALARM_RATE + 1e-3
    assert (chances[labels] <= band.real_below).mean() <= calibrate.MISS_RATE + 2e-3


def test_band_keeps_its_rates_for_recordings_though_they_are_few() -> None:
    rng = np.random.default_rng(4)
    photos = [Unit(rng.normal(-2, 1, 1), False, "", "d", f"p{n}", recording=False) for n in range(500)]
    clips = [Unit(rng.normal(1, 1, 1), False, "", "d", f"c{n}", recording=True) for n in range(25)]
    fakes = [Unit(rng.normal(3, 1, 1), True, "m", "d", f"f{n}", recording=n % 2 == 0) for n in range(100)]
    sample = [*photos, *clips, *fakes]
    chances = calibrate.probabilities_of(calibrate.aggregated(sample, "mean"), Calibration(1.0, 0.0))
    band = calibrate.fit_band(sample, chances)
    assert (chances[500:525] >= band.fake_above).mean() <= calibrate.FALSE_ALARM_RATE
    few = [*photos, *clips[:5], *fakes]
    assert calibrate.fit_band(few, chances[[*range(505), *range(525, 625)]]).fake_above < band.fake_above


def test_band_keeps_its_rate_for_the_strangest_of_real_data_sets() -> None:
    rng = np.random.default_rng(6)

    def reals(dataset: str, middle: float, count: int) -> list[Unit]:
        return [
            Unit(rng.normal(middle, 1, 1), False, "", dataset, f"{dataset}{n}", False) for n in range(count)
        ]

    fakes = [Unit(rng.normal(3, 1, 1), True, "m", "d", f"f{n}", recording=False) for n in range(100)]

    def upper(sample: list[Unit]) -> float:
        chances = calibrate.probabilities_of(calibrate.aggregated(sample, "mean"), Calibration(1.0, 0.0))
        return calibrate.fit_band(sample, chances).fake_above

    usual, strange = reals("usual", -2, 500), reals("strange", 1.5, 20)
    limit = upper([*usual, *strange, *fakes])
    scores = calibrate.aggregated(strange, "mean")
    assert (calibrate.probabilities_of(scores, Calibration(1.0, 0.0)) >= limit).mean() <= 0.05
    # Fewer say too little of their make to be heard by themselves.
    assert upper([*usual, *strange[:19], *fakes]) < limit


def test_methods_that_were_trained_on_calibrate_nothing_where_there_are_others() -> None:
    rng = np.random.default_rng(5)

    def fakes(method: str, middle: float) -> list[Unit]:
        return [Unit(rng.normal(middle, 1, 1), True, method, "d", f"{method}{n}", False) for n in range(30)]

    reals = [Unit(rng.normal(-2, 1, 1), False, "", "d", f"r{n}", False) for n in range(60)]
    everything = [*reals, *fakes("known", 4.0), *fakes("new", 0.0), *fakes("newer", 0.5)]
    strange = calibrate.unseen(everything, {"known"})
    assert {unit.method for unit in strange if unit.fake} == {"new", "newer"}
    assert sum(not unit.fake for unit in strange) == 60
    assert calibrate.unseen(everything, {"known", "new"}) == everything
    sure, modest = (
        calibrate.fit_calibration(u, calibrate.aggregated(u, "mean")) for u in (everything, strange)
    )
    assert modest.logit(-2.0) > sure.logit(-2.0)


def test_operating_points_say_what_was_measured_at_them() -> None:
    photos = units(np.random.default_rng(2))
    sample = [replace(unit, recording=number % 2 == 1) for number, unit in enumerate(photos)]
    chances = calibrate.aggregated(sample, "mean")
    labels = np.array([unit.fake for unit in sample])
    recordings = np.array([unit.recording for unit in sample])
    points = calibrate.operating_points(sample, chances)
    assert [point.on for point in points] == [""] * 3 + [RECORDING] * 3
    for point, rate in zip(points, (0.01, 0.05, 0.1) * 2, strict=True):
        of = recordings if point.on else np.ones(len(sample), dtype=bool)
        assert (chances[of & ~labels] >= point.threshold).mean() <= rate
        assert point.false_alarm_rate <= rate
        found = (chances[of & labels] >= point.threshold).mean()
        assert found == pytest.approx(point.detection_rate, abs=5e-3)


def test_recordings_get_thresholds_of_their_own_where_there_are_enough() -> None:
    photos = units(np.random.default_rng(2))
    sample = [replace(unit, recording=number < 19) for number, unit in enumerate(photos)]
    points = calibrate.operating_points(sample, calibrate.aggregated(sample, "mean"))
    assert [point.on for point in points] == [""] * 3


def test_partly_forged_recordings_favour_an_aggregation_that_sees_a_stretch() -> None:
    rng = np.random.default_rng(3)
    recordings = [
        Unit(rng.normal(2.0 if fake else 0.0, 1.0, 60), fake, "m", "d", f"{fake}{i}", recording=True)
        for fake in (True, False)
        for i in range(8)
    ]
    trials = {trial.name: trial for trial in calibrate.try_aggregations(recordings)}
    assert trials["window"].partly > trials["median"].partly
    # Thinned recordings do not tell what the best of many runs is worth.
    thinned = [replace(unit, scores=unit.scores[::4]) for unit in recordings]
    assert {trial.name for trial in calibrate.try_aggregations(thinned)} == {"mean", "median", "top"}


MARKS = ((1.0, 1.0), (2.0, 1.0), (1.5, 1.5), (1.0, 2.0), (2.0, 2.0))


def frames(origin: str, times: list[float], compression: str = "") -> list[Sample]:
    """Forged frames of one clip; all clips come of one source."""
    return [
        Sample(
            Path(f"{origin}-{compression}-{time}.webp"), True, "val", "swap", "d", "s", "frame", MARKS,
            compression=compression, time=time, origin=origin,
        )
        for time in times
    ]  # fmt: skip


def test_a_unit_is_one_recording_in_the_order_of_time() -> None:
    photo = Sample(Path("p.webp"), False, "val", "original", "d", "s", "photo", MARKS)
    samples = (
        *frames("a.mp4", [2.0, 0.0, 1.0]),
        *frames("b.mp4", [0.0, 1.0]),
        *frames("b.mp4", [0.0], "c40"),
        *(frame for at in (1.0, 0.0) for frame in frames(f"clip/{at:.0f}.png", [at])),
        photo,
        replace(photo, path=Path("q.webp")),
    )
    units = calibrate.units_of(Scored(samples, tuple(float(n) for n in range(len(samples)))))
    found = sorted((unit.recording, unit.fake, unit.scores.tolist()) for unit in units)
    assert found == [
        (False, False, [8.0]),
        (False, False, [9.0]),
        (True, True, [1.0, 2.0, 0.0]),
        (True, True, [3.0, 4.0]),
        (True, True, [5.0]),
        (True, True, [7.0, 6.0]),
    ]
    assert {unit.source for unit in units} == {"s"}


def test_thinning_keeps_crops_from_all_over_every_recording() -> None:
    first, second = frames("a.mp4", [3.0, 0.0, 4.0, 1.0, 2.0]), frames("b.mp4", [1.0, 0.0])
    kept = spread([*first, *second], 3)
    assert [(s.origin, s.time) for s in kept] == [
        ("a.mp4", 0.0), ("a.mp4", 4.0), ("a.mp4", 2.0), ("b.mp4", 1.0), ("b.mp4", 0.0),
    ]  # fmt: skip
