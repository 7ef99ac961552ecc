"""Draws: every crop once per round, or balanced so that nothing crowds out the rest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from unmask.data.corpus import Sample
from unmask.errors import DataError
from unmask.training.draws import Draws, Rounds

NOWHERE = ((0.0, 0.0),) * 5


def sample(number: int, dataset: str, source: str) -> Sample:
    return Sample(Path(f"{number}.png"), False, "train", "original", dataset, source, "photo", NOWHERE)


CROPS = [sample(n, "large", "one clip") for n in range(400)] + [
    sample(400 + n, "small", f"s{n}") for n in range(4)
]


def shares(balance: str) -> Counter[str]:
    draws, rng = Draws(CROPS, balance), np.random.default_rng(0)  # type: ignore[arg-type]
    return Counter(draws.draw(rng).dataset for _ in range(2000))


def test_groups_weigh_by_the_square_root_of_their_size() -> None:
    assert shares("groups")["small"] / 2000 == pytest.approx(2 / 22, abs=0.02)


def test_domains_draw_photos_and_frames_of_recordings_half_and_half() -> None:
    photos = [sample(n, "photos", f"s{n}") for n in range(400)]
    clips = [
        replace(sample(n, dataset, source), kind="frame")
        for n, (dataset, source) in enumerate(
            [("many", f"c{n % 20}") for n in range(200)] + [("one", "c")] * 200
        )
    ]
    draws, rng = Draws(photos + clips, "domains"), np.random.default_rng(0)
    drawn = Counter(draws.draw(rng).dataset for _ in range(4000))
    assert drawn["photos"] / 4000 == pytest.approx(0.5, abs=0.03)
    # Of the one long recording 40 crops count.
    assert drawn["one"] / drawn["many"] == pytest.approx((40 / 200) ** 0.5, abs=0.06)


def test_one_domain_alone_is_all_of_it() -> None:
    assert shares("domains")["small"] / 2000 == pytest.approx(2 / (2 + 40**0.5), abs=0.03)


def test_sources_weigh_alike() -> None:
    assert shares("sources")["small"] / 2000 == pytest.approx(4 / 5, abs=0.03)


def test_classes_draw_any_crop_evenly() -> None:
    assert shares("classes")["small"] < 60


def test_no_samples_of_a_label_is_refused() -> None:
    with pytest.raises(DataError):
        Draws([])


def test_a_round_holds_every_sample_once_in_another_order_each_time() -> None:
    rounds = Rounds(CROPS, seed=3)
    size = len(CROPS)
    first, second = ([rounds[turn * size + i].path for i in range(size)] for turn in (0, 1))
    assert len(set(first)) == len(set(second)) == size
    assert first != second
    assert rounds[5].path == first[5]
