"""Optimisers, the rate through time, sharpness-aware steps and penalties."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from unmask.training.optimise import Penalty, Sharpness, make_optimizer, pace
from unmask.training.recipe import Optimizer, Regularise, Schedule


def test_the_rate_warms_up_and_ends_at_nothing() -> None:
    schedule = Schedule(warm_up=10)
    paces = [pace(schedule, step, 100) for step in range(100)]
    assert paces[0] == pytest.approx(0.1)
    assert paces[10] == pytest.approx(1.0)
    assert 0 < paces[-1] < 0.01


def test_a_warm_up_longer_than_the_training_is_cut_short() -> None:
    assert max(pace(Schedule(warm_up=1000), step, 20) for step in range(20)) == pytest.approx(1.0, abs=0.05)


def test_step_decay_and_constant_rates() -> None:
    tenths = [pace(Schedule(warm_up=0, decay="step"), step, 100) for step in (10, 60, 90)]
    assert tenths == pytest.approx([1, 0.1, 0.01])
    assert pace(Schedule(warm_up=0, decay="constant"), 99, 100) == 1


@pytest.mark.parametrize("kind", ["adam", "adamw", "sgd", "sam"])
def test_every_optimiser_descends(kind: str) -> None:
    weight = nn.Parameter(torch.tensor([3.0]))
    chosen = Optimizer(kind=kind)  # type: ignore[arg-type]
    optimizer = make_optimizer([weight], chosen, Schedule(rate=0.1, weight_decay=0))
    for _ in range(60):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    assert abs(float(weight.detach())) < 1.5


def test_sharpness_steps_with_the_gradient_from_uphill() -> None:
    weight = nn.Parameter(torch.tensor([1.0, 0.0]))
    weight.square().sum().backward()
    sharpness = Sharpness([weight], radius=0.5)
    sharpness.climb()
    assert weight.tolist() == pytest.approx([1.5, 0.0])
    weight.square().sum().backward()
    sharpness.back()
    assert weight.tolist() == pytest.approx([1.0, 0.0])
    assert weight.grad is not None
    assert weight.grad.tolist() == pytest.approx([3.0, 0.0])


def test_penalties_count_kernels_and_activities() -> None:
    network = nn.Sequential(nn.Linear(2, 1, bias=False)).train()
    nn.init.constant_(network[0].weight, 2.0)
    penalty = Penalty(network, Regularise(l1_kernel=0.1, l2_activity=0.01))
    network(torch.ones(4, 2))
    assert float(torch.as_tensor(penalty.value()).detach()) == pytest.approx(0.1 * 4 + 0.01 * 16)
    assert float(torch.as_tensor(penalty.value()).detach()) == pytest.approx(0.4)
    network.eval()(torch.ones(1, 2))
    assert float(torch.as_tensor(penalty.value()).detach()) == pytest.approx(0.4)
