"""Drawing whole sources gives bands that hold what they say, the same at any size of set."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from unmask.figures import sources as module
from unmask.figures.curves import roc
from unmask.figures.draws import SourceDraws, area, roc_band
from unmask.figures.paired import Standing
from unmask.figures.scores import auc

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


def sample(random: np.random.Generator, sources: int, each: int = 2) -> Sample:
    """(fake, scores, sources): sources of one label, whose samples resemble each other."""
    source = np.repeat(np.arange(sources), each)
    fake = source % 2 == 1
    return (
        fake,
        1.2 * fake + 0.8 * random.normal(size=sources)[source] + 0.6 * random.normal(size=len(source)),
        source,
    )


def test_the_first_curve_is_that_of_the_samples_and_the_rest_vary_as_clusters_do() -> None:
    fake, scores, source = sample(np.random.default_rng(0), 120, 3)
    drawn = SourceDraws(fake, source, draws=600)
    first, *rest = drawn.rocs(scores)
    assert area(first) == pytest.approx(auc(fake, scores), abs=1e-9)
    assert np.array_equal(first.at([0.1, 0.5]), roc(fake, scores).at([0.1, 0.5]))
    number = np.unique(source, return_inverse=True)[1]
    nothing = Standing.of_auc(fake, np.zeros(len(fake)), number)
    error = Standing.of_auc(fake, scores, number).error_of_difference(nothing)
    assert np.std([area(curve) for curve in rest]) == pytest.approx(error, rel=0.15)


def test_labels_keep_their_weight_and_what_is_tied_stays_tied() -> None:
    # Ten sources have reals only, ten fakes only, and ten have one of each.
    fake = np.repeat([False, True, False, True], 10)
    source = np.concatenate([np.arange(20), np.arange(20, 30), np.arange(20, 30)])
    drawn = SourceDraws(fake, source, draws=50)
    assert (drawn.counts(fake) == 20).all()
    assert (drawn.counts(~fake) == 20).all()
    for n in range(20, 30):
        assert np.array_equal(drawn.counts((source == n) & fake), drawn.counts((source == n) & ~fake))
    assert drawn.counts(source == 0).std() > 0


def test_a_band_holds_the_truth_as_often_as_it_says() -> None:
    at = np.array([0.05, 0.2, 0.5])
    # Both labels are normal, of the same width, and 1.2 apart.
    truth = norm.sf(norm.isf(at) - 1.2)
    held = []
    for seed in range(120):
        fake, scores, source = sample(np.random.default_rng(seed), 100, 2)
        low, high = roc_band(scores, roc(fake, scores), SourceDraws(fake, source, draws=150, seed=seed), at)
        held.append((low <= truth) & (truth <= high))
    assert (np.mean(held, axis=0) >= 0.87).all(), np.mean(held, axis=0)
    assert (np.mean(held, axis=0)[1:] <= 0.99).all()


def test_a_large_set_has_the_band_that_drawing_all_of_it_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, scores, source = sample(np.random.default_rng(3), 4_000)
    curve, at = roc(fake, scores), np.array([0.1, 0.3, 0.6])
    whole = roc_band(scores, curve, SourceDraws(fake, source, draws=300), at)
    monkeypatch.setattr(module, "MOST_DRAWN", 2_000)
    monkeypatch.setattr(module, "SOURCES_OF_PART", 500)
    drawn = SourceDraws(fake, source, draws=300)
    part = roc_band(scores, curve, drawn, at)
    assert len(drawn.rows) < 2_400
    assert part[1] - part[0] == pytest.approx(whole[1] - whole[0], rel=0.3)
    assert (part[0] < curve.at(at)).all()
    assert (curve.at(at) < part[1]).all()


def test_one_seed_draws_alike_and_names_of_sources_do_not_matter() -> None:
    fake, scores, source = sample(np.random.default_rng(4), 30)
    names = np.array([f"clip {n:03}" for n in source])
    told = [
        [area(curve) for curve in SourceDraws(fake, of, draws=20, seed=seed).rocs(scores)]
        for of, seed in ((source, 1), (names, 1), (source, 2))
    ]
    assert told[0] == told[1]
    assert told[0] != told[2]


@pytest.mark.parametrize("count", [0, 4, 8])
def test_too_few_sources_are_said(count: int) -> None:
    fake, _, source = sample(np.random.default_rng(5), count)
    assert not SourceDraws(fake, source, draws=5).enough
    fake, _, source = sample(np.random.default_rng(5), 10)
    assert SourceDraws(fake, source, draws=5).enough
