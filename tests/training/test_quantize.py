"""Models in integers: as good as they say, calibrated anew, and refused where there is nothing to gain."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click.testing
import numpy as np
import onnx
import polars as pl
import pytest
import torch
from PIL import Image
from tests.conftest import card

from unmask.cli import cli
from unmask.data.manifest import Manifest, Row, table_of, write_manifest
from unmask.detector.model import load_model
from unmask.errors import DataError, ModelError
from unmask.faces.crop import CropSpec
from unmask.figures.scores import auc_estimate
from unmask.training import calibrate
from unmask.training.export import export
from unmask.training.quantize import quantize
from unmask.zoo import clip
from unmask.zoo.build import build
from unmask.zoo.network import NETWORKS

MARKS = ((82.6, 71.1), (126.5, 74.0), (102.7, 94.5), (82.9, 111.8), (120.8, 113.9))
SMALL = CropSpec(64, 1.25)


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The intervals on a card are no promise of this file, and take most of the time."""
    monkeypatch.setattr(calibrate, "auc_estimate", partial(auc_estimate, draws=20))


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A convolutional network that has learned nothing."""
    torch.manual_seed(0)
    info = NETWORKS["meso4"]
    path = tmp_path / "given.onnx"
    export(build("meso4", size=64), card(name="given", crop=SMALL), path, info.mean, info.std)
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A manifest with 8 crops of each label and split, the fakes redder."""
    rows = []
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for number in range(16):
            fake = number % 2 == 1
            pixels = random.integers(0, 200, (200, 200, 3)) + np.array([50 * fake, 0, 0])
            path = tmp_path / f"{split}-{number}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
            rows.append(
                Row(
                    path.name,
                    fake,
                    dataset="d",
                    method="red" if fake else "original",
                    kind="photo",
                    source=path.stem,
                    split=split,
                    landmarks=MARKS,
                )
            )
    write_manifest(tmp_path / "media.parquet", Manifest(tmp_path, table_of(rows)))
    return tmp_path / "media.parquet"


def test_a_model_in_integers_scans_and_says_what_it_lost(network: Path, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.onnx"
    told = quantize(network, corpus, out, cache=tmp_path / "cache", say=lambda _: None)
    before, after = load_model(network), load_model(out)
    assert after.card.name == "small"
    assert "8-bit" in after.card.description
    assert after.card.calibration != before.card.calibration
    assert {part.role for part in after.history.parts} == {"train", "choose"}
    crops = np.random.default_rng(1).integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    ours, theirs = after.score(crops), before.score(crops)
    assert ours.raw == pytest.approx(theirs.raw, abs=0.2 * max(1.0, float(np.abs(theirs.raw).max())))
    assert told.difference.auc.value == pytest.approx(told.auc[1] - told.auc[0])


def test_the_first_layers_stay_in_floats_and_weights_keep_to_seven_bits(corpus: Path, tmp_path: Path) -> None:
    info = NETWORKS["mobilenetv2"]
    given, out = tmp_path / "given.onnx", tmp_path / "small.onnx"
    export(build("mobilenetv2", size=64), card(name="given", crop=SMALL), given, info.mean, info.std)
    quantize(given, corpus, out, cache=tmp_path / "cache", say=lambda _: None)
    graph = onnx.load(out).graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    convolutions = [node.input[1] for node in graph.node if node.op_type == "Conv"]
    plain = [name in stored and stored[name].dtype == np.float32 for name in convolutions]
    assert plain == [True] * 3 + [False] * (len(plain) - 3)
    weights = [values for values in stored.values() if values.dtype == np.int8 and values.ndim == 4]
    assert len(weights) == len(plain) - 3
    assert max(int(np.abs(values.astype(int)).max()) for values in weights) <= 64


def test_a_network_of_matrix_products_becomes_integers_too(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip, "EARLY", ())
    torch.manual_seed(0)
    info = NETWORKS["clip_vit_b16"]
    network = build("clip_vit_b16", size=64)
    del network.layers[1:]  # type: ignore[operator]
    given, out = tmp_path / "given.onnx", tmp_path / "small.onnx"
    export(network, card(name="given", crop=SMALL), given, info.mean, info.std)
    told = quantize(given, corpus, out, cache=tmp_path / "cache", say=lambda _: None)
    assert told.size[1] < 0.5 * told.size[0]
    crops = np.random.default_rng(1).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    crops[0] //= 16
    small = load_model(out)
    assert small.score(crops).raw == pytest.approx(load_model(given).score(crops).raw, abs=0.05)
    # Ranges come from each input: who else is in the batch must not matter.
    assert small.score(crops).raw[0] == small.score(crops[:1]).raw[0]


def test_a_model_is_not_overwritten_and_a_corpus_without_training_crops_is_refused(
    network: Path, corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="is the model itself"):
        quantize(network, corpus, network)
    with pytest.raises(ModelError):
        quantize(tmp_path / "none.onnx", corpus, tmp_path / "out.onnx")
    table = pl.read_parquet(corpus).filter(pl.col("split") == "val")
    table.write_parquet(tmp_path / "val.parquet")
    with pytest.raises(DataError, match="needs crops to train on"):
        quantize(network, tmp_path / "val.parquet", tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_a_model_that_is_only_a_part_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmask.training.quantize.load_model", None)
    with pytest.raises(ModelError, match="second file") as caught:
        quantize("accurate", tmp_path / "none.parquet", tmp_path / "out.onnx")
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_the_verb_prints_what_changed(
    network: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out = tmp_path / "small.onnx"
    result = click.testing.CliRunner().invoke(
        cli, ["quantize", str(network), "--on", str(corpus), "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{out}\n"
    assert "AUC on val" in result.stderr
