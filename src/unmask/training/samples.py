"""Turn samples on disk into what a network trains on: draws, pseudo-fakes, degradation, aligned crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Protocol

import cv2
import numpy as np
import torch
from msgspec import Meta
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from unmask.data.corpus import Sample
from unmask.errors import DataError
from unmask.faces.crop import CENTRE_BELOW_EYES, CropSpec, crop_matrix, cut, face_frame, warp
from unmask.forge.pseudo import PseudoFakes, check_kinds
from unmask.forge.retouch import retouch
from unmask.training.counterparts import Counterparts
from unmask.training.degrade import Odds, degrade
from unmask.training.draws import Balance, Draws, Rounds
from unmask.types import Landmarks

Share = Annotated[float, Meta(ge=0, le=1)]

EVEN = 0.5
"""The share of real faces where draws are paired."""

WORKERS = "spawn"
"""How loading processes start. A forked one inherits OpenCV's and torch's locked threads and may hang."""

CLOSE, FAR = 1.0, 1.7
"""Sides of a picture that holds hardly more than a face, times the face."""


@dataclass(frozen=True)
class Mix:
    """What a draw is made of.

    `balance` says how samples are drawn (see `draws.Draws`; `none` takes every crop once per round, in the
    proportions of the corpus). Of balanced draws, `real` is the share of real faces, and of the fakes
    `self_blended` the share of pseudo-fakes, whose kinds are drawn by their weights in `pseudo` (see
    `forge.kinds`). Of the faces that these borrow from others, `generated` is the share that come out of
    pictures which a generator made as a whole, so that one of its faces is seen within a real picture.
    `twins` is the share of the real ones that went, as a whole, through what such a fake's face went through:
    as many as there are pseudo-fakes where `real` × `twins` is (1 - `real`) × `self_blended`. With `paired`
    each pseudo-fake is followed by the real face that it was made of (or that face's twin), retouched,
    degraded and cut alike, so that a batch differs by the forging alone, and each forgery by a real face of
    its own recording or data set, as far as there are any. `close` is the share of draws whose picture ends
    close around the face, as in pictures cut by others, so that the crop is filled up by mirroring. `retouch`
    is the share of all draws, of either label, that get a beauty filter, glasses, a caption and the like.
    `strength` scales the odds of `degradation`. `jitter` scales small turns, shifts and changes of size of
    the crop, `flip` mirrors half of them, `cut_out` is the share that lose a rectangle, and `mixup` > 0
    blends pairs of a batch with Beta(mixup, mixup) (Zhang et al., ICLR 2018). `precut` cuts all crops once
    and keeps them: for small networks that need no new pictures.
    """

    balance: Balance = "groups"
    real: Share = 0.5
    self_blended: Share = 0.5
    pseudo: dict[str, Annotated[float, Meta(ge=0)]] = field(default_factory=lambda: {"self_blend": 1.0})
    generated: Share = 0.0
    twins: Share = 0.0
    paired: bool = False
    retouch: Share = 0.0
    close: Share = 0.0
    strength: Share = 0.9
    degradation: Odds = field(default_factory=Odds)
    jitter: Annotated[float, Meta(ge=0)] = 1.0
    flip: bool = True
    cut_out: Share = 0.0
    mixup: Annotated[float, Meta(ge=0)] = 0.0
    precut: bool = False

    def check(self) -> None:
        """Raises `DataError` for settings that exclude each other, or for a kind that is not known."""
        check_kinds(self.pseudo)
        if self.precut and (self.strength or self.self_blended or self.twins or self.retouch or self.close):
            raise DataError(
                "mix.precut keeps finished crops, which can be neither self-blended nor degraded",
                hint="set strength, self_blended, twins, retouch and close to 0, or precut to false",
            )
        if self.balance == "none" and (self.self_blended or self.twins):
            raise DataError(
                "mix.balance none takes the crops as they are, so none can be self-blended",
                hint="set self_blended and twins to 0, or balance to groups",
            )
        if self.paired and (self.balance == "none" or self.real != EVEN):
            raise DataError(
                "mix.paired draws as many real faces as fakes",
                hint="set real to 0.5 and balance to groups, or paired to false",
            )


class Source(Protocol):
    """Gives the picture of a sample."""

    def crop(
        self, sample: Sample, spec: CropSpec, jitter: Jitter, image: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        """The aligned crop of `sample`, or of `image` in its place, moved by `jitter`."""


@dataclass(frozen=True, slots=True)
class Jitter:
    """A small move of a crop, as another detector or another frame would have it: radians, factor, shares."""

    angle: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False

    @classmethod
    def draw(cls, rng: np.random.Generator, amount: float, flip: bool) -> Jitter:
        """A random one; `amount` 1 turns by some 4°, resizes by 6 % and shifts by 2.5 % of the side."""
        angle, scale = np.radians(rng.normal(0, 4)) * amount, np.exp(rng.normal(0, 0.06) * amount)
        shift = rng.normal(0, 0.025, 2) * amount
        mirrored = bool(rng.random() < 0.5) and flip
        return cls(float(angle), float(scale), (float(shift[0]), float(shift[1])), mirrored)


STILL = Jitter()


class FromDisk:
    """Reads each picture when it is asked for."""

    def crop(
        self, sample: Sample, spec: CropSpec, jitter: Jitter, image: NDArray[np.uint8] | None = None
    ) -> NDArray[np.uint8]:
        picture = read_image(sample) if image is None else image
        return cut_moved(picture, sample.landmarks, spec, jitter)


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


class TrainingDraws(Dataset[tuple[Tensor, Tensor]]):
    """An endless training set cut to `length`; item i is a function of the seed and i alone."""

    def __init__(
        self,
        samples: Sequence[Sample],
        spec: CropSpec,
        mix: Mix,
        length: int,
        seed: int,
        source: Source | None = None,
    ) -> None:
        mix.check()
        self.spec, self.mix, self.length, self.seed = spec, mix, length, seed
        self.source = source or FromDisk()
        self.samples = samples
        self.rounds = Rounds(samples, seed)
        reals = [s for s in samples if not s.fake]
        # Of forged pictures that stand alone nearly all were made as a whole.
        generated = [s for s in samples if s.fake and s.kind == "photo"]
        self.pseudo = PseudoFakes(mix.pseudo, reals, read_image, generated, mix.generated)
        self.real = Draws(reals, mix.balance)
        self.fake = Draws([s for s in samples if s.fake], mix.balance)
        self.counterparts = Counterparts(reals)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        mix, rng = self.mix, np.random.default_rng((self.seed, index))
        if mix.balance == "none":
            sample, image = self.rounds[index], None
            is_fake = sample.fake
        elif mix.paired:
            sample, image, is_fake, rng = self._of_pair(index)
        else:
            is_fake = bool(rng.random() >= mix.real)
            forges = is_fake and rng.random() < mix.self_blended
            sample = (self.fake if is_fake and not forges else self.real).draw(rng)
            image = self._changed(sample, forges, is_fake, rng)
        if mix.retouch and rng.random() < mix.retouch:
            image = retouch(read_image(sample) if image is None else image, sample.landmarks, rng)[0]
        if mix.strength:
            image = degrade(
                read_image(sample) if image is None else image, rng, mix.strength, mix.degradation
            )
        if mix.close and rng.random() < mix.close:
            sample, image = closely(sample, read_image(sample) if image is None else image, rng)
        crop = self.source.crop(sample, self.spec, Jitter.draw(rng, mix.jitter, mix.flip), image)
        if mix.cut_out and rng.random() < mix.cut_out:
            crop = cut_out(crop, rng)
        return as_tensor(crop), torch.tensor(float(is_fake))

    def _of_pair(self, index: int) -> tuple[Sample, NDArray[np.uint8] | None, bool, np.random.Generator]:
        """The sample of a draw, its picture where it was changed, whether it is fake, and the generator for
        what comes after, whose state is the same for a pseudo-fake and the real face it was made of."""
        pair, is_fake = index // 2, index % 2 == 0
        rng = np.random.default_rng((self.seed, pair, 0))
        forges = rng.random() < self.mix.self_blended
        if forges:
            sample = self.real.draw(rng)
            change = np.random.default_rng((self.seed, index, 1))
            image = self._changed(sample, is_fake, is_fake, change)
            return sample, image, is_fake, rng
        sample = self.fake.draw(rng)
        change = np.random.default_rng((self.seed, index, 2))
        if not is_fake:
            sample = self.counterparts.of(sample, change) or self.real.draw(change)
        return sample, self._changed(sample, False, is_fake, change), is_fake, rng

    def _changed(
        self, sample: Sample, forges: bool, is_fake: bool, rng: np.random.Generator
    ) -> NDArray[np.uint8] | None:
        """A pseudo-fake, or of some real faces the honest twin; None where the picture stays as it is."""
        if forges:
            return self.pseudo.make(sample, rng).image
        if self.mix.twins and not is_fake and rng.random() < self.mix.twins:
            return self.pseudo.twin(sample, rng)
        return None


class ValidationCrops(Dataset[tuple[Tensor, Tensor]]):
    """Every sample once, in order; with `strength` > 0 each under one fixed draw of degradation."""

    def __init__(
        self,
        samples: Sequence[Sample],
        spec: CropSpec,
        strength: float,
        seed: int,
        source: Source | None = None,
    ) -> None:
        self.samples, self.spec, self.strength, self.seed = samples, spec, strength, seed
        self.source = source or FromDisk()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        sample = self.samples[index]
        image = None
        if self.strength:
            image = degrade(read_image(sample), np.random.default_rng((self.seed, index)), self.strength)
        return as_tensor(self.source.crop(sample, self.spec, STILL, image)), torch.tensor(float(sample.fake))


def cut_moved(
    image: NDArray[np.uint8], landmarks: Landmarks, spec: CropSpec, jitter: Jitter
) -> NDArray[np.uint8]:
    """An aligned crop, RGB uint8 (size, size, 3), moved by `jitter`."""
    if jitter == STILL:
        return cut(image, landmarks, spec)
    size = spec.size
    middle = (size - 1) / 2
    cos, sin = np.cos(jitter.angle), np.sin(jitter.angle)
    turn = jitter.scale * np.array([[cos, -sin], [sin, cos]])
    offset = middle + np.array(jitter.shift) * size - turn @ np.array([middle, middle])
    move = np.vstack([np.column_stack([turn, offset]), [0, 0, 1]])
    crop = warp(image, crop_matrix(landmarks, spec) @ move, size)
    return np.ascontiguousarray(crop[:, ::-1]) if jitter.mirrored else crop


def closely(
    sample: Sample, image: NDArray[np.uint8], rng: np.random.Generator
) -> tuple[Sample, NDArray[np.uint8]]:
    """The picture cut to a square around the face, and the sample with landmarks in its pixels."""
    frame = face_frame(sample.landmarks)
    side = frame.face_size * rng.uniform(CLOSE, FAR)
    middle = np.array(frame.point(0.0, CENTRE_BELOW_EYES)) + rng.normal(0, 0.04, 2) * frame.face_size
    height, width = image.shape[:2]
    left, top = (max(0, int(at - side / 2)) for at in middle)
    right, bottom = min(width, int(middle[0] + side / 2)), min(height, int(middle[1] + side / 2))
    if right - left < 16 or bottom - top < 16:
        return sample, image
    first, second, third, fourth, fifth = ((x - left, y - top) for x, y in sample.landmarks)
    moved = replace(sample, landmarks=(first, second, third, fourth, fifth))
    return moved, np.ascontiguousarray(image[top:bottom, left:right])


def cut_out(crop: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """`crop` with one rectangle of up to a third of each side in its mean colour (DeVries & Taylor, 2017)."""
    size = crop.shape[0]
    height, width = (int(size * share) for share in rng.uniform(0.08, 0.34, 2))
    top, left = (int(rng.integers(0, size - side + 1)) for side in (height, width))
    crop = crop.copy()
    crop[top : top + height, left : left + width] = crop.mean(axis=(0, 1))
    return crop


def as_tensor(crop: NDArray[np.uint8]) -> Tensor:
    """uint8 (3, S, S); normalisation is part of the network's export, done in `normalise`."""
    return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1)))


def normalise(crops: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """uint8 (N, 3, S, S) to float32 as a network expects it; `mean` and `std` per channel, RGB in [0, 1]."""
    middle = torch.tensor(mean, device=crops.device).view(1, 3, 1, 1) * 255
    spread = torch.tensor(std, device=crops.device).view(1, 3, 1, 1) * 255
    return (crops.float() - middle) / spread


def one_thread_each(_worker: int) -> None:
    """DataLoader workers share the cores with the training step: OpenCV must not take them all."""
    cv2.setNumThreads(1)


def load(items: Dataset[Any], batch: int, workers: int) -> DataLoader[Any]:
    """Batches of `items` in order, prepared by `workers` processes; by this one for 0."""
    return DataLoader(
        items,
        batch_size=batch,
        num_workers=workers,
        worker_init_fn=one_thread_each,
        multiprocessing_context=WORKERS if workers else None,
        prefetch_factor=4 if workers else None,
    )
