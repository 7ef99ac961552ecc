"""Test sets are kept apart: nothing chooses by them, and a model that has seen one is found out."""

from __future__ import annotations

import csv
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import onnx
import pytest
from tests.evaluation.test_measure import folder
from tests.evaluation.test_protocol import SETS, SETS_OF_FOLDER, csv_of, media_rows, read, write
from tests.training.test_ensemble import GREEN, RED, Make, colour_model, few_draws
from tests.training.test_ensemble import toy as val_corpus
from tests.training.test_make import RECIPE
from tests.training.test_make import toy as train_corpus

from unmask.data.manifest import Manifest, Row, read_samples, table_of, write_manifest
from unmask.detector.history import HISTORY_KEY, UNKNOWN, History, Seen, fingerprints
from unmask.detector.model import load_model
from unmask.errors import DataError, UnmaskError
from unmask.evaluation.follow import follow
from unmask.evaluation.held_out import held_out, history_of
from unmask.evaluation.parts import hold
from unmask.evaluation.protocol import Part
from unmask.evaluation.table import Medium, read_scores
from unmask.training.ensemble import ensemble
from unmask.training.make import make, prepare
from unmask.training.recipe import parse_recipe
from unmask.training.tune import changed, tune

__all__ = ["colour_model", "few_draws", "folder", "train_corpus", "val_corpus"]


def kept_apart(split: str = "", path: str = "train.csv") -> list[dict[str, str]]:
    """The sets of a protocol that calls (a split of) a table test and nothing else anything."""
    return [{"name": "kept", "role": "test", "path": path, "split": split}]


def quick(recipe: Path, **changes: object) -> Path:
    """The toy recipe with a network that trains in no time."""
    document = changed(
        msgspec.yaml.decode(RECIPE),
        {
            "network": "lenet",
            "crop.size": 32,
            "mix": {"balance": "none", "self_blended": 0, "strength": 0, "precut": True},
            "schedule": {"epochs": 1, "batch": 8, "average": 0, "validate_every": 2},
            **{key.replace("__", "."): value for key, value in changes.items()},
        },
    )
    recipe.write_bytes(msgspec.yaml.encode(document))
    return recipe


@pytest.fixture(params=["train", "tune", "ensemble"])
def choosing(
    request: pytest.FixtureRequest, tmp_path: Path, colour_model: Make
) -> tuple[Path, Callable[..., None]]:
    """(corpus, a call that chooses on it under a protocol), for everything that chooses."""
    if request.param == "ensemble":
        corpus: Path = request.getfixturevalue("val_corpus")
        models = [colour_model("red", RED), colour_model("green", GREEN)]

        def run(protocol: Path, data: Path = corpus, root: Path | None = None) -> None:
            ensemble(
                models, data, tmp_path / "o.onnx", cache=tmp_path / "cache", protocol=protocol, root=root,
                say=lambda _: None,
            )  # fmt: skip

        return corpus, run
    recipe, corpus = request.getfixturevalue("train_corpus")
    call: Any = make if request.param == "train" else tune
    more: dict[str, Any] = {} if request.param == "train" else {"trials": 1}
    recipe = quick(recipe)

    def run_recipe(protocol: Path, data: Path = corpus, root: Path | None = None) -> None:
        call(recipe, data, tmp_path / "run", protocol=protocol, root=root, say=lambda _: None, **more)

    return corpus, run_recipe


def test_nothing_chooses_by_a_split_that_is_called_test(
    choosing: tuple[Path, Callable[..., None]], tmp_path: Path
) -> None:
    corpus, run = choosing
    protocol = write(tmp_path / "p.yaml", data=kept_apart("val"))
    with pytest.raises(DataError, match="split 'val' of this table its test set 'kept'") as refusal:
        run(protocol)
    assert refusal.value.hint
    # The same table in another place is the same split.
    shutil.copytree(corpus, tmp_path / "copy")
    with pytest.raises(DataError, match="split 'val' of this table"):
        run(protocol, data=tmp_path / "copy", root=corpus)
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "o.onnx").exists()


def test_nothing_chooses_by_files_of_a_test_set(
    choosing: tuple[Path, Callable[..., None]], tmp_path: Path
) -> None:
    corpus, run = choosing
    rows = list(csv.DictReader((corpus / "train.csv").open()))
    # Another table over the same folder of files, whose recordings have no names.
    kept = [row | {"source": ""} for row in rows if row["split"] == "val"][:5]
    (corpus / "other").symlink_to(corpus / "train")
    csv_of(corpus / "other.csv", kept)
    protocol = write(tmp_path / "p.yaml", data=kept_apart(path="other.csv"))
    with pytest.raises(DataError, match=r"5 of the \d+ samples to choose by are of 'kept'.* the same file"):
        run(protocol)


