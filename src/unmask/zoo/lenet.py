"""LeNet-5 (LeCun et al., "Gradient-based learning applied to document recognition", Proc. IEEE 1998).

In the modern form in which small studies use it: two convolutions of 5 × 5 with padding, ReLU, pooling of
2 × 2 with stride 2, one hidden layer of 500, on colour pictures.
"""

from __future__ import annotations

from torch import Tensor, nn

from unmask.zoo.network import NETWORKS, PLAIN_MEAN, PLAIN_STD, NetworkInfo


class LeNet(nn.Module):
    """Maps images (N, 3, S, S) to one logit each; S is fixed when it is made."""

    def __init__(self, size: int = 64, dropout: float | None = None) -> None:
        super().__init__()
        side = size // 4
        self.features = nn.Sequential(
            nn.Conv2d(3, 20, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, 2),
            nn.Conv2d(20, 50, 5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, 2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(50 * side * side, 500),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout or 0.0),
            nn.Linear(500, 1),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.classifier(self.features(x))[:, 0], None


NETWORKS.register("lenet")(
    NetworkInfo(
        name="lenet",
        make=LeNet,
        size=64,
        paper="LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 1998",
        parameters=6_427_571,
        macs=38_144_500,
        mean=PLAIN_MEAN,
        std=PLAIN_STD,
        least_size=16,
    )
)
