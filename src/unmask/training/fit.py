"""Fit a network to a recipe: drawn crops in, a moving average of weights out; chosen on `val`, resumable."""

from __future__ import annotations

import copy
import hashlib
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.utils.data import Subset

from unmask.data.corpus import Sample
from unmask.errors import DataError
from unmask.figures.scores import auc, macro_auc
from unmask.training.distil import Lessons, Pupil, size_of_features
from unmask.training.journal import Journal
from unmask.training.optimise import Penalty, Sharpness, make_optimizer, pace
from unmask.training.recipe import Recipe
from unmask.training.samples import Source, TrainingDraws, ValidationCrops, load, normalise
from unmask.zoo.build import build
from unmask.zoo.network import NETWORKS
from unmask.zoo.own_start import OwnStart
from unmask.zoo.own_weights import own_path
from unmask.zoo.unfold import unfold

FROM_SCRATCH = "none"
"""The `start` of a recipe that begins with random weights."""

SCORE_EVERY = 50
"""Steps between lines in the log."""

VALIDATION_STRENGTH = 0.9
"""`val` is also judged under degradation: what users bring has been through messengers and platforms."""

HALF_FROM = 2_000_000_000
"""Multiply-adds an image from which on crops are judged in the 16-bit floats they were trained in, five times
as quickly; what is exported is judged again as it is shipped."""

MEASURED = 256
"""Draws that normalisation is measured on anew where a training goes on from an exported model."""

EXPORTED = ".onnx"

TOLD_ONLY = ("name", "description", "licence", "limits", "keep", "soup")
"""What of a recipe changes nothing in the run itself."""

Progress = Callable[[int, int, str], None]
"""Called after each step with the step, the number of steps, and a message or an empty string."""


@dataclass(frozen=True, slots=True)
class Scored:
    """Samples with a network's logits."""

    samples: tuple[Sample, ...]
    logits: tuple[float, ...]

    def macro_auc(self) -> float:
        """Mean over fake methods of the AUC against all reals of the same kind of medium."""
        fake, methods, kinds = zip(*((s.fake, s.method, s.kind) for s in self.samples), strict=True)
        return macro_auc(fake, self.logits, methods, kinds)

    def auc(self) -> float:
        """The AUC over all samples."""
        return auc([s.fake for s in self.samples], self.logits)


