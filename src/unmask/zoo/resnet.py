"""ResNet-18 and ResNet-50 (He et al., "Deep residual learning for image recognition", CVPR 2016).

The 50-layer network has its stride in the 3 × 3 convolution of a block, as later implementations do.
"""

from __future__ import annotations

import functools

from torch import Tensor, nn

from unmask.zoo.head import judge
from unmask.zoo.network import NETWORKS, NetworkInfo


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs)
    )


class Block(nn.Module):
    """Convolutions beside a shortcut; `bottleneck` squeezes to a quarter of the channels in between."""

    def __init__(self, inputs: int, outputs: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        if bottleneck:
            inner = outputs // 4
            steps = [(inputs, inner, 1, 1), (inner, inner, 3, stride), (inner, outputs, 1, 1)]
        else:
            steps = [(inputs, outputs, 3, stride), (outputs, outputs, 3, 1)]
        layers: list[nn.Module] = []
        for step in steps:
            layers += [_conv(*step), nn.ReLU(inplace=True)]
        self.path = nn.Sequential(*layers[:-1])
        for name, parameter in layers[-2].named_parameters():
            if name == "1.weight":
                nn.init.zeros_(parameter)  # a block begins as nothing but its shortcut
        same = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same else _conv(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.path(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Maps images (N, 3, S, S) to `(logit (N,), evidence (N, S/32, S/32))`; the map's mean is the logit."""

    def __init__(
        self, repeats: tuple[int, ...], bottleneck: bool, size: int = 224, dropout: float | None = None
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [_conv(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
        channels = 64
        for stage, repeat in enumerate(repeats):
            width = 64 * 2**stage * (4 if bottleneck else 1)
            for number in range(repeat):
                layers.append(Block(channels, width, 2 if stage and not number else 1, bottleneck))
                channels = width
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout or 0.0)
        self.classifier = nn.Linear(channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return judge(self.features(x), self.classifier, self.dropout)


for _name, _repeats, _bottleneck, _parameters, _macs in (
    ("resnet18", (2, 2, 2, 2), False, 11_177_025, 1_813_586_432),
    ("resnet50", (3, 4, 6, 3), True, 23_510_081, 4_087_236_608),
):
    NETWORKS.register(_name)(
        NetworkInfo(
            name=_name,
            make=functools.partial(ResNet, _repeats, _bottleneck),
            size=224,
            paper="He et al., Deep residual learning for image recognition, CVPR 2016",
            parameters=_parameters,
            macs=_macs,
        )
    )