def test_nothing_chooses_by_recordings_of_a_test_set(
    choosing: tuple[Path, Callable[..., None]], tmp_path: Path
) -> None:
    corpus, run = choosing
    source = [row for row in csv.DictReader((corpus / "train.csv").open()) if row["split"] == "val"][-1][
        "source"
    ]
    csv_of(tmp_path / "clips.csv", [row | {"source": source} for row in media_rows()])
    protocol = write(tmp_path / "p.yaml", data=kept_apart(path="clips.csv"))
    with pytest.raises(DataError, match=f"of the same recording, '{source}'"):
        run(protocol, root=tmp_path)
    # Donors of swaps are recordings in it, too.
    rows = [
        Row(f"{n}.mp4", n % 2 == 0, "d", source=f"x{n}", partner_source=source if n == 0 else "")
        for n in range(4)
    ]
    write_manifest(tmp_path / "swaps.parquet", Manifest(tmp_path, table_of(rows)))
    protocol = write(tmp_path / "p.yaml", data=kept_apart(path="swaps.parquet"))
    with pytest.raises(DataError, match=f"of the same recording, '{source}'"):
        run(protocol, root=tmp_path)


def test_only_what_may_choose_chooses(choosing: tuple[Path, Callable[..., None]], tmp_path: Path) -> None:
    _, run = choosing
    csv_of(tmp_path / "dev.csv", media_rows())
    csv_of(tmp_path / "train.csv", media_rows(split="val"))
    protocol = write(tmp_path / "p.yaml")
    with pytest.raises(DataError, match=r"in no set that may choose") as refusal:
        run(protocol, root=tmp_path)
    assert "val (train.csv, split val)" in refusal.value.hint


