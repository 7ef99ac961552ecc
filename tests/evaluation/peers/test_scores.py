"""Scores that others computed: tables, and the exports of a benchmark; nothing is unpickled."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from unmask.errors import DataError, UnmaskError
from unmask.evaluation.peers import read_scores

GUIDE = Path(__file__).parents[3] / "docs" / "peers.md"


def table(folder: Path, text: str, name: str = "scores.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_table_is_read_whatever_its_delimiter(delimiter: str, tmp_path: Path) -> None:
    text = '\ufefffile,label,score,source\n"a b/x.mp4",fake,0.75,s1\n./b\\y.mp4,real,-3e-1,\n'
    found = read_scores(table(tmp_path, text.replace(",", delimiter)), "csv")
    assert [(s.file, s.video, s.source, s.fake, s.score) for s in found] == [
        ("a b/x.mp4", "a b/x.mp4", "s1", True, 0.75),
        ("b/y.mp4", "b/y.mp4", "b/y.mp4", False, -0.3),
    ]


def test_files_of_one_name_in_two_data_sets_stay_apart(tmp_path: Path) -> None:
    text = "file,label,score,dataset,method\n000.mp4,fake,1,ffpp,faceswap\n000.mp4,real,0,celebdf2,\n"
    found = read_scores(table(tmp_path, text), "csv")
    assert [(s.video, s.source, s.dataset, s.method) for s in found] == [
        ("ffpp/000.mp4", "ffpp/000.mp4", "ffpp", "faceswap"),
        ("celebdf2/000.mp4", "celebdf2/000.mp4", "celebdf2", ""),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "lacks file, label, score"),
        ("file,label\n", "lacks score"),
        ("file,label,score\n", "holds no scores"),
        ("file,label,score,sorce\na,real,1,x\n", r"(?s)unknown column 'sorce'.*known"),
        ("file,label,score,score\na,real,1,1\n", "twice"),
        ("file,label,score\na,real,nan\n", "line 2: score 'nan'"),
        ("file,label,score\na,real,1\nb,fake,inf\n", "line 3: score 'inf'"),
        ("file;label;score\na;real;0,5\n", "line 2: score '0,5'"),
        ("file,label,score\na,real,\n", "line 2: score ''"),
        ("file,label,score\na,1,0.5\n", r"(?s)line 2: label '1'.*real or fake"),
        ("file,label,score\n,real,0.5\n", "line 2: no file"),
        ("file,label,score\na,real,1\nb,fake,1\n./a,real,0\n", "line 4: a is there already, in line 2"),
        ('file,label,score\n"a\nb",real,1\nc,fake,1,1\n', "line 4: 4 columns"),
        ('file,label,score\n"a,real,1\n', "cannot be read as a table"),
        ("file,label,score,video\na/1,real,1,a\na/2,fake,1,a\n", "a is both real and fake"),
    ],
)
def test_wrong_table_is_refused_by_line(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        read_scores(table(tmp_path, text), "csv")


def test_unknown_kind_of_scores_and_absent_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError, match=r"(?s)no kind of score file.*csv, deepfakebench"):
        read_scores(table(tmp_path, ""), "xlsx")
    with pytest.raises(DataError, match="absent"):
        read_scores(tmp_path / "absent.csv", "csv")


FRAMES = [
    "./datasets/rgb/FaceForensics++/original_sequences/youtube/c23/frames/000/012.png",
    "./datasets/rgb/FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003/012.png",
    "./datasets/rgb/FaceForensics++/manipulated_sequences/Face2Face/c23/frames/000_003/012.png",
    "D:\\data\\Celeb-DF-v2\\Celeb-synthesis\\frames\\id0_id1_0000\\000.png",
    "FaceForensics++/manipulated_sequences/DeepFakeDetection/c23/frames/01_02__hugging__ABCDEFGH/1.png",
    "/mnt/own set/frames/clip/5.png",
]
LABELS = [0, 1, 1, 1, 4, 0]
PREDICTIONS = [0.1, 0.9, 0.8, 0.7, 0.6, 0.5]


def exported(folder: Path, ending: str, images: Sequence[object] = FRAMES) -> Path:
    path = folder / f"scores{ending}"
    if ending == ".npz":
        np.savez(path, image=np.array(images), label=np.array(LABELS), pred=np.array(PREDICTIONS)[:, None])
    elif ending == ".json":
        path.write_text(json.dumps({"image": images, "label": LABELS, "pred": PREDICTIONS}))
    else:
        rows = zip(images, LABELS, PREDICTIONS, strict=True)
        path.write_text("image,label,pred\n" + "".join(f"{i},{n},{p}\n" for i, n, p in rows))
    return path


@pytest.mark.parametrize("ending", [".npz", ".json", ".csv"])
def test_frames_of_deepfakebench_keep_their_video_source_and_method(ending: str, tmp_path: Path) -> None:
    found = read_scores(exported(tmp_path, ending), "deepfakebench")
    assert [(s.dataset, s.method, s.source, s.fake) for s in found] == [
        ("ffpp", "original", "ffpp:000", False),
        ("ffpp", "deepfakes", "ffpp:000", True),
        ("ffpp", "face2face", "ffpp:000", True),
        ("celebdf2", "celebdf2", "celebdf:id0_0000", True),
        ("dfd", "dfd", "dfd:01__hugging", True),
        ("", "original", "/mnt/own set/frames/clip", False),
    ]
    assert [s.score for s in found] == PREDICTIONS
    assert found[1].video == "FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003"
    assert found[3].file == "Celeb-DF-v2/Celeb-synthesis/frames/id0_id1_0000/000.png"
    assert len({s.video for s in found}) == len(found)


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_clips_of_deepfakebench_are_known_by_their_first_frame(ending: str, tmp_path: Path) -> None:
    clips = [[frame, frame.replace(".png", "b.png")] for frame in FRAMES]
    found = read_scores(exported(tmp_path, ending, clips), "deepfakebench")
    assert found == read_scores(exported(tmp_path, ".csv"), "deepfakebench")


def harmed(folder: Path, **changes: object) -> Path:
    path = folder / "scores.json"
    path.write_text(json.dumps({"image": FRAMES, "label": LABELS, "pred": PREDICTIONS, **changes}))
    return path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pred": PREDICTIONS[:-1]}, "5 predictions"),
        ({"pred": [*PREDICTIONS[:-1], float("nan")]}, "row 5: pred nan"),
        ({"pred": [*PREDICTIONS[:-1], 1.5]}, r"row 5: pred 1.5 is not in \[0, 1\]"),
        ({"pred": [*PREDICTIONS[:-1], None]}, "row 5: pred None"),
        ({"label": [*LABELS[:-1], 0.5]}, "row 5: label 0.5"),
        ({"label": [*LABELS[:-1], -1]}, "row 5: label -1"),
        ({"image": [*FRAMES[:-1], FRAMES[0]]}, "row 5: .* already, in row 0"),
        ({"image": [*FRAMES[:-1], "012.png"]}, "row 5: .* no full path"),
        ({"image": [*FRAMES[:-1], 7]}, "row 5: image is neither"),
        ({"image": [*FRAMES[:-1], []]}, "row 5: image is neither"),
        ({"image": [*FRAMES[:-1], FRAMES[1].replace("012", "013")]}, "both real and fake"),
        ({"image": "x"}, "does not hold the lists"),
        ({"image": [], "label": [], "pred": []}, "holds no scores"),
    ],
)
def test_wrong_export_of_deepfakebench_is_refused_by_row(
    changes: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=says):
        read_scores(harmed(tmp_path, **changes), "deepfakebench")


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = pickle.dumps(Trap(sprung))
    for name in ("data.pickle", "data.pkl", "data.npy", "data.npz", "data.json", "data.csv", "data"):
        (tmp_path / name).write_bytes(trap)
        with pytest.raises(DataError, match="hint"):
            read_scores(tmp_path / name, "deepfakebench")
    inside = np.array([Trap(sprung)], dtype=object)
    np.savez(tmp_path / "inside.npz", image=inside, label=inside, pred=inside)
    with pytest.raises(DataError, match="hint"):
        read_scores(tmp_path / "inside.npz", "deepfakebench")
    assert not sprung.exists()
    pickle.loads(trap)
    assert sprung.exists()


def code_of(guide: str) -> Iterable[str]:
    return re.findall(r"```python\n(.*?)```", guide, re.DOTALL)


@pytest.mark.parametrize("clips", [False, True], ids=["frames", "clips"])
def test_the_guides_snippet_turns_their_pickles_into_what_is_read(
    clips: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [[frame, frame.replace(".png", "b.png")] for frame in FRAMES] if clips else FRAMES
    # The benchmark's lists are shuffled together and come out of `zip` as tuples.
    paths = {"image": tuple(images), "label": tuple(LABELS)}
    best = {"auc": 0.9, "pred": np.array(PREDICTIONS), "label": np.minimum(LABELS, 1)}
    (tmp_path / "data_dict_test.pickle").write_bytes(pickle.dumps(paths))
    (tmp_path / "metric_dict_best.pickle").write_bytes(pickle.dumps(best))
    monkeypatch.chdir(tmp_path)
    (snippet,) = code_of(GUIDE.read_text(encoding="utf-8"))
    exec(snippet, {})
    found = read_scores(tmp_path / "scores.npz", "deepfakebench")
    assert found == read_scores(exported(tmp_path, ".csv"), "deepfakebench")
