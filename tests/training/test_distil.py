"""Learning from a teacher: what it says is kept once, gone on with, and learned from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.conftest import card
from torch import nn

from unmask.data.corpus import Sample
from unmask.detector.model import Model, load_model
from unmask.errors import DataError, ModelError
from unmask.faces.crop import CropSpec
from unmask.training import distil
from unmask.training.distil import Distil, Lessons, Pupil, prepare_lessons
from unmask.training.export import export
from unmask.training.fit import Fit
from unmask.training.make import make, prepare
from unmask.training.recipe import Recipe, parse_recipe
from unmask.training.samples import Mix, TrainingDraws
from unmask.zoo.build import build
from unmask.zoo.network import NETWORKS
from unmask.zoo.own_start import OwnStart

PART, VIEWS = 4, 8


@pytest.fixture(autouse=True)
def small_parts() -> Iterator[None]:
    with mock.patch.multiple(distil, PART=PART, BATCH=2):
        yield


@pytest.fixture
def samples(tmp_path: Path, photo: NDArray[np.uint8]) -> list[Sample]:
    from PIL import Image

    path = tmp_path / "face.png"
    Image.fromarray(photo[30:231, 120:321]).save(path)
    marks = ((82.6, 71.1), (126.5, 74.0), (102.7, 94.5), (82.9, 111.8), (120.8, 113.9))
    return [
        Sample(path, fake, split, "tint" if fake else "", "d", f"{split}{fake}{number}", "photo", marks)
        for split in ("train", "val")
        for fake in (False, True)
        for number in range(3)
    ]


@pytest.fixture
def teacher(tmp_path: Path) -> Distil:
    torch.manual_seed(3)
    torch.save(build("lenet", size=32).state_dict(), tmp_path / "teacher.pt")
    digest = hashlib.sha256((tmp_path / "teacher.pt").read_bytes()).hexdigest()
    return Distil("lenet", OwnStart(str(tmp_path / "teacher.pt"), digest), views=VIEWS, features=0.0)


def draws_of(samples: list[Sample], seed: int = 1) -> TrainingDraws:
    train = [sample for sample in samples if sample.split == "train"]
    return TrainingDraws(train, CropSpec(32), Mix(), VIEWS, seed)


def lessons_by_hand(folder: Path, views: int = VIEWS, size: int = 64, features: int = 5) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(-(-views // PART)):
        crops = rng.integers(0, 256, (PART, 3, size, size), dtype=np.uint8)
        crops[:, :, 0, 0] = np.arange(PART)[:, None] + PART * number
        crops[:, :, 0, 1] = 255
        said = np.stack([np.arange(PART) % 2, rng.normal(size=PART)], axis=1).astype(np.float32)
        for kind, rows in (
            ("crops", crops),
            ("said", said),
            ("features", rng.normal(size=(PART, features)).astype(np.float16)),
        ):
            np.save(folder / f"{number:05}-{kind}.npy", rows)
    return folder


def recipe_with(weights: OwnStart, **changes: object) -> Recipe:
    document = {
        "name": "pupil", "network": "mobilenetv2", "start": "none", "description": "", "licence": "",
        "limits": [], "crop": {"size": 64}, "mix": {"self_blended": 0.0, "strength": 0.0},
        "schedule": {"steps": 4, "batch": 4, "warm_up": 1, "validate_every": 2, "bfloat16": False},
        "distil": {"network": "lenet", "weights": msgspec.to_builtins(weights), "views": VIEWS},
    }  # fmt: skip
    return parse_recipe(document | changes)


def taught(recipe: Recipe, samples: list[Sample], folder: Path, lessons: Path) -> Fit:
    fit = Fit(recipe, samples, folder)
    fit.teach(lessons)
    return fit


@pytest.fixture
def five_features() -> Iterator[None]:
    """The lessons made by hand have five."""
    with mock.patch("unmask.training.fit.size_of_features", return_value=5):
        yield


def test_each_round_gives_every_view_once_with_pairs_together(tmp_path: Path) -> None:
    lessons = Lessons(lessons_by_hand(tmp_path / "l"), VIEWS, 2 * VIEWS, 7, flip=False)
    seen = [int(lessons[at].crop[0, 0, 0]) for at in range(2 * VIEWS)]
    assert sorted(seen[:VIEWS]) == sorted(seen[VIEWS:]) == list(range(VIEWS))
    assert seen[:VIEWS] != seen[VIEWS:]
    assert all(second == first + 1 for first, second in zip(seen[::2], seen[1::2], strict=True))
    assert [float(lessons[at].label) for at in range(4)] == [0.0, 1.0, 0.0, 1.0]
    # Item i depends on nothing that was asked before.
    assert int(Lessons(lessons.folder, VIEWS, 16, 7, flip=False)[9].crop[0, 0, 0]) == seen[9]


def test_about_half_of_the_pairs_are_mirrored_anew_each_round(tmp_path: Path) -> None:
    lessons = Lessons(lessons_by_hand(tmp_path / "l"), VIEWS, 400, 7, flip=True)
    mirrored = [int(lessons[at].crop[0, 0, 1]) != 255 for at in range(400)]
    assert mirrored[::2] == mirrored[1::2]
    assert 60 < sum(mirrored[:200]) < 140
    assert mirrored[:VIEWS] != mirrored[VIEWS : 2 * VIEWS]


def test_the_teacher_goes_on_where_it_was_stopped(
    samples: list[Sample], teacher: Distil, tmp_path: Path
) -> None:
    shown: list[int] = []

    def judged() -> Path:
        shown.clear()
        beside = tmp_path / "runs"
        return prepare_lessons(
            teacher, draws_of(samples), beside, progress=lambda done, *_: shown.append(done), workers=0
        )

    folder = judged()
    assert shown == [2, 4, 6, 8]
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "00001-crops.npy").unlink()
    assert (judged(), shown) == (folder, [6, 8])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    more = replace(teacher, views=VIEWS + 1)
    assert prepare_lessons(more, draws_of(samples), tmp_path / "runs", workers=0) == folder
    assert len(list(folder.glob("*-crops.npy"))) == 3


def test_what_is_kept_is_what_the_teacher_says_of_the_draws(
    samples: list[Sample], teacher: Distil, tmp_path: Path
) -> None:
    draws = draws_of(samples)
    folder = prepare_lessons(teacher, draws, tmp_path / "runs", workers=0)
    network = build("lenet", size=32).eval()
    network.load_state_dict(torch.load(teacher.weights.file, weights_only=True))
    crops, said = (np.load(folder / f"00001-{kind}.npy") for kind in ("crops", "said"))
    for row in range(PART):
        crop, label = draws[PART + row]
        assert np.array_equal(crops[row], crop.numpy())
        assert said[row, 0] == float(label)
        with torch.no_grad():
            logit = network(crop[None].float() / 255)[0]
        assert said[row, 1] == pytest.approx(float(logit), abs=0.02)  # 16-bit floats
    other = prepare_lessons(teacher, draws_of(samples, seed=2), tmp_path / "runs", workers=0)
    assert other != folder


def test_models_beside_the_teacher_have_their_say(
    samples: list[Sample], teacher: Distil, tmp_path: Path
) -> None:
    path, info = tmp_path / "other.onnx", NETWORKS["meso4"]
    torch.manual_seed(3)
    export(build("meso4", size=32), card(name="other", crop=CropSpec(32)), path, info.mean, info.std)
    start = OwnStart(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    alone = prepare_lessons(teacher, draws_of(samples), tmp_path / "runs", workers=0)
    together = prepare_lessons(
        replace(teacher, beside=(start,)), draws_of(samples), tmp_path / "runs", workers=0
    )
    crops, said = (np.load(together / f"00000-{kind}.npy") for kind in ("crops", "said"))
    other = load_model(path).score(np.ascontiguousarray(crops.transpose(0, 2, 3, 1))).raw
    before = np.load(alone / "00000-said.npy")
    assert said[:, 1] == pytest.approx((before[:, 1] + other) / 2, abs=1e-4)
    draws = draws_of(samples)
    draws.spec = CropSpec(32, 2.0)
    with pytest.raises(ModelError, match="other crops"):
        prepare_lessons(replace(teacher, beside=(start,)), draws, tmp_path / "more", workers=0)


def test_a_described_image_has_the_logit_that_its_features_give() -> None:
    network, images = build("clip_vit_b16", size=32).eval(), torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        logits, features = network.described(images)  # type: ignore[operator]
        assert torch.allclose(logits, network(images)[0], atol=1e-4)
        assert torch.allclose(network.classifier.linear(features)[:, 0], logits)  # type: ignore[operator,union-attr]


@pytest.mark.usefixtures("five_features")
def test_a_stopped_pupil_goes_on_to_the_same_weights(samples: list[Sample], tmp_path: Path) -> None:
    lessons = lessons_by_hand(tmp_path / "lessons")
    recipe = recipe_with(OwnStart("teacher.pt", "0" * 64))
    straight = taught(recipe, samples, tmp_path / "straight", lessons)
    assert straight.pupil
    before = straight.pupil.map.weight.clone()
    straight.run(workers=0)
    assert not torch.equal(straight.pupil.map.weight, before)

    class StoppedError(Exception):
        """Stands in for a kill between two steps."""

    def stop(step: int, _steps: int, _message: str) -> None:
        if step == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        taught(recipe, samples, tmp_path / "stopped", lessons).run(stop, workers=0)
    again = taught(recipe, samples, tmp_path / "stopped", lessons)
    assert again.step == 2
    again.run(workers=0)
    assert again.pupil
    assert torch.equal(again.pupil.map.weight, straight.pupil.map.weight)
    assert recipe.distil is not None
    company = replace(recipe.distil, beside=(OwnStart("other.onnx", "1" * 64),))
    for other in (None, company):
        with pytest.raises(DataError, match="another recipe"):
            Fit(replace(recipe, distil=other), samples, tmp_path / "stopped")
    for ours, theirs in zip(
        again.average.state_dict().values(), straight.average.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_a_pupil_comes_to_say_what_its_teacher_says(samples: list[Sample], tmp_path: Path) -> None:
    lessons = lessons_by_hand(tmp_path / "lessons", size=32)
    recipe = recipe_with(
        OwnStart("teacher.pt", "0" * 64),
        network="meso4",
        crop={"size": 32},
        schedule={"steps": 60, "batch": 8, "warm_up": 1, "validate_every": 60, "rate": 0.01, "average": 0.0},
        distil={
            "network": "lenet",
            "weights": {"file": "teacher.pt", "sha256": "0" * 64},
            "views": VIEWS,
            "label": 0.0,
            "features": 0.0,
        },
    )
    fit = taught(recipe, samples, tmp_path / "run", lessons)
    losses: list[float] = []
    with mock.patch("unmask.training.fit.SCORE_EVERY", 20):
        fit.run(lambda _s, _n, m: losses.append(float(m.split()[1])) if m.startswith("loss") else None, 0)
    assert losses[-1] < losses[0]


def test_what_cannot_be_taught_is_told(samples: list[Sample], teacher: Distil, tmp_path: Path) -> None:
    headless = build("lenet", size=32).state_dict()
    torch.save({k: v for k, v in headless.items() if not k.startswith("classifier")}, tmp_path / "half.pt")
    digest = hashlib.sha256((tmp_path / "half.pt").read_bytes()).hexdigest()
    half = replace(teacher, weights=OwnStart(str(tmp_path / "half.pt"), digest))
    with pytest.raises(ModelError, match="no whole lenet"):
        prepare_lessons(half, draws_of(samples), tmp_path / "runs", workers=0)
    with pytest.raises(ModelError, match="its teacher tells no features"):
        Fit(recipe_with(teacher.weights), samples, tmp_path / "run")
    with pytest.raises(ModelError, match="this network tells no features"):
        Pupil(nn.Sequential(), 3)
    recipe = recipe_with(teacher.weights, distil=msgspec.to_builtins(teacher))
    with pytest.raises(DataError, match="needs its lessons"):
        Fit(recipe, samples, tmp_path / "run").run(workers=0)
    blended = replace(recipe, mix=replace(recipe.mix, mixup=0.2))
    with pytest.raises(DataError, match="mixup"):
        prepare(blended, tmp_path, tmp_path / "run")


def test_a_model_says_what_its_teacher_has_seen(
    teacher: Distil, samples: list[Sample], tmp_path: Path
) -> None:
    rows = [
        "file,split,label,dataset,kind,method,source," + ",".join(f"lm{i}{a}" for i in range(5) for a in "xy")
    ]
    for sample in samples:
        marks = ",".join(str(value) for point in sample.landmarks for value in point)
        label = "fake" if sample.fake else "real"
        rows.append(f"face.png,{sample.split},{label},d,photo,{sample.method},{sample.source},{marks}")
    (tmp_path / "c" / "train").mkdir(parents=True)
    (tmp_path / "face.png").rename(tmp_path / "c" / "train" / "face.png")
    (tmp_path / "c" / "train.csv").write_text("\n".join(rows) + "\n")
    said: list[str] = []

    def made(name: str, lesson: Distil | None) -> Model:
        document = msgspec.to_builtins(recipe_with(teacher.weights))
        document |= {"name": name, "network": "meso4", "crop": {"size": 32}}
        document["distil"] = msgspec.to_builtins(lesson)
        recipe, folder = tmp_path / f"{name}.yaml", tmp_path / "runs" / name
        recipe.write_bytes(msgspec.yaml.encode(document))
        return load_model(make(recipe, tmp_path / "c", folder, say=said.append, workers=0))

    assert made("large", None).history.complete
    large = str(tmp_path / "runs" / "large" / "large.onnx")
    alone = made("alone", teacher)
    assert not alone.history.complete
    assert "told what it thinks" in alone.card.training_data
    known = made("known", replace(teacher, weights=replace(teacher.weights, model=large)))
    assert known.history.complete
    assert sum("judges 8 views" in line for line in said) == 1  # runs side by side share their lessons
