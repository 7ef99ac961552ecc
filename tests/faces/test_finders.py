"""What every face detector promises, and what each of them adds."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import platformdirs
import pytest
from numpy.typing import NDArray

from unmask.errors import ModelError
from unmask.faces import yunet as yunet_module
from unmask.faces.blazeface import BlazeFace
from unmask.faces.centerface import VIDEO_LONG_SIDE, CenterFace
from unmask.faces.finder import FINDERS, FaceFinder, Use
from unmask.faces.letterbox import letterbox
from unmask.faces.mtcnn import MTCNN, AreaSums
from unmask.faces.overlap import iou, suppress
from unmask.faces.session import open_session
from unmask.faces.yunet import YuNet, fetch, weights_path
from unmask.types import Face

ROOT = Path(__file__).resolve().parents[2]
ASTRONAUT = ROOT / "examples/media/astronaut.png"
STAND_IN = ROOT.parent / "shared/weights/face_detection_yunet_dynamic.onnx"

ASTRONAUT_BOX = (180.0, 62.0, 268.0, 175.0)
"""The astronaut's face as the four detectors see it on average, in pixels."""
ASTRONAUT_MARKS = ((203.5, 102.0), (246.5, 104.0), (223.5, 127.0), (203.5, 142.0), (242.5, 143.5))

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def astronaut() -> Image:
    picture = cv2.imread(str(ASTRONAUT), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


@pytest.fixture(scope="module")
def yunet_file() -> Path:
    path = Path(os.environ.get("UNMASK_TEST_YUNET", STAND_IN))
    if not path.is_file():
        pytest.skip("no YuNet weights: set UNMASK_TEST_YUNET to a YuNet .onnx file")
    return path


@pytest.fixture(params=["blazeface", "centerface", "mtcnn", "yunet"])
def finder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> FaceFinder:
    name: str = request.param
    if name == "yunet":
        monkeypatch.setenv("UNMASK_YUNET", str(request.getfixturevalue("yunet_file")))
    return FINDERS[name](1, Use.STILL)


def overlap(face: Face, box: tuple[float, float, float, float]) -> float:
    return float(iou(np.array([face.box], np.float32), np.array([box], np.float32))[0, 0])


def test_registered_name_is_the_finders_own(finder: FaceFinder) -> None:
    assert finder.name in FINDERS.names()


def test_one_face_is_found_once_with_landmarks_in_the_documented_order(
    finder: FaceFinder, astronaut: Image
) -> None:
    (face,) = finder.find(astronaut)
    assert overlap(face, ASTRONAUT_BOX) > 0.7
    assert 0.5 < face.score <= 1
    assert np.abs(np.array(face.landmarks) - np.array(ASTRONAUT_MARKS)).max() < 8


def test_coordinates_are_pixels_of_the_picture_given(finder: FaceFinder, astronaut: Image) -> None:
    wide = cv2.copyMakeBorder(astronaut, 100, 0, 250, 50, cv2.BORDER_CONSTANT, value=(90, 90, 90))
    (face,) = finder.find(np.asarray(wide, dtype=np.uint8))
    moved = np.array(ASTRONAUT_MARKS) + np.array([250, 100])
    assert np.abs(np.array(face.landmarks) - moved).max() < 10


def test_mirrored_face_has_mirrored_landmarks(finder: FaceFinder, astronaut: Image) -> None:
    width = astronaut.shape[1]
    (face,) = finder.find(np.ascontiguousarray(astronaut[:, ::-1]))
    marks = np.array(face.landmarks)
    assert marks[0, 0] < marks[1, 0]
    assert marks[3, 0] < marks[4, 0]
    assert abs((width - 1 - marks[2, 0]) - ASTRONAUT_MARKS[2][0]) < 8


def test_two_faces_come_best_first(finder: FaceFinder, astronaut: Image) -> None:
    twice = np.concatenate([astronaut, cv2.GaussianBlur(astronaut, (0, 0), 2.5)], axis=1)
    faces = finder.find(np.asarray(twice, dtype=np.uint8))
    assert len(faces) == 2
    assert faces[0].score >= faces[1].score


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (3, 2000), (2000, 3), (31, 33), (480, 640)])
def test_nothing_is_found_in_black_or_degenerate_pictures(finder: FaceFinder, shape: tuple[int, int]) -> None:
    assert finder.find(np.zeros((*shape, 3), dtype=np.uint8)) == []


