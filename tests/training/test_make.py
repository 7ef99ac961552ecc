"""The whole way on a toy corpus: train, stop, go on, calibrate, export, scan."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from unmask.data.corpus import read_corpus
from unmask.detector.model import load_model
from unmask.errors import DataError, ModelError, UnmaskError
from unmask.faces.crop import CropSpec, cut
from unmask.options import ScanOptions
from unmask.scanner import Scanner
from unmask.training.fit import Fit, Scored, score
from unmask.training.make import _blend, make, prepare
from unmask.training.recipe import parse_recipe, read_recipe
from unmask.training.result import read_result
from unmask.training.samples import normalise
from unmask.training.tune import changed, tune
from unmask.zoo.build import build
from unmask.zoo.network import NETWORKS

MARKS = ((82.6, 71.1), (126.5, 74.0), (102.7, 94.5), (82.9, 111.8), (120.8, 113.9))
RECIPE = """
name: toy
network: mobilenetv2
start: none
description: a toy
licence: none
limits: [a toy]
crop: {size: 64, margin: 1.25}
mix: {real: 0.5, self_blended: 0.5, strength: 0.2}
schedule: {steps: 4, batch: 4, warm_up: 1, validate_every: 2, bfloat16: false}
"""


@pytest.fixture
def toy(tmp_path: Path, photo: NDArray[np.uint8]) -> tuple[Path, Path]:
    """(recipe, corpus): photos and recordings of one face, the fakes tinted."""
    face = photo[30:231, 120:321]
    rows = []
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for label in ("real", "fake"):
            for number in range(14):
                name = f"{split}-{label}-{number}.png"
                image = face.astype(int) + rng.integers(-20, 20, 3) + (40 if label == "fake" else 0)
                (tmp_path / "corpus" / "train").mkdir(parents=True, exist_ok=True)
                pixels = np.clip(image, 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "corpus" / "train" / name)
                kind = "photo" if number < 4 else "frame"
                source = f"{split}{label}{number if kind == 'photo' else 'clip'}"
                row = {"file": name, "split": split, "label": label, "dataset": "d", "kind": kind}
                row |= {"method": "tint" if label == "fake" else "", "source": source}
                row |= {f"lm{i}{axis}": MARKS[i][j] for i in range(5) for j, axis in enumerate("xy")}
                rows.append(row)
    with (tmp_path / "corpus" / "train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    recipe = tmp_path / "toy.yaml"
    recipe.write_text(RECIPE)
    return recipe, tmp_path / "corpus"


def test_recipe_becomes_a_model_that_scans(
    toy: tuple[Path, Path], tmp_path: Path, photo_path: Path, photo: NDArray[np.uint8]
) -> None:
    said: list[str] = []
    path = make(*toy, tmp_path / "run", say=said.append)
    model = load_model(path)
    assert model.card.name == "toy"
    assert model.card.training_data
    crop = cut(photo, MARKS, model.card.crop)
    scores = model.score(np.stack([crop, crop]))
    assert scores.evidence is not None
    assert scores.evidence.mean(axis=(1, 2)) == pytest.approx(scores.raw, abs=1e-4)
    report = Scanner(ScanOptions(model=(str(path),))).scan(photo_path)
    assert report.verdict.is_judgement
    assert any("AUC" in line for line in said)
    result = read_result(tmp_path / "run" / "result.json")
    assert (result.steps, result.protocol, result.figures[0].n) == (4, "source-disjoint", 28)
    assert {"result.png", "log.csv", "val-scores.csv"} <= {p.name for p in (tmp_path / "run").iterdir()}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"network": "lenet"}, "cannot start"),
        ({"network": "nonet"}, "nonet"),
        ({"mix.precut": True}, "precut"),
        ({"protocol.kinds": []}, "no sample"),
        ({"crop.size": 8}, "at least"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_trained(
    toy: tuple[Path, Path], tmp_path: Path, change: dict[str, object], named: str
) -> None:
    document = changed(msgspec.yaml.decode(RECIPE), {"start": "imagenet"} | change)
    if "network" not in change:
        document["start"] = "none"
    with pytest.raises(UnmaskError, match=named):
        prepare(parse_recipe(document), toy[1], tmp_path / "run", say=lambda _: None)


def test_weights_are_chosen_by_a_few_crops_of_a_recording_and_calibrated_on_all(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    document = changed(msgspec.yaml.decode(RECIPE), {"schedule.validate_each": 3, "mix.strength": 0})
    fit = prepare(parse_recipe(document), toy[1], tmp_path / "run", say=lambda _: None)
    kept = [s.path.name for s in fit.chosen_by if not s.fake]
    assert kept == [f"val-real-{number}.png" for number in (0, 1, 2, 3, 4, 8, 13)]
    assert len(fit.val) == 28
    judged: list[int] = []

    def counted(*arguments: Any, **others: Any) -> Scored:
        judged.append(len(arguments[1]))
        return score(*arguments, **others)

    with mock.patch("unmask.training.fit.score", counted):
        fit.run(workers=0)
    assert set(judged) == {14}


def test_missing_pictures_are_counted_before_anything_is_trained(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    next((toy[1] / "train").glob("*.png")).unlink()
    with pytest.raises(DataError, match="1 of 56 pictures are missing"):
        prepare(read_recipe(toy[0]), toy[1], tmp_path / "run")


def test_networks_without_evidence_and_kept_crops_become_models_too(
    toy: tuple[Path, Path], tmp_path: Path, photo_path: Path
) -> None:
    recipe = changed(
        msgspec.yaml.decode(RECIPE),
        {
            "network": "lenet",
            "optimizer.kind": "sam",
            "regularise.l2_activity": 1e-7,
            "regularise.l1_kernel": 1e-10,
            "protocol": {"split": "random-frames"},
            "mix": {"balance": "none", "self_blended": 0, "strength": 0, "precut": True},
            "schedule": {"epochs": 1, "batch": 8, "average": 0, "bfloat16": True},
        },
    )
    toy[0].write_bytes(msgspec.yaml.encode(recipe))
    path = make(*toy, tmp_path / "run", say=lambda _: None, workers=0)
    card = load_model(path).card
    assert "random split over frames" in card.limits[0]
    report = Scanner(ScanOptions(model=(str(path),))).scan(photo_path)
    assert report.verdict.is_judgement
    assert report.tracks[0].faces[0].evidence is not None
    assert report.tracks[0].faces[0].evidence.heatmap == ()


@pytest.mark.parametrize(
    "other",
    [{"network": "lenet"}, {"seed": 7}, {"crop": {"size": 64, "margin": 2.0}}, {"mix.strength": 0.1}],
)
def test_run_of_another_recipe_is_not_gone_on_with(
    other: dict[str, Any], toy: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe, samples = read_recipe(toy[0]), read_corpus(toy[1])
    Fit(recipe, samples, tmp_path).run(workers=0)
    said_otherwise = replace(recipe, description="The same, in other words.")
    assert Fit(said_otherwise, samples, tmp_path).finished
    with pytest.raises(DataError, match="another recipe"):
        Fit(parse_recipe(changed(msgspec.yaml.decode(RECIPE), other)), samples, tmp_path)


def test_run_with_other_pictures_is_not_gone_on_with(toy: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, samples = read_recipe(toy[0]), read_corpus(toy[1])
    Fit(recipe, samples, tmp_path).run(workers=0)
    moved = [replace(samples[0], split={"train": "val", "val": "train"}[samples[0].split]), *samples[1:]]
    with pytest.raises(DataError, match="other pictures"):
        Fit(recipe, moved, tmp_path)


def test_devices_take_pieces_of_a_batch_in_which_pairs_stay_together(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    fit = Fit(read_recipe(toy[0]), read_corpus(toy[1]), tmp_path)
    batch, drawn = fit.recipe.schedule.batch, []
    for rank in (0, 1):
        fit.accelerator = mock.Mock(num_processes=2, process_index=rank)
        with mock.patch("unmask.training.fit.load", lambda part, *_: iter([part])):
            drawn.append(next(iter(fit._batches(0))).indices)  # type: ignore[attr-defined]
    half = batch // 2
    for rank, items in enumerate(drawn):
        assert items[:half] == [rank * half + n for n in range(half)]
        assert items[half : 2 * half] == [batch + rank * half + n for n in range(half)]
    assert sorted([*drawn[0], *drawn[1]]) == list(range(fit.steps * batch))


def test_stopped_training_goes_on_to_the_same_weights(toy: tuple[Path, Path], tmp_path: Path) -> None:
    recipe_path, corpus = toy
    recipe, samples = read_recipe(recipe_path), read_corpus(corpus)
    straight = Fit(recipe, samples, tmp_path / "straight")
    straight.run(workers=0)

    class StoppedError(Exception):
        """Stands in for a kill between two steps."""

    def stop(step: int, _steps: int, _message: str) -> None:
        if step == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        Fit(recipe, samples, tmp_path / "stopped").run(stop, workers=0)
    again = Fit(recipe, samples, tmp_path / "stopped")
    assert again.step == 2
    again.run(workers=0)
    for ours, theirs in zip(
        again.average.state_dict().values(), straight.average.state_dict().values(), strict=True
    ):
        assert torch.equal(ours, theirs)


def test_training_goes_on_from_an_exported_model_and_remembers_what_that_has_seen(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    first = make(*toy, tmp_path / "first", say=lambda _line: None)
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    document = changed(
        msgspec.yaml.decode(RECIPE),
        {"name": "second", "start": {"file": str(first), "sha256": digest}, "schedule.rate": 1e-9},
    )
    recipe_path = tmp_path / "second.yaml"
    recipe_path.write_bytes(msgspec.yaml.encode(document))
    said: list[str] = []
    second = load_model(make(recipe_path, toy[1], tmp_path / "second", say=said.append))
    fit = Fit(read_recipe(recipe_path), read_corpus(toy[1]), tmp_path / "third")
    assert second.history.complete
    assert second.history.parts == load_model(first).history.parts
    crops = np.stack([cut(np.full((90, 90, 3), level, np.uint8), MARKS, CropSpec(64)) for level in (9, 99)])
    images = normalise(
        torch.from_numpy(crops).permute(0, 3, 1, 2), NETWORKS["mobilenetv2"].mean, NETWORKS["mobilenetv2"].std
    )
    with torch.no_grad():
        ours = fit.average.eval()(images)[0].numpy()
    assert ours == pytest.approx(load_model(first).score(crops).raw, abs=1e-3)


def test_training_goes_on_from_weights_and_remembers_what_their_model_has_seen(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    first = make(*toy, tmp_path / "first", say=lambda _line: None)
    weights = tmp_path / "first" / "best.pt"
    start = {"file": str(weights), "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    for told in ({}, {"model": str(first)}):
        document = changed(msgspec.yaml.decode(RECIPE), {"name": "second", "start": start | told})
        recipe_path = tmp_path / "second.yaml"
        recipe_path.write_bytes(msgspec.yaml.encode(document))
        folder = tmp_path / f"second{len(told)}"
        second = load_model(make(recipe_path, toy[1], folder, say=lambda _line: None))
        assert second.history.complete == bool(told)


def test_the_weights_it_started_from_are_kept_in_part(toy: tuple[Path, Path], tmp_path: Path) -> None:
    first = make(*toy, tmp_path / "first", say=lambda _line: None)
    weights = tmp_path / "first" / "best.pt"
    start: Any = {"file": str(weights), "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    crops = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    recipe_path = tmp_path / "second.yaml"

    def raw(keep: float) -> NDArray[np.float64]:
        document = changed(msgspec.yaml.decode(RECIPE), {"name": "second", "start": start, "keep": keep})
        recipe_path.write_bytes(msgspec.yaml.encode(document))
        path = make(recipe_path, toy[1], tmp_path / f"second{keep}", say=lambda _line: None)
        return load_model(path).score(crops).raw

    before = load_model(first).score(crops).raw
    assert raw(1.0) == pytest.approx(before, abs=1e-4)
    kept = torch.load(tmp_path / "second1.0" / "kept.pt")
    floats = {name: value for name, value in torch.load(weights).items() if value.is_floating_point()}
    assert all(torch.allclose(kept[name], value) for name, value in floats.items())
    # Weights are meant, not scores: between the two, not half way.
    assert np.abs(raw(0.0) - before).mean() > np.abs(raw(0.5) - before).mean() > 0
    start = "none"
    with pytest.raises(DataError, match="kept in part"):
        raw(0.75)
    part = {name: value for name, value in torch.load(weights).items() if "classifier" not in name}
    torch.save(part, tmp_path / "part.pt")
    digest = hashlib.sha256((tmp_path / "part.pt").read_bytes()).hexdigest()
    start = {"file": str(tmp_path / "part.pt"), "sha256": digest}
    with pytest.raises(ModelError, match=r"lacks classifier"):
        raw(0.25)


def test_the_mean_with_the_weights_of_other_runs_is_exported(toy: tuple[Path, Path], tmp_path: Path) -> None:
    soup, weights = [], []
    for seed in (5, 6):
        recipe_path = tmp_path / f"other{seed}.yaml"
        recipe_path.write_bytes(msgspec.yaml.encode(changed(msgspec.yaml.decode(RECIPE), {"seed": seed})))
        model = make(recipe_path, toy[1], tmp_path / f"other{seed}", say=lambda _line: None)
        path = tmp_path / f"other{seed}" / "best.pt"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        soup.append({"file": str(path), "sha256": digest, "model": str(model)})
        weights.append(torch.load(path))
    recipe_path = tmp_path / "both.yaml"
    recipe_path.write_bytes(msgspec.yaml.encode(changed(msgspec.yaml.decode(RECIPE), {"soup": soup})))
    model = load_model(make(recipe_path, toy[1], tmp_path / "both", say=lambda _line: None))
    assert model.history.complete
    own, mean = torch.load(tmp_path / "both" / "best.pt"), torch.load(tmp_path / "both" / "kept.pt")
    for name, value in mean.items():
        if value.is_floating_point():
            expected = (own[name] + weights[0][name] + weights[1][name]) / 3
            assert torch.allclose(value, expected, atol=1e-5), name
    # Gone on with on the same folder: the training is the same, its outcome another.
    recipe_path.write_bytes(msgspec.yaml.encode(changed(msgspec.yaml.decode(RECIPE), {"soup": soup[:1]})))
    make(recipe_path, toy[1], tmp_path / "both", say=lambda _line: None)
    again = torch.load(tmp_path / "both" / "kept.pt")
    assert any(not torch.equal(again[name], value) for name, value in mean.items())
    make(toy[0], toy[1], tmp_path / "both", say=lambda _line: None)
    assert not (tmp_path / "both" / "kept.pt").exists(), "best.pt is what is exported now"


def test_what_is_kept_comes_before_the_soup(tmp_path: Path) -> None:
    network, named = build("lenet", size=64), []
    for number, value in enumerate((2.0, 6.0)):
        state = {name: torch.full_like(weights, value) for name, weights in network.state_dict().items()}
        torch.save(state, tmp_path / f"{number}.pt")
        digest = hashlib.sha256((tmp_path / f"{number}.pt").read_bytes()).hexdigest()
        named.append({"file": str(tmp_path / f"{number}.pt"), "sha256": digest})
    changes = {"network": "lenet", "start": named[0], "keep": 0.5, "soup": named[1:]}
    with torch.no_grad():
        for weights in network.state_dict().values():
            weights.fill_(0)
    _blend(network, parse_recipe(changed(msgspec.yaml.decode(RECIPE), changes)))
    found = {
        float(weights.mean()) for weights in network.state_dict().values() if weights.is_floating_point()
    }
    assert found == {3.5}, "(0 and 2 in halves, and 6) in halves"


def test_what_is_frozen_stays_as_published_and_the_average_follows_the_rest(
    toy: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = {
        "network": "clip_vit_b16",
        "crop.size": 32,
        "patch_dropout": 0.5,
        "whole": 0.5,
        "schedule": {"steps": 2, "batch": 4, "validate_every": 2, "bfloat16": True},
    }
    recipe = parse_recipe(changed(msgspec.yaml.decode(RECIPE), changes))
    fit = Fit(recipe, read_corpus(toy[1]), tmp_path / "run")
    before = {name: value.clone() for name, value in fit.average.state_dict().items()}
    seen: list[float] = []
    slope = fit._slope

    def noted(*given: Any) -> tuple[float, torch.Tensor]:
        seen.append(float(fit.network.patch_dropout))
        return slope(*given)

    monkeypatch.setattr(fit, "_slope", noted)
    fit.run(workers=0)
    assert seen == [0.5, 0.0]
    after = fit.average.state_dict()
    for name, parameter in fit.network.named_parameters():
        assert torch.equal(after[name], before[name]) != parameter.requires_grad, name
        assert after[name].dtype == torch.float32
    again = Fit(recipe, read_corpus(toy[1]), tmp_path / "run")
    assert again.finished
    assert all(torch.equal(value, after[name]) for name, value in again.average.state_dict().items())


def test_tuning_goes_on_where_it_was_and_leaves_the_best_recipe(
    toy: tuple[Path, Path], tmp_path: Path
) -> None:
    document = changed(
        msgspec.yaml.decode(RECIPE),
        {
            "network": "lenet",
            "crop.size": 32,
            "mix": {"balance": "none", "self_blended": 0, "strength": 0, "precut": True},
            "tune": {
                "schedule.rate": {"low": 1e-5, "high": 1e-2, "log": True},
                "schedule.batch": {"choices": [4, 8]},
            },
        },
    )
    toy[0].write_bytes(msgspec.yaml.encode(document))
    said: list[str] = []
    for trials in (2, 4):
        best = tune(*toy, tmp_path / "tune", trials=trials, say=said.append)
    assert sum(line.startswith("trial ") for line in said) == 4
    found = read_recipe(best)
    assert 1e-5 <= found.schedule.rate <= 1e-2
    assert (tmp_path / "tune" / "history.png").is_file()
    assert not list((tmp_path / "tune").glob("trial-*"))
