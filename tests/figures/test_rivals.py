"""Models compared two by two: the tests are those of the literature, and what was not judged is left out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from unmask.figures.paired import delong
from unmask.figures.rivals import MOST_FIELDS, Rivals, holm
from unmask.figures.scores import auc

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


def sample(seed: int, sources: int, gap: float, each: int = 3) -> Sample:
    """(fake, P(fake) of two models (2, N), sources); the first is better by `gap`. A source has reals and
    fakes, and each model leans one way on all of them."""
    random = np.random.default_rng(seed)
    source = np.repeat(np.arange(sources), each)
    fake = np.tile(np.arange(each) > 0, sources)
    odds = [
        (1 + way * gap / 2) * (2 * fake - 1)
        + random.normal(0, 0.7, sources)[source]
        + random.normal(0, 0.9, len(fake))
        for way in (1, -1)
    ]
    return fake, 1 / (1 + np.exp(-np.array(odds))), source


def test_holm_gives_the_values_of_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.9]) == pytest.approx([0.8, 0.9])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_what_has_no_p_is_not_counted_among_the_comparisons() -> None:
    corrected = holm([math.nan, 0.02, math.nan, 0.5])
    assert corrected[1::2] == pytest.approx([0.04, 0.5])
    assert math.isnan(corrected[0])
    assert math.isnan(corrected[2])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_corrected_values_keep_their_order_and_never_fall(values: list[float]) -> None:
    corrected = holm(values)
    assert all(after >= before for before, after in zip(values, corrected, strict=True))
    assert all(value <= 1 for value in corrected)
    order = np.argsort(values, kind="stable")
    assert (np.diff(np.array(corrected)[order]) >= 0).all()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(8, 40), st.sampled_from([5, 10**9]))
def test_the_auc_s_test_is_delong_s_and_turned_round_it_is_the_same(
    seed: int, sources: int, values: int
) -> None:
    fake, p, source = sample(seed, sources, 0.5)
    p = np.round(p * values) / values
    rivals = Rivals(fake, p, source, [0.5, 0.5], draws=20)
    told, known = rivals.compare(0, 1).auc, delong(fake, p[0], p[1], source)
    assert told.value.value == pytest.approx(auc(fake, p[0]) - auc(fake, p[1]), abs=1e-9)
    assert told.p_value == pytest.approx(known.p_value, abs=1e-9)
    turned = rivals.compare(1, 0).auc
    assert turned.value.value == pytest.approx(-told.value.value, abs=1e-12)
    assert turned.p_value == pytest.approx(told.p_value, abs=1e-9)


def test_the_draws_agree_with_the_sums_over_sources() -> None:
    fake, p, source = sample(1, 150, 0.5)
    told, known = Rivals(fake, p, source, [0.5, 0.6]).compare(0, 1), delong(fake, p[0], p[1], source)
    assert told.auc.value.low == pytest.approx(known.auc.low, abs=0.008)
    assert told.auc.value.high == pytest.approx(known.auc.high, abs=0.008)
    for contrast in (told.auc, told.balanced_accuracy):
        # As wide as the normal distribution of that p would have it.
        error = abs(contrast.value.value) / norm.isf(contrast.p_value / 2)
        width = (contrast.value.high - contrast.value.low) / (2 * norm.ppf(0.975))
        assert width == pytest.approx(error, rel=0.12)
    fake, p, source = sample(4, 60, 0.15)
    told = Rivals(fake, p, source, [0.5, 0.5], draws=4000).compare(0, 1)
    for contrast in (told.auc, told.balanced_accuracy):
        assert contrast.p_drawn == pytest.approx(contrast.p_value, abs=0.06)


def test_balanced_accuracy_is_tested_as_mcnemar_does_where_samples_are_independent() -> None:
    random = np.random.default_rng(0)
    fake = np.repeat([False, True], 400)
    told = np.array([np.where(random.random(800) < right, fake, ~fake) for right in (0.8, 0.77)], float)
    found = Rivals(fake, told, np.arange(800), [0.5, 0.5], draws=2).compare(0, 1).balanced_accuracy
    right = (told >= 0.5) == fake
    only_first, only_second = (right[0] & ~right[1]).sum(), (right[1] & ~right[0]).sum()
    mcnemar = 2 * norm.sf(abs(only_first - only_second) / np.sqrt(only_first + only_second))
    assert found.value.value == pytest.approx((only_first - only_second) / 800, abs=1e-12)
    assert found.p_value == pytest.approx(mcnemar, abs=0.01)


def test_equal_models_are_told_apart_no_more_often_than_stated() -> None:
    found = []
    for seed in range(200):
        fake, p, source = sample(seed, 50, 0.0)
        told = Rivals(fake, p, source, [0.5, 0.5], draws=2).compare(0, 1)
        found.append([told.auc.p_value < 0.05, told.balanced_accuracy.p_value < 0.05])
    assert (np.mean(found, axis=0) < 0.09).all()
    assert (np.mean(found, axis=0) > 0.015).all()


def test_a_pair_is_compared_on_what_both_have_judged() -> None:
    fake, p, source = sample(2, 40, 0.5)
    holes = p.copy()
    holes[0, ::7] = np.nan
    holes[1, 3::11] = np.nan
    both = ~np.isnan(holes).any(axis=0)
    told = Rivals(fake, holes, source, [0.5, 0.4], draws=50).compare(0, 1)
    alone = Rivals(fake[both], p[:, both], source[both], [0.5, 0.4], draws=50).compare(0, 1)
    assert told == alone
    assert (told.real, told.fake) == ((~fake & both).sum(), (fake & both).sum())


def test_what_was_found_for_other_pairs_changes_nothing() -> None:
    fake, p, source = sample(3, 30, 0.5)
    many = np.concatenate([p] * (MOST_FIELDS + 1))
    for at in range(0, len(many), 2):
        many[at, at] = np.nan
    rivals = Rivals(fake, many, source, [0.5] * len(many), draws=10)
    pairs = [(at, at + 1) for at in range(0, len(many), 2)]
    before = [rivals.compare(*pair) for pair in pairs]
    assert [rivals.compare(*pair) for pair in pairs] == before
    fresh = [Rivals(fake, many, source, [0.5] * len(many), draws=10).compare(*pair) for pair in pairs]
    assert fresh == before


def test_a_model_is_no_better_than_itself() -> None:
    fake, p, source = sample(5, 20, 0.5)
    told = Rivals(fake, p[[0, 0]], source, [0.5, 0.5], draws=50).compare(0, 1)
    for contrast in (told.auc, told.balanced_accuracy):
        assert (contrast.value.value, contrast.value.low, contrast.value.high) == (0, 0, 0)
        assert (contrast.p_value, contrast.p_drawn) == (1, 1)


def test_few_sources_give_a_difference_and_nothing_else() -> None:
    fake, p, source = sample(6, 4, 0.5)
    told = Rivals(fake, p, source, [0.5, 0.5], draws=50).compare(0, 1)
    assert told.auc.value.value == pytest.approx(auc(fake, p[0]) - auc(fake, p[1]))
    for contrast in (told.auc, told.balanced_accuracy):
        rest = (contrast.value.low, contrast.value.high, contrast.p_value, contrast.p_drawn)
        assert all(map(math.isnan, rest))


@pytest.mark.parametrize("label", [False, True])
def test_one_label_gives_no_difference(label: bool) -> None:
    fake, p, source = sample(7, 10, 0.5)
    p[0, fake != label] = np.nan
    told = Rivals(fake, p, source, [0.5, 0.5], draws=5).compare(0, 1)
    assert (told.fake if label else told.real) > 0
    assert (told.real if label else told.fake) == 0
    assert math.isnan(told.auc.value.value)
    assert math.isnan(told.balanced_accuracy.value.value)
