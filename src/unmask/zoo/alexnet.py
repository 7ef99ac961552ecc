"""AlexNet (Krizhevsky et al., NeurIPS 2012), in the single-tower form of its first author's paper of 2014."""

from __future__ import annotations

from torch import Tensor, nn

from unmask.zoo.network import NETWORKS, NetworkInfo


class AlexNet(nn.Module):
    """Maps images (N, 3, S, S), S ≥ 63, to one logit each."""

    def __init__(self, size: int = 224, dropout: float | None = None) -> None:
        super().__init__()
        drop = 0.5 if dropout is None else dropout
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, 2),
        )
        side = size
        for step in (lambda s: (s - 7) // 4 + 1, *[lambda s: (s - 3) // 2 + 1] * 3):
            side = step(side)
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(drop),
            nn.Linear(256 * side * side, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(drop),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.classifier(self.features(x))[:, 0], None


NETWORKS.register("alexnet")(
    NetworkInfo(
        name="alexnet",
        make=AlexNet,
        size=224,
        paper="Krizhevsky et al., ImageNet classification with deep convolutional neural networks, "
        "NeurIPS 2012",
        parameters=57_007_937,
        macs=710_096_576,
        least_size=63,
    )
)
