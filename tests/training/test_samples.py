"""Samples: the settings of a draw do what they say, and kept crops are the crops."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.data.corpus import Sample
from unmask.errors import DataError
from unmask.faces.crop import CropSpec, cut
from unmask.forge import inside, twin
from unmask.forge.retouch import RETOUCHES, retouch
from unmask.forge.treat import TREATMENTS, treat
from unmask.training.precut import Precut
from unmask.training.recipe import Protocol
from unmask.training.samples import (
    STILL,
    Jitter,
    Mix,
    TrainingDraws,
    ValidationCrops,
    closely,
    cut_out,
    read_image,
)
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
    plain = Mix(precut=True, strength=0, self_blended=0)
    plain.check()
    for mix in (
        Mix(precut=True),
        replace(plain, twins=0.1),
        replace(plain, retouch=0.1),
        replace(plain, close=0.1),
        Mix(balance="none", strength=0),
        Mix(balance="none", self_blended=0, twins=0.1),
        Mix(paired=True, real=0.4),
    ):
        with pytest.raises(DataError):
            mix.check()


def test_a_kind_of_pseudo_fake_that_is_not_known_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match="swop") as raised:
        Mix(pseudo={"swop": 1.0}).check()
    assert "recompress" in raised.value.hint
    with pytest.raises(DataError, match="weight"):
        Mix(pseudo={"swap": 0.0}).check()


BEFORE = {
    # By strength: label, mean and standard deviation of crops drawn before there were several kinds.
    0: [
        *((1, 153.17, 71.64), (1, 181.84, 63.08), (0, 155.03, 75.21), (1, 146.10, 72.67)),
        *((0, 151.97, 74.75), (1, 170.29, 72.16), (1, 165.17, 73.45), (1, 178.62, 64.80)),
    ],
    0.9: [
        *((1, 131.98, 64.21), (1, 177.23, 64.90), (1, 171.57, 76.53), (1, 144.44, 72.99)),
        *((1, 175.21, 70.60), (1, 167.07, 69.12), (1, 164.82, 69.88), (1, 177.37, 67.18)),
    ],
}


@pytest.mark.parametrize("mix", [Mix(strength=0), Mix(self_blended=1.0, real=0.2)])
def test_recipes_from_before_there_were_several_kinds_mean_the_same(mix: Mix, samples: list[Sample]) -> None:
    draws = TrainingDraws(samples, SPEC, mix, 8, seed=5)
    for number, (label, mean, spread) in enumerate(BEFORE[mix.strength]):
        crop, is_fake = draws[number]
        assert float(is_fake) == label
        assert float(crop.float().mean()) == pytest.approx(mean, abs=0.3)
        assert float(crop.float().std()) == pytest.approx(spread, abs=0.3)


ALL_KINDS = {"self_blend": 0.4, "swap": 0.3, "parts": 0.1, "decoder": 0.1, "recompress": 0.1}


def test_all_kinds_twins_and_retouches_are_a_function_of_the_seed(samples: list[Sample]) -> None:
    mix = Mix(pseudo=ALL_KINDS, self_blended=0.8, twins=0.8, retouch=0.5)
    one, two = (TrainingDraws(samples, SPEC, mix, 40, seed=5) for _ in range(2))
    labels = set()
    for number in (33, 0, *range(20)):
        assert bool((one[number][0] == two[number][0]).all())
        labels.add(float(one[number][1]))
    assert labels == {0.0, 1.0}


def test_a_pair_differs_by_the_forging_alone(samples: list[Sample]) -> None:
    mix = Mix(pseudo={"decoder": 1.0}, self_blended=1.0, paired=True, retouch=0.5)
    draws, alike = TrainingDraws(samples, SPEC, mix, 24, seed=5), 0
    for pair in range(12):
        (forged, fake), (honest, real) = draws[2 * pair], draws[2 * pair + 1]
        assert (float(fake), float(real)) == (1.0, 0.0)
        apart = (forged.float() - honest.float()).abs().mean(0)
        alike += bool(apart[32:-32, 32:-32].mean() > 2 * apart[:, :4].mean())
    # Where the decoder changes too little the fake is a self-blend, which may change what is around the face.
    assert alike >= 10
    unforged = TrainingDraws(samples, SPEC, replace(mix, self_blended=0.0), 8, seed=5)
    assert [float(unforged[n][1]) for n in range(8)] == [1.0, 0.0] * 4


def test_a_forgery_is_followed_by_a_real_face_of_its_own_recording(samples: list[Sample]) -> None:
    paired = [replace(s, source=f"s{n // 5}") for n, s in enumerate(samples)]
    mix = Mix(self_blended=0.0, paired=True, strength=0, jitter=0, flip=False)
    draws = TrainingDraws(paired, SPEC, mix, 40, seed=5)
    # Every picture has a tint of its own, so its mean tells which it is.
    levels = {float(ValidationCrops([s], SPEC, 0, 0)[0][0].float().mean()): s for s in paired}

    def drawn(number: int) -> Sample:
        level = float(draws[number][0].float().mean())
        return levels[min(levels, key=lambda other: abs(other - level))]

    for pair in range(20):
        fake, real = drawn(2 * pair), drawn(2 * pair + 1)
        assert (fake.fake, real.fake) == (True, False)
        assert fake.source == real.source


def test_a_picture_cut_closely_shows_the_same_face_and_mirrors_what_is_missing(samples: list[Sample]) -> None:
    image, rng = read_image(samples[0]), np.random.default_rng(0)
    whole = cut(image, MARKS, SPEC).astype(int)
    mirrored = 0
    for _ in range(20):
        sample, close = closely(samples[0], image, rng)
        assert close.size < image.size
        apart = np.abs(cut(close, sample.landmarks, SPEC) - whole).mean(axis=2)
        assert apart[40:-40, 40:-40].max() <= 1
        mirrored += bool(apart[:4].mean() > 3)
    assert 3 < mirrored < 20


def test_no_treatment_and_no_retouch_says_anything_about_the_label(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, ...]] = []

    def noted(original: Callable[..., tuple[object, tuple[str, ...]]]) -> Callable[..., object]:
        def call(*given: object) -> object:
            picture, names = original(*given)
            seen.append(names)
            return picture, names

        return call

    monkeypatch.setattr(inside, "treat", noted(treat))
    monkeypatch.setattr(twin, "treat", noted(treat))
    monkeypatch.setattr("unmask.training.samples.retouch", noted(retouch))
    mix = Mix(real=0.4, self_blended=0.5, twins=0.75, retouch=0.3, pseudo={"recompress": 1.0}, strength=0)
    draws = TrainingDraws(samples, SPEC, mix, 1200, seed=1)
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for number in range(len(draws)):
        seen.clear()
        is_fake = bool(draws[number][1])
        counts[is_fake].update(name for names in seen for name in names)
    # 0.6 × 0.5 of all draws are pseudo-fakes, as many are twins, and 0.6 against 0.4 are retouched.
    for names, share in ((TREATMENTS, 0.5), (RETOUCHES, 0.6)):
        for name in names:
            both = counts[True][name] + counts[False][name]
            assert counts[True][name] / both == pytest.approx(share, abs=3 * 0.5 / both**0.5)


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
