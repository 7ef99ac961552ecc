"""Meso4 and MesoInception4 (Afchar et al., "MesoNet", WIFS 2018): tiny networks for compressed video."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from unmask.zoo.network import NETWORKS, PLAIN_MEAN, PLAIN_STD, NetworkInfo

EPSILON, MOMENTUM = 1e-3, 0.01
"""Batch normalisation as in the authors' framework, so that their weights can be loaded."""


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=EPSILON, momentum=MOMENTUM)


def _step(inputs: int, outputs: int, kernel: int, pool: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2),
        nn.ReLU(inplace=True),
        _norm(outputs),
        nn.MaxPool2d(pool, pool, ceil_mode=True),
    ]


class Inception(nn.Module):
    """Four branches side by side: 1 × 1, 3 × 3, and two dilated 3 × 3."""

    def __init__(self, inputs: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        one, two, three, four = widths

        def branch(width: int, dilation: int) -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(inputs, width, 1),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation),
                nn.ReLU(inplace=True),
            )

        self.branches = nn.ModuleList(
            [
                nn.Sequential(nn.Conv2d(inputs, one, 1), nn.ReLU(inplace=True)),
                branch(two, 1),
                branch(three, 2),
                branch(four, 3),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Meso(nn.Module):
    """Maps images (N, 3, S, S), pixels in [0, 1], to one logit each."""

    def __init__(self, inception: bool, size: int = 256, dropout: float | None = None) -> None:
        super().__init__()
        drop = 0.5 if dropout is None else dropout
        if inception:
            head: list[nn.Module] = [
                Inception(3, (1, 4, 4, 2)),
                _norm(11),
                nn.MaxPool2d(2, 2, ceil_mode=True),
                Inception(11, (2, 4, 4, 2)),
                _norm(12),
                nn.MaxPool2d(2, 2, ceil_mode=True),
                *_step(12, 16, 5, 2),
            ]
        else:
            head = [*_step(3, 8, 3, 2), *_step(8, 8, 5, 2), *_step(8, 16, 5, 2)]
        self.features = nn.Sequential(*head, *_step(16, 16, 5, 4))
        side = size
        for pool in (2, 2, 2, 4):
            side = -(-side // pool)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(drop),
            nn.Linear(16 * side * side, 16),
            nn.LeakyReLU(0.1),
            nn.Dropout(drop),
            nn.Linear(16, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.classifier(self.features(x))[:, 0], None


def _meso4(size: int = 256, dropout: float | None = None) -> Meso:
    return Meso(inception=False, size=size, dropout=dropout)


def _mesoinception4(size: int = 256, dropout: float | None = None) -> Meso:
    return Meso(inception=True, size=size, dropout=dropout)


for _name, _make, _parameters, _macs in (
    ("meso4", _meso4, 27_977, 60_047_376),
    ("mesoinception4", _mesoinception4, 28_615, 57_098_256),
):
    NETWORKS.register(_name)(
        NetworkInfo(
            name=_name,
            make=_make,
            size=256,
            paper="Afchar et al., MesoNet: a compact facial video forgery detection network, WIFS 2018",
            parameters=_parameters,
            macs=_macs,
            mean=PLAIN_MEAN,
            std=PLAIN_STD,
        )
    )
