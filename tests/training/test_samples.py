"""Samples: the settings of a draw do what they say, and kept crops are the crops."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.data.corpus import Sample
from unmask.errors import DataError
from unmask.faces.crop import CropSpec, cut
from unmask.training.precut import Precut
from unmask.training.recipe import Protocol
from unmask.training.samples import STILL, Jitter, Mix, TrainingDraws, ValidationCrops, cut_out
from unmask.training.split import apply_protocol

MARKS = ((82.6, 71.1), (126.5, 74.0), (102.7, 94.5), (82.9, 111.8), (120.8, 113.9))
SPEC = CropSpec(128, 1.25)


@pytest.fixture
def samples(tmp_path: Path, photo: NDArray[np.uint8]) -> list[Sample]:
    """Ten real and ten fake crops of one face, from two sources each."""
    made = []
    for number in range(20):
        path = tmp_path / f"{number}.png"
        tint = np.clip(photo[30:231, 120:321].astype(int) + 3 * number, 0, 255).astype(np.uint8)
        cv2.imwrite(str(path), tint[..., ::-1])
        fake = number % 2 == 1
        method = "tint" if fake else "original"
        made.append(Sample(path, fake, "train", method, "d", f"s{number % 4}", "frame", MARKS))
    return made


def test_an_item_is_a_function_of_the_seed_and_its_number(samples: list[Sample]) -> None:
    for mix in (Mix(), Mix(balance="none", self_blended=0, cut_out=1.0)):
        one, two = (TrainingDraws(samples, SPEC, mix, 8, seed=5) for _ in range(2))
        for number in (6, 0, 3):
            assert bool((one[number][0] == two[number][0]).all())


def test_a_round_without_balance_has_every_label_as_often_as_the_corpus(samples: list[Sample]) -> None:
    mix = Mix(balance="none", self_blended=0, strength=0)
    draws = TrainingDraws(samples[:12], SPEC, mix, 12, seed=0)
    assert sum(float(draws[i][1]) for i in range(12)) == 6


def test_settings_that_exclude_each_other_are_refused() -> None:
    for mix in (Mix(precut=True), Mix(balance="none", strength=0)):
        with pytest.raises(DataError):
            mix.check()


def test_kept_crops_are_the_crops_and_can_be_shared(samples: list[Sample], tmp_path: Path) -> None:
    kept = Precut(samples, SPEC, tmp_path / "kept")
    written = kept.path.stat().st_mtime_ns
    again = pickle.loads(pickle.dumps(Precut(samples, SPEC, tmp_path / "kept")))
    assert kept.path.stat().st_mtime_ns == written
    image = cv2.imread(str(samples[3].path))
    assert image is not None
    straight = cut(np.ascontiguousarray(image[..., ::-1]), MARKS, SPEC)
    crop = again.crop(samples[3], SPEC, STILL)
    assert np.abs(crop.astype(int) - straight).mean() < 0.1
    moved = again.crop(samples[3], SPEC, Jitter(shift=(1 / 128, 0), mirrored=True))
    assert np.array_equal(moved[:, ::-1][:, :-1], crop[:, 1:])


def test_kept_crops_serve_validation(samples: list[Sample], tmp_path: Path) -> None:
    kept = Precut(samples, SPEC, tmp_path)
    ours = ValidationCrops(samples, SPEC, 0.0, 0, kept)[2][0]
    disk = ValidationCrops(samples, SPEC, 0.0, 0)[2][0]
    assert float((ours.float() - disk.float()).abs().mean()) < 0.1


def test_cut_out_covers_one_rectangle(photo: NDArray[np.uint8]) -> None:
    crop = np.ascontiguousarray(photo[:64, :64])
    changed = (cut_out(crop, np.random.default_rng(1)) != crop).any(axis=2).mean()
    assert 0.001 < changed < 0.2


def test_protocols_split_as_they_say(samples: list[Sample]) -> None:
    given = [replace(s, split="val" if s.source == "s3" else "train") for s in samples]
    assert apply_protocol(given, Protocol(), 0) == given
    frames = apply_protocol(given, Protocol(split="random-frames", share=0.25), 0)
    assert sum(s.split == "val" for s in frames) == 5
    assert {s.source for s in frames if s.split == "val"} & {s.source for s in frames if s.split == "train"}
    with pytest.raises(DataError, match="photo"):
        apply_protocol(given, Protocol(kinds=("photo",)), 0)
