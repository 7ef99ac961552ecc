"""Fit a network to a recipe: balanced draws, a moving average of weights, choice on `val`, resumable."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from unmask.data.corpus import Sample
from unmask.errors import DataError
from unmask.evaluation.metrics import auc, macro_auc
from unmask.training.recipe import Recipe
from unmask.training.samples import TrainingDraws, ValidationCrops, one_thread_each
from unmask.zoo.mobilenetv2 import MobileNetV2
from unmask.zoo.starts import load_start

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""What the ImageNet weights were trained with; RGB in [0, 1]."""

FROM_SCRATCH = "none"
"""The `start` of a recipe that begins with random weights."""

SCORE_EVERY = 50
"""Steps between lines in the log."""

WORKERS = "spawn"
"""How loading processes start. A forked one inherits OpenCV's and torch's locked threads and may hang."""

VALIDATION_STRENGTH = 0.9
"""`val` is also judged under degradation: what users bring has been through messengers and platforms."""


@dataclass(frozen=True, slots=True)
class Scored:
    """`val` samples with a network's logits."""

    samples: tuple[Sample, ...]
    logits: tuple[float, ...]

    def macro_auc(self) -> float:
        return macro_auc([s.fake for s in self.samples], self.logits, [s.method for s in self.samples])

    def auc(self) -> float:
        return auc([s.fake for s in self.samples], self.logits)


def normalise(crops: Tensor) -> Tensor:
    """uint8 (N, 3, S, S) to float32 as the ImageNet weights expect it."""
    mean = torch.tensor(MEAN).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD).view(1, 3, 1, 1) * 255
    return (crops.float() - mean) / std


def build(recipe: Recipe) -> nn.Module:
    """The recipe's network with the weights it starts from."""
    network = MobileNetV2()
    if recipe.start != FROM_SCRATCH:
        network.load_imagenet(load_start(recipe.network, recipe.start))
    return network


@torch.inference_mode()
def score(
    network: nn.Module, samples: Sequence[Sample], recipe: Recipe, strength: float, workers: int = 2
) -> Scored:
    """Logits of `samples`, each under one fixed draw of degradation of this `strength` (0 is none)."""
    crops = ValidationCrops(samples, recipe.crop, strength, recipe.seed)
    loader = DataLoader(
        crops,
        batch_size=32,
        num_workers=workers,
        worker_init_fn=one_thread_each,
        multiprocessing_context=WORKERS if workers else None,
    )
    network.eval()
    logits: list[float] = []
    for batch, _ in loader:
        images = normalise(batch).to(memory_format=torch.channels_last)
        logits += network(images)[0].float().tolist()
    return Scored(tuple(samples), tuple(logits))


