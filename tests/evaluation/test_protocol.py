"""Protocols: read strictly, known by a hash, followed to the letter, and kept from being chosen by."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.conftest import ROOT
from tests.evaluation.test_measure import folder
from tests.training.test_ensemble import colour_model, few_draws
from tests.training.test_ensemble import toy as val_corpus
from tests.training.test_make import toy as train_corpus

from unmask.cli import main
from unmask.data.manifest import Manifest, Row, table_of, write_manifest
from unmask.errors import DataError
from unmask.evaluation.follow import follow
from unmask.evaluation.parts import hold, recordings_of, sampled
from unmask.evaluation.protocol import Look, Part, Protocol, Scoring, read_protocol
from unmask.evaluation.scoring import rescored
from unmask.evaluation.table import FACE, FILE, JudgedBy, read_scores, table
from unmask.training.tune import changed
from unmask.types import Verdict

__all__ = ["colour_model", "few_draws", "folder", "train_corpus", "val_corpus"]

SETS = [
    {"name": "val", "role": "choose", "path": "train.csv", "split": "val"},
    {"name": "dev", "role": "test", "path": "dev.csv"},
]
PLAIN: dict[str, Any] = {"name": "toy", "description": "a toy", "data": SETS}


def write(path: Path, **changes: Any) -> Path:
    """A protocol file: `PLAIN` with changes at dotted keys."""
    path.write_bytes(
        msgspec.yaml.encode(changed(PLAIN, {k.replace("__", "."): v for k, v in changes.items()}))
    )
    return path


def read(tmp_path: Path, **changes: Any) -> Protocol:
    return read_protocol(write(tmp_path / "toy.yaml", **changes))


# Reading


def test_every_protocol_in_the_repository_can_be_read() -> None:
    paths = sorted((ROOT / "protocols").glob("*.yaml"))
    assert len(paths) > 3
    for path in paths:
        protocol = read_protocol(path)
        assert protocol.name == path.stem
        assert not protocol.root, "where data lie is for the command line to say"
        assert protocol.of("choose")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"levles": ["file"]}, "did you mean 'levels'"),
        ({"sampling__frame": 3}, "did you mean 'frames'"),
        ({"data": [{"name": "a", "rolle": "test", "path": "a"}]}, "did you mean 'role'"),
        ({"data": [{"name": "a", "role": "test", "path": "a", "only": {"sets": []}}]}, "only"),
        ({"data": []}, "no set with the role test"),
        ({"data": SETS[:1]}, "no set with the role test"),
        ({"data": [*SETS, SETS[1]]}, "two sets are called 'dev'"),
        (
            {"data": [*SETS, {"name": "v", "role": "test", "path": "train.csv"}]},
            "may choose by the same rows",
        ),
        ({"data": [{"name": "a", "role": "test", "path": "/data/a.csv"}]}, "relative to the root"),
        ({"data": [{"name": "a", "role": "test", "path": "../a.csv"}]}, "relative to the root"),
        ({"data": [{"name": "a", "role": "test", "path": "a", "sha256": "12"}]}, "sha256"),
        ({"data": [{"name": "a/b", "role": "test", "path": "a"}]}, "name"),
        ({"data": [{"name": "a", "role": "measure", "path": "a"}]}, "role"),
        ({"levels": []}, "levels names none"),
        ({"levels": ["file", "file"]}, "twice"),
        ({"levels": ["video"]}, "levels"),
        ({"groups": ["colour"]}, "groups"),
        ({"sampling": {"stride": 2, "frames": 3}}, "both stride and frames"),
        ({"sampling__detector": "haar"}, "centerface"),
        ({"degradations": ["jpg"]}, "jpeg"),
        ({"scoring__frame": "largest"}, "scoring.file"),
        ({"scoring__file": "mean"}, "level track"),
        ({"data": [*SETS, {"name": "f", "role": "test", "path": "f", "recordings": "folder"}]}, "no card"),
        ({"bootstrap__draws": 3}, "draws"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(tmp_path: Path, changes: dict[str, Any], named: str) -> None:
    with pytest.raises(DataError, match=named) as refusal:
        read(tmp_path, **changes)
    assert "toy.yaml" in refusal.value.message


def test_what_is_no_protocol_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("- a")
    (tmp_path / "broken").write_text("]")
    for name in ("list", "broken", "absent"):
        with pytest.raises(DataError, match=name):
            read_protocol(tmp_path / name)


# The hash


def test_the_hash_is_over_what_is_said_and_not_over_how(tmp_path: Path) -> None:
    plain = read(tmp_path)
    same: list[dict[str, Any]] = [
        {"description": "in other words"},
        {"root": "somewhere"},
        {"data": SETS[::-1]},
        {"levels": ["track", "frame", "file"]},
        {"apart": "source", "sampling": {"stride": 10}, "bootstrap": {"seed": 0}},
        {"data": [SETS[0], SETS[1] | {"path": "./dev.csv", "only": {"method": []}}]},
    ]
    for changes in same:
        assert read(tmp_path, **changes).sha256 == plain.sha256, changes
    path = write(tmp_path / "spaced.yaml")
    path.write_text("# a comment\n\n" + path.read_text().replace(": ", ":   "))
    assert read_protocol(path).sha256 == plain.sha256
    others: list[dict[str, Any]] = [
        {"name": "other"},
        {"data": SETS[1:]},
        {"data": [SETS[0], SETS[1] | {"split": "test"}]},
        {"data": [SETS[0], SETS[1] | {"sha256": "0" * 64}]},
        {"data": [SETS[0], SETS[1] | {"only": {"kind": ["video"]}}]},
        {"levels": ["file"]},
        {"sampling__stride": 11},
        {"sampling__frames": 10},
        {"sampling__min_face": 41},
        {"degradations": ["jpeg"]},
        {"groups": ["method"]},
        {"bootstrap__seed": 1},
        {"apart": "file"},
    ]
    hashes = {read(tmp_path, **changes).sha256 for changes in others}
    assert len(hashes - {plain.sha256}) == len(others)


def test_the_hash_stays_what_it_is(tmp_path: Path) -> None:
    only: dict[str, list[str]] = {"compression": [], "dataset": [], "kind": [], "method": []}
    common = {"only": only, "recordings": "file", "sha256": None}
    expected = {
        "apart": "source",
        "bootstrap": {"draws": 1000, "seed": 0},
        "data": [
            {"name": "dev", "path": "dev.csv", "role": "test", "split": "", **common},
            {"name": "val", "path": "train.csv", "role": "choose", "split": "val", **common},
        ],
        "degradations": [],
        "format": "unmask-protocol/1",
        "groups": [],
        "levels": ["file", "frame", "track"],
        "name": "toy",
        "sampling": {"detector": "centerface", "frames": None, "min_face": 40, "stride": 10},
        "scoring": {"file": "card", "frame": "likeliest"},
    }
    text = json.dumps(expected, sort_keys=True, separators=(",", ":"))
    assert read(tmp_path).sha256 == hashlib.sha256(text.encode()).hexdigest()


# The sets on disk


def csv_of(path: Path, rows: Sequence[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def media_rows(**more: str) -> list[dict[str, str]]:
    return [
        {"file": f"{label}/{n}.png", "label": label, "kind": "image", "dataset": "d", **more}
        for label in ("real", "fake")
        for n in range(3)
    ]


def test_a_set_is_what_its_split_and_values_say(tmp_path: Path) -> None:
    rows = [
        row | {"split": "ab"[n % 2], "method": row["label"] + str(n % 3)}
        for n, row in enumerate(media_rows())
    ]
    csv_of(tmp_path / "m.csv", rows)
    part = Part("m", "test", "m.csv")
    assert len(hold(part, tmp_path).media) == 6
    assert len(hold(replace(part, split="a"), tmp_path).media) == 3
    only = replace(part.only, method=("fake1",))
    held = hold(replace(part, only=only), tmp_path)
    assert sorted(medium.fake for medium in held.media) == [False] * 3 + [True]
    manifest = Manifest(
        tmp_path, table_of([Row(f"{n}.png", n % 2 == 0, "d", split="test", kind="photo") for n in range(4)])
    )
    write_manifest(tmp_path / "m.parquet", manifest)
    assert len(hold(Part("p", "test", "m.parquet", split="test"), tmp_path).media) == 4


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"path": "absent.csv"}, "absent.csv"),
        ({"sha256": "0" * 64}, "not the same set"),
        ({"split": "test"}, "no column split"),
        ({"path": "split.csv", "split": "test"}, "no rows of the split 'test'"),
        ({"path": "media", "split": "test"}, "no rows of the split 'test'"),
        ({"path": "media", "sha256": "0" * 64}, "is a folder"),
        ({"only": {"dataset": ["other"]}}, "empty: no row of .* is dataset other"),
        ({"path": "header.csv"}, "needs rows"),
        ({"path": "kind.csv"}, "kind 'movie'"),
    ],
)
def test_a_set_that_is_not_there_is_told(
    tmp_path: Path, folder: Path, changes: dict[str, Any], named: str
) -> None:
    csv_of(tmp_path / "m.csv", media_rows())
    csv_of(tmp_path / "split.csv", media_rows(split="train"))
    csv_of(tmp_path / "kind.csv", media_rows(kind="movie"))
    (tmp_path / "header.csv").write_text("file,label,kind,dataset\n")
    part = msgspec.convert({"name": "m", "role": "test", "path": "m.csv"} | changes, Part)
    with pytest.raises(DataError, match=named):
        hold(part, tmp_path)


def test_sets_that_cannot_be_measured_are_told_before_anything_is_scanned(
    tmp_path: Path, folder: Path, make_model: Callable[..., Path]
) -> None:
    rows = media_rows()
    csv_of(tmp_path / "reals.csv", rows[:3])
    with pytest.raises(DataError, match="only reals"):
        sampled(hold(Part("m", "test", "reals.csv"), tmp_path), Look())
    csv_of(tmp_path / "gone.csv", rows)
    with pytest.raises(DataError, match="none of the 6 files"):
        sampled(hold(Part("m", "test", "gone.csv"), tmp_path), Look())
    # Two folders of one name hold other files under the same names.
    shutil.copytree(folder, tmp_path / "again" / "media")
    sets = [
        {"name": "one", "role": "test", "path": "media"},
        {"name": "two", "role": "test", "path": "again/media"},
    ]
    with pytest.raises(DataError, match="another file in 'two' than in 'one'"):
        follow(read(tmp_path, data=sets), [str(make_model())], tmp_path, tmp_path / "out")


# Following


SETS_OF_FOLDER = [
    {"name": "all", "role": "test", "path": "media"},
    {"name": "some", "role": "test", "path": "media", "only": {"method": ["unknown"]}},
    {"name": "val", "role": "choose", "path": "val"},
]


def evaluate(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        main(["evaluate", *map(str, arguments), "--workers", "1"])
    assert exit_.value.code is None or isinstance(exit_.value.code, int)
    return exit_.value.code or 0


def test_an_outcome_names_its_protocol_wherever_it_is_written(
    tmp_path: Path, folder: Path, make_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "toy.yaml", data=SETS_OF_FOLDER, groups=["method"], bootstrap__draws=100)
    protocol, out = read_protocol(path), tmp_path / "out"
    arguments = (make_model(), "--protocol", path, "--root", tmp_path, "--out", out)
    assert evaluate(*arguments) == 0
    told = capsys.readouterr().out
    assert told == (out / "report.md").read_text()
    assert protocol.sha256 in told
    for name in ("all", "some"):
        scores = read_scores(out / name / "scores.parquet")
        assert scores.setting is not None
        assert (scores.setting.protocol, scores.setting.sha256) == ("toy", protocol.sha256)
        assert (scores.setting.part, scores.setting.role, scores.setting.draws) == (name, "test", 100)
        assert protocol.sha256 in (out / name / "report.md").read_text()
        assert (out / name / "figures.csv").is_file()
    record = json.loads((out / "protocol.json").read_text())
    assert record.pop("sha256") == protocol.sha256
    assert record == json.loads(json.dumps(protocol.canonical()))
    # Both sets are the same seven files: each was scanned once, and none again by a second call.
    journal = (out / "journal.jsonl").read_text()
    assert len(journal.splitlines()) == 1 + 7
    assert "could not be compared" in told
    assert evaluate(*arguments, "--set", "some") == 0
    assert (out / "journal.jsonl").read_text() == journal
    assert "## all" not in capsys.readouterr().out


def test_the_choosing_sets_are_measured_when_asked_for(
    tmp_path: Path, folder: Path, make_model: Callable[..., Path]
) -> None:
    shutil.copytree(folder, tmp_path / "val")
    protocol = read(tmp_path, data=SETS_OF_FOLDER, bootstrap__draws=100)
    follow(protocol, [str(make_model())], tmp_path, tmp_path / "out", role="choose", workers=1)
    scores = read_scores(tmp_path / "out" / "val" / "scores.parquet")
    assert scores.setting is not None
    assert scores.setting.role == "choose"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--on", "x"], "says what is measured"),
        (["--degrade", "jpeg"], "says what is measured"),
        (["--set", "nosuch"], "no 'nosuch' among the sets"),
        (["--role", "choose"], "there is no"),
    ],
)
def test_the_command_line_does_not_contradict_a_protocol(
    tmp_path: Path,
    folder: Path,
    make_model: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    named: str,
) -> None:
    path = write(tmp_path / "toy.yaml", data=SETS_OF_FOLDER)
    assert evaluate(make_model(), "--protocol", path, "--root", tmp_path, *arguments) == 2
    assert named in capsys.readouterr().err


def test_where_the_sets_are_has_to_be_said(
    tmp_path: Path, folder: Path, make_model: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "toy.yaml", data=SETS_OF_FOLDER)
    assert evaluate(make_model(), "--protocol", path) == 2
    assert "--root" in capsys.readouterr().err
    protocol = read_protocol(write(tmp_path / "rooted.yaml", data=SETS_OF_FOLDER, root="."))
    assert protocol.folder(tmp_path / "rooted.yaml", None) == tmp_path
    assert evaluate(make_model(), "--on", folder, "--root", tmp_path) == 2


# Scores by a rule of its own


def faces(
    file: str, fake: bool, frames: dict[int, list[tuple[float, float]]], own: float
) -> list[dict[str, Any]]:
    """Rows of a file: frame → (P(fake), size) of its faces, and the file's own P(fake)."""
    common = {"model": "m", "file": file, "kind": "video", "fake": fake, "dataset": "d", "source": file}
    common |= {"method": "", "compression": "", "degradation": "", "severity": 0}
    rows = [
        common
        | {"level": FACE, "track": n, "frame": frame, "size": size, "verdict": "UNSURE", "probability": p}
        for frame, found in frames.items()
        for n, (p, size) in enumerate(found)
    ]
    return [*rows, common | {"level": FILE, "verdict": "UNSURE", "probability": own}]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Scoring("card"), 0.5),
        (Scoring("mean", "likeliest"), (0.9 + 0.3 + 0.6) / 3),
        (Scoring("mean", "largest"), (0.1 + 0.3 + 0.6) / 3),
        (Scoring("median", "largest"), 0.3),
        (Scoring("max", "largest"), 0.6),
        (Scoring("max", "likeliest"), 0.9),
    ],
)
def test_a_files_score_follows_the_rule(rule: Scoring, expected: float) -> None:
    shown = {0: [(0.9, 50.0), (0.1, 90.0)], 1: [(0.3, 70.0)], 2: [(0.6, 70.0)]}
    rows = faces("d/a", True, shown, own=0.5)
    lost = rows[-1] | {"file": "d/b", "verdict": "NO_FACE", "probability": None}
    program = rows[-1] | {"file": "d/c", "probability": 0.8, "verdict": "FAKE"}
    scores = rescored(table([*rows, lost, program], [JudgedBy("m", "", 0.55, 0.2)]), rule)
    files = {
        row["file"]: row for row in scores.rows.filter(scores.rows["level"] == FILE).iter_rows(named=True)
    }
    assert files["d/a"]["probability"] == pytest.approx(expected)
    assert (files["d/b"]["verdict"], files["d/b"]["probability"]) == ("NO_FACE", None)
    assert files["d/c"]["probability"] == 0.8
    if rule.file != "card":
        assert files["d/a"]["verdict"] == (Verdict.FAKE if expected >= 0.55 else Verdict.UNSURE).value
        frames = scores.rows.filter(scores.rows["level"] == FACE)
        assert frames["frame"].to_list() == [0, 1, 2]