def test_noise_of_any_size_is_no_error(finder: FaceFinder) -> None:
    random = np.random.default_rng(0)
    for height, width in [(1, 5), (7, 7), (40, 23), (113, 257)]:
        finder.find(random.integers(0, 256, (height, width, 3), dtype=np.uint8))


def test_same_answer_every_time(finder: FaceFinder, astronaut: Image) -> None:
    assert finder.find(astronaut) == finder.find(astronaut)


def test_finding_leaves_the_picture_alone(finder: FaceFinder, astronaut: Image) -> None:
    before = astronaut.copy()
    finder.find(astronaut)
    assert np.array_equal(before, astronaut)


def test_views_and_read_only_pictures_are_accepted(finder: FaceFinder, astronaut: Image) -> None:
    bgr = np.ascontiguousarray(astronaut[:, :, ::-1])
    view = bgr[:, :, ::-1]
    view.flags.writeable = False
    assert finder.find(view) == finder.find(astronaut)


def test_detectors_need_no_torch() -> None:
    modules = ["blazeface", "centerface", "mtcnn", "yunet"]
    program = "; ".join(
        [
            "import sys",
            *(f"import unmask.faces.{name}" for name in modules),
            "assert 'torch' not in sys.modules",
        ]
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize(
    ("finder_class", "side"), [(CenterFace, VIDEO_LONG_SIDE), (CenterFace, 640), (BlazeFace, 192)]
)
def test_small_working_size_finds_a_large_face_at_the_same_place(
    finder_class: type[CenterFace] | type[BlazeFace], side: int, astronaut: Image
) -> None:
    large = np.asarray(cv2.resize(astronaut, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    (face,) = finder_class(1, long_side=side).find(large)
    marks = (np.array(face.landmarks) + 0.5) / 4 - 0.5
    assert np.abs(marks - np.array(ASTRONAUT_MARKS)).max() < 8


def test_mtcnn_gives_what_facenet_gives_on_the_astronaut(astronaut: Image) -> None:
    # From facenet-pytorch 2.6.0's MTCNN with default settings; scripts/convert_mtcnn.py --check agrees.
    (face,) = MTCNN(1).find(astronaut)
    assert face.box == pytest.approx((181.0514, 62.1561, 267.7473, 172.0502), abs=0.05)
    marks = np.array(face.landmarks)
    known = [
        (205.0109, 101.7274),
        (246.7626, 103.7141),
        (224.6714, 128.9650),
        (201.7161, 139.2461),
        (245.2655, 141.8571),
    ]
    assert np.abs(marks - np.array(known)).max() < 0.05
    assert face.score == pytest.approx(0.9999977, abs=1e-5)


def test_area_sums_average_whole_pixels() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (17, 23, 3), dtype=np.uint8)
    height, width = 5, 7
    reduced = AreaSums(picture).whole(height, width)[0]
    for row in range(height):
        for column in range(width):
            top, bottom = row * 17 // height, -(-(row + 1) * 17 // height)
            left, right = column * 23 // width, -(-(column + 1) * 23 // width)
            mean = picture[top:bottom, left:right].astype(np.float64).mean(axis=(0, 1))
            assert reduced[:, row, column] == pytest.approx(mean, abs=1e-3)


def test_area_sums_survive_sums_beyond_32_bits() -> None:
    white = np.full((3000, 3600, 3), 255, dtype=np.uint8)
    assert (AreaSums(white).whole(10, 12) == 255).all()


def test_letterbox_takes_points_back_to_the_picture() -> None:
    picture = np.zeros((1080, 1920, 3), dtype=np.uint8)
    picture[540:552, 1200:1212] = 255
    small = letterbox(picture, 640, 32)
    assert small.canvas.shape == (384, 640, 3)
    rows, columns = np.nonzero(small.canvas[:, :, 0] > 127)
    centre = np.array([columns.mean(), rows.mean()], dtype=np.float32)
    assert small.to_picture(centre) == pytest.approx((1205.5, 545.5), abs=1.0)


def test_letterbox_never_enlarges() -> None:
    small = letterbox(np.full((20, 50, 3), 9, dtype=np.uint8), 640, 32)
    assert small.canvas.shape == (32, 64, 3)
    assert (small.scale_x, small.scale_y) == (1, 1)
    assert small.canvas[:20, :50].min() == 9
    assert small.canvas[20:].max() == 0


def test_suppression_keeps_the_best_of_overlapping_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10]], dtype=np.float32)
    assert suppress(boxes, np.array([0.5, 0.9, 0.7], dtype=np.float32), 0.5) == [1, 2]
    assert suppress(boxes, np.array([0.5, 0.9, 0.7], dtype=np.float32), 0.9) == [1, 2, 0]


