"""Combining models: the merged file says what its members say together, and scans like any other."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import click.testing
import msgspec
import numpy as np
import onnx
import polars as pl
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from scipy.special import expit
from tests.conftest import card

from unmask.cli import cli
from unmask.data.manifest import Manifest, Row, read_samples, table_of, write_manifest
from unmask.detector.card import CARD_KEY, Calibration
from unmask.detector.model import load_model
from unmask.errors import DataError, ModelError, UnmaskError
from unmask.faces.crop import CropSpec, cut
from unmask.figures.scores import auc, auc_estimate
from unmask.options import ScanOptions
from unmask.scanner import Scanner
from unmask.training import calibrate, ensemble_scores
from unmask.training import ensemble as ensemble_module
from unmask.training.ensemble import ensemble, open_members
from unmask.training.ensemble_graph import shared_crop
from unmask.training.ensemble_vote import Method, fit_vote, folds_of, out_of_fold
from unmask.training.merge import merge, views, with_card

MARKS = ((82.6, 71.1), (126.5, 74.0), (102.7, 94.5), (82.9, 111.8), (120.8, 113.9))
RED, GREEN, BLUE = range(3)
SMALL = CropSpec(32, 1.25)
Make = Callable[..., Path]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The intervals on a card are no promise of this file, and take most of the time."""
    monkeypatch.setattr(calibrate, "auc_estimate", partial(auc_estimate, draws=20))


@pytest.fixture
def colour_model(tmp_path: Path) -> Make:
    """Writes a model that calls crops fake where they are bright in one colour, more so here and there."""

    def make(
        name: str,
        colour: int,
        *,
        spec: CropSpec = SMALL,
        opset: int = 18,
        grid: int = 2,
        domain: tuple[str, int] | None = None,
        **changes: object,
    ) -> Path:
        path = tmp_path / f"{name}.onnx"
        model = _network(colour, spec.size, opset, grid, domain)
        entry = model.metadata_props.add()
        entry.key = CARD_KEY
        entry.value = msgspec.json.encode(card(name=name, crop=spec, **changes)).decode()
        onnx.save(model, path)
        return path

    return make