def test_pictures_in_one_folder_are_one_recording(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    rows = []
    for label, clip in (("real", "a"), ("fake", "b")):
        for n in (10, 2, 1, 3):
            path = tmp_path / "frames" / label / "method" / clip / f"{n}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(photo[:8, :8]).save(path)
    part = Part("f", "test", "frames", recordings="folder")
    held = hold(part, tmp_path)
    everything = recordings_of(held.media)
    assert [m.path.stem for m in everything["frames/real/method/a"]] == ["1", "2", "3", "10"]
    media = sampled(held, Look(frames=2))
    assert sorted(m.path.stem for m in media) == ["10", "10", "2", "2"]
    for name, frames in recordings_of(media).items():
        for n, frame in enumerate(frames):
            p = 0.2 + 0.2 * n if "real" in name else None
            row = faces(frame.id, frame.fake, {0: [(p, 50.0)]} if p else {}, own=p or 0.9)
            rows += [r | {"kind": "image"} for r in row]
            if p is None:
                rows[-1] |= {"verdict": "NO_FACE", "probability": None}
    made = rescored(table(rows, [JudgedBy("m")]), Scoring("mean", "largest"), recordings_of(media))
    files = made.rows.filter(made.rows["level"] == FILE).sort("file")
    assert files["file"].to_list() == ["frames/fake/method/b", "frames/real/method/a"]
    assert files["kind"].to_list() == ["video", "video"]
    assert files["verdict"].to_list() == ["NO_FACE", "REAL"]
    assert files["probability"].to_list() == [None, pytest.approx(0.3)]
    assert made.rows.filter(made.rows["level"] == FACE)["frame"].to_list() == [0, 1]


def test_a_recording_has_one_label_and_no_videos(tmp_path: Path) -> None:
    rows = media_rows()
    for row in rows:
        row["file"] = f"clip/{row['label']}{row['file'][-5]}.png"
    csv_of(tmp_path / "m.csv", rows)
    with pytest.raises(DataError, match="real and fake pictures in one folder"):
        hold(Part("m", "test", "m.csv", recordings="folder"), tmp_path)
    csv_of(tmp_path / "m.csv", media_rows(kind="video"))
    with pytest.raises(DataError, match="has videos"):
        hold(Part("m", "test", "m.csv", recordings="folder"), tmp_path)
