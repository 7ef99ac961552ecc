"""Xception (Chollet, "Xception: deep learning with depthwise separable convolutions", CVPR 2017).

The usual baseline of deepfake detection since FaceForensics++ (Rössler et al., ICCV 2019).
"""

from __future__ import annotations

from torch import Tensor, nn

from unmask.zoo.head import judge
from unmask.zoo.network import NETWORKS, NetworkInfo

HALF = (0.5, 0.5, 0.5)
MIDDLE_BLOCKS = 8


def _separable(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, padding=1, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


class _Block(nn.Module):
    """Separable convolutions beside a shortcut; halves the size where it widens."""

    def __init__(self, inputs: int, widths: tuple[int, ...], shrinks: bool, begins_with_relu: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = inputs
        for number, width in enumerate(widths):
            if number or begins_with_relu:
                layers.append(nn.ReLU())
            layers.append(_separable(channels, width))
            channels = width
        if shrinks:
            layers.append(nn.MaxPool2d(3, 2, 1))
        self.path = nn.Sequential(*layers)
        self.shortcut: nn.Module = nn.Identity()
        if shrinks:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, channels, 1, 2, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        return self.path(x) + self.shortcut(x)


class Xception(nn.Module):
    """Maps images (N, 3, S, S) to `(logit (N,), evidence (N, h, w))`; the map's mean is the logit."""

    def __init__(self, size: int = 299, dropout: float | None = None) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, bias=False),
            nn.BatchNorm2d(32),
            nn.ReLU(inplace=True),
            nn.Conv2d(32, 64, 3, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(inplace=True),
            _Block(64, (128, 128), shrinks=True, begins_with_relu=False),
            _Block(128, (256, 256), shrinks=True, begins_with_relu=True),
            _Block(256, (728, 728), shrinks=True, begins_with_relu=True),
            *[_Block(728, (728, 728, 728), False, True) for _ in range(MIDDLE_BLOCKS)],
            _Block(728, (728, 1024), shrinks=True, begins_with_relu=True),
            _separable(1024, 1536),
            nn.ReLU(inplace=True),
            _separable(1536, 2048),
            nn.ReLU(inplace=True),
        )
        self.dropout = nn.Dropout(0.5 if dropout is None else dropout)
        self.classifier = nn.Linear(2048, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return judge(self.features(x), self.classifier, self.dropout)


NETWORKS.register("xception")(
    NetworkInfo(
        name="xception",
        make=Xception,
        size=299,
        paper="Chollet, Xception: deep learning with depthwise separable convolutions, CVPR 2017",
        parameters=20_809_001,
        macs=8_355_560_296,
        mean=HALF,
        std=HALF,
        least_size=64,
    )
)