def _network(
    colour: int, size: int, opset: int, grid: int, domain: tuple[str, int] | None
) -> onnx.ModelProto:
    places = np.random.default_rng(colour).uniform(0.5, 1.5, (1, size, size)).astype(np.float32)
    constants = {
        "colour": np.array([colour], np.int64),
        "middle": np.array(128, np.float32),
        "places": places / 16,
        "one": np.array([-1], np.int64),
    }
    nodes = [
        helper.make_node("Transpose", ["crops"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Gather", ["planes", "colour"], ["plane"], axis=1),
        helper.make_node("Cast", ["plane"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["floats", "middle"], ["moved"]),
        helper.make_node("Mul", ["moved", "places"], ["weighed"]),
        helper.make_node("GlobalAveragePool", ["weighed"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "one"], ["score"]),
    ]
    outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])]
    if grid:
        step = size // grid
        constants["flat"] = np.array([-1, grid, grid], np.int64)
        pool = {"kernel_shape": [step, step], "strides": [step, step]}
        nodes.append(helper.make_node("AveragePool", ["weighed"], ["cells"], **pool))
        nodes.append(helper.make_node("Reshape", ["cells", "flat"], ["evidence"]))
        outputs.append(helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["n", grid, grid]))
    graph = helper.make_graph(
        nodes,
        "colour",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", size, size, 3])],
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), *([helper.make_opsetid(*domain)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A corpus of one split: half the fakes are too red, the others too green; blue says nothing."""
    folder, rows, rng = tmp_path / "corpus", [], np.random.default_rng(0)
    (folder / "train").mkdir(parents=True)
    for number in range(120):
        fake, recorded = number % 2 == 1, number >= 80
        image = 100 + rng.normal(0, 18, 3) + rng.normal(0, 12, (201, 201, 3))
        if fake:
            image[..., RED if number % 4 == 1 else GREEN] += 45
        name = f"{number}.png"
        Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(folder / "train" / name)
        source = f"clip{number % 4}" if recorded else f"photo{number}"
        row = {"file": name, "split": "val", "label": "fake" if fake else "real", "dataset": "d"}
        row |= {"kind": "frame" if recorded else "photo", "method": "tint" if fake else "", "source": source}
        row |= {f"lm{i}{axis}": MARKS[i][j] for i in range(5) for j, axis in enumerate("xy")}
        rows.append(row)
    _write_table(folder, rows)
    return folder


def _write_table(folder: Path, rows: list[dict[str, object]]) -> None:
    with (folder / "train.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def merged_model(paths: list[Path], method: Method, out: Path, seed: int = 0):  # type: ignore[no-untyped-def]
    """(the merged model opened, its members, the vote), with a vote fitted on random log-odds."""
    members = open_members(paths, out)
    rng = np.random.default_rng(seed)
    fake = rng.random(200) < 0.5
    vote = fit_vote(method, rng.normal(0, 1, (200, len(members))) + fake[:, None], fake)
    spec = shared_crop([member.spec for member in members])
    data = with_card(merge(members, vote), msgspec.json.encode(card(crop=spec)).decode(), "")
    out.write_bytes(data)
    return load_model(out), members, vote


@pytest.mark.parametrize("method", Method)
def test_merged_file_says_what_its_members_say_together(
    method: Method, colour_model: Make, tmp_path: Path
) -> None:
    calibrations = [Calibration(1.4, -0.3), Calibration(0.6, 0.2), Calibration(2.0, 0.0)]
    paths = [
        colour_model(f"m{n}", n, calibration=calibration, opset=opset, grid=grid)
        for n, (calibration, opset, grid) in enumerate(
            zip(calibrations, (13, 17, 20), (2, 4, 0), strict=True)
        )
    ]
    merged, members, vote = merged_model(paths, method, tmp_path / "out.onnx")
    crops = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    crops[1:4] = crops[1:4] // 4 + np.array([[0], [96], [190]], np.uint8)[:, :, None, None]
    logits = np.stack([m.logits(m.model.score(crops).raw) for m in members], axis=1)
    scores = merged.score(crops)
    assert scores.raw == pytest.approx(vote.log_odds(logits), abs=1e-4)
    assert scores.evidence is not None
    assert scores.evidence.shape == (5, 4, 4)
    assert scores.evidence.mean(axis=(1, 2)) == pytest.approx(scores.raw, abs=1e-3)
    if method is Method.SOFT:
        assert expit(scores.raw) == pytest.approx(expit(logits).mean(axis=1), abs=1e-6)


def test_weighted_evidence_is_the_weighted_mean_of_the_maps(colour_model: Make, tmp_path: Path) -> None:
    paths = [colour_model(f"m{n}", n) for n in range(2)]
    merged, members, vote = merged_model(paths, Method.WEIGHTED, tmp_path / "out.onnx")
    crops = np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    maps = [member.model.score(crops).evidence for member in members]
    mean = sum(weight * each for weight, each in zip(vote.weights, maps, strict=True))
    np.testing.assert_allclose(merged.score(crops).evidence, mean, atol=1e-4)


def test_extreme_log_odds_stay_finite(colour_model: Make, tmp_path: Path) -> None:
    paths = [colour_model(f"m{n}", n, calibration=Calibration(500.0, 0.0)) for n in range(2)]
    merged, _, _ = merged_model(paths, Method.SOFT, tmp_path / "out.onnx")
    crops = np.zeros((2, 32, 32, 3), np.uint8)
    crops[1] = 255
    raw = merged.score(crops).raw
    assert np.isfinite(raw).all()
    assert raw[0] < -20 < 20 < raw[1]


def test_members_of_other_sizes_and_margins_see_their_own_crop(
    colour_model: Make, tmp_path: Path, photo: NDArray[np.uint8]
) -> None:
    face = photo[30:231, 120:321]
    specs = [CropSpec(128, 1.1), CropSpec(96, 1.5), CropSpec(64, 1.25)]
    paths = [colour_model(f"m{n}", n, spec=spec, grid=4 - n) for n, spec in enumerate(specs)]
    merged, members, vote = merged_model(paths, Method.WEIGHTED, tmp_path / "out.onnx")
    whole = merged.card.crop
    crop = cut(face, MARKS, whole)[None]
    seen = views(members, crop)
    own = [cut(face, MARKS, spec)[None] for spec in specs]
    # The finest member's crop comes through but for rounding, the others off by less than one pixel's shift.
    assert np.abs(seen[0].astype(int) - own[0]).max() <= 1
    for view, wanted in zip(seen[1:], own[1:], strict=True):
        inner = np.s_[:, 4:-4, 4:-4]
        off = np.abs(view[inner].astype(int) - wanted[inner]).mean()
        shifted = np.abs(np.roll(view, 1, axis=2)[inner].astype(int) - wanted[inner]).mean()
        assert off < 5
        assert off < 0.6 * shifted
    logits = np.stack([m.logits(m.model.score(v).raw) for m, v in zip(members, own, strict=True)], axis=1)
    assert merged.score(crop).raw == pytest.approx(vote.log_odds(logits), abs=0.05)
    evidence = merged.score(crop).evidence
    assert evidence is not None
    assert evidence.shape == (1, 4, 4)


@pytest.mark.parametrize(
    ("specs", "wanted"),
    [
        ([(224, 1.25), (224, 1.25)], (224, 1.25)),
        ([(224, 1.25), (380, 1.25)], (380, 1.25)),
        ([(224, 1.4), (224, 1.25)], (252, 1.40625)),
        ([(128, 1.5), (256, 1.5)], (256, 1.5)),
    ],
)
def test_shared_crop_holds_every_members_crop_without_enlarging(
    specs: list[tuple[int, float]], wanted: tuple[int, float]
) -> None:
    whole = shared_crop([CropSpec(*spec) for spec in specs])
    assert (whole.size, whole.margin) == pytest.approx(wanted)
    for size, margin in specs:
        assert whole.margin >= margin - 1e-9
        assert whole.size / whole.margin >= size / margin - 1e-9


def test_ensemble_scans_like_any_model(
    colour_model: Make, toy: Path, cache: Path, tmp_path: Path, photo_path: Path
) -> None:
    paths = [
        colour_model("red", RED, limits=("a toy", "sees red")),
        colour_model("green", GREEN, spec=CropSpec(48, 1.4), opset=17, licence="MIT"),
    ]
    out, table = tmp_path / "new" / "both.onnx", tmp_path / "scores.parquet"
    said: list[str] = []
    made = ensemble(paths, toy, out, methods=tuple(Method), scores=table, cache=cache, say=said.append)
    model = load_model(out)
    assert model.card.name == "both"
    assert model.card.architecture == "ensemble of mean + mean"
    assert model.card.limits[:2] == ("a toy", "sees red")
    assert model.card.licence == "Apache-2.0 MIT"
    for path in paths:
        assert load_model(path).sha256 in model.card.training_data
    assert {figure.on for figure in model.card.figures} == {"val", "val, degraded"}
    report = Scanner(ScanOptions(model=(str(out),))).scan(photo_path)
    assert report.verdict.is_judgement
    assert report.tracks[0].faces[0].evidence is not None
    assert any("resizes" in line for line in said)
    rows = pl.read_parquet(table)
    assert rows.height == 240
    assert {"score:red", "score:green", "out_of_fold", "score", "probability"} <= set(rows.columns)
    clean = rows.filter(~pl.col("degraded"))
    together = auc(clean["fake"], clean["score"])
    assert together > max(auc(clean["fake"], clean[f"score:{name}"]) for name in ("red", "green")) + 0.05
    assert {trial.method for trial in made.trials} == {None, *Method}


def test_search_finds_the_pair_that_complements_each_other(
    colour_model: Make, toy: Path, cache: Path, tmp_path: Path
) -> None:
    paths = [colour_model("blue", BLUE), colour_model("red", RED), colour_model("green", GREEN)]
    made = ensemble(paths, toy, tmp_path / "o.onnx", search=True, cache=cache, say=lambda _: None)
    assert load_model(made.path).card.limits[-1].startswith("Members or weights were chosen")
    assert made.members == ("red", "green")
    assert len(made.trials) == 3 + 4
    qualities = [trial.quality for trial in made.trials]
    assert qualities == sorted(qualities, reverse=True)
    assert all(trial.low <= trial.auc <= trial.high for trial in made.trials)
    told = ensemble(
        paths, toy, tmp_path / "o.onnx", search=True, pick=["green", "blue"], cache=cache, say=lambda _: None
    )
    assert told.members == ("blue", "green")


def test_second_call_scores_nothing_again(
    colour_model: Make, toy: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [colour_model("red", RED), colour_model("green", GREEN)]
    first = ensemble(paths, toy, tmp_path / "a.onnx", name="x", cache=cache, say=lambda _: None)

    def judge(*_: object) -> None:
        raise AssertionError("scored again")

    with monkeypatch.context() as patch:
        patch.setattr(ensemble_scores, "_judge", judge)
        ensemble(paths, toy, tmp_path / "b.onnx", name="x", cache=cache, say=lambda _: None)
        with pytest.raises(AssertionError):
            ensemble([*paths, colour_model("blue", BLUE)], toy, tmp_path / "c.onnx", cache=cache)
    assert first.path.read_bytes() == (tmp_path / "b.onnx").read_bytes()
    # A damaged entry and a changed picture are noticed.
    for kept in cache.iterdir():
        kept.write_bytes(kept.read_bytes()[:100])
    ensemble(paths, toy, tmp_path / "d.onnx", name="x", cache=cache, say=lambda _: None)
    assert first.path.read_bytes() == (tmp_path / "d.onnx").read_bytes()
    Image.new("RGB", (201, 201)).save(toy / "train" / "0.png")
    ensemble(paths, toy, tmp_path / "e.onnx", name="x", cache=cache, say=lambda _: None)
    assert first.path.read_bytes() != (tmp_path / "e.onnx").read_bytes()


def test_manifest_without_sources_counts_every_crop_by_itself(
    colour_model: Make, toy: Path, cache: Path, tmp_path: Path
) -> None:
    samples = read_samples(toy)
    rows = [
        Row(path=s.path.name, fake=s.fake, dataset="d", kind="photo", split="val", landmarks=s.landmarks)
        for s in samples
    ]
    manifest = tmp_path / "manifest.parquet"
    write_manifest(manifest, Manifest(root=toy / "train", table=table_of(rows)))
    paths = [colour_model("red", RED), colour_model("green", GREEN)]
    made = ensemble(
        paths, manifest, tmp_path / "o.onnx", methods=(Method.STACKED,), cache=cache, say=lambda _: None
    )
    (figure, _) = load_model(made.path).card.figures
    assert figure.units == len(samples)
    assert made.trials[0].method is Method.STACKED


def test_models_that_cannot_be_combined_are_refused(
    colour_model: Make, toy: Path, cache: Path, tmp_path: Path
) -> None:
    red, out = colour_model("red", RED), tmp_path / "out.onnx"
    green = colour_model("green", GREEN)
    twin, text = tmp_path / "twin.onnx", tmp_path / "text.onnx"
    twin.write_bytes(red.read_bytes())
    text.write_text("no model")

    def refused(*models: Path, to: Path = out, **options: object) -> str:
        with pytest.raises(ModelError) as refusal:
            ensemble(models, toy, to, cache=cache, say=lambda _: None, **options)  # type: ignore[arg-type]
        assert refusal.value.hint
        return refusal.value.message

    assert "two models" in refused(red)
    assert "same model" in refused(red, twin)
    assert "not an ONNX model" in refused(red, text)
    assert "no model" in refused(red, tmp_path / "absent.onnx")
    assert "one of the models" in refused(red, green, to=green)
    assert "no member 'blue'" in refused(red, green, pick=["red", "blue"])
    assert "two members" in refused(red, green, pick=["red"])
    ours = [colour_model(f"own{n}", n, domain=("ai.onnx.ml", n + 3)) for n in range(2)]
    assert "different versions" in refused(*ours)
    assert not out.exists()


def test_a_model_that_is_only_a_part_is_refused_before_any_work(
    colour_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    red, out = colour_model("red", RED), tmp_path / "both.onnx"
    monkeypatch.setattr(ensemble_module, "scores_of", None)
    with pytest.raises(ModelError, match="second file") as caught:
        ensemble([red, "accurate"], tmp_path / "none", out)
    assert caught.value.hint
    assert not out.exists()


def test_corpora_that_cannot_calibrate_are_refused(
    colour_model: Make, toy: Path, cache: Path, tmp_path: Path
) -> None:
    models = [colour_model("red", RED), colour_model("green", GREEN)]
    with (toy / "train.csv").open() as file:
        rows: list[dict[str, object]] = list(csv.DictReader(file))
    _write_table(toy, [row for row in rows if row["label"] == "real"])
    with pytest.raises(DataError, match="real and fake"):
        ensemble(models, toy, tmp_path / "out.onnx", cache=cache)
    _write_table(toy, [row | {"source": "one"} if row["label"] == "fake" else row for row in rows])
    with pytest.raises(DataError, match="two sources"):
        ensemble(models, toy, tmp_path / "out.onnx", methods=(Method.STACKED,), cache=cache)
    _write_table(toy, rows)
    (toy / "train" / "7.png").unlink()
    with pytest.raises(DataError, match=r"1 of 120 pictures"):
        ensemble(models, toy, tmp_path / "out.onnx", cache=cache)


def test_stopped_work_leaves_the_old_file_and_no_other(
    colour_model: Make, toy: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [colour_model("red", RED), colour_model("green", GREEN)]
    out = tmp_path / "results" / "out.onnx"
    out.parent.mkdir()
    out.write_bytes(b"the old one")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ensemble_module, "recalibrated", stop)
    with pytest.raises(KeyboardInterrupt):
        ensemble(paths, toy, out, cache=cache, say=lambda _: None)
    assert out.read_bytes() == b"the old one"
    assert list(out.parent.iterdir()) == [out]


def test_network_that_differs_from_its_members_is_refused(
    colour_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = open_members([colour_model("red", RED), colour_model("green", GREEN)], tmp_path / "o.onnx")
    vote = fit_vote(Method.SOFT, np.zeros((2, 2)), np.array([True, False]))
    other = replace(vote, method=Method.WEIGHTED, weights=(0.9, 0.1))
    monkeypatch.setattr("unmask.training.merge.MergedGraph.vote", _vote_by(other))
    with pytest.raises(ModelError, match="differs from its members"):
        merge(members, vote)


def _vote_by(other: object) -> Callable[..., None]:
    from unmask.training.ensemble_graph import MergedGraph

    right = MergedGraph.vote
    return lambda self, logits, _: right(self, logits, other)  # type: ignore[arg-type]


def test_weights_lie_on_the_simplex_and_leave_out_what_misleads() -> None:
    rng = np.random.default_rng(0)
    fake = rng.random(1000) < 0.3
    sign = np.where(fake, 1.0, -1.0)
    good = sign[:, None] * 1.5 + rng.normal(0, 1.5, (1000, 2))
    logits = np.column_stack([good, -sign + rng.normal(0, 1, 1000)])
    weights = fit_vote(Method.WEIGHTED, logits, fake).weights
    assert sum(weights) == pytest.approx(1)
    assert weights[2] == 0
    assert min(weights[:2]) > 0.3
    assert fit_vote(Method.STACKED, logits, fake).weights[2] < 0


def test_figures_out_of_fold_do_not_flatter() -> None:
    rng = np.random.default_rng(0)
    fake, sources = rng.random(120) < 0.5, [f"s{n // 2}" for n in range(120)]
    fake = np.repeat(fake[::2], 2)
    # Members that know nothing but each sample's source by heart.
    noise = np.repeat(rng.normal(0, 1, (60, 40)), 2, axis=0)
    vote = fit_vote(Method.STACKED, noise, fake)
    folds = folds_of(fake, sources)
    assert all(len(set(folds[n : n + 2])) == 1 for n in range(0, 120, 2))
    assert auc(fake, vote.log_odds(noise)) > 0.9
    assert auc(fake, out_of_fold(Method.STACKED, noise[None], fake, folds)[0]) < 0.65


def test_command_prints_the_table_and_the_path(
    colour_model: Make, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    paths = [str(colour_model("red", RED)), str(colour_model("green", GREEN))]
    out = tmp_path / "both.onnx"
    arguments = ["ensemble", *paths, "--on", str(toy), "--out", str(out), "--method", "all"]
    result = click.testing.CliRunner().invoke(cli, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout.strip() == str(out)
    assert "stacked" in result.stderr
    assert "red, green" in result.stderr
    with pytest.raises(UnmaskError, match="no member"):
        click.testing.CliRunner().invoke(cli, [*arguments, "--members", "x,y"], catch_exceptions=False)
