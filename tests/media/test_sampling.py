"""Sampling: strides from the first frame, or K frames spread evenly."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.media import Sampling


def test_stride_begins_with_the_first_frame() -> None:
    assert Sampling().ranks(25).tolist() == [0, 10, 20]


@given(st.integers(1, 500), st.integers(0, 5000))
def test_k_frames_are_k_different_frames_evenly_spread(k: int, total: int) -> None:
    ranks = Sampling(stride=3, frames=k).ranks(total).tolist()
    assert len(ranks) == len(set(ranks)) == min(k, total)
    assert all(0 <= rank < total for rank in ranks)
    steps = [b - a for a, b in itertools.pairwise(ranks)]
    assert not steps or max(steps) - min(steps) <= 1


@pytest.mark.parametrize("wrong", [{"stride": 0}, {"frames": 0}, {"stride": -1}])
def test_numbers_below_one_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="1 or more"):
        Sampling(**wrong)
