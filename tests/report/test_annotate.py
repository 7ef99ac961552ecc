"""What the annotated copy promises: every frame, at its time, with its sound, and the boxes in place."""

from __future__ import annotations

import dataclasses
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.report.reports import BAND, face, image_report, track, video_report

from unmask.errors import UnmaskError, UnreadableError, UnsupportedError
from unmask.report.annotate import annotate
from unmask.report.marks import COLOUR
from unmask.report.positions import Positions
from unmask.types import FaceReport, Report, Verdict

WIDTH, HEIGHT, FRAMES = 200, 120, 45
TICK = Fraction(1, 12800)
SOUND_RATE = 48_000


def variable_times(count: int = FRAMES) -> list[int]:
    """Presentation times in ticks: 25 frames a second with every fifth frame held three times as long."""
    return list(np.cumsum([0] + [1536 if n % 5 == 0 else 512 for n in range(count - 1)]))


def make_video(
    path: Path,
    codec: str = "libx264",
    sound: str = "aac",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    pixels: str = "yuv420p",
) -> Path:
    """A grey video that gets lighter, white in its upper left, with variable frame times and a tone."""
    times = variable_times()
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = *size, pixels
        video.codec_context.time_base = TICK
        audio = container.add_stream(sound, rate=SOUND_RATE, layout="stereo") if sound else None
        for n, pts in enumerate(times):
            image = np.full((size[1], size[0], 3), 60 + 2 * n, np.uint8)
            image[:8, :8] = 250
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = pts, TICK
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio is not None:
            seconds = float(times[-1] * TICK)
            tone = np.sin(np.arange(int(seconds * SOUND_RATE)) * 0.05)
            layout = "s16" if sound.startswith("pcm") else "fltp"
            for start in range(0, len(tone) - 1024, 1024):
                piece = np.stack([tone[start : start + 1024]] * 2)
                samples = (
                    (piece.T.reshape(1, -1) * 9000).astype(np.int16)
                    if layout == "s16"
                    else piece.astype(np.float32)
                )
                block = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), layout, "stereo")
                block.sample_rate, block.pts, block.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
                container.mux(audio.encode(block))
            container.mux(audio.encode(None))
    return path


def about(path: Path, faces: list[FaceReport] | None = None) -> Report:
    """A report on the file: one fake person, standing still, looked at in every fifth frame."""
    if faces is None:
        times = [float(pts * TICK) for pts in variable_times()[::5]]
        faces = [face(time, 0.95) for time in times]
    report = video_report()
    facts = dataclasses.replace(report.file, size_bytes=path.stat().st_size, frame_count=FRAMES)  # type: ignore[type-var]
    return dataclasses.replace(report, file=facts, tracks=(track(1, faces, 0.95),))


def packets(path: Path, kind: str) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.get({kind: 0})[0]
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(stream) if p.size]


