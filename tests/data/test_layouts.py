"""Every layout on a tiny tree of its data set's true shape."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.trees import put_json, touch

from unmask.data.index import Indexed, index
from unmask.data.layouts import LAYOUTS
from unmask.data.layouts.names import celebdf, dfd, ffpp
from unmask.data.manifest import Row, rows_of_table
from unmask.errors import DataError, UnmaskError


def rows(indexed: Indexed) -> dict[str, Row]:
    return {row.path: row for row in rows_of_table(indexed.manifest.table)}


def test_faceforensics_ties_target_and_donor_and_counts_what_is_missing(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "original_sequences/youtube/c23/videos/000.mp4",
        "original_sequences/youtube/c23/videos/003.mp4",
        "original_sequences/youtube/c0/videos/000.mp4",
        "manipulated_sequences/Deepfakes/c23/videos/000_003.mp4",
        "manipulated_sequences/NeuralTextures/c40/videos/003_000.mp4",
        "manipulated_sequences/Deepfakes/masks/videos/000_003.mp4",
        "original_sequences/actors/c23/videos/01__kitchen_pan.mp4",
        "manipulated_sequences/DeepFakeDetection/c23/videos/01_02__kitchen_pan__YVGY8LOK.mp4",
        "somewhere/else.mp4",
    )
    put_json(tmp_path / "splits/test.json", [["000", "003"]])
    indexed = index(tmp_path, "faceforensics")
    found = rows(indexed)
    fake = found["manipulated_sequences/Deepfakes/c23/videos/000_003.mp4"]
    assert (fake.fake, fake.method, fake.compression, fake.split) == (True, "deepfakes", "c23", "test")
    assert (fake.source, fake.partner_source) == ("ffpp:000", "ffpp:003")
    assert found["original_sequences/youtube/c0/videos/000.mp4"].compression == "raw"
    swap = found["manipulated_sequences/DeepFakeDetection/c23/videos/01_02__kitchen_pan__YVGY8LOK.mp4"]
    assert (swap.dataset, swap.source) == ("dfd", "dfd:01__kitchen_pan")
    assert (swap.identity, swap.partner) == ("dfd:01", "dfd:02")
    assert indexed.missing == (
        "original_sequences/youtube/c40/videos/000.mp4",
        "original_sequences/youtube/c40/videos/003.mp4",
    )
    assert indexed.unplaced == ("somewhere/else.mp4",)
    assert indexed.aside == 1
    assert any("FaceShifter" in note for note in indexed.notes)


def test_faceforensics_frames_are_rows_of_their_clip(tmp_path: Path) -> None:
    touch(tmp_path, "original_sequences/youtube/c23/frames/000/0007.png")
    (row,) = rows(index(tmp_path, "faceforensics")).values()
    assert (row.kind, row.frame, row.source) == ("frame", 7, "ffpp:000")


def test_deepfakedetection_alone_leaves_faceforensics_out(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "original_sequences/actors/raw/videos/28__walking.mp4",
        "original_sequences/youtube/raw/videos/000.mp4",
    )
    indexed = index(tmp_path, "deepfakedetection")
    assert [row.identity for row in rows(indexed).values()] == ["dfd:28"]
    assert not indexed.unplaced


@pytest.mark.parametrize("version", ["celebdf1", "celebdf2"])
def test_celebdf_marks_its_test_list_and_ties_swaps(tmp_path: Path, version: str) -> None:
    touch(
        tmp_path,
        "Celeb-real/id0_0000.mp4",
        "Celeb-synthesis/id0_id1_0000.mp4",
        "YouTube-real/00000.mp4",
    )
    listed = "1 YouTube-real/00000.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n1 Celeb-real/id9_0000.mp4\n"
    (tmp_path / "List_of_testing_videos.txt").write_text(listed)
    indexed = index(tmp_path, version)
    found = rows(indexed)
    fake = found["Celeb-synthesis/id0_id1_0000.mp4"]
    assert (fake.fake, fake.dataset, fake.split) == (True, version, "test")
    assert (fake.source, fake.identity, fake.partner) == ("celebdf:id0_0000", "celebdf:id0", "celebdf:id1")
    assert found["Celeb-real/id0_0000.mp4"].split == ""
    assert found["YouTube-real/00000.mp4"].split == "test"
    assert indexed.missing == ("Celeb-real/id9_0000.mp4",)
    assert any("shares 1 recordings" in note for note in indexed.notes)


def test_dfdc_reads_every_table_of_labels(tmp_path: Path) -> None:
    touch(tmp_path, "dfdc_train_part_0/a.mp4", "dfdc_train_part_0/b.mp4", "test/c.mp4", "test/d.mp4")
    put_json(
        tmp_path / "dfdc_train_part_0/metadata.json",
        {
            "a.mp4": {"label": "FAKE", "split": "train", "original": "b.mp4"},
            "b.mp4": {"label": "REAL", "split": "train"},
            "gone.mp4": {"label": "REAL", "split": "train"},
        },
    )
    (tmp_path / "test/labels.csv").write_text("filename,label\nc.mp4,1\n")
    indexed = index(tmp_path, "dfdc")
    found = rows(indexed)
    assert found["dfdc_train_part_0/a.mp4"].source == found["dfdc_train_part_0/b.mp4"].source == "dfdc:b"
    assert (found["test/c.mp4"].fake, found["test/c.mp4"].split) == (True, "test")
    assert indexed.missing == ("dfdc_train_part_0/gone.mp4",)
    assert indexed.unplaced == ("test/d.mp4",)


def test_dfdc_preview_ties_who_was_swapped(tmp_path: Path) -> None:
    touch(tmp_path, "method_A/1/1_A_001.mp4", "original_videos/2/2_D_000.mp4")
    put_json(
        tmp_path / "dataset.json",
        {
            "method_A/1/1_A_001.mp4": {"label": "fake", "set": "train", "target_id": "1", "swapped_id": "2"},
            "original_videos/2/2_D_000.mp4": {"label": "real", "set": "test"},
        },
    )
    found = rows(index(tmp_path, "dfdc-preview"))
    fake = found["method_A/1/1_A_001.mp4"]
    assert (fake.method, fake.identity, fake.partner) == ("method-a", "dfdcp:1", "dfdcp:2")
    real = found["original_videos/2/2_D_000.mp4"]
    assert (real.fake, real.split, real.identity) == (False, "test", "dfdcp:2")


def test_uadfv_pairs_are_one_source_and_the_other_half_is_missed(tmp_path: Path) -> None:
    touch(tmp_path, "real/0000.mp4", "fake/0000_fake.mp4", "fake/0001_fake.mp4")
    indexed = index(tmp_path, "uadfv")
    assert {row.source for row in rows(indexed).values()} == {"uadfv:0000", "uadfv:0001"}
    assert indexed.missing == ("real/0001.mp4",)


def test_deeperforensics_targets_are_recordings_of_faceforensics(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "manipulated_videos/end_to_end/000_M101.mp4",
        "source_videos/M101/light_up/happy/camera_front/M101_light_up_happy_camera_front.mp4",
    )
    (tmp_path / "lists/splits").mkdir(parents=True)
    (tmp_path / "lists/splits/val.txt").write_text("000_M101.mp4\n001_W101.mp4\n")
    indexed = index(tmp_path, "deeperforensics")
    fake = rows(indexed)["manipulated_videos/end_to_end/000_M101.mp4"]
    assert (fake.source, fake.partner, fake.split) == ("ffpp:000", "deeperforensics:M101", "val")
    reals = [row for row in rows(indexed).values() if not row.fake]
    assert [row.identity for row in reals] == ["deeperforensics:M101"]
    assert indexed.missing == ("manipulated_videos/*/001_W101.mp4",)


def test_wilddeepfake_archives_are_sources(tmp_path: Path) -> None:
    touch(tmp_path, "real_train/1/real/0/10.png", "real_train/1/real/1/11.png", "fake_test/2/fake/0/3.png")
    found = rows(index(tmp_path, "wilddeepfake"))
    assert {row.source for row in found.values()} == {"wilddeepfake:real_train/1", "wilddeepfake:fake_test/2"}
    assert found["fake_test/2/fake/0/3.png"].split == "test"
    assert found["real_train/1/real/0/10.png"].frame == 10


def test_openforensics_gives_a_row_per_annotated_face(tmp_path: Path) -> None:
    touch(tmp_path, "Images/Train/a.jpg")
    put_json(
        tmp_path / "Train_poly.json",
        {
            "categories": [{"id": 0, "name": "Real"}, {"id": 1, "name": "Fake"}],
            "images": [
                {"id": 5, "file_name": "Images/Train/a.jpg"},
                {"id": 6, "file_name": "Images/Train/b.jpg"},
            ],
            "annotations": [
                {"image_id": 5, "category_id": 0, "bbox": [10, 20, 30, 40]},
                {"image_id": 5, "category_id": 1, "bbox": [50, 20, 30, 40]},
            ],
        },
    )
    indexed = index(tmp_path, "openforensics")
    real, fake = rows_of_table(indexed.manifest.table)
    assert (real.fake, real.box) == (False, (10.0, 20.0, 40.0, 60.0))
    assert (fake.fake, fake.split, fake.source) == (True, "train", real.source)
    assert indexed.missing == ("Images/Train/b.jpg",)


def test_df40_clips_are_tied_to_the_recordings_they_were_made_from(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "simswap/ff/frames/000_003/012.png",
        "simswap/ff/landmarks/000_003/012.png",
        "fomm/cdf/id0_id1_0000/000.png",
        "DF40_train/blendface/frames/005_010/1.png",
        "midjourney/real/x.png",
        "loose.png",
    )
    indexed = index(tmp_path, "df40")
    found = rows(indexed)
    first = found["simswap/ff/frames/000_003/012.png"]
    assert (first.method, first.source, first.partner_source) == ("simswap", "ffpp:000", "ffpp:003")
    assert found["fomm/cdf/id0_id1_0000/000.png"].source == "celebdf:id0_0000"
    train = found["DF40_train/blendface/frames/005_010/1.png"]
    assert (train.method, train.split, train.source) == ("blendface", "train", "ffpp:005")
    assert (found["midjourney/real/x.png"].fake, found["midjourney/real/x.png"].kind) == (False, "photo")
    assert indexed.unplaced == ("loose.png",)
    assert indexed.aside == 1


def test_deepfakebench_tables_are_read_once_and_test_goes_first(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "FaceForensics++/original_sequences/youtube/c23/frames/000/0.png",
        "UADFV/real/frames/1/0.png",
    )
    windows = "D:\\data\\FaceForensics++\\original_sequences\\youtube\\c23\\frames\\000\\0.png"
    real = {"train": {"c23": {"000": {"label": "FF-real", "frames": [windows]}}}}
    gone = {"train": {"c23": {"000_003": {"label": "FF-DF", "frames": ["FaceForensics++/gone.png"]}}}}
    put_json(tmp_path / "dataset_json/FF-DF.json", {"FF-DF": {"FF-real": real, "FF-DF": gone}})
    put_json(tmp_path / "dataset_json/FF-FS.json", {"FF-FS": {"FF-real": real}})
    video = {"1": {"label": "UADFV_Real", "frames": ["UADFV/real/frames/1/0.png"]}}
    put_json(tmp_path / "dataset_json/UADFV.json", {"UADFV": {"UADFV_Real": {"train": video, "test": video}}})
    indexed = index(tmp_path, "deepfakebench")
    found = rows(indexed)
    assert len(indexed.manifest.table) == 2
    first = found["FaceForensics++/original_sequences/youtube/c23/frames/000/0.png"]
    assert (first.dataset, first.source, first.compression) == ("ffpp", "ffpp:000", "c23")
    assert found["UADFV/real/frames/1/0.png"].split == "test"
    assert indexed.missing == ("FaceForensics++/gone.png",)


def test_folders_take_label_method_split_and_recording_from_the_path(tmp_path: Path) -> None:
    root = touch(
        tmp_path / "mine",
        "train/real/a.jpg",
        "val/fake/simswap/b.mp4",
        "val/fake/simswap/clip1/001.png",
        "val/fake/simswap/clip1/002.png",
        "readme.jpg",
    )
    indexed = index(root, "folders")
    found = rows(indexed)
    assert (found["train/real/a.jpg"].split, found["train/real/a.jpg"].method) == ("train", "original")
    video = found["val/fake/simswap/b.mp4"]
    assert (video.kind, video.method, video.dataset) == ("video", "simswap", "mine")
    first, second = (found[f"val/fake/simswap/clip1/00{i}.png"] for i in (1, 2))
    assert first.source == second.source != video.source
    assert (first.kind, second.frame) == ("frame", 2)
    assert indexed.unplaced == ("readme.jpg",)


def test_corpus_keeps_boxes_and_landmarks(corpus: Path) -> None:
    indexed = index(corpus, "corpus")
    assert indexed.manifest.table["lm0x"].null_count() == 0
    assert not indexed.missing
    assert not indexed.unplaced
    dev = index(corpus, "corpus-dev")
    assert set(dev.manifest.table["split"]) == {"test"}


@pytest.mark.parametrize("layout", LAYOUTS.names())
def test_another_folder_is_refused_with_a_hint(tmp_path: Path, layout: str) -> None:
    touch(tmp_path, "holiday.txt")
    with pytest.raises(DataError) as caught:
        index(tmp_path, layout)
    assert caught.value.hint


def test_a_wrong_layout_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError, match="no layout") as caught:
        index(tmp_path, "imagenet")
    assert "celebdf2" in caught.value.hint


def test_names_say_who_and_what() -> None:
    assert ffpp("000").source == "ffpp:000"
    assert ffpp("000_M101").partner == "deeperforensics:M101"
    assert dfd("01_02__talking_against_wall").source == "dfd:01__talking_against_wall"
    assert celebdf("00170").identity == ""
