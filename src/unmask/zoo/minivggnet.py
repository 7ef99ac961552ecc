"""MiniVGGNet (Rosebrock, "Deep Learning for Computer Vision with Python", 2017): VGG for small pictures."""

from __future__ import annotations

from torch import Tensor, nn

from unmask.zoo.network import NETWORKS, PLAIN_MEAN, PLAIN_STD, NetworkInfo


def _block(inputs: int, outputs: int, dropout: float) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1), nn.ReLU(inplace=True), nn.BatchNorm2d(outputs)]
    return [*layers, nn.MaxPool2d(2, 2), nn.Dropout(dropout)]


class MiniVGGNet(nn.Module):
    """Maps images (N, 3, S, S) to one logit each. `dropout` is the last layer's, the blocks have half."""

    def __init__(self, size: int = 64, dropout: float | None = None) -> None:
        super().__init__()
        last = 0.5 if dropout is None else dropout
        side = size // 4
        self.features = nn.Sequential(*_block(3, 32, last / 2), *_block(32, 64, last / 2))
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(64 * side * side, 512),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(512),
            nn.Dropout(last),
            nn.Linear(512, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.classifier(self.features(x))[:, 0], None


NETWORKS.register("minivggnet")(
    NetworkInfo(
        name="minivggnet",
        make=MiniVGGNet,
        size=64,
        paper="Rosebrock, Deep Learning for Computer Vision with Python, 2017",
        parameters=8_456_609,
        macs=106_299_904,
        mean=PLAIN_MEAN,
        std=PLAIN_STD,
        least_size=16,
    )
)
