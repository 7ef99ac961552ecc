"""VGG16 and VGG19 (Simonyan & Zisserman, ICLR 2015): configurations D and E, all of 3 × 3 convolutions."""

from __future__ import annotations

import functools

from torch import Tensor, nn

from unmask.zoo.network import NETWORKS, NetworkInfo

WIDTHS = (64, 128, 256, 512, 512)
REPEATS = {"vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}

HIDDEN = {224: 4096}
SMALL_HIDDEN = 512
"""Width of the two hidden layers: the papers' at 224 px; at other sizes one that the features can fill."""


class VGG(nn.Module):
    """Maps images (N, 3, S, S), S a multiple of 32, to one logit each.

    `normalises` adds batch normalisation after each convolution. The papers trained their deep configurations
    from shallow ones; from random weights the deep ones do not start to learn without it.
    """

    def __init__(
        self, repeats: tuple[int, ...], size: int = 224, dropout: float | None = None, normalises: bool = True
    ) -> None:
        super().__init__()
        drop = 0.5 if dropout is None else dropout
        layers: list[nn.Module] = []
        channels = 3
        for width, repeat in zip(WIDTHS, repeats, strict=True):
            for _ in range(repeat):
                layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=not normalises))
                layers += [nn.BatchNorm2d(width)] if normalises else []
                layers.append(nn.ReLU(inplace=True))
                channels = width
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        hidden, side = HIDDEN.get(size, SMALL_HIDDEN), size // 32
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(512 * side * side, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(drop),
            nn.Linear(hidden, hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(drop),
            nn.Linear(hidden, 1),
        )
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.classifier(self.features(x))[:, 0], None


for _name, _parameters, _macs in (
    ("vgg16", 134_268_865, 15_466_172_416),
    ("vgg19", 139_579_841, 19_627_970_560),
):
    NETWORKS.register(_name)(
        NetworkInfo(
            name=_name,
            make=functools.partial(VGG, REPEATS[_name]),
            size=224,
            paper="Simonyan & Zisserman, Very deep convolutional networks for large-scale image recognition, "
            "ICLR 2015",
            parameters=_parameters,
            macs=_macs,
        )
    )