def test_missing_network_is_an_error_with_a_hint() -> None:
    with pytest.raises(ModelError, match=r"(?s)nothing\.onnx.*hint: reinstall"):
        open_session("nothing.onnx", 1)


def test_yunet_finds_what_opencvs_own_detector_finds(yunet_file: Path, astronaut: Image) -> None:
    ours = YuNet(1, weights=yunet_file).find(astronaut)
    theirs = cv2.FaceDetectorYN.create(str(yunet_file), "", (512, 512), 0.6, 0.3, 5000)
    _, rows = theirs.detect(cv2.cvtColor(astronaut, cv2.COLOR_RGB2BGR))
    assert len(ours) == len(rows)
    assert ours[0].box[:2] == pytest.approx(rows[0, :2], abs=0.1)
    assert np.array(ours[0].landmarks).reshape(-1) == pytest.approx(rows[0, 4:14], abs=0.1)
    assert ours[0].score == pytest.approx(rows[0, 14], abs=1e-3)


def test_yunet_weights_named_by_the_variable_are_used_without_fetching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = tmp_path / "any name"
    chosen.write_bytes(b"weights")
    monkeypatch.setenv("UNMASK_YUNET", str(chosen))
    monkeypatch.setattr(yunet_module, "fetch", lambda *_: pytest.fail("fetched"))
    assert weights_path() == chosen


def test_yunet_variable_that_names_no_file_is_an_error_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNMASK_YUNET", str(tmp_path / "absent.onnx"))
    with pytest.raises(ModelError, match=r"(?s)absent\.onnx.*hint:.*UNMASK_YUNET"):
        weights_path()


def test_yunet_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "text.onnx"
    wrong.write_text("this is no network")
    with pytest.raises(ModelError, match="is not a YuNet network"):
        YuNet(1, weights=wrong)
    other = ROOT / "src/unmask/faces/weights/blazeface.onnx"
    with pytest.raises(ModelError, match="is not a YuNet network"):
        YuNet(1, weights=other)


PAYLOAD = b"a tiny payload in place of the weights"


class Shelf(BaseHTTPRequestHandler):
    """Serves the payload and counts how often it was asked for it."""

    asked = 0

    def do_GET(self) -> None:
        Shelf.asked += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAYLOAD)))
        self.end_headers()
        self.wfile.write(PAYLOAD)

    def log_message(self, *_args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a server on this machine; the user's cache is an empty folder."""
    monkeypatch.delenv("UNMASK_YUNET", raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "cache" / name)
    Shelf.asked = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shelf)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/weights.onnx"
    server.shutdown()
    server.server_close()


def test_yunet_weights_are_fetched_once_and_kept(shelf: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yunet_module, "URL", shelf)
    monkeypatch.setattr(yunet_module, "SHA256", hashlib.sha256(PAYLOAD).hexdigest())
    first = weights_path()
    assert first.read_bytes() == PAYLOAD
    assert weights_path() == first
    assert Shelf.asked == 1
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_yunet_weights_with_the_wrong_hash_are_not_kept(shelf: str, tmp_path: Path) -> None:
    target = tmp_path / "weights" / "yunet.onnx"
    with pytest.raises(ModelError, match=r"(?s)SHA-256.*not kept.*hint:.*UNMASK_YUNET"):
        fetch(shelf, "0" * 64, target)
    assert not target.parent.exists()


def test_yunet_offline_says_what_to_do(tmp_path: Path) -> None:
    # Port 9 of this machine: nobody listens there.
    target = tmp_path / "yunet.onnx"
    with pytest.raises(ModelError, match=r"(?s)cannot be fetched.*hint: download .* by hand"):
        fetch("http://127.0.0.1:9/weights.onnx", "0" * 64, target)
    assert not target.exists()
