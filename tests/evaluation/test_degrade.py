"""What the degradations promise: worse step by step, same size, times and bytes, whole or not at all."""

from __future__ import annotations

import itertools
import math
import shutil
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.media.clips import Clip, write_clip

from unmask.errors import UnmaskError, UnreadableError, UnsupportedError
from unmask.evaluation.degrade import (
    DEGRADATIONS,
    SEVERITIES,
    NoisyFinder,
    applies_to,
    degrade_file,
    disturbed_scanner,
)
from unmask.evaluation.degrade import faces as faces_module
from unmask.faces import FINDERS, Use
from unmask.faces.crop import CENTRE_BELOW_EYES, face_frame
from unmask.media import Sampling, open_media
from unmask.options import ScanOptions
from unmask.types import Face, Frame, Verdict

OF_PICTURES = [kind for kind in DEGRADATIONS if "image" in applies_to(kind)]
OF_VIDEOS = [kind for kind in DEGRADATIONS if "video" in applies_to(kind)]
OF_FACES = [kind for kind in DEGRADATIONS if not applies_to(kind)]
WORSE_BY = 0.5
"""dB of PSNR that each severity costs at least."""
SHORT = 12
"""Frames of the example video that most tests are content with."""


@pytest.fixture(scope="module")
def short_video(video_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the example video, with its sound left out."""
    target = tmp_path_factory.mktemp("short") / "short.mp4"
    with av.open(str(video_path)) as source, av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "10", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for frame in itertools.islice(source.decode(video=0), SHORT):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target


def read(path: Path) -> list[Frame]:
    with open_media(path, threads=1) as media:
        return list(media.frames(Sampling(stride=1)))


def times(path: Path) -> list[float]:
    return [frame.time for frame in read(path)]


def seconds(path: Path) -> float:
    """How long the container says it lasts."""
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base


def likeness(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """PSNR in dB."""
    return float(cv2.PSNR(one, other))


def the_face(finder_of: Use = Use.STILL) -> Callable[[NDArray[np.uint8]], list[Face]]:
    return FINDERS["centerface"](1, finder_of).find


def test_every_kind_says_what_its_five_severities_are() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "robustness.md").read_text(encoding="utf-8")
    for kind in DEGRADATIONS:
        degradation = DEGRADATIONS[kind]
        assert len(degradation.levels) == len(SEVERITIES)
        assert degradation.__doc__
        assert degradation.unit
        row = next(line for line in guide.splitlines() if line.startswith(f"| `{kind}`"))
        for level in degradation.levels:
            for number in level if isinstance(level, tuple) else (level,):
                assert f"{number:g}" in row, f"{kind}: {number:g} is not in the table"


@pytest.mark.parametrize("kind", OF_PICTURES)
def test_each_severity_of_a_picture_is_clearly_worse_than_the_one_before(
    kind: str, photo_path: Path, photo: NDArray[np.uint8], tmp_path: Path
) -> None:
    results = [degrade_file(photo_path, tmp_path / f"{n}.png", kind, n) for n in SEVERITIES]
    pictures = [np.asarray(Image.open(path)) for path in results]
    assert all(picture.shape == photo.shape for picture in pictures)
    marks = [likeness(photo, picture) for picture in pictures]
    assert all(b < a - WORSE_BY for a, b in itertools.pairwise(marks)), marks


@pytest.mark.parametrize("kind", OF_PICTURES)
def test_at_the_worst_severity_the_face_is_still_found_where_it_was(
    kind: str, photo_path: Path, photo: NDArray[np.uint8], tmp_path: Path
) -> None:
    find = the_face()
    worst = np.asarray(Image.open(degrade_file(photo_path, tmp_path / "5.png", kind, 5)))
    was, now = face_frame(find(photo)[0].landmarks), face_frame(find(worst)[0].landmarks)
    assert math.dist(was.origin, now.origin) < 0.15 * was.face_size
    assert now.scale == pytest.approx(was.scale, rel=0.2)


@pytest.mark.parametrize("kind", [kind for kind in OF_VIDEOS if kind != "frame_rate"])
def test_each_severity_of_a_video_is_clearly_worse_and_keeps_size_times_and_length(
    kind: str, short_video: Path, tmp_path: Path
) -> None:
    source = read(short_video)
    marks = []
    for severity in SEVERITIES:
        path = degrade_file(short_video, tmp_path / "out.mp4", kind, severity)
        frames = read(path)
        assert [frame.time for frame in frames] == pytest.approx([frame.time for frame in source])
        assert frames[0].image.shape == source[0].image.shape
        assert seconds(path) == pytest.approx(SHORT / 25)
        marks.append(np.mean([likeness(a.image, b.image) for a, b in zip(source, frames, strict=True)]))
    assert all(b < a - WORSE_BY for a, b in itertools.pairwise(marks)), marks


def test_the_carrier_itself_loses_next_to_nothing(short_video: Path, tmp_path: Path) -> None:
    frames = read(degrade_file(short_video, tmp_path / "out.mp4", "frame_rate", 1))
    source = {round(frame.time * 1000): frame.image for frame in read(short_video)}
    assert min(likeness(source[round(f.time * 1000)], f.image) for f in frames) > 39


def test_the_whole_example_video_comes_out_without_its_sound(video_path: Path, tmp_path: Path) -> None:
    shares: list[float] = []
    path = degrade_file(video_path, tmp_path / "out.mp4", "social", 5, progress=shares.append)
    with open_media(path) as media, open_media(video_path) as source:
        assert source.facts.has_audio
        assert not media.facts.has_audio
        assert media.facts.frame_count == source.facts.frame_count == 200
        assert media.facts.duration_s == pytest.approx(source.facts.duration_s)
        assert media.facts.container.startswith("mov,mp4")
    assert shares == sorted(shares)
    assert shares[0] < 0.01
    assert shares[-1] == 1.0
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize(("severity", "kept"), [(1, 45), (2, 30), (3, 15), (4, 6), (5, 3)])
def test_frames_are_dropped_to_the_rate_and_those_kept_keep_their_times(
    severity: int, kept: int, tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "in.mp4", Clip(frames=75))
    result = degrade_file(source, tmp_path / "out.mp4", "frame_rate", severity)
    stayed = times(result)
    rate = DEGRADATIONS["frame_rate"].levels[severity - 1]
    assert len(stayed) == kept
    assert stayed[0] == 0.0
    assert {round(time * 25, 3) for time in stayed} <= set(range(75))
    # Each is the first frame of its span, so none is further from its span's start than a frame is long.
    assert all(time - n / rate < 1 / 25 for n, time in enumerate(stayed))  # type: ignore[operator]
    assert seconds(result) == pytest.approx(3.0)


def test_a_video_slower_than_the_rate_keeps_all_frames(tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Clip(frames=9, rate=2))
    assert len(times(degrade_file(source, tmp_path / "out.mp4", "frame_rate", 4))) == 9


@pytest.mark.parametrize("kind", ["gamma", "h264", "h265", "social"])
def test_variable_frame_times_are_kept(kind: str, tmp_path: Path) -> None:
    steps = [512, 512, 1536, 300, 700, 512, 40, 2000] * 4
    ticks = [0, *itertools.accumulate(steps)]
    source = write_clip(tmp_path / "in.mp4", Clip(clock=12800, ticks=ticks))
    result = degrade_file(source, tmp_path / "out.mp4", kind, 2)
    assert times(result) == pytest.approx([tick / 12800 for tick in ticks], abs=1e-5)
    with open_media(source) as media:
        assert seconds(result) == pytest.approx(media.facts.duration_s, abs=1e-4)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_video_comes_out_upright(rotation: int, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mp4", Clip(frames=8, rotation=rotation))
    result = degrade_file(source, tmp_path / "out.mp4", "h264", 1)
    with open_media(result) as media:
        assert media.facts.rotation_degrees == 0
    before, after = read(source), read(result)
    assert after[3].image.shape == before[3].image.shape
    assert likeness(before[3].image, after[3].image) > 20


@pytest.mark.parametrize("kind", OF_VIDEOS)
def test_odd_sizes_lose_their_last_row_and_column(kind: str, tmp_path: Path) -> None:
    source = write_clip(tmp_path / "in.mkv", Clip(codec="ffv1", frames=4, size=(97, 65), pixels="yuv444p"))
    for severity in (1, 5):
        frames = read(degrade_file(source, tmp_path / "out.mp4", kind, severity))
        assert frames[0].image.shape == (64, 96, 3)
    assert len(frames) == (1 if kind == "frame_rate" else 4)


@pytest.mark.parametrize("size", [(2, 2), (3, 40), (16, 16), (34, 6)])
@pytest.mark.parametrize("kind", OF_VIDEOS)
def test_tiny_videos_come_out_or_are_refused_with_a_reason(
    kind: str, size: tuple[int, int], tmp_path: Path
) -> None:
    source = write_clip(tmp_path / "in.mkv", Clip(codec="ffv1", frames=3, size=size, pixels="yuv444p"))
    refused = None
    try:
        frames = read(degrade_file(source, tmp_path / "out.mp4", kind, 5))
        assert frames[0].image.shape == (size[1] // 2 * 2, size[0] // 2 * 2, 3)
    except UnmaskError as error:
        refused = error
    assert refused is None or kind == "h265"
    assert refused is None or "too small" in refused.message
    assert (tmp_path / "out.mp4").exists() is (refused is None)


@pytest.mark.parametrize("kind", OF_PICTURES)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (31, 17)])
def test_tiny_pictures_keep_their_size(kind: str, size: tuple[int, int], tmp_path: Path) -> None:
    Image.new("RGB", size, (200, 120, 90)).save(tmp_path / "in.png")
    for severity in SEVERITIES:
        with Image.open(degrade_file(tmp_path / "in.png", tmp_path / "out.png", kind, severity)) as result:
            assert result.size == size


def test_a_turned_photo_comes_out_upright(photo_path: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(photo_path).crop((0, 0, 300, 200)).save(tmp_path / "in.jpg", exif=exif, quality=95)
    with Image.open(degrade_file(tmp_path / "in.jpg", tmp_path / "out.png", "gamma", 1)) as result:
        assert result.size == (200, 300)
        assert result.format == "PNG"
        assert 0x0112 not in result.getexif()


def test_an_animation_is_a_video(tmp_path: Path) -> None:
    colours = [Image.new("RGB", (64, 48), (60 * n, 90, 120)) for n in range(4)]
    colours[0].save(
        tmp_path / "in.gif", save_all=True, append_images=colours[1:], duration=[100, 300, 200, 400]
    )
    result = degrade_file(tmp_path / "in.gif", tmp_path / "out.mp4", "h264", 1)
    assert times(result) == pytest.approx([0.0, 0.1, 0.4, 0.6])
    assert seconds(result) == pytest.approx(1.0)


def test_content_decides_and_not_the_name(photo_path: Path, tmp_path: Path) -> None:
    shutil.copy(photo_path, tmp_path / "photo.mp4")
    with Image.open(degrade_file(tmp_path / "photo.mp4", tmp_path / "out.png", "jpeg", 1)) as result:
        assert result.format == "PNG"
    with pytest.raises(UnsupportedError, match="cannot be done to an image"):
        degrade_file(tmp_path / "photo.mp4", tmp_path / "other.mp4", "h264", 1)
    assert not (tmp_path / "other.mp4").exists()


@pytest.mark.parametrize("kind", OF_PICTURES)
def test_the_same_photo_gives_the_same_bytes(kind: str, photo_path: Path, tmp_path: Path) -> None:
    copied = shutil.copy(photo_path, tmp_path / "another name.png")
    one = degrade_file(photo_path, tmp_path / "1.png", kind, 4)
    two = degrade_file(Path(copied), tmp_path / "2.png", kind, 4)
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("kind", OF_VIDEOS)
def test_the_same_video_gives_the_same_bytes(kind: str, short_video: Path, tmp_path: Path) -> None:
    one = degrade_file(short_video, tmp_path / "1.mp4", kind, 4)
    two = degrade_file(short_video, tmp_path / "2.mp4", kind, 4)
    assert one.read_bytes() == two.read_bytes()


def test_noise_hangs_on_the_content_and_on_the_frame(tmp_path: Path) -> None:
    grey = np.full((120, 160, 3), 118, np.uint8)
    pictures = []
    for n in range(2):
        grey[0, 0] = n
        Image.fromarray(grey).save(tmp_path / f"{n}.png")
        degraded = degrade_file(tmp_path / f"{n}.png", tmp_path / "out.png", "noise", 3)
        pictures.append(np.asarray(Image.open(degraded), np.float64)[1:])
    assert np.corrcoef(pictures[0].ravel(), pictures[1].ravel())[0, 1] < 0.05
    assert pictures[0].std() == pytest.approx(11.6, abs=0.5)
    noise = DEGRADATIONS["noise"](3, 7)
    first, second = (noise.picture(Frame(grey, index, 0.0)) for index in (0, 1))  # type: ignore[attr-defined]
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] < 0.05


def test_noise_on_a_large_photo_is_still_there_when_it_is_shrunk() -> None:
    noise = DEGRADATIONS["noise"](3, 7)
    spreads = []
    for height, width in ((480, 640), (1921, 2563)):
        grey = np.full((height, width, 3), 118, np.uint8)
        noisy = noise.picture(Frame(grey, 0, 0.0))  # type: ignore[attr-defined]
        assert noisy.shape == grey.shape
        spreads.append(cv2.resize(noisy, (160, 120), interpolation=cv2.INTER_AREA).std())
    assert spreads[1] == pytest.approx(spreads[0], rel=0.1)


def test_captions_cover_the_stated_share_of_the_face(
    photo: NDArray[np.uint8], photo_path: Path, tmp_path: Path
) -> None:
    x1, y1, x2, y2 = (round(edge) for edge in the_face()(photo)[0].box)
    for severity in SEVERITIES:
        covered = np.asarray(Image.open(degrade_file(photo_path, tmp_path / "o.png", "overlay", severity)))
        rows = (covered[y1:y2, x1:x2] != photo[y1:y2, x1:x2]).any(axis=2).mean(axis=1) > 0.9
        assert rows.mean() * 100 == pytest.approx(DEGRADATIONS["overlay"].levels[severity - 1], abs=2)
        assert (covered[-10:] != photo[-10:]).any()


def test_captions_follow_a_face_that_comes_into_a_video(photo: NDArray[np.uint8]) -> None:
    overlay = DEGRADATIONS["overlay"](3, 0)
    empty = np.zeros_like(photo)
    plain = overlay.picture(Frame(empty, 0, 0.0))  # type: ignore[attr-defined]
    before = overlay.picture(Frame(photo, 1, 0.5))  # type: ignore[attr-defined]
    after = overlay.picture(Frame(photo, 2, 1.0))  # type: ignore[attr-defined]
    face = (slice(60, 180), slice(180, 270))
    assert (plain[face] == 0).all()
    assert (before[face] == photo[face]).all()
    assert (after[face] != photo[face]).any()


def test_a_truncated_video_gives_what_decodes(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.mp4", Clip(frames=100, container_options={"movflags": "+faststart"}))
    data = whole.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 6 // 10])
    good = times(tmp_path / "cut.mp4")
    assert 20 < len(good) < 90
    for kind in ("h264", "social", "blur"):
        assert times(degrade_file(tmp_path / "cut.mp4", tmp_path / "out.mp4", kind, 2)) == pytest.approx(good)


def test_a_truncated_photo_gives_what_decodes(photo_path: Path, tmp_path: Path) -> None:
    Image.open(photo_path).save(tmp_path / "whole.jpg", quality=90)
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    with Image.open(degrade_file(tmp_path / "cut.jpg", tmp_path / "out.png", "blur", 1)) as result:
        assert result.size == (512, 512)


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("empty.mp4", b"", UnreadableError),
        ("text.mp4", b"no video at all, only a long enough line of text\n" * 9, UnsupportedError),
        ("cut.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", UnreadableError),
        ("noise.mp4", b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40, UnreadableError),
        ("list.mp4", b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n" * 5, UnsupportedError),
    ],
)
def test_what_is_no_media_is_refused_and_nothing_is_written(
    name: str, content: bytes, error: type[UnmaskError], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error):
        degrade_file(tmp_path / name, tmp_path / "out.mp4", "social", 3)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_missing_files_and_folders_are_refused(photo_path: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError):
        degrade_file(tmp_path / "none.png", tmp_path / "out.png", "jpeg", 1)
    with pytest.raises(UnsupportedError, match="directory"):
        degrade_file(tmp_path, tmp_path / "out.png", "jpeg", 1)
    with pytest.raises(UnmaskError, match="cannot write"):
        degrade_file(photo_path, tmp_path / "none" / "out.png", "jpeg", 1)


def test_a_target_that_cannot_be_written_is_named(short_video: Path, tmp_path: Path) -> None:
    for kind in ("h264", "social"):
        with pytest.raises(UnmaskError, match=r"cannot write .*out\.mp4"):
            degrade_file(short_video, tmp_path / "none" / "out.mp4", kind, 1)


def test_work_broken_off_leaves_nothing_behind(short_video: Path, tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"what was there before")

    def interrupt(share: float) -> None:
        if share > 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        degrade_file(short_video, tmp_path / "out.mp4", "social", 1, progress=interrupt)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"what was there before"


def test_a_picture_too_long_for_its_format_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (17_000, 2)).save(tmp_path / "long.png")
    with pytest.raises(UnsupportedError, match="17000x2"):
        degrade_file(tmp_path / "long.png", tmp_path / "out.png", "webp", 1)


def test_unknown_names_and_severities_are_refused(photo_path: Path, tmp_path: Path) -> None:
    finder = FINDERS["centerface"](1, Use.STILL)
    for call in (
        lambda: applies_to("sepia"),
        lambda: degrade_file(photo_path, tmp_path / "out.png", "sepia", 1),
        lambda: degrade_file(photo_path, tmp_path / "out.png", "jpeg", 0),
        lambda: degrade_file(photo_path, tmp_path / "out.png", "jpeg", 6),
        lambda: degrade_file(photo_path, tmp_path / "out.png", "margin", 1),
        lambda: NoisyFinder(finder, "jpeg", 1, 0),
        lambda: NoisyFinder(finder, "box", 6, 0),
    ):
        with pytest.raises(UnmaskError) as caught:
            call()
        assert caught.value.hint
    assert not list(tmp_path.iterdir())


def test_a_missing_encoder_is_said_so(
    short_video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = av.Codec

    def without(name: str, mode: str) -> av.Codec:
        return real("no-such-encoder" if name == "libx265" else name, mode)

    monkeypatch.setattr(av, "Codec", without)
    with pytest.raises(UnmaskError, match="libx265") as caught:
        degrade_file(short_video, tmp_path / "out.mp4", "h265", 1)
    assert caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["blur", "social", "h265"])
def test_memory_does_not_grow_with_the_video(kind: str, tmp_path: Path) -> None:
    peaks = []
    for frames in (20, 120):
        source = write_clip(tmp_path / "in.mp4", Clip(frames=frames, size=(320, 240)))
        tracemalloc.start()
        degrade_file(source, tmp_path / "out.mp4", kind, 1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 5 * 320 * 240 * 3


def test_nothing_is_printed(short_video: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    degrade_file(short_video, tmp_path / "out.mp4", "h265", 5)
    degrade_file(short_video, tmp_path / "out.mp4", "webp", 5)
    assert capfd.readouterr() == ("", "")


class Found:
    """A finder that finds the same faces in everything."""

    name = "found"
    concurrent = True

    def __init__(self, faces: list[Face]) -> None:
        self.faces = faces

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        return list(self.faces)


def some_faces(count: int = 200) -> list[Face]:
    random = np.random.default_rng(3)
    faces = []
    for n in range(count):
        x, y, side = random.uniform(0, 900), random.uniform(0, 500), random.uniform(40, 300)
        at = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
        points = at * [0.8 * side, side] + [x, y] + random.normal(0, 0.01 * side, (5, 2))
        one, two, three, four, five = ((float(a), float(b)) for a, b in points)
        faces.append(Face((x, y, x + 0.8 * side, y + side), (one, two, three, four, five), 1 - n / count))
    return faces


BLANK = np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_margin_changes_within_its_bounds_and_the_crop_stays_in_place(severity: int) -> None:
    faces = some_faces()
    noisy = NoisyFinder(Found(faces), "margin", severity, 1).find(BLANK)
    most = DEGRADATIONS["margin"].levels[severity - 1]
    factors = []
    for before, after in zip(faces, noisy, strict=True):
        was, now = face_frame(before.landmarks), face_frame(after.landmarks)
        factor = now.scale / was.scale
        factors.append(factor)
        assert now.point(0, CENTRE_BELOW_EYES) == pytest.approx(was.point(0, CENTRE_BELOW_EYES))
        assert now.right == pytest.approx(was.right)
        assert after.size == pytest.approx(before.size * factor)
        assert after.score == before.score
    assert max(factors) <= most + 1e-9  # type: ignore[operator]
    assert min(factors) >= 1 / most - 1e-9  # type: ignore[operator]
    # Of 200 draws some come close to either bound.
    assert max(factors) > most**0.9 > 1  # type: ignore[operator]
    assert min(factors) < most**-0.9  # type: ignore[operator]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_boxes_and_landmarks_move_within_their_bounds(severity: int) -> None:
    faces = some_faces()
    noisy = NoisyFinder(Found(faces), "box", severity, 1).find(BLANK)
    most = DEGRADATIONS["box"].levels[severity - 1] / 100  # type: ignore[operator]
    moved = []
    for before, after in zip(faces, noisy, strict=True):
        assert np.abs(np.subtract(after.box, before.box)).max() <= most * before.size + 1e-9
        steps = np.linalg.norm(np.subtract(after.landmarks, before.landmarks), axis=1) / before.size
        assert (steps > 0).all()
        moved.extend(steps)
        assert after.box[0] < after.box[2]
        assert after.box[1] < after.box[3]
        assert after.score == before.score
    assert 0.95 * most < max(moved) <= most + 1e-9
    assert np.median(moved) == pytest.approx(most / math.sqrt(2), rel=0.1)


@pytest.mark.parametrize("kind", OF_FACES)
def test_a_higher_severity_moves_each_face_further(kind: str) -> None:
    faces = some_faces(20)
    found = [NoisyFinder(Found(faces), kind, severity, 5).find(BLANK) for severity in SEVERITIES]
    for n, face in enumerate(faces):
        way = [np.abs(np.subtract(noisy[n].landmarks, face.landmarks)).sum() for noisy in found]
        assert all(b > a for a, b in itertools.pairwise(way))


@pytest.mark.parametrize("kind", OF_FACES)
def test_noise_hangs_on_seed_and_box_and_not_on_who_asks_when(kind: str) -> None:
    faces = some_faces(40)
    finder = NoisyFinder(Found(faces), kind, 3, 11)
    expected = finder.find(BLANK)
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(finder.find, [BLANK] * 32))
    backwards = NoisyFinder(Found(faces[::-1]), kind, 3, 11).find(BLANK)
    assert backwards == expected[::-1]
    assert NoisyFinder(Found(faces), kind, 3, 12).find(BLANK) != expected


def test_degenerate_faces_do_no_harm() -> None:
    point = (5.0, 5.0)
    flat = Face((5.0, 5.0, 5.0, 5.0), (point,) * 5, 0.5)
    for kind in OF_FACES:
        (after,) = NoisyFinder(Found([flat]), kind, 5, 0).find(BLANK)
        assert np.isfinite(after.box).all()
        assert np.isfinite(after.landmarks).all()
        assert NoisyFinder(Found([]), kind, 5, 0).find(BLANK) == []


def test_a_noisy_finder_passes_for_the_finder_it_holds() -> None:
    inner = Found([])
    assert NoisyFinder(inner, "box", 1, 0).name == "found"
    assert NoisyFinder(inner, "box", 1, 0).concurrent
    inner.concurrent = False
    assert not NoisyFinder(inner, "box", 1, 0).concurrent


@pytest.mark.parametrize("kind", OF_FACES)
def test_a_disturbed_scanner_judges_the_moved_faces(
    kind: str, photo_path: Path, make_model: Callable[..., Path]
) -> None:
    options = ScanOptions(model=(str(make_model()),), threads=1)
    plain = disturbed_scanner(options, kind, 1).scan(photo_path)
    moved = disturbed_scanner(options, kind, 5).scan(photo_path)
    again = disturbed_scanner(options, kind, 5).scan(photo_path)
    assert plain.verdict in (Verdict.REAL, Verdict.FAKE, Verdict.UNSURE)
    assert moved.probability != plain.probability
    assert moved.probability == again.probability
    assert moved.tracks[0].faces[0].landmarks == again.tracks[0].faces[0].landmarks
    assert faces_module.disturbed_scanner is disturbed_scanner
    with pytest.raises(UnmaskError):
        disturbed_scanner(options, "blur", 1)
