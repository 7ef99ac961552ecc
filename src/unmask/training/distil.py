"""Learning from a larger network: what it says of drawn views is kept once and learned from many times.

A small network learns more from what a large one thinks of a picture than from a label (Hinton et al.,
"Distilling the knowledge in a neural network", 2015), the more so where both see the very same view, for long
(Beyer et al., "Knowledge distillation: a good teacher is patient and consistent", CVPR 2022).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset, Subset

from unmask.detector.model import Model, load_model
from unmask.errors import ModelError
from unmask.report.atomic import replacing
from unmask.training.samples import TrainingDraws, load, normalise
from unmask.zoo.build import build
from unmask.zoo.network import NETWORKS
from unmask.zoo.own_start import OwnStart
from unmask.zoo.own_weights import HEAD, load_own, own_path

Share = Annotated[float, Meta(ge=0, le=1)]

PART = 500
"""Views in one file: what is lost where making them is stopped."""

BATCH = 25
"""Views the teacher sees at a time; a file holds whole batches."""

SETTLED = 8
"""Parts by which the spread of the teacher's features is measured."""


@dataclass(frozen=True)
class Distil:
    """What is learned from a teacher.

    `weights` are a state dict of `network`, head and all: for one trained here, `best.pt` of its run, and as
    their `model` the file exported from it, so that what the teacher has seen is told of the pupil, too. The
    teacher judges `views` drawn as the recipe's `mix` says; these are kept beside the run (150 kB each at 224
    px) and learned from in random order, mirrored half of the time, as often as the schedule asks. `label` is
    how much of the target is the label, the rest being the teacher's P(fake). `features` weighs the mean
    squared error of the teacher's features, each in standard deviations, as a linear map of the network's own
    gives them. `beside` are exported models that judge the views, too: what is learned is the mean of their
    raw scores and the teacher's logit. `compile` has torch write code for the teacher first.
    """

    network: str
    weights: OwnStart
    views: Annotated[int, Meta(gt=1)] = 40_000
    label: Share = 0.3
    features: Annotated[float, Meta(ge=0)] = 0.5
    beside: tuple[OwnStart, ...] = ()
    compile: bool = False


class Lesson(NamedTuple):
    """A view, or a batch of them: uint8 (3, S, S), its label, the teacher's logit and features (F,)."""

    crop: Tensor
    label: Tensor
    logit: Tensor
    features: Tensor


