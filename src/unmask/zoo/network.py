"""What every network of the zoo is: one interface, and one table of names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from unmask.registry import Registry

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""What networks trained on ImageNet expect; RGB in [0, 1]."""

PLAIN_MEAN = (0.0, 0.0, 0.0)
PLAIN_STD = (1.0, 1.0, 1.0)
"""For networks whose papers feed pixels in [0, 1] as they are."""

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class NetworkInfo:
    """An architecture and what is known of it.

    `make(size=, dropout=)` gives an untrained module that maps float images (N, 3, size, size), normalised by
    `mean` and `std` (RGB in [0, 1]), to `(logit (N,), evidence)`. A logit above 0 means fake. `evidence`
    (N, h, w) says which places spoke for it, its mean is the logit; None where the network keeps no places.
    `size` is the side in pixels it was designed for; `parameters` and `macs` (multiply-adds) are at it.
    `starts` are the weights it can begin from. `tunes` says by name which parameters are trained (all, where
    it is None).
    """

    name: str
    make: Callable[..., nn.Module]
    size: int
    paper: str
    parameters: int
    macs: int
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    least_size: int = 32
    starts: tuple[str, ...] = ()
    load: Callable[[nn.Module, dict[str, torch.Tensor]], None] | None = None
    tunes: Callable[[str], bool] | None = field(default=None)


NETWORKS: Registry[NetworkInfo] = Registry("network")


def count_macs(network: nn.Module, size: int) -> int:
    """Multiply-adds of one image of `size` pixels through `network`, by counting those of its matrix products
    and convolutions."""
    counter = FlopCounterMode(display=False)
    device = next(network.parameters()).device
    was_training = network.training
    network.eval()
    with counter, torch.no_grad():
        network(torch.zeros(1, 3, size, size, device=device))
    network.train(was_training)
    return int(counter.get_total_flops()) // 2


def count_parameters(network: nn.Module) -> int:
    """All weights and biases, trained or not; running statistics are not counted."""
    return sum(parameter.numel() for parameter in network.parameters())
