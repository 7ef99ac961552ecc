"""Make a network by name, with the weights it starts from."""

from __future__ import annotations

from torch import nn

from unmask.errors import ModelError

# Each file files its networks under their names when it is imported.
from unmask.zoo import (  # noqa: F401
    alexnet,
    clip,
    efficientnet_lite,
    lenet,
    meso,
    minivggnet,
    mobilenetv2,
    resnet,
    vgg,
    xception,
)
from unmask.zoo.network import NETWORKS
from unmask.zoo.own_start import OwnStart
from unmask.zoo.own_weights import load_own, place
from unmask.zoo.starts import load_start


def build(
    name: str,
    *,
    size: int | None = None,
    dropout: float | None = None,
    patch_dropout: float = 0.0,
    start: str | OwnStart | None = None,
) -> nn.Module:
    """The network `name` for images of `size` pixels (its own, where None), with weights `start` or random.

    `dropout` replaces the architecture's own where that has any; `patch_dropout` is for transformers alone.

    Raises:
        UnmaskError: there is no network of that name.
        ModelError: `size` is too small, it has no patches to drop, there are no such weights for it, or they
            don't fit.
    """
    info = NETWORKS[name]
    side = info.size if size is None else size
    if side < info.least_size:
        raise ModelError(
            f"{name} needs crops of at least {info.least_size} px, not {side}", hint="set crop.size larger"
        )
    network = info.make(size=side, dropout=dropout)
    if patch_dropout:
        if not hasattr(network, "patch_dropout"):
            raise ModelError(f"{name} has no patches to drop", hint="leave patch_dropout out of the recipe")
        setattr(network, "patch_dropout", patch_dropout)  # noqa: B010
    if isinstance(start, OwnStart):
        try:
            (info.load or place)(network, load_own(network, start))
        except (ValueError, RuntimeError, KeyError) as error:
            raise ModelError(
                f"the weights {start.file} are not for {name}: {error}",
                hint="they must be of the same architecture; see docs/zoo.md",
            ) from error
    elif start is not None:
        if start not in info.starts or info.load is None:
            known = ", ".join(("none", *info.starts))
            raise ModelError(f"{name} cannot start from {start!r}", hint=f"set start to one of: {known}")
        info.load(network, load_start(name, start))
    if info.tunes is not None:
        for parameter_name, parameter in network.named_parameters():
            parameter.requires_grad_(info.tunes(parameter_name))
    return network