class Fit:
    """One training run in one folder; made again on the same folder it goes on where it was."""

    def __init__(self, recipe: Recipe, samples: Sequence[Sample], folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        self.train = [s for s in samples if s.split == "train"]
        self.val = [s for s in samples if s.split == "val"]
        if not self.val or len({s.fake for s in self.val}) < 2:
            raise DataError("`val` needs real and fake samples", hint="nothing can be chosen without it")
        schedule = recipe.schedule
        torch.manual_seed(recipe.seed)
        self.network = build(recipe)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=schedule.rate, weight_decay=schedule.weight_decay
        )
        self.step = 0
        self.best = -math.inf
        folder.mkdir(parents=True, exist_ok=True)
        if self.checkpoint.is_file():
            self._load()

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pt"

    @property
    def best_weights(self) -> Path:
        return self.folder / "best.pt"

    def run(self, progress: Callable[[int, int, str], None] = lambda *_: None, workers: int = 2) -> None:
        """Train to the end of the schedule; `progress(step, steps, message)` is called after each step."""
        schedule = self.recipe.schedule
        loss_sum, seen, began = 0.0, 0, time.monotonic()
        for crops, labels in self._batches(workers):
            loss_sum += self._update(crops, labels)
            seen += 1
            self.step += 1
            message = ""
            if self.step % SCORE_EVERY == 0:
                rate = seen * schedule.batch / (time.monotonic() - began)
                message = f"loss {loss_sum / seen:.4f}  {rate:.1f} crops/s"
                self._log("train", {"loss": loss_sum / seen})
                loss_sum, seen, began = 0.0, 0, time.monotonic()
            if self.step % schedule.validate_every == 0 or self.step == schedule.steps:
                message = self._validate(workers)
                began = time.monotonic()
            progress(self.step, schedule.steps, message)

    def _batches(self, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
        schedule, recipe = self.recipe.schedule, self.recipe
        draws = TrainingDraws(
            self.train, recipe.crop, recipe.mix, schedule.steps * schedule.batch, recipe.seed
        )
        # Item i is a function of the seed and i alone, so going on is only a matter of where to begin.
        rest = Subset(draws, range(self.step * schedule.batch, len(draws)))
        yield from DataLoader(
            rest,
            batch_size=schedule.batch,
            num_workers=workers,
            worker_init_fn=one_thread_each,
            multiprocessing_context=WORKERS if workers else None,
            prefetch_factor=4 if workers else None,
        )

    def _update(self, crops: Tensor, labels: Tensor) -> float:
        schedule = self.recipe.schedule
        for group in self.optimizer.param_groups:
            group["lr"] = schedule.rate * self._pace()
        self.network.train()
        # Dropout, too, is a function of the seed and the step, so that going on leads to the same weights.
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step)
        images = normalise(crops).to(memory_format=torch.channels_last)
        smooth = labels * (1 - 2 * schedule.label_smoothing) + schedule.label_smoothing
        with torch.autocast("cpu", torch.bfloat16, enabled=schedule.bfloat16):
            logits, _ = self.network(images)
        loss = nn.functional.binary_cross_entropy_with_logits(logits.float(), smooth)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        # Early on the average would remember the start for too long.
        keep = min(schedule.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, now in zip(
                self.average.state_dict().values(), self.network.state_dict().values(), strict=True
            ):
                if mean.is_floating_point():
                    mean.lerp_(now, 1 - keep)
                else:
                    mean.copy_(now)
        return float(loss.detach())

    def _pace(self) -> float:
        schedule = self.recipe.schedule
        if self.step < schedule.warm_up:
            return (self.step + 1) / schedule.warm_up
        done = (self.step - schedule.warm_up) / max(1, schedule.steps - schedule.warm_up)
        return 0.5 * (1 + math.cos(math.pi * done))

    def _validate(self, workers: int) -> str:
        clean = score(self.average, self.val, self.recipe, 0.0, workers)
        degraded = score(self.average, self.val, self.recipe, VALIDATION_STRENGTH, workers)
        quality = (clean.macro_auc() + degraded.macro_auc()) / 2
        figures = {"macro_auc": clean.macro_auc(), "auc": clean.auc()}
        figures |= {"degraded_macro_auc": degraded.macro_auc(), "degraded_auc": degraded.auc()}
        self._log("val", figures)
        if quality > self.best:
            self.best = quality
            _save(self.average.state_dict(), self.best_weights)
        self._save()
        return "val  " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items())

    def _save(self) -> None:
        state = {
            "step": self.step,
            "best": self.best,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        _save(state, self.checkpoint)

    def _load(self) -> None:
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.step, self.best = int(state["step"]), float(state["best"])
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _log(self, kind: str, figures: dict[str, float]) -> None:
        with (self.folder / "log.csv").open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            for name, value in figures.items():
                writer.writerow([self.step, kind, name, f"{value:.6f}"])


def _save(state: object, path: Path) -> None:
    """Written beside and renamed, so that a killed run never leaves half a file."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)


def as_arrays(scored: Scored) -> tuple[np.ndarray, np.ndarray]:
    """(labels, logits) of scored samples."""
    return np.array([s.fake for s in scored.samples]), np.array(scored.logits)
