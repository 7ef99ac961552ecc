"""Faces cut from real media: where, how, again after an interruption, and what failed."""

from __future__ import annotations

import csv
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.data.trees import clip, manifest_at

from unmask.data.extract import ExtractOptions, extract
from unmask.data.extract.square import cut_square
from unmask.data.manifest import Manifest, Row, read_manifest, read_samples, rows_of_table, table_of
from unmask.errors import DataError, UnmaskError
from unmask.faces.crop import CropSpec, cut
from unmask.types import Face, Landmarks

OPTIONS = ExtractOptions(stride=8)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory, photo: NDArray[np.uint8]) -> Manifest:
    """A real video, a fake photo, a picture without a face, and a file that is none."""
    root = tmp_path_factory.mktemp("media")
    clip(root / "real/walk.mp4", photo)
    Image.fromarray(photo).save(root / "astronaut.jpg", quality=95)
    Image.new("RGB", (200, 200), "grey").save(root / "wall.png")
    (root / "broken.mp4").write_bytes(b"not a video at all")
    rows = [
        Row("real/walk.mp4", False, "d", source="s1", identity="p1", split="train"),
        Row("astronaut.jpg", True, "d", "swap", "photo", "s2", "p2", "s1", "p1", "val"),
        Row("wall.png", False, "d", kind="photo", source="s3"),
        Row("broken.mp4", True, "d", "swap", source="s4"),
    ]
    return Manifest(root, table_of(rows))


def test_crops_carry_landmarks_that_training_cuts_by(
    media: Manifest, tmp_path: Path, photo: NDArray[np.uint8]
) -> None:
    made = extract(media, tmp_path, OPTIONS, workers=0)
    assert made.manifest is not None
    rows = rows_of_table(read_manifest(made.manifest).table)
    video = [row for row in rows if row.origin == "real/walk.mp4"]
    assert [(row.frame, row.kind) for row in video] == [(0, "frame"), (8, "frame"), (16, "frame")]
    assert video[1].time == pytest.approx(8 / 24)
    (still,) = (row for row in rows if row.origin == "astronaut.jpg")
    assert (still.fake, still.method, still.kind, still.split) == (True, "swap", "photo", "val")
    assert (still.partner_source, still.partner) == ("s1", "p1")
    samples = {sample.path: sample for sample in read_samples(made.manifest)}
    sample = samples[tmp_path / still.path]
    crop = np.asarray(Image.open(sample.path))
    assert crop.shape == (round(still.side or 0), round(still.side or 0), 3)
    # The aligned crop cut from the square crop is the one cut from the whole picture.
    from_crop = cut(crop, sample.landmarks, CropSpec(96, 1.0)).astype(float)
    left, top = _place(photo, crop)
    landmarks = tuple((x + left, y + top) for x, y in sample.landmarks)
    from_photo = cut(photo, landmarks, CropSpec(96, 1.0)).astype(float)  # type: ignore[arg-type]
    assert np.abs(from_crop - from_photo).mean() < 4


def _place(photo: NDArray[np.uint8], crop: NDArray[np.uint8]) -> tuple[int, int]:
    """Where the crop lies in the photo, by looking."""
    found = cv2.matchTemplate(photo, crop, cv2.TM_SQDIFF)
    return cv2.minMaxLoc(found)[2]  # type: ignore[return-value]


def test_what_gave_no_face_is_listed_with_the_reason(media: Manifest, tmp_path: Path) -> None:
    made = extract(media, tmp_path, OPTIONS, workers=0)
    with (tmp_path / "failures.csv").open() as lines:
        reasons = {row["path"]: row["reason"] for row in csv.DictReader(lines)}
    assert set(reasons) == {"wall.png", "broken.mp4"}
    assert reasons["wall.png"] == "no face was found"
    assert dict(made.failures) == reasons


def test_processes_give_the_same_as_one(media: Manifest, tmp_path: Path) -> None:
    one = extract(media, tmp_path / "one", OPTIONS, workers=0)
    two = extract(media, tmp_path / "two", OPTIONS, workers=2)
    assert one.manifest is not None
    assert two.manifest is not None
    # Networks may round differently on one thread and on several.
    first, second = (rows_of_table(read_manifest(path).table) for path in (one.manifest, two.manifest))
    assert [row.path for row in first] == [row.path for row in second]
    assert all(
        np.allclose(a.landmarks or (), b.landmarks or (), atol=0.5)
        for a, b in zip(first, second, strict=True)
    )


