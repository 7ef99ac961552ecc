"""MobileNetV2 (Sandler et al., CVPR 2018): inverted residuals with linear bottlenecks.

2.2 M parameters without its classifier, 300 M multiply-adds at 224 × 224. State-dict names are those of the
widely published ImageNet weights, so that these load as they are.
"""

from __future__ import annotations

from torch import Tensor, nn

from unmask.zoo.head import judge
from unmask.zoo.network import NETWORKS, NetworkInfo

STAGES = (
    # expansion, channels, repeats, stride of the first
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
FEATURES = 1280


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


class InvertedResidual(nn.Module):
    """Expand, filter depth-wise, project; the input is added where shapes allow."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: list[nn.Module] = [] if expansion == 1 else [_conv(inputs, hidden, kernel=1)]
        layers += [
            _conv(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        self.conv = nn.Sequential(*layers)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNetV2(nn.Module):
    """Maps images (N, 3, S, S), normalised, to one logit each and the map it is the mean of.

    `forward` returns `(logit (N,), evidence (N, S/32, S/32))`, see `head.judge`.
    """

    def __init__(self, size: int = 224, dropout: float | None = None) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_conv(3, 32, stride=2)]
        channels = 32
        for expansion, width, repeats, stride in STAGES:
            for repeat in range(repeats):
                blocks.append(InvertedResidual(channels, width, stride if repeat == 0 else 1, expansion))
                channels = width
        blocks.append(_conv(channels, FEATURES, kernel=1))
        self.features = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(0.2 if dropout is None else dropout)
        self.classifier = nn.Linear(FEATURES, 1)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return judge(self.features(x), self.classifier, self.dropout)


def load(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Take the features from ImageNet weights; the 1000-way classifier is left out."""
    kept = {name: value for name, value in state.items() if name.startswith("features.")}
    missing, unexpected = network.load_state_dict(kept, strict=False)
    if unexpected or set(missing) != {"classifier.weight", "classifier.bias"}:
        raise ValueError(f"not MobileNetV2 weights: missing {missing}, unexpected {unexpected}")


NETWORKS.register("mobilenetv2")(
    NetworkInfo(
        name="mobilenetv2",
        make=MobileNetV2,
        size=224,
        paper="Sandler et al., MobileNetV2: inverted residuals and linear bottlenecks, CVPR 2018",
        parameters=2_225_153,
        macs=299_556_992,
        starts=("imagenet",),
        load=load,
    )
)
