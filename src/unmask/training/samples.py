"""Turn samples on disk into what a network trains on: balanced draws, pseudo-fakes, degradation, crops."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from unmask.data.corpus import Sample
from unmask.errors import DataError
from unmask.faces.crop import CropSpec, crop_matrix, cut, warp
from unmask.forge.selfblend import self_blend
from unmask.training.degrade import degrade
from unmask.types import Landmarks


@dataclass(frozen=True, slots=True)
class Mix:
    """What a draw is made of.

    `real` is the share of real faces; of the fakes, `self_blended` is the share of pseudo-fakes. `strength`
    in [0, 1] is how often degradation happens. Within a label, datasets are drawn in proportion to the
    square root of their number of crops, then a source evenly, then one of its crops: no large data set and
    no long clip crowds out the rest.
    """

    real: float = 0.5
    self_blended: float = 0.5
    strength: float = 0.9


def read_image(sample: Sample) -> NDArray[np.uint8]:
    """The crop on disk as RGB uint8 (H, W, 3).

    Raises:
        DataError: the file is missing or not an image.
    """
    packed = np.fromfile(sample.path, np.uint8) if sample.path.is_file() else np.empty(0, np.uint8)
    image = cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB) if packed.size else None
    if image is None:
        raise DataError(f"{sample.path} is missing or not an image", hint="run the extraction again")
    return np.asarray(image, np.uint8)


class Draws:
    """Draws samples of one label in a balanced way (see `Mix`)."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        if not samples:
            raise DataError("a label has no samples", hint="training needs real and fake faces")
        groups: dict[tuple[str, str], dict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
        for sample in samples:
            groups[sample.dataset, sample.method][sample.source].append(sample)
        self.groups = [list(sources.values()) for sources in groups.values()]
        sizes = np.array([sum(map(len, sources)) for sources in self.groups], dtype=np.float64)
        self.weights = np.sqrt(sizes) / np.sqrt(sizes).sum()

    def draw(self, rng: np.random.Generator) -> Sample:
        sources = self.groups[rng.choice(len(self.groups), p=self.weights)]
        crops = sources[rng.integers(len(sources))]
        return crops[rng.integers(len(crops))]


class TrainingDraws(Dataset[tuple[Tensor, Tensor]]):
    """An endless training set cut to `length`; item i is a function of the seed and i alone."""

    def __init__(self, samples: Sequence[Sample], spec: CropSpec, mix: Mix, length: int, seed: int) -> None:
        self.real = Draws([s for s in samples if not s.fake])
        self.fake = Draws([s for s in samples if s.fake])
        self.spec, self.mix, self.length, self.seed = spec, mix, length, seed

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, index))
        is_fake = rng.random() >= self.mix.real
        blends = is_fake and rng.random() < self.mix.self_blended
        sample = (self.fake if is_fake and not blends else self.real).draw(rng)
        image = read_image(sample)
        if blends:
            image = self_blend(image, sample.landmarks, rng).image
        image = degrade(image, rng, self.mix.strength)
        crop = cut_jittered(image, sample.landmarks, self.spec, rng)
        return as_tensor(crop), torch.tensor(float(is_fake))


class ValidationCrops(Dataset[tuple[Tensor, Tensor]]):
    """Every sample once, in order; with `strength` > 0 each under one fixed draw of degradation."""

    def __init__(self, samples: Sequence[Sample], spec: CropSpec, strength: float, seed: int) -> None:
        self.samples, self.spec, self.strength, self.seed = samples, spec, strength, seed

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        sample = self.samples[index]
        image = degrade(read_image(sample), np.random.default_rng((self.seed, index)), self.strength)
        return as_tensor(cut(image, sample.landmarks, self.spec)), torch.tensor(float(sample.fake))


def cut_jittered(
    image: NDArray[np.uint8], landmarks: Landmarks, spec: CropSpec, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """An aligned crop as another detector, another frame or a mirror would have given it."""
    size = spec.size
    matrix = crop_matrix(landmarks, spec)
    angle, scale = np.radians(rng.normal(0, 4)), np.exp(rng.normal(0, 0.06))
    shift = rng.normal(0, 0.025, 2) * size
    middle = (size - 1) / 2
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    offset = middle + shift - turn @ np.array([middle, middle])
    jitter = np.vstack([np.column_stack([turn, offset]), [0, 0, 1]])
    crop = warp(image, matrix @ jitter, size)
    return np.ascontiguousarray(crop[:, ::-1]) if rng.random() < 0.5 else crop


def as_tensor(crop: NDArray[np.uint8]) -> Tensor:
    """uint8 (3, S, S); normalisation is part of the network's export, done in `fit.normalise`."""
    return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))


def one_thread_each(_worker: int) -> None:
    """DataLoader workers share the cores with the training step: OpenCV must not take them all."""
    cv2.setNumThreads(1)
