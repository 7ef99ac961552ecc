"""How weights move: optimisers by name, the rate through time, and terms that keep weights small."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from unmask.training.recipe import Optimizer, Regularise, Schedule


def make_optimizer(
    parameters: Iterable[nn.Parameter], optimizer: Optimizer, schedule: Schedule
) -> torch.optim.Optimizer:
    """The optimiser of a recipe; for `sam` the one that makes the second step (see `Sharpness`)."""
    kept = list(parameters)
    if optimizer.kind == "adam":
        return torch.optim.Adam(kept, lr=schedule.rate, weight_decay=schedule.weight_decay, fused=True)
    if optimizer.kind == "sgd":
        return torch.optim.SGD(
            kept, lr=schedule.rate, momentum=optimizer.momentum, weight_decay=schedule.weight_decay
        )
    return torch.optim.AdamW(kept, lr=schedule.rate, weight_decay=schedule.weight_decay, fused=True)


class Sharpness:
    """Sharpness-aware minimisation (Foret et al., ICLR 2021): climb by `radius` along the gradient, take the
    gradient there, come back, and step with it."""

    def __init__(self, parameters: Iterable[nn.Parameter], radius: float) -> None:
        self.parameters, self.radius = list(parameters), radius
        self._moves: list[tuple[nn.Parameter, Tensor]] = []

    @torch.no_grad()
    def climb(self) -> None:
        """Move to the worst point nearby, by the gradients at hand, and forget these."""
        slopes = [(p, p.grad) for p in self.parameters if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for _, g in slopes]))
        scale = self.radius / (norm + 1e-12)
        self._moves = [(p, g * scale) for p, g in slopes]
        for parameter, move in self._moves:
            parameter.add_(move)
            parameter.grad = None

    @torch.no_grad()
    def back(self) -> None:
        """Undo the climb; the gradients taken up there stay."""
        for parameter, move in self._moves:
            parameter.sub_(move)
        self._moves = []


def pace(schedule: Schedule, step: int, steps: int) -> float:
    """The factor on the rate at `step` of `steps`, in [0, 1]."""
    warm_up = min(schedule.warm_up, steps // 2)
    if step < warm_up:
        return (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    if schedule.decay == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    if schedule.decay == "step":
        return 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01
    return 1.0


class Penalty:
    """The terms of `Regularise` for one network; `value()` is to be asked after each forward pass."""

    def __init__(self, network: nn.Module, regularise: Regularise) -> None:
        self.regularise = regularise
        self.layers = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        self._activity: list[Tensor] = []
        if regularise.l2_activity:
            for module in network.modules():
                if isinstance(module, nn.ReLU | nn.ReLU6):
                    module.inplace = False  # the outputs before it are still needed for the gradient
            for layer in self.layers:
                layer.register_forward_hook(self._keep)

    def _keep(self, layer: nn.Module, _inputs: object, output: Tensor) -> None:
        if layer.training:
            self._activity.append(output.float().square().sum() / len(output))

    def value(self) -> Tensor | float:
        """The penalty on the weights as they are and on the activities since it was last asked."""
        total: Tensor | float = 0.0
        if self.regularise.l1_kernel:
            total = total + self.regularise.l1_kernel * sum(layer.weight.abs().sum() for layer in self.layers)
        if self._activity:
            total = total + self.regularise.l2_activity * torch.stack(self._activity).sum()
            self._activity = []
        return total
