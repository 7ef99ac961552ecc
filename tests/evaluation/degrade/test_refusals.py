"""What is truncated, no media, or cannot be written: what decodes comes out, or a reason and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import av
import pytest
from PIL import Image
from tests.evaluation.degrade.degraded import times
from tests.media.clips import Clip, write_clip

from unmask.errors import UnmaskError, UnreadableError, UnsupportedError
from unmask.evaluation.degrade import (
    NoisyFinder,
    applies_to,
    degrade_file,
)
from unmask.faces import FINDERS, Use


def test_content_decides_and_not_the_name(photo_path: Path, tmp_path: Path) -> None:
    shutil.copy(photo_path, tmp_path / "photo.mp4")
    with Image.open(degrade_file(tmp_path / "photo.mp4", tmp_path / "out.png", "jpeg", 1)) as result:
        assert result.format == "PNG"
    with pytest.raises(UnsupportedError, match="cannot be done to an image"):
        degrade_file(tmp_path / "photo.mp4", tmp_path / "other.mp4", "h264", 1)
    assert not (tmp_path / "other.mp4").exists()


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