@torch.inference_mode()
def score(
    network: nn.Module,
    samples: Sequence[Sample],
    recipe: Recipe,
    strength: float,
    *,
    workers: int = 2,
    source: Source | None = None,
) -> Scored:
    """Logits of `samples`, each under one fixed draw of degradation of this `strength` (0 is none)."""
    crops = ValidationCrops(samples, recipe.crop, strength, recipe.seed, source)
    loader = load(crops, 32, workers)
    info, device = NETWORKS[recipe.network], next(network.parameters()).device
    network.eval()
    logits: list[float] = []
    half = recipe.schedule.bfloat16 and info.macs >= HALF_FROM
    for batch, _ in loader:
        images = normalise(batch.to(device), info.mean, info.std).to(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits += network(images)[0].float().tolist()
    return Scored(tuple(samples), tuple(logits))


class Fit:
    """One training run in one folder; made again on the same folder it goes on where it was.

    `source` gives the pictures (from disk unless told otherwise), `accelerator` the devices. Where the recipe
    has a teacher, `teach` must be called before `run`.

    Raises:
        DataError: the samples lack a label, or the folder holds a run of another recipe.
        ModelError: the weights to start from cannot be had, or the network cannot learn its teacher's
            features.
    """

    def __init__(
        self,
        recipe: Recipe,
        samples: Sequence[Sample],
        folder: Path,
        *,
        source: Source | None = None,
        accelerator: Accelerator | None = None,
    ) -> None:
        self.recipe, self.folder, self.source = recipe, folder, source
        self.lessons: Path | None = None
        self.accelerator = accelerator or Accelerator(cpu=not torch.cuda.is_available())
        self.train = [s for s in samples if s.split == "train"]
        self.val = [s for s in samples if s.split == "val"]
        for name, part in (("train", self.train), ("val", self.val)):
            if len({s.fake for s in part}) < 2:
                raise DataError(
                    f"{name!r} needs real and fake samples, and has {len(part)} of one label or none",
                    hint="nothing can be learned or chosen without both",
                )
        schedule = recipe.schedule
        self.chosen_by = spread(self.val, schedule.validate_each)
        self.steps = schedule.length(len(self.train))
        torch.manual_seed(recipe.seed)
        start = None if recipe.start == FROM_SCRATCH or goes_on(recipe) else recipe.start
        network = build(
            recipe.network,
            size=recipe.crop.size,
            dropout=recipe.dropout,
            patch_dropout=recipe.patch_dropout,
            start=start,
        )
        if goes_on(recipe) and not self.checkpoint.is_file():
            self._unfold(network)
        network.to(self.accelerator.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(network)
        if schedule.bfloat16:
            _halve_frozen(network)
        if schedule.compile:
            network.compile()
        self.penalty = Penalty(network, recipe.regularise)
        learning = [p for p in network.parameters() if p.requires_grad]
        self.pupil = None
        if recipe.distil and recipe.distil.features:
            self.pupil = Pupil(network, size_of_features(recipe.distil.network)).to(self.accelerator.device)
            learning += self.pupil.parameters()
        optimizer = make_optimizer(learning, recipe.optimizer, schedule)
        self.network, self.optimizer = self.accelerator.prepare(network, optimizer)
        kind = recipe.optimizer
        self.sharpness = Sharpness(learning, kind.radius) if kind.kind == "sam" else None
        self.step = self.worse = 0
        self.best = -math.inf
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(folder, writes=self.accelerator.is_main_process)
        if self.checkpoint.is_file():
            self._load()

    @property
    def checkpoint(self) -> Path:
        """Where the state after the last validation is kept."""
        return self.folder / "checkpoint.pt"

    @property
    def best_weights(self) -> Path:
        """Where the weights that did best on `val` are kept."""
        return self.folder / "best.pt"

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        patience = self.recipe.schedule.patience
        return self.step >= self.steps or bool(patience and self.worse >= patience)

    def run(self, progress: Progress = lambda *_: None, workers: int = 2) -> None:
        """Train to the end of the schedule, or until `patience` is lost."""
        if self.finished:
            return
        schedule = self.recipe.schedule
        losses, right, seen, began = 0.0, 0.0, 0, time.monotonic()
        for batch in self._batches(workers):
            loss, share = self._update(*(part.to(self.accelerator.device) for part in batch))
            losses, right, seen = losses + loss, right + share, seen + 1
            self.step += 1
            message = ""
            if self.step % SCORE_EVERY == 0 or self.step == self.steps:
                rate = seen * schedule.batch / (time.monotonic() - began)
                message = f"loss {losses / seen:.4f}  accuracy {right / seen:.3f}  {rate:.0f} crops/s"
                self.journal.note(self.step, "train", {"loss": losses / seen, "accuracy": right / seen})
                losses, right, seen, began = 0.0, 0.0, 0, time.monotonic()
            if self.step % schedule.validate_every == 0 or self.step == self.steps:
                message = self._validate(workers)
                began = time.monotonic()
            progress(self.step, self.steps, message)
            if self.finished:
                break

    def teach(self, lessons: Path) -> None:
        """Learn from these lessons (see `distil.prepare_lessons`) rather than from draws of its own."""
        distil = self.recipe.distil
        assert distil is not None
        self.lessons = lessons
        if self.pupil:
            self.pupil.settle(*Lessons(lessons, distil.views, 1, 0, flip=False).spread())

    def _unfold(self, network: nn.Module) -> None:
        """Take the weights of the exported model that the recipe starts from."""
        assert isinstance(self.recipe.start, OwnStart)
        draws = TrainingDraws(
            self.train, self.recipe.crop, self.recipe.mix, MEASURED, self.recipe.seed, self.source
        )
        info = NETWORKS[self.recipe.network]
        crops = torch.stack([draws[number][0] for number in range(MEASURED)])
        unfold(network, own_path(self.recipe.start), normalise(crops, info.mean, info.std))

    def _batches(self, workers: int) -> Iterator[Sequence[Tensor]]:
        schedule, recipe = self.recipe.schedule, self.recipe
        length = self.steps * schedule.batch
        draws: TrainingDraws | Lessons
        if recipe.distil:
            if self.lessons is None:
                raise DataError("a recipe with a teacher needs its lessons", hint="use training.make.prepare")
            flip = recipe.mix.flip
            draws = Lessons(self.lessons, recipe.distil.views, length, recipe.seed, flip=flip)
        else:
            draws = TrainingDraws(self.train, recipe.crop, recipe.mix, length, recipe.seed, self.source)
        # Item i is a function of the seed and i alone, so going on is only a matter of where to begin.
        # Devices take a piece of each batch, in which pairs stay together.
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        if schedule.batch % world:
            raise DataError(f"a batch of {schedule.batch} cannot be shared by {world} devices")
        share = schedule.batch // world
        begins = range(self.step * schedule.batch + rank * share, length, schedule.batch)
        rest = Subset(draws, [first + item for first in begins for item in range(share)])
        yield from load(rest, share, workers)

    def _update(self, crops: Tensor, labels: Tensor, *lesson: Tensor) -> tuple[float, float]:
        """One step of learning, with the teacher's logits and features where it has one; gives the loss and
        the share of crops judged rightly."""
        schedule = self.recipe.schedule
        for group in self.optimizer.param_groups:
            group["lr"] = schedule.rate * pace(schedule, self.step, self.steps)
        self.network.train()
        if self.step >= round((1 - self.recipe.whole) * self.steps):
            self._show_whole()
        # Dropout, too, is a function of the seed and the step, so that going on leads to the same weights.
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step * self.accelerator.num_processes)
        info = NETWORKS[self.recipe.network]
        images = normalise(crops, info.mean, info.std).to(memory_format=torch.channels_last)
        soft = labels
        if self.recipe.mix.mixup:
            images, soft = mix_up(images, labels, self.recipe.mix.mixup)
        soft = soft * (1 - 2 * schedule.label_smoothing) + schedule.label_smoothing
        features = None
        if self.recipe.distil and lesson:
            said, features = lesson
            soft = torch.lerp(torch.sigmoid(said), soft, self.recipe.distil.label)
        loss, logits = self._slope(images, soft, features)
        if self.sharpness:
            self.sharpness.climb()
            self._slope(images, soft, features)
            self.sharpness.back()
        nn.utils.clip_grad_norm_(self.network.parameters(), schedule.clip)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._follow()
        return loss, float(((logits > 0) == (labels > 0.5)).float().mean())

    def _show_whole(self) -> None:
        """From now on the network sees all patches of a picture."""
        network = self.accelerator.unwrap_model(self.network)
        if getattr(network, "patch_dropout", 0.0):
            network.patch_dropout = 0.0

    def _slope(self, images: Tensor, labels: Tensor, features: Tensor | None) -> tuple[float, Tensor]:
        """Add the gradients of the loss at the weights as they are; gives the loss and the logits."""
        device = self.accelerator.device.type
        with torch.autocast(device, torch.bfloat16, enabled=self.recipe.schedule.bfloat16):
            logits, _ = self.network(images)
        logits = logits.float()
        loss = nn.functional.binary_cross_entropy_with_logits(logits, labels)
        if self.pupil and self.recipe.distil:
            loss = loss + self.recipe.distil.features * self.pupil(features)
        self.accelerator.backward(loss + self.penalty.value())
        return float(loss.detach()), logits.detach()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average towards the weights."""
        # Early on the average would remember the start for too long.
        keep = min(self.recipe.schedule.average, (1 + self.step) / (10 + self.step))
        keep = keep if self.recipe.schedule.average else 0.0
        network = self.accelerator.unwrap_model(self.network)
        frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
        now = network.state_dict()
        for name, mean in self.average.state_dict().items():
            value = now[name]
            if name in frozen:
                continue
            if mean.is_floating_point():
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)

    def _validate(self, workers: int) -> str:
        message = ""
        if self.accelerator.is_main_process:
            figures, quality = self._quality(workers)
            self.journal.note(self.step, "val", figures)
            self.worse = 0 if quality > self.best else self.worse + 1
            if quality > self.best:
                self.best = quality
                _save(self.average.state_dict(), self.best_weights)
            self._save()
            message = "val  " + "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
        # All devices must end together, and only the first has judged.
        told = [self.best, self.worse]
        broadcast_object_list(told)
        self.best, self.worse = float(told[0]), int(told[1])
        self.accelerator.wait_for_everyone()
        return message

    def _quality(self, workers: int) -> tuple[dict[str, float], float]:
        """Figures on `val`, and the one by which weights are chosen: the macro-averaged AUC, of crops as they
        are and, where the recipe degrades, as much of degraded ones."""
        clean = score(self.average, self.chosen_by, self.recipe, 0.0, workers=workers, source=self.source)
        labels = torch.tensor([float(s.fake) for s in self.chosen_by])
        logits = torch.tensor(clean.logits)
        figures = {
            "loss": float(nn.functional.binary_cross_entropy_with_logits(logits, labels)),
            "accuracy": float(((logits > 0) == (labels > 0.5)).float().mean()),
            "auc": clean.auc(),
            "macro_auc": clean.macro_auc(),
        }
        if not self.recipe.mix.strength:
            return figures, figures["macro_auc"]
        degraded = score(self.average, self.chosen_by, self.recipe, VALIDATION_STRENGTH, workers=workers)
        figures |= {"degraded_auc": degraded.auc(), "degraded_macro_auc": degraded.macro_auc()}
        return figures, (figures["macro_auc"] + figures["degraded_macro_auc"]) / 2

    def _save(self) -> None:
        state = {
            "step": self.step,
            "best": self.best,
            "worse": self.worse,
            "network": self.accelerator.unwrap_model(self.network).state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "pupil": self.pupil.state_dict() if self.pupil else {},
            "run": self._identity(),
        }
        _save(state, self.checkpoint)

    def _identity(self) -> str:
        """A hash over what must not change in a run: its recipe, but for what is said of it, how quickly it
        goes and what its outcome is averaged with, and which pictures are learned from and chosen by."""
        recipe = replace(
            self.recipe,
            schedule=replace(self.recipe.schedule, compile=False),
            distil=self.recipe.distil and replace(self.recipe.distil, compile=False),
        )
        # What is as it is by default is left out, so that a setting may be added to recipes.
        default = Recipe(recipe.name, recipe.network, "", "", ())
        told = {
            entry.name: getattr(recipe, entry.name)
            for entry in fields(recipe)
            if entry.name not in TOLD_ONLY
            and (entry.name == "network" or getattr(recipe, entry.name) != getattr(default, entry.name))
        }
        digest = hashlib.sha256(repr(told).encode())
        for sample in (*self.train, *self.val):
            row = f"{sample.path.name}\n{sample.fake}\n{sample.split}\n"
            digest.update(row.encode(errors="surrogateescape"))
        return digest.hexdigest()

    def _load(self) -> None:
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        if state.get("run") != self._identity():
            raise DataError(
                f"{self.folder} holds a run of another recipe, or with other pictures",
                hint="give another folder with --out",
            )
        self.accelerator.unwrap_model(self.network).load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.pupil:
            self.pupil.load_state_dict(state["pupil"])
        self.step, self.best, self.worse = int(state["step"]), float(state["best"]), int(state["worse"])
        self.journal.forget_after(self.step)


def goes_on(recipe: Recipe) -> bool:
    """Whether it starts from a model that was exported."""
    return isinstance(recipe.start, OwnStart) and recipe.start.file.endswith(EXPORTED)


def _halve_frozen(network: nn.Module) -> None:
    """What is never trained is kept in the 16-bit floats it is used in, else it is turned into them for every
    batch anew."""
    for parameter in network.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.bfloat16()


def spread(samples: Sequence[Sample], each: int) -> list[Sample]:
    """Of every recording `each` crops, spread evenly over its time, in the order given; all for 0. Photos are
    kept."""
    if not each:
        return list(samples)
    rows: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for row, sample in enumerate(samples):
        if sample.kind != "photo":
            rows[sample.recording].append(row)
    kept = {row for row, sample in enumerate(samples) if sample.kind == "photo"}
    for places in rows.values():
        places.sort(key=lambda row: (samples[row].time, samples[row].frame))
        kept |= {places[at] for at in np.linspace(0, len(places) - 1, each).round().astype(int)}
    return [samples[row] for row in sorted(kept)]


def mix_up(images: Tensor, labels: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Each image and label blended with another of the batch, by one share from Beta(alpha, alpha)."""
    share = torch.distributions.Beta(alpha, alpha).sample().item()
    order = torch.randperm(len(images), device=images.device)
    return images.lerp(images[order], 1 - share), labels.lerp(labels[order], 1 - share)


def _save(state: object, path: Path) -> None:
    """Written beside and renamed, so that a killed run never leaves half a file."""
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(path)
