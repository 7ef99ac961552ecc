"""The head of networks that end in an average over places: a logit and the map it is the mean of."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


def judge(features: Tensor, classifier: nn.Linear, dropout: nn.Dropout) -> tuple[Tensor, Tensor]:
    """`(logit (N,), evidence (N, h, w))` of features (N, C, h, w).

    The classifier is linear and works on averaged features, so applying it before the averaging gives a class
    activation map (Zhou et al., CVPR 2016) whose mean *is* the logit: the heatmap is the decision taken apart
    by place, not a guess at it. In training, dropout falls on the averaged features.
    """
    kernel = classifier.weight[:, :, None, None]
    evidence = nn.functional.conv2d(features, kernel, classifier.bias)[:, 0]
    if not dropout.training:
        return evidence.mean((1, 2)), evidence
    return cast("Tensor", classifier(dropout(features.mean((2, 3))))[:, 0]), evidence
