"""EfficientNet-Lite0, 1 and 2: EfficientNet (Tan & Le, ICML 2019) as Google published it for small devices.

Against EfficientNet: no squeeze-and-excitation, ReLU6 instead of swish, and a stem and head that are not
scaled. Parameter names are those of the published ImageNet weights.
"""

from __future__ import annotations

import functools
import math

from torch import Tensor, nn

from unmask.zoo.head import judge
from unmask.zoo.network import NETWORKS, NetworkInfo

STAGES = (
    # repeats, kernel, stride of the first, expansion, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD = 32, 1280


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _scaled(channels: int, factor: float) -> int:
    """`channels` × `factor` as a multiple of 8, at most a tenth less."""
    wanted = channels * factor
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


class _Conv(nn.Conv2d):
    """Padded as the published weights were trained: what is odd of the padding goes to the right and below.

    Padding both sides alike samples other places at every halving; the weights hardly know a picture then.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        # A plain number also while being exported: a network is exported for crops of one size.
        totals = [
            max(0, (math.ceil(side / stride) - 1) * stride + kernel - side)
            for side in (int(x.shape[2]), int(x.shape[3]))
        ]
        padding = [total // 2 for total in totals]
        if any(total % 2 for total in totals):
            # By itself, which copies the picture: a convolution pads both sides alike.
            (above, before), (below, after) = padding, [total - total // 2 for total in totals]
            x, padding = nn.functional.pad(x, [before, after, above, below]), [0, 0]
        return nn.functional.conv2d(x, self.weight, None, self.stride, padding, groups=self.groups)


class _Block(nn.Module):
    """Expand, filter depth-wise, project; the input is added where shapes allow."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expands = expansion != 1
        if self.expands:
            self._expand_conv = nn.Conv2d(inputs, inner, 1, bias=False)
            self._bn0 = _norm(inner)
        self._depthwise_conv = _Conv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = _norm(inner)
        self._project_conv = nn.Conv2d(inner, outputs, 1, bias=False)
        self._bn2 = _norm(outputs)
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self.expands:
            y = nn.functional.relu6(self._bn0(self._expand_conv(y)))
        y = nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.adds else y


class EfficientNetLite(nn.Module):
    """Maps images (N, 3, S, S) to `(logit (N,), evidence (N, S/32, S/32))`; the map's mean is the logit."""

    def __init__(
        self, width: float, depth: float, default_dropout: float, size: int, dropout: float | None = None
    ) -> None:
        super().__init__()
        self._conv_stem = _Conv(3, STEM, 3, 2)
        self._bn0 = _norm(STEM)
        blocks: list[nn.Module] = []
        channels = STEM
        for number, (repeats, kernel, stride, expansion, outputs) in enumerate(STAGES):
            fixed = number in (0, len(STAGES) - 1)
            wide = _scaled(outputs, width)
            for repeat in range(repeats if fixed else math.ceil(repeats * depth)):
                blocks.append(_Block(channels, wide, kernel, 1 if repeat else stride, expansion))
                channels = wide
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = nn.Conv2d(channels, HEAD, 1, bias=False)
        self._bn1 = _norm(HEAD)
        self.dropout = nn.Dropout(default_dropout if dropout is None else dropout)
        self.classifier = nn.Linear(HEAD, 1)
        nn.init.normal_(self.classifier.weight, std=0.01)
        nn.init.zeros_(self.classifier.bias)

    def features(self, x: Tensor) -> Tensor:
        """(N, 1280, S/32, S/32)."""
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)))
        return nn.functional.relu6(self._bn1(self._conv_head(self._blocks(x))))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return judge(self.features(x), self.classifier, self.dropout)


def load(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Take all but the 1000-way classifier from ImageNet weights."""
    kept = {name: value for name, value in state.items() if not name.startswith("_fc.")}
    missing, unexpected = network.load_state_dict(kept, strict=False)
    if unexpected or set(missing) != {"classifier.weight", "classifier.bias"}:
        raise ValueError(f"not EfficientNet-Lite weights: missing {missing}, unexpected {unexpected}")


MEAN, STD = (127 / 255,) * 3, (128 / 255,) * 3
"""The published weights take (pixel - 127) / 128."""


def _make(width: float, depth: float, rate: float, size: int, dropout: float | None = None) -> nn.Module:
    return EfficientNetLite(width, depth, rate, size, dropout)


for _name, _size, _width, _depth, _rate, _parameters, _macs in (
    ("efficientnet_lite0", 224, 1.0, 1.0, 0.2, 3_372_289, 383_970_272),
    ("efficientnet_lite1", 240, 1.0, 1.1, 0.2, 4_136_961, 598_987_152),
    ("efficientnet_lite2", 260, 1.1, 1.2, 0.3, 4_812_353, 858_559_952),
):
    NETWORKS.register(_name)(
        NetworkInfo(
            name=_name,
            make=functools.partial(_make, _width, _depth, _rate),
            size=_size,
            paper="Tan & Le, EfficientNet: rethinking model scaling for convolutional neural networks, "
            "ICML 2019",
            parameters=_parameters,
            macs=_macs,
            mean=MEAN,
            std=STD,
            starts=("imagenet",),
            load=load,
        )
    )
