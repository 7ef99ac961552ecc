"""A scan: verdicts where there is something to judge, reasons where there is not, never an exception."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import unmask
from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.scanner import Scanner, expand
from unmask.types import Verdict


@pytest.fixture
def scanner(make_model: Callable[..., Path]) -> Scanner:
    return Scanner(ScanOptions(model=(str(make_model()),), threads=1))


def test_photo_gets_a_verdict_with_evidence(scanner: Scanner, photo_path: Path) -> None:
    report = scanner.scan(photo_path)
    assert report.verdict.is_judgement
    assert report.probability is not None
    assert 0 <= report.probability <= 1
    (track,) = report.tracks
    (face,) = track.faces
    assert face.probability == report.probability
    assert face.evidence is not None
    assert face.evidence.crop[:2] == b"\xff\xd8"
    assert np.shape(face.evidence.heatmap) == (2, 2)
    assert report.file is not None
    assert report.file.kind == "image"
    assert report.coverage.frames_sampled == 1


def test_video_is_sampled_at_every_nth_frame_with_true_times(scanner: Scanner, video_path: Path) -> None:
    report = scanner.scan(video_path)
    (track,) = report.tracks
    assert [face.frame for face in track.faces] == list(range(0, 200, 10))
    assert [face.time for face in track.faces] == pytest.approx([n / 25 for n in range(0, 200, 10)])
    assert report.coverage.frames_total == 200
    assert sum(face.evidence is not None for face in track.faces) == 4


def test_a_report_tells_the_options_in_words(scanner: Scanner, photo_path: Path) -> None:
    told = dict(scanner.scan(photo_path).options)
    assert (told["frames"], told["stride"]) == ("not given", "10")
    assert told["model"] == scanner.options.model[0]


def test_same_file_gives_the_same_report(scanner: Scanner, video_path: Path) -> None:
    first, again = (dataclasses.replace(scanner.scan(video_path), seconds=0, scanned="") for _ in range(2))
    assert first == again


def test_two_people_get_two_verdicts_and_the_more_suspicious_one_decides(
    scanner: Scanner, photo: NDArray[np.uint8], tmp_path: Path
) -> None:
    bright = np.clip(photo[:, ::-1].astype(int) + 60, 0, 255).astype(np.uint8)
    Image.fromarray(np.hstack([photo // 2, bright])).save(tmp_path / "two.png")
    report = scanner.scan(tmp_path / "two.png")
    assert len(report.tracks) == 2
    assert {track.verdict for track in report.tracks} == {Verdict.REAL, Verdict.FAKE}
    assert report.verdict is Verdict.FAKE
    assert report.probability == max(track.probability or 0 for track in report.tracks)


def test_picture_without_a_face_gets_a_reason_and_no_number(scanner: Scanner, tmp_path: Path) -> None:
    Image.new("RGB", (320, 240), (90, 120, 150)).save(tmp_path / "sky.png")
    report = scanner.scan(tmp_path / "sky.png")
    assert report.verdict is Verdict.NO_FACE
    assert "--stride" not in report.hint  # a picture is looked at whole
    assert report.probability is None
    assert not report.tracks


def test_face_under_the_limit_is_counted_but_not_judged(
    make_model: Callable[..., Path], photo_path: Path
) -> None:
    report = Scanner(ScanOptions(model=(str(make_model()),), min_face=500)).scan(photo_path)
    assert report.verdict is Verdict.FACE_TOO_SMALL
    assert report.probability is None
    assert report.coverage.faces_too_small == 1
    assert "--min-face" in report.hint


@pytest.mark.parametrize(
    ("name", "content", "verdict"),
    [
        ("empty.mp4", b"", Verdict.UNREADABLE),
        ("text.jpg", b"this is no picture, whatever its name says", Verdict.UNSUPPORTED),
        ("cut.png", None, Verdict.UNREADABLE),
        ("absent.mp4", None, Verdict.UNREADABLE),
    ],
)
def test_unusable_files_are_verdicts_with_a_hint(
    scanner: Scanner, photo_path: Path, tmp_path: Path, name: str, content: bytes | None, verdict: Verdict
) -> None:
    path = tmp_path / name
    if name.startswith("cut"):
        content = photo_path.read_bytes()[:40]
    if content is not None:
        path.write_bytes(content)
    report = scanner.scan(path)
    assert report.verdict is verdict, report.message
    assert report.probability is None
    assert report.hint


def test_folder_and_device_are_unsupported(scanner: Scanner, tmp_path: Path) -> None:
    assert scanner.scan(tmp_path).verdict is Verdict.UNSUPPORTED
    assert scanner.scan("/dev/null").verdict is Verdict.UNSUPPORTED


def test_time_limit_ends_a_scan(make_model: Callable[..., Path], video_path: Path) -> None:
    report = Scanner(ScanOptions(model=(str(make_model()),), timeout=1e-3)).scan(video_path)
    assert report.verdict is Verdict.TIMED_OUT
    assert "--timeout" in report.hint


def test_unknown_model_detector_or_option_is_an_error_with_a_hint(
    photo_path: Path, make_model: Callable[..., Path]
) -> None:
    with pytest.raises(UnmaskError, match=r"(?s)no model.*hint"):
        unmask.scan(photo_path, model="nonesuch")
    with pytest.raises(UnmaskError, match=r"(?s)nonesuch.*centerface"):
        unmask.scan(photo_path, model=make_model(), detector="nonesuch")
    with pytest.raises(UnmaskError, match=r"(?s)'strid'.*stride"):
        unmask.scan(photo_path, strid=3)
    with pytest.raises(UnmaskError, match=r"(?s)range.*stride"):
        unmask.scan(photo_path, stride=0)


def test_a_model_file_written_anew_is_opened_anew(photo_path: Path, make_model: Callable[..., Path]) -> None:
    path = make_model(width=16.0)
    first = unmask.scan(photo_path, model=path)
    make_model(width=64.0)
    second = unmask.scan(photo_path, model=path)
    assert first.probability != second.probability
    assert first.models[0].sha256 != second.models[0].sha256


def test_folders_are_walked_in_order_without_hidden_files(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "a.jpg", "b/1.jpg", ".hidden", "b/.git/x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in expand([tmp_path])]
    assert found == ["a.jpg", "b/1.jpg", "b/2.jpg"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damaged_files_never_raise(
    scanner: Scanner, photo_path: Path, video_path: Path, tmp_path: Path, data: st.DataObject
) -> None:
    original = data.draw(st.sampled_from([photo_path, video_path]))
    content = bytearray(original.read_bytes())
    for _ in range(data.draw(st.integers(0, 20))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / original.name
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    report = scanner.scan(path)
    assert (report.probability is None) is not report.verdict.is_judgement