def pictures(path: Path) -> list[tuple[float, NDArray[np.uint8]]]:
    with av.open(str(path)) as container:
        return [(float(f.pts * f.time_base), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]


def near(pixel: NDArray[np.uint8], colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() < 40)


@pytest.mark.parametrize(("ending", "accuracy"), [(".mp4", 1e-6), (".mov", 1e-6), (".mkv", 0.0011)])
def test_every_frame_keeps_its_time_and_every_packet_of_sound_its_bytes(
    tmp_path: Path, ending: str, accuracy: float
) -> None:
    source = make_video(tmp_path / "in.mp4")
    shares: list[float] = []
    done = annotate(source, about(source), tmp_path / f"out{ending}", shares.append)
    assert (done.frames, done.damaged, done.sound_copied) == (FRAMES, 0, 1)
    before, after = pictures(source), pictures(done.path)
    sound_before, sound_after = packets(source, "audio"), packets(done.path, "audio")
    assert [data for _, data in sound_after] == [data for _, data in sound_before]
    # Matroska knows no time before zero, where encoded sound may begin: it moves all streams alike.
    shift = after[0][0] - before[0][0]
    assert shift == pytest.approx(0, abs=0.0 if ending != ".mkv" else 0.03)
    for old, new in ((before, after), (sound_before, sound_after)):
        assert [time - shift for time, _ in new] == pytest.approx([time for time, _ in old], abs=accuracy)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    with av.open(str(done.path)) as container:
        tags = {name.lower(): value for name, value in container.metadata.items()}
        assert tags["comment"] == "annotated by unmask"
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", f"out{ending}"]


def test_last_frame_is_shown_as_long_as_it_was(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", sound="")
    done = annotate(source, about(source), tmp_path / "out.mp4")
    durations = []
    for path in (source, done.path):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.duration is not None
            assert stream.time_base is not None
            durations.append(float(stream.duration * stream.time_base))
    assert durations[1] == pytest.approx(durations[0], abs=1e-3)


def test_box_label_and_caption_are_drawn_in_every_frame_and_nothing_else(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4")
    done = annotate(source, about(source), tmp_path / "out.mp4")
    for (_, before), (_, after) in zip(pictures(source), pictures(done.path), strict=True):
        assert near(after[50, 39], COLOUR[Verdict.FAKE])
        assert near(after[81, 60], COLOUR[Verdict.FAKE])
        assert near(after[22, 40], COLOUR[Verdict.FAKE])
        assert after[105:118, 5:100].max() > 180
        assert after[105:118, 5:100].min() < 60
        assert np.abs(after[:10].astype(int) - before[:10]).max() < 25
        assert np.abs(after[40:70, 50:70].astype(int) - before[40:70, 50:70]).max() < 14


def test_sound_that_the_container_does_not_take_is_encoded_and_stays_in_time(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", sound="pcm_s16le")
    done = annotate(source, about(source), tmp_path / "out.mp4")
    assert (done.sound_copied, done.sound_encoded) == (0, 1)
    with av.open(str(source)) as container:
        length = sum(frame.samples for frame in container.decode(audio=0))
    with av.open(str(done.path)) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        frames = list(container.decode(audio=0))
    assert sum(frame.samples for frame in frames) == pytest.approx(length, abs=2048)
    assert float(frames[0].pts * frames[0].time_base) == pytest.approx(0, abs=0.025)


def test_recording_that_does_not_start_at_zero_stays_in_sync(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.ts")
    done = annotate(source, about(source), tmp_path / "out.mp4")
    assert done.frames == FRAMES
    offsets = [packets(path, "audio")[0][0] - pictures(path)[0][0] for path in (source, done.path)]
    assert offsets[1] == pytest.approx(offsets[0], abs=0.001)
    assert near(pictures(done.path)[0][1][50, 39], COLOUR[Verdict.FAKE])


def test_odd_sizes_lose_a_row_and_a_column_at_most(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", "ffv1", "", (WIDTH + 1, HEIGHT - 1), "yuv420p")
    done = annotate(source, about(source), tmp_path / "out.mp4")
    assert pictures(done.path)[0][1].shape == (HEIGHT - 2, WIDTH, 3)


def test_turned_video_is_written_upright_with_its_boxes_in_place(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4")
    data = bytearray(source.read_bytes())
    matrix = data.index(b"tkhd") + 44
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -1 << 16, 0, 0, 0, 0, 1 << 30)
    source.write_bytes(data)
    done = annotate(source, about(source), tmp_path / "out.mp4")
    with av.open(str(done.path)) as container:
        frame = next(container.decode(video=0))
        assert (frame.width, frame.height, frame.rotation) == (HEIGHT, WIDTH, 0)
        upright = frame.to_ndarray(format="rgb24")
    assert near(upright[50, 39], COLOUR[Verdict.FAKE])
    assert near(upright[3, -4], (250, 250, 250)), (
        "a quarter turn clockwise brings the upper left to the right"
    )


def test_damaged_frames_are_left_out_and_the_rest_keep_their_times(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", codec="mpeg4")
    with av.open(str(source)) as container:
        second = [p for p in container.demux(video=0) if p.size][20]
    data = bytearray(source.read_bytes())
    data[second.pos : second.pos + second.size] = b"\xff" * second.size
    source.write_bytes(data)
    done = annotate(source, about(source), tmp_path / "out.mp4")
    assert done.frames >= FRAMES - 30
    times = {round(float(pts * TICK), 4) for pts in variable_times()}
    assert {round(time, 4) for time, _ in pictures(done.path)} <= times


def test_truncated_video_is_annotated_up_to_the_damage(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv")
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    assert 0 < annotate(source, about(source), tmp_path / "out.mp4").frames < FRAMES


def test_box_moves_in_a_straight_line_between_the_frames_looked_at() -> None:
    faces = [face(0.0, 0.1, (0, 0, 10, 10)), face(1.0, 0.9, (100, 50, 120, 70))]
    positions = Positions(dataclasses.replace(video_report(), tracks=(track(1, faces, 0.9),)))
    (marked,) = positions.at(0.25)
    assert marked.box == (25, 12.5, 37.5, 25)
    assert (marked.verdict, marked.probability) == (Verdict.REAL, 0.1)
    assert positions.at(0.75)[0].verdict is Verdict.FAKE
    assert positions.at(1.0)[0].box == (100, 50, 120, 70)


def test_box_is_hidden_while_the_face_is_not_seen() -> None:
    times = [0.0, 1.0, 2.0, 3.0, 10.0, 11.0, 14.0]
    positions = Positions(
        dataclasses.replace(video_report(), tracks=(track(1, [face(t, 0.9) for t in times], 0.9),))
    )
    seen = [bool(positions.at(time)) for time in (0, 2.9, 3.4, 3.6, 6.5, 9.4, 9.6, 10, 12.5, 14.9, 15.1)]
    assert seen == [True, True, True, False, False, False, True, True, False, True, False]


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp"])
def test_picture_gets_its_boxes_upright(tmp_path: Path, ending: str) -> None:
    source = tmp_path / "in.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (HEIGHT, WIDTH), (90, 90, 90)).save(source, exif=exif)
    report = image_report()
    facts = dataclasses.replace(report.file, size_bytes=source.stat().st_size)  # type: ignore[type-var]
    done = annotate(source, dataclasses.replace(report, file=facts), tmp_path / f"out{ending}")
    with Image.open(done.path) as drawn:
        assert drawn.size == (WIDTH, HEIGHT)
        pixels = np.asarray(drawn.convert("RGB"))
    assert near(pixels[50, 39], COLOUR[Verdict.UNSURE])
    assert near(pixels[50, 119], COLOUR[Verdict.REAL])
    assert near(pixels[10, 100], (90, 90, 90))


def drawn_on(source: Path) -> NDArray[np.uint8]:
    """A picture of 200 × 120 as `annotate` writes it."""
    report = image_report()
    facts = dataclasses.replace(report.file, size_bytes=source.stat().st_size)  # type: ignore[type-var]
    done = annotate(source, dataclasses.replace(report, file=facts), source.with_name("out.png"))
    with Image.open(done.path) as drawn:
        assert drawn.size == (WIDTH, HEIGHT)
        return np.asarray(drawn.convert("RGB"))


def test_what_the_scanner_reads_of_a_damaged_picture_is_annotated(tmp_path: Path) -> None:
    source = tmp_path / "in.jpg"
    noise = np.random.default_rng(0).integers(60, 120, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noise).save(source, quality=95)
    source.write_bytes(source.read_bytes()[: source.stat().st_size * 3 // 4])
    assert near(drawn_on(source)[50, 39], COLOUR[Verdict.UNSURE])


def test_deep_pictures_keep_their_brightness(tmp_path: Path) -> None:
    source = tmp_path / "in.png"
    Image.fromarray(np.full((HEIGHT, WIDTH), 90 * 257, np.uint16)).save(source)
    pixels = drawn_on(source)
    assert near(pixels[50, 39], COLOUR[Verdict.UNSURE])
    assert near(pixels[10, 100], (90, 90, 90))


def test_photos_of_phones_are_annotated_upright(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif", reason="needs unmask[heic]")
    source = tmp_path / "in.heic"
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (HEIGHT, WIDTH), (90, 90, 90))
    heif.from_pillow(picture).save(source, exif=exif.tobytes(), quality=90)
    # Only in a process that has not met HEIC before is Pillow as a user finds it.
    Image.OPEN.pop("HEIF", None)
    pixels = drawn_on(source)
    assert near(pixels[50, 39], COLOUR[Verdict.UNSURE])
    assert near(pixels[10, 100], (90, 90, 90))


def test_a_video_is_not_written_as_a_still(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", sound="")
    with pytest.raises(UnreadableError, match="not a still") as caught:
        annotate(source, dataclasses.replace(video_report(), file=None), tmp_path / "out.png")
    assert caught.value.hint


def test_input_is_never_overwritten(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", sound="")
    content = source.read_bytes()
    (tmp_path / "link.mp4").symlink_to(source)
    for target in (source, tmp_path / "link.mp4"):
        with pytest.raises(UnmaskError, match="input itself") as caught:
            annotate(source, about(source), target)
        assert caught.value.hint
    assert source.read_bytes() == content


@pytest.mark.parametrize("name", ["out.avi", "out.png", "out", "missing/out.mp4"])
def test_target_that_cannot_be_is_refused_with_a_hint(tmp_path: Path, name: str) -> None:
    source = make_video(tmp_path / "in.mp4", sound="")
    with pytest.raises(UnmaskError) as caught:
        annotate(source, about(source), tmp_path / name)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == [source]


def test_report_on_another_file_is_refused(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", sound="")
    with pytest.raises(UnmaskError, match="not about"):
        annotate(source, video_report(), tmp_path / "out.mp4")


@pytest.mark.parametrize("name", ["in.mp4", "in.png"])
def test_unreadable_input_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    source.write_bytes(b"not a picture, moving or still")
    report = image_report() if name.endswith("png") else about(source)
    facts = dataclasses.replace(report.file, size_bytes=source.stat().st_size)  # type: ignore[type-var]
    with pytest.raises((UnreadableError, UnsupportedError)) as caught:
        annotate(source, dataclasses.replace(report, file=facts), tmp_path / f"out{source.suffix}")
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == [source]


def test_interrupted_work_leaves_the_old_file(tmp_path: Path) -> None:
    source, target = make_video(tmp_path / "in.mp4", sound=""), tmp_path / "out.mp4"
    target.write_bytes(b"old")

    def interrupt(share: float) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate(source, about(source), target, interrupt)
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_verdicts_of_the_test_reports_follow_their_band() -> None:
    assert [BAND.verdict(p) for p in (0.1, 0.5, 0.95)] == [Verdict.REAL, Verdict.UNSURE, Verdict.FAKE]