def test_stopped_work_goes_on_and_half_written_lines_are_done_again(media: Manifest, tmp_path: Path) -> None:
    whole = extract(media, tmp_path, OPTIONS, workers=0)
    assert whole.manifest is not None
    rows = read_manifest(whole.manifest).table
    journal = tmp_path / "journal.jsonl"
    settings, video, still, *_ = journal.read_bytes().splitlines(keepends=True)
    # As a kill leaves it: the second line cut short, no manifest, a crop half written.
    journal.write_bytes(settings + video + still[: len(still) // 2])
    whole.manifest.unlink()
    crop = next((tmp_path / "faces").glob("astronaut*"))
    crop.with_name(f".{crop.name}.partial").write_bytes(crop.read_bytes()[:100])
    crop.unlink()
    of_video = next((tmp_path / "faces/real/walk").iterdir())
    before = of_video.stat().st_mtime_ns
    again = extract(media, tmp_path, OPTIONS, workers=0)
    assert again.manifest is not None
    assert read_manifest(again.manifest).table.equals(rows)
    assert of_video.stat().st_mtime_ns == before
    assert crop.is_file()
    assert not list((tmp_path / "faces").rglob("*.partial"))


def test_other_settings_are_refused_in_a_filled_folder(media: Manifest, tmp_path: Path) -> None:
    extract(media, tmp_path, OPTIONS, workers=0)
    with pytest.raises(DataError, match="other settings"):
        extract(media, tmp_path, replace(OPTIONS, margin=2.0), workers=0)


def test_wrong_options_are_told_before_any_work(media: Manifest, tmp_path: Path) -> None:
    with pytest.raises(UnmaskError, match="no face detector"):
        extract(media, tmp_path, replace(OPTIONS, detector="eyes"))
    with pytest.raises(DataError, match="gif"):
        ExtractOptions(format="gif")


def test_annotated_faces_keep_their_own_labels(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    both = np.concatenate([photo, photo], axis=1)
    Image.fromarray(both).save(tmp_path / "two.png")
    width = photo.shape[1]
    found = extract(
        Manifest(tmp_path, table_of([Row("two.png", False, "d", kind="photo")])),
        tmp_path / "all",
        replace(OPTIONS, all_faces=True),
        workers=0,
    )
    assert found.crops == 2
    box = (170.0, 60.0, 280.0, 210.0)
    shifted = (box[0] + width, box[1], box[2] + width, box[3])
    rows = [
        Row("two.png", False, "d", kind="photo", source="s", box=box),
        Row("two.png", True, "d", "swap", "photo", "s", box=shifted),
        Row("two.png", True, "d", "swap", "photo", "s", box=(0.0, 400.0, 50.0, 450.0)),
    ]
    made = extract(Manifest(tmp_path, table_of(rows)), tmp_path / "out", OPTIONS, workers=0)
    assert made.manifest is not None
    crops = rows_of_table(read_manifest(made.manifest).table)
    assert [(row.fake, row.method) for row in crops] == [(False, "original"), (True, "swap")]
    assert made.unmatched == 1


def test_shards_hold_pictures_and_their_facts(media: Manifest, tmp_path: Path) -> None:
    made = extract(media, tmp_path, replace(OPTIONS, format="jpeg"), workers=0, per_shard=2)
    assert [path.name for path in made.shards] == ["train-000000.tar", "train-000001.tar", "val-000000.tar"]
    assert not (tmp_path / "faces").exists()
    with tarfile.open(made.shards[0]) as tar:
        names = tar.getnames()
        assert names == ["000000000.jpg", "000000000.json", "000000001.jpg", "000000001.json"]
        member = tar.extractfile(names[1])
        assert member is not None
        facts = json.load(member)
    assert (facts["label"], facts["source"], len(facts["landmarks"])) == ("real", "s1", 5)
    again = extract(media, tmp_path, replace(OPTIONS, format="jpeg"), workers=0, per_shard=2)
    assert again.shards == made.shards


def test_squares_are_shifted_inside_and_never_enlarged() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    marks: Landmarks = ((5.0, 5.0), (15.0, 5.0), (10.0, 10.0), (6.0, 15.0), (14.0, 15.0))
    crop, box, landmarks, side = cut_square(image, Face((0.0, 0.0, 20.0, 20.0), marks, 1.0), 1.7, 320)
    assert (crop.shape, side) == ((34, 34, 3), 34)
    assert (box, landmarks) == ((0.0, 0.0, 20.0, 20.0), marks)
    crop, _, _, side = cut_square(image, Face((20.0, 0.0, 180.0, 100.0), marks, 1.0), 1.7, 50)
    assert (crop.shape, side) == ((50, 50, 3), 100)


def test_a_manifest_on_disk_is_extracted_by_the_command(media: Manifest, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from unmask.cli import cli

    path = manifest_at(tmp_path / "m.parquet", media.root, rows_of_table(media.table)[:2])
    arguments = ["data", "extract", str(path), str(tmp_path / "out"), "--frames", "2", "--workers", "0"]
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == str(tmp_path / "out" / "manifest.parquet")
    assert "3 faces from 2 of 2 files" in result.stderr
