"""Go on from an exported model: weights back out of the file, batch normalisation measured anew.

An exported file holds each convolution and its normalisation as one. Taken apart again, the normalisation
gets mean and spread from what flows through it, and the scale and shift that give the file's own output: the
network says what the file says, and can be trained further.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from unmask.errors import ModelError
from unmask.zoo.own_weights import HEAD


@torch.no_grad()
def unfold(network: nn.Module, path: Path, images: Tensor) -> None:
    """Give `network` the weights in the exported file at `path`.

    `images` (N, 3, S, S) are normalised as `network` expects them; 200 or more of what it will be trained on.

    Raises:
        ModelError: the file is not of this architecture, or one of other layers than convolutions with batch
            normalisation and a linear head.
    """
    folded = _convolutions(path)
    pairs = _pairs(network)
    head = [module for name, module in network.named_modules() if name == HEAD.rstrip(".")]
    fits = len(folded) == len(pairs) + 1 and len(head) == 1 and isinstance(head[0], nn.Linear)
    fits = fits and all(
        conv.weight.shape == kernel.shape for (conv, _), (kernel, _) in zip(pairs, folded, strict=False)
    )
    if not fits:
        raise ModelError(
            f"{path.name} cannot be trained further as this network",
            hint="it must be an exported file of the same architecture, of convolutions and normalisation",
        )
    kernel, bias = folded[-1]
    assert isinstance(head[0], nn.Linear)
    head[0].weight.copy_(kernel.flatten(1))
    head[0].bias.copy_(bias)
    handles = []
    for (conv, norm), (kernel, bias) in zip(pairs, folded, strict=False):
        conv.weight.copy_(kernel)
        handles.append(norm.register_forward_pre_hook(_settling(bias)))
    was_training = network.training
    network.eval()
    network(images)
    network.train(was_training)
    for handle in handles:
        handle.remove()


def _settling(bias: Tensor) -> Callable[[nn.Module, tuple[Tensor]], None]:
    """A hook that lets a normalisation, at the first sight of its input, add `bias` and nothing else."""

    def hook(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        values = inputs[0].float()
        mean, var = values.mean((0, 2, 3)), values.var((0, 2, 3))
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(var)
        norm.weight.copy_(torch.sqrt(var + norm.eps))
        norm.bias.copy_(bias + mean)

    return hook


def _pairs(network: nn.Module) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions with the normalisation that follows, in the order they are defined."""
    layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    return [
        (first, second)
        for first, second in zip(layers[::2], layers[1::2], strict=False)
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d)
    ]


def _convolutions(path: Path) -> list[tuple[Tensor, Tensor]]:
    """Kernel and bias of each convolution of the file, in the order they are computed."""
    graph = onnx.load(path).graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes = [node for node in graph.node if node.op_type == "Conv" and len(node.input) == 3]
    kept = [(stored[node.input[1]], stored[node.input[2]]) for node in nodes if node.input[1] in stored]
    return [(torch.from_numpy(kernel.copy()), torch.from_numpy(bias.copy())) for kernel, bias in kept]