def test_training_data_are_kept_apart_from_test_sets_too(
    train_corpus: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe, corpus = train_corpus
    protocol = write(tmp_path / "p.yaml", data=kept_apart("train"))
    with pytest.raises(DataError, match="samples of it would be there to train on"):
        make(recipe, corpus, tmp_path / "run", protocol=protocol, say=lambda _: None)
    clip = next(row for row in csv.DictReader((corpus / "train.csv").open()) if row["kind"] == "frame")
    csv_of(tmp_path / "clips.csv", [row | {"source": clip["source"]} for row in media_rows()])
    protocol = write(tmp_path / "p.yaml", data=kept_apart(path="clips.csv"))
    with pytest.raises(DataError, match="samples to train on are of 'kept'"):
        make(recipe, corpus, tmp_path / "run", protocol=protocol, root=tmp_path, say=lambda _: None)


def test_published_splits_may_share_recordings_but_no_files(
    train_corpus: tuple[Path, Path], tmp_path: Path
) -> None:
    _, corpus = train_corpus
    samples = read_samples(corpus)
    sets = [{"name": "clips", "role": "test", "path": "clips.csv"}]
    csv_of(tmp_path / "clips.csv", [row | {"source": samples[-1].source} for row in media_rows()])
    path = write(tmp_path / "p.yaml", data=sets, apart="file")
    held_out(path, tmp_path, corpus, print).check(samples, corpus)
    path = write(tmp_path / "p.yaml", data=sets)
    with pytest.raises(DataError, match="same recording"):
        held_out(path, tmp_path, corpus, print).check(samples, corpus)


def test_a_recipe_can_name_its_protocol(train_corpus: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, corpus = train_corpus
    (tmp_path / "protocols").mkdir()
    write(tmp_path / "protocols" / "p.yaml", data=kept_apart("val"))
    recipe = quick(recipe, protocol={"file": "protocols/p.yaml"}, tune={"dropout": {"low": 0.1, "high": 0.5}})
    with pytest.raises(DataError, match="its test set 'kept'"):
        tune(recipe, corpus, tmp_path / "tuned", trials=1, say=lambda _: None)
    csv_of(corpus / "dev.csv", media_rows())
    write(tmp_path / "protocols" / "p.yaml")
    best = tune(recipe, corpus, tmp_path / "runs" / "tuned", trials=1, say=lambda _: None)
    named = parse_recipe(msgspec.yaml.decode(best.read_bytes())).protocol.file
    assert (best.parent / named).samefile(tmp_path / "protocols" / "p.yaml")
    assert not Path(named).is_absolute()


def test_random_frames_do_not_slip_past(train_corpus: tuple[Path, Path], tmp_path: Path) -> None:
    _, corpus = train_corpus
    csv_of(corpus / "dev.csv", media_rows())
    drawn = changed(msgspec.yaml.decode(RECIPE), {"protocol": {"split": "random-frames"}})
    path = write(tmp_path / "p.yaml")
    with pytest.raises(DataError, match="in no set that may choose"):
        prepare(parse_recipe(drawn), corpus, tmp_path / "run", protocols=[path], say=lambda _: None)


def test_test_sets_that_are_not_here_are_told_and_none_at_all_is_an_error(
    train_corpus: tuple[Path, Path], tmp_path: Path
) -> None:
    _, corpus = train_corpus
    samples = read_samples(corpus)
    sets = [*SETS, {"name": "far", "role": "test", "path": "far.csv"}]
    path = write(tmp_path / "p.yaml", data=sets)
    with pytest.raises(DataError, match="no test set of the protocol toy"):
        held_out(path, None, corpus, print)
    csv_of(corpus / "dev.csv", media_rows())
    said: list[str] = []
    held_out(path, None, corpus, said.append).check(samples, corpus)
    assert len(said) == 1
    assert "far" in said[0]


# What a model has seen


@pytest.fixture
def model_that_saw(make_model: Callable[..., Path]) -> Callable[..., Path]:
    """Makes a model whose file holds this history."""

    def make_it(history: History, name: str = "knowing") -> Path:
        path = make_model(name)
        model = onnx.load(path)
        entry = model.metadata_props.add()
        entry.key, entry.value = HISTORY_KEY, msgspec.json.encode(history).decode()
        onnx.save(model, path)
        return path

    return make_it


def seen(*recordings: str, dataset: str = "other", split: str = "train", table: str = "") -> History:
    return History((Seen("train", dataset, split, table, fingerprints(recordings)),))


def test_a_model_that_has_seen_a_test_set_is_refused_or_marked(
    tmp_path: Path, folder: Path, model_that_saw: Callable[..., Path]
) -> None:
    protocol = read(tmp_path, data=SETS_OF_FOLDER[:1], bootstrap__draws=100)
    model = str(model_that_saw(seen("media:real/0", "media:fake/1", "elsewhere")))
    with pytest.raises(DataError, match=r"'all' is a test set .* chosen by 2 of its recordings"):
        follow(protocol, [model], tmp_path, tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()
    text = follow(protocol, [model], tmp_path, tmp_path / "out", despite_seen=True, workers=1)
    assert "was trained on or chosen by 2 of its recordings" in text
    setting = read_scores(tmp_path / "out" / "all" / "scores.parquet").setting
    assert setting is not None
    assert setting.seen == {"tiny": 2}
    assert setting.trained_on == {"tiny": ("other",)}


def test_a_model_that_knows_the_data_set_or_the_table_is_told_apart(
    tmp_path: Path, folder: Path, model_that_saw: Callable[..., Path]
) -> None:
    table_ = csv_of(tmp_path / "media.csv", media_rows(split="test"))
    digest = hashlib.sha256(table_.read_bytes()).hexdigest()
    sets = [{"name": "all", "role": "test", "path": "media.csv"}]
    protocol = read(tmp_path, data=sets, bootstrap__draws=100, apart="file")
    within = str(model_that_saw(seen("media:0", dataset="d"), "within"))
    text = follow(protocol, [within], tmp_path, tmp_path / "out", workers=1)
    assert "was trained on other media of the same data sets" in text
    same = str(model_that_saw(seen(dataset="d", table=digest), "same"))
    with pytest.raises(DataError, match="chosen by these very rows"):
        follow(protocol, [same], tmp_path, tmp_path / "out2", workers=1)
    sets = [{"name": "all", "role": "test", "path": "media.csv", "split": "test"}]
    other_split = read(tmp_path, data=sets, bootstrap__draws=100, apart="file")
    follow(other_split, [same], tmp_path, tmp_path / "out3", workers=1)


def test_older_files_have_no_history_and_still_open(make_model: Callable[..., Path]) -> None:
    model = load_model(make_model())
    assert model.history == UNKNOWN
    assert not model.history.complete
    assert load_model("fast").card.name == "fast"


def test_a_trained_model_and_an_ensemble_of_it_say_what_they_have_seen(
    train_corpus: tuple[Path, Path], tmp_path: Path, make_model: Callable[..., Path]
) -> None:
    recipe, corpus = train_corpus
    csv_of(corpus / "dev.csv", media_rows())
    protocol = write(tmp_path / "p.yaml")
    path = make(quick(recipe), corpus, tmp_path / "run", protocol=protocol, say=lambda _: None, workers=0)
    history = load_model(path).history
    samples = read_samples(corpus)
    assert history == history_of(samples, corpus)
    assert history.complete
    assert history.datasets("train") == ("d",)
    assert {part.role for part in history.parts} == {"train", "choose"}
    table_ = hashlib.sha256((corpus / "train.csv").read_bytes()).hexdigest()
    assert {part.table_sha256 for part in history.parts} == {table_}
    recordings = {sample.source for sample in samples if sample.split == "train"}
    (train,) = (part for part in history.parts if part.role == "train")
    assert train.recordings == fingerprints(recordings)
    assert len(list(train.prints())) == len(recordings)
    sets = [{"name": "t", "role": "test", "path": "train.csv", "split": "train"}]
    with pytest.raises(UnmaskError, match="recordings"):
        follow(read(tmp_path, data=sets), [str(path)], corpus, tmp_path / "out")
    made = ensemble(
        [path, make_model()], corpus, tmp_path / "both.onnx", cache=tmp_path / "cache", say=lambda _: None
    )
    together = load_model(made.path).history
    assert set(history.parts) <= set(together.parts)
    assert not together.complete, "nobody knows what the other member has seen"


def test_media_know_their_recordings(tmp_path: Path) -> None:
    csv_of(tmp_path / "dev.csv", media_rows())
    held = hold(Part("d", "test", "dev.csv"), tmp_path)
    assert any(name.startswith("dev:") and name.endswith("/0") for name in held.recordings), (
        "as the layout corpus-dev calls them, folders and all"
    )
    assert isinstance(held.media[0], Medium)