class Lessons(Dataset[Lesson]):
    """`length` lessons from the views kept in `folder`, in rounds; item i is a function of seed and i alone.

    Views that were drawn one after the other stay together, so that a pair stays one; with `flip` half of the
    pairs are mirrored.
    """

    def __init__(self, folder: Path, views: int, length: int, seed: int, *, flip: bool) -> None:
        self.folder, self.length, self.seed, self.flip = folder, length, seed, flip
        self.views = views - views % 2
        self._open: dict[int, tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float16]]] = {}
        self._order: tuple[int, NDArray[np.intp]] | None = None

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_open": {}, "_order": None}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Lesson:
        turn, place = divmod(index, self.views)
        view = 2 * int(self._pairs(turn)[place // 2]) + place % 2
        number, row = divmod(view, PART)
        if number not in self._open:
            self._open[number] = _read(self.folder, number)
        crops, said, features = self._open[number]
        crop = crops[row]
        if self.flip and np.random.default_rng((self.seed, index // 2)).random() < 0.5:
            crop = crop[:, :, ::-1]
        label, logit = (torch.tensor(float(value)) for value in said[row])
        return Lesson(
            torch.from_numpy(crop.copy()),
            label,
            logit,
            torch.from_numpy(features[row].astype(np.float32)),
        )

    def _pairs(self, turn: int) -> NDArray[np.intp]:
        if self._order is None or self._order[0] != turn:
            rng = np.random.default_rng((self.seed, turn, 1))
            self._order = (turn, rng.permutation(self.views // 2))
        return self._order[1]

    def spread(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (F,) of the teacher's features."""
        parts = range(min(SETTLED, _parts(self.views)))
        some = np.concatenate([_read(self.folder, number)[2] for number in parts]).astype(np.float32)
        return torch.from_numpy(some.mean(0)), torch.from_numpy(some.std(0) + 1e-6)


class Pupil(nn.Module):
    """Maps the averaged features of a network that is learning to the `size` features of its teacher.

    `network` must end in a linear classifier; its features are taken as they go in there.

    Raises:
        ModelError: it does not, or the teacher tells no features.
    """

    def __init__(self, network: nn.Module, size: int) -> None:
        super().__init__()
        head = getattr(network, HEAD.rstrip("."), None)
        if not size or not isinstance(head, nn.Linear):
            who = "this network" if size else "its teacher"
            raise ModelError(f"{who} tells no features to compare", hint="set distil.features to 0")
        self.map = nn.Linear(head.in_features, size)
        self.mean, self.std = nn.Buffer(torch.zeros(size)), nn.Buffer(torch.ones(size))
        self._seen: Tensor | None = None
        head.register_forward_pre_hook(self._keep)

    def settle(self, mean: Tensor, std: Tensor) -> None:
        """Take the spread of the teacher's features, each (size,)."""
        self.mean.copy_(mean)
        self.std.copy_(std)

    def _keep(self, _head: nn.Module, inputs: tuple[Tensor]) -> None:
        self._seen = inputs[0]

    def forward(self, features: Tensor) -> Tensor:
        """The mean squared error against the teacher's `features` (N, F), for the batch last seen."""
        assert self._seen is not None
        seen, self._seen = self._seen.float(), None
        return nn.functional.mse_loss(self.map(seen), (features - self.mean) / self.std)


def size_of_features(network: str) -> int:
    """How many features the network tells when it teaches; 0 where it tells its judgement alone."""
    return int(getattr(NETWORKS[network].make, "described_features", 0))


def room_for(distil: Distil, size: int) -> int:
    """Bytes that the lessons take, of crops of `size` pixels."""
    return distil.views * (3 * size * size + 2 * size_of_features(distil.network) + 8)


def has_lessons(distil: Distil, draws: TrainingDraws, folder: Path) -> bool:
    """Whether the teacher has judged all of these already."""
    return not _left(distil, folder / f"lessons-{_name(distil, draws)}")


def prepare_lessons(
    distil: Distil,
    draws: TrainingDraws,
    folder: Path,
    *,
    progress: Callable[[int, int, str], None] = lambda *_: None,
    workers: int = 2,
    device: str = "cpu",
) -> Path:
    """Have the teacher judge the first `distil.views` of `draws`; gives the folder below `folder` that keeps
    them, in files of `PART`. Called again it goes on where it was, and adds to it where more are asked for.

    Raises:
        UnmaskError: they cannot be written.
        ModelError: the teacher's weights are not there, or not for it, or a model beside it cannot be had or
            judges other crops.
    """
    named = folder / f"lessons-{_name(distil, draws)}"
    left = _left(distil, named)
    if not left:
        return named
    named.mkdir(parents=True, exist_ok=True)
    teacher = _teacher(distil, draws.spec.size).to(device)
    speak = _speech(teacher)
    if distil.compile:
        speak = torch.compile(speak)
    beside = _beside(distil, draws)
    done = (_parts(distil.views) - len(left)) * PART
    # Whole files, even where the last has more views than are asked for: it may be gone on with later.
    items = [index for number in left for index in range(number * PART, (number + 1) * PART)]
    batches = iter(load(Subset(draws, items), BATCH, workers))
    for number in left:
        kept: dict[str, list[NDArray[np.generic]]] = {"features": [], "said": [], "crops": []}
        for _ in range(PART // BATCH):
            crops, labels = next(batches)
            logits, features = _judge(speak, distil.network, crops.to(device))
            logits = _in_company(logits.cpu(), crops, beside)
            kept["features"].append(features.cpu().numpy().astype(np.float16))
            kept["said"].append(torch.stack([labels, logits], dim=1).numpy())
            kept["crops"].append(crops.numpy().copy())  # out of the shared memory
            done += len(crops)
            message = "views judged by the teacher" if done % PART == 0 else ""
            progress(min(done, distil.views), distil.views, message)
        # The crops are written last: where they lie, the rest does.
        for kind, arrays in kept.items():
            _write(_path(named, number, kind), np.concatenate(arrays))
    return named


def _speech(teacher: nn.Module) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Gives logits (N,) and features (N, F) of normalised images; F is 0 where the network tells none."""
    described: Callable[[Tensor], tuple[Tensor, Tensor]] | None = getattr(teacher, "described", None)
    if described is not None:
        return described

    def logits_alone(images: Tensor) -> tuple[Tensor, Tensor]:
        return teacher(images)[0], images.new_empty(len(images), 0)

    return logits_alone


@torch.inference_mode()
def _judge(
    speak: Callable[[Tensor], tuple[Tensor, Tensor]], name: str, crops: Tensor
) -> tuple[Tensor, Tensor]:
    """Logits and features, as floats, of uint8 crops (N, 3, S, S)."""
    info = NETWORKS[name]
    with torch.autocast(crops.device.type, torch.bfloat16):
        logits, features = speak(normalise(crops, info.mean, info.std))
    return logits.float(), features.float()


def _beside(distil: Distil, draws: TrainingDraws) -> list[Model]:
    """The models that judge beside the teacher, which must see the same crops."""
    models = [load_model(own_path(start), threads=os.cpu_count() or 1) for start in distil.beside]
    for model in models:
        if model.card.crop != draws.spec:
            raise ModelError(
                f"{model.card.name} judges other crops than the recipe's",
                hint="leave it out of distil.beside",
            )
    return models


def _in_company(logits: Tensor, crops: Tensor, beside: Sequence[Model]) -> Tensor:
    """The mean of the teacher's logits (N,) and what the models beside it say of uint8 crops (N, 3, S, S)."""
    if not beside:
        return logits
    images = np.ascontiguousarray(crops.numpy().transpose(0, 2, 3, 1))
    said = [torch.from_numpy(model.score(images).raw.astype(np.float32)) for model in beside]
    return torch.stack([logits, *said]).mean(0)


def _teacher(distil: Distil, size: int) -> nn.Module:
    network = build(distil.network, size=size)
    state = load_own(network, distil.weights)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ModelError(
            f"{distil.weights.file} holds no whole {distil.network} for crops of {size} px",
            hint="a teacher needs all its weights, head and all: best.pt of its run",
        ) from error
    for parameter in network.parameters():
        if parameter.ndim > 1:
            # Kept in the floats they are used in, else they are turned into them for every batch anew.
            parameter.data = parameter.data.bfloat16()
    return network.eval()


def _name(distil: Distil, draws: TrainingDraws) -> str:
    """What the views and the teacher's word on them depend on."""
    names = hashlib.sha256(repr((draws.spec, draws.mix, draws.seed)).encode())
    teachers = " ".join(start.sha256.lower() for start in (distil.weights, *distil.beside))
    names.update(f"{distil.network} {teachers}\n".encode())
    for sample in draws.samples:
        names.update(repr(replace(sample, path=Path(sample.path.name), split="")).encode())
    return names.hexdigest()[:16]


def _parts(views: int) -> int:
    """How many files hold so many views."""
    return -(-views // PART)


def _left(distil: Distil, named: Path) -> list[int]:
    return [number for number in range(_parts(distil.views)) if not _path(named, number).is_file()]


def _path(folder: Path, number: int, kind: str = "crops") -> Path:
    return folder / f"{number:05}-{kind}.npy"


def _write(path: Path, rows: NDArray[np.generic]) -> None:
    with replacing(path) as temporary:
        np.save(temporary, rows)


def _read(folder: Path, number: int) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float16]]:
    # Each file that is mapped stays open: only the large ones are.
    crops = np.load(_path(folder, number), mmap_mode="r")
    said, features = (np.load(_path(folder, number, kind)) for kind in ("said", "features"))
    return crops, said, features
