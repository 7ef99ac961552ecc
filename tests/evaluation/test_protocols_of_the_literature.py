"""The protocols for public data sets fit the manifests that `unmask data index` makes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.conftest import ROOT
from tests.data.trees import put_json, touch

from unmask.data.index import index
from unmask.data.manifest import write_manifest
from unmask.evaluation.follow import follow
from unmask.evaluation.parts import hold
from unmask.evaluation.protocol import Protocol, read_protocol
from unmask.evaluation.table import FACE, FILE, read_scores

SWAPS = ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures", "FaceShifter")


def protocol_of(name: str) -> Protocol:
    return read_protocol(ROOT / "protocols" / f"{name}.yaml")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Manifests of small trees in the shape of each data set: all that lies in them are names."""
    trees = tmp_path / "trees"
    pairs = {"train": ("000", "001"), "val": ("002", "003"), "test": ("004", "005")}
    for quality in ("raw", "c23", "c40"):
        for pair in pairs.values():
            names = [f"original_sequences/youtube/{quality}/videos/{one}.mp4" for one in pair]
            made = f"{quality}/videos/{pair[0]}_{pair[1]}.mp4"
            touch(trees / "ffpp", *names, *(f"manipulated_sequences/{method}/{made}" for method in SWAPS))
        touch(trees / "ffpp", f"original_sequences/actors/{quality}/videos/01__kitchen_pan.mp4")
        swap = f"{quality}/videos/01_02__kitchen_pan__YVGY8LOK.mp4"
        touch(trees / "ffpp", f"manipulated_sequences/DeepFakeDetection/{swap}")
    for split, pair in pairs.items():
        put_json(trees / f"ffpp/splits/{split}.json", [list(pair)])
    for version in ("celebdf1", "celebdf2"):
        touch(trees / version, "Celeb-real/id0_0000.mp4", "Celeb-synthesis/id0_id1_0000.mp4")
        touch(trees / version, "YouTube-real/00000.mp4")
        listed = "1 YouTube-real/00000.mp4\n0 Celeb-synthesis/id0_id1_0000.mp4\n"
        (trees / version / "List_of_testing_videos.txt").write_text(listed)
    touch(trees / "dfdc", "test/a.mp4", "test/b.mp4")
    (trees / "dfdc/test/labels.csv").write_text("filename,label\na.mp4,1\nb.mp4,0\n")
    touch(trees / "dfdc-preview", "method_A/1/a.mp4", "original_videos/1/b.mp4")
    facts = {"set": "test", "target_id": "1", "swapped_id": "2"}
    put_json(
        trees / "dfdc-preview/dataset.json",
        {"method_A/1/a.mp4": facts | {"label": "fake"}, "original_videos/1/b.mp4": facts | {"label": "real"}},
    )
    for label in ("real", "fake"):
        touch(trees / "wilddeepfake", *(f"{label}_test/7/{label}/{n}/{n}.png" for n in (1, 2)))
    layouts = {"ffpp": "faceforensics"}
    for tree in sorted(trees.iterdir()):
        manifest = index(tree, layouts.get(tree.name, tree.name)).manifest
        write_manifest(tmp_path / f"{tree.name}.parquet", manifest)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "reals", "fakes"),
    [
        (
            "ffpp-cross",
            {
                "ffpp": 2,
                "dfd": 1,
                "celebdf1": 1,
                "celebdf2": 1,
                "dfdc": 1,
                "dfdc-preview": 1,
                "wilddeepfake": 2,
            },
            {
                "ffpp": 4,
                "dfd": 1,
                "celebdf1": 1,
                "celebdf2": 1,
                "dfdc": 1,
                "dfdc-preview": 1,
                "wilddeepfake": 2,
            },
        ),
        ("ffpp-compression", dict.fromkeys(("ffpp-raw", "ffpp-c23", "ffpp-c40"), 2), {}),
    ],
)
def test_every_set_is_found_in_the_manifests(
    data: Path, name: str, reals: dict[str, int], fakes: dict[str, int]
) -> None:
    protocol = protocol_of(name)
    held = {part.name: hold(part, data).media for part in protocol.data}
    tested = {part.name: held[part.name] for part in protocol.of("test")}
    assert {n: sum(not m.fake for m in media) for n, media in tested.items()} == reals
    assert {n: sum(m.fake for m in media) for n, media in tested.items()} == (
        fakes or dict.fromkeys(reals, len(SWAPS))
    )
    recordings = [{r for m in held[part] for r in m.recordings} for part in ("ffpp-train", "ffpp-val")]
    for test, media in tested.items():
        assert not {r for m in media for r in m.recordings} & set.union(*recordings), test


def test_deepfakebench_is_followed_on_frames_as_it_gives_them_out(
    tmp_path: Path, photo: NDArray[np.uint8], make_model: Callable[..., Path]
) -> None:
    root, tables = tmp_path / "bench", {}
    for dataset, label, fake in (
        ("Celeb-DF-v2", "CelebDFv2_real", False),
        ("Celeb-DF-v2", "CelebDFv2_fake", True),
    ):
        videos = {}
        for video in ("id0_0000", "id1_0000") if not fake else ("id0_id1_0000", "id1_id0_0000"):
            frames = []
            for n in range(2):
                path = root / dataset / label / "frames" / video / f"{n:03}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                moved = np.roll(photo, 4 * n, axis=1).astype(int) + (60 if fake else -60)
                Image.fromarray(np.clip(moved, 0, 255).astype(np.uint8)).save(path)
                frames.append(str(path.relative_to(root)))
            videos[video] = {"label": label, "frames": frames}
        tables.setdefault(dataset, {})[label] = {"test": videos}
    put_json(root / "dataset_json" / "Celeb-DF-v2.json", tables)
    write_manifest(tmp_path / "deepfakebench.parquet", index(root, "deepfakebench").manifest)
    text = follow(
        protocol_of("deepfakebench"),
        [str(make_model())],
        tmp_path,
        tmp_path / "out",
        sets=["celebdf2"],
        workers=1,
    )
    written = sorted(path.name for path in (tmp_path / "out" / "celebdf2").iterdir())
    assert written == ["figures.csv", "paired.csv", "report.html", "report.md", "scores.parquet"]
    page = (tmp_path / "out" / "celebdf2" / "report.html").read_text(encoding="utf-8")
    assert "Protocol deepfakebench, set celebdf2 (test)." in page
    rows = read_scores(tmp_path / "out" / "celebdf2" / "scores.parquet").rows
    files = rows.filter(rows["level"] == FILE)
    assert files["kind"].to_list() == ["video"] * 4
    assert files["source"].n_unique() == 2
    for file, probability in files.select("file", "probability").iter_rows():
        frames = rows.filter((rows["level"] == FACE) & (rows["file"] == file))
        assert frames["frame"].to_list() == [0, 1]
        assert probability == pytest.approx(frames["probability"].mean())
    assert "### Frames of videos" in text
    assert "| tiny | videos: all | 2 | 2 | 4 of 4 | 1.000" in text
