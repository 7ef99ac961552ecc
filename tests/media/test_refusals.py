"""What is no image or video, or too much of one, is refused with the right error and a way out."""

from __future__ import annotations

import os
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from tests.media.clips import Clip, picture

from unmask.errors import UnmaskError, UnreadableError, UnsupportedError
from unmask.media import Limits, Sampling, open_media

MakeClip = Callable[[str, Clip], Path]
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def refusal(path: Path, kind: type[UnmaskError], limits: Limits | None = None) -> str:
    with pytest.raises(UnmaskError) as caught:
        open_media(path, limits)
    assert type(caught.value) is kind
    assert caught.value.hint
    return str(caught.value)


def test_missing_empty_and_impossible_paths_are_unreadable(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.mp4", UnreadableError)
    (tmp_path / "empty.mp4").touch()
    assert "empty" in refusal(tmp_path / "empty.mp4", UnreadableError)
    refusal(tmp_path / "nul\0.mp4", UnreadableError)
    refusal(tmp_path / ("long" * 1000), UnreadableError)
    refusal(tmp_path / "empty.mp4" / "inside.mp4", UnreadableError)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    Image.new("RGB", (4, 4)).save(path)
    path.chmod(0)
    refusal(path, UnreadableError)


@posix
def test_directories_pipes_and_devices_are_unsupported(tmp_path: Path) -> None:
    assert "directory" in refusal(tmp_path, UnsupportedError)
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "pipe" in refusal(tmp_path / "pipe.mp4", UnsupportedError)
    (tmp_path / "link.mp4").symlink_to("/dev/zero")
    assert "device" in refusal(tmp_path / "link.mp4", UnsupportedError)


@pytest.mark.parametrize(
    "content",
    [b"hello, this is a text\n" * 50, b"\0" * 5000, b"%PDF-1.7\n" + b"x" * 900, b"PK\3\4" + bytes(999), b"x"],
)
def test_other_files_are_unsupported(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    refusal(path, UnsupportedError)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{target}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{target}'\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>{target}</BaseURL></MPD>',
        "1\n00:00:00,000 --> 00:00:09,000\n{target}\n",
    ],
    ids=["hls", "concat", "dash", "subtitles"],
)
def test_playlist_called_mp4_opens_no_other_file(text: str, make_clip: MakeClip, tmp_path: Path) -> None:
    target = make_clip("target.ts", Clip(frames=10))
    path = tmp_path / "playlist.mp4"
    path.write_text(text.format(target=target))
    refusal(path, UnsupportedError)


def test_playlist_behind_a_video_signature_opens_no_other_file(make_clip: MakeClip, tmp_path: Path) -> None:
    target = make_clip("target.ts", Clip(frames=10))
    path = tmp_path / "playlist.mp4"
    path.write_bytes(b"\0\0\0\x08free#EXTM3U\n#EXTINF:9,\n" + str(target).encode())
    refusal(path, UnreadableError)


def test_sound_is_unsupported(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "tone.wav"), "wb") as tone:
        tone.setnchannels(1)
        tone.setsampwidth(2)
        tone.setframerate(8000)
        tone.writeframes(bytes(16000))
    assert "no video" in refusal(tmp_path / "tone.wav", UnsupportedError)
    write_sound(tmp_path / "sound.mp4", cover=False)
    assert "no video" in refusal(tmp_path / "sound.mp4", UnsupportedError)


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    write_sound(path, cover=True)
    with av.open(str(path)) as container:
        assert container.streams.video
    assert "no video" in refusal(path, UnsupportedError)


def write_sound(path: Path, *, cover: bool) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        art = container.add_stream("mjpeg") if cover else None
        if art is not None:
            art.width, art.height, art.pix_fmt = 96, 64, "yuvj420p"
            art.disposition = av.stream.Disposition.attached_pic
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        samples.rate, samples.pts = 16000, 0
        container.mux(stream.encode(samples))
        container.mux(stream.encode(None))
        if art is not None:
            container.mux(art.encode(av.VideoFrame.from_ndarray(picture(0), format="rgb24")))
            container.mux(art.encode(None))


def test_limits_name_the_option_that_raises_them(make_clip: MakeClip, tmp_path: Path) -> None:
    path = make_clip("clip.mp4", Clip(frames=50))
    assert "--max-bytes" in refusal(path, UnsupportedError, Limits(max_bytes=1000))
    assert "--max-frame-pixels" in refusal(path, UnsupportedError, Limits(max_frame_pixels=1000))
    assert "--max-seconds" in refusal(path, UnsupportedError, Limits(max_seconds=1.5))
    animation = tmp_path / "long.gif"
    plates = [Image.new("L", (8, 8), shade) for shade in (0, 99)]
    plates[0].save(animation, save_all=True, append_images=plates[1:], duration=9000)
    assert "--max-seconds" in refusal(animation, UnsupportedError, Limits(max_seconds=10))


def test_frames_that_grow_beyond_the_limit_are_not_decoded(make_clip: MakeClip, tmp_path: Path) -> None:
    small = make_clip("small.ts", Clip("mpeg2video", frames=12))
    large = make_clip("large.ts", Clip("mpeg2video", frames=12, size=(480, 320), ticks=range(12, 24)))
    path = tmp_path / "grows.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    media = open_media(path, Limits(max_frame_pixels=96 * 64))
    assert {frame.image.shape for frame in media.frames(Sampling(1))} == {(64, 96, 3)}
    assert media.counts.failed >= 11


@posix
def test_names_that_are_no_text_are_read_and_shown_safely(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xff\x1b[31m.png")
    Image.new("RGB", (4, 4)).save(str(path), "png")
    assert len(list(open_media(path).frames(Sampling()))) == 1
    path.write_bytes(b"nothing")
    message = refusal(path, UnsupportedError)
    assert message.isprintable() or "\x1b" not in message
    assert "\\xff\\x1b[31m" in message


def test_heic_names_the_package_it_needs(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    try:
        import pillow_heif  # noqa: F401
    except ImportError:
        path = tmp_path / "photo.heic"
        path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
        assert "pillow-heif" in refusal(path, UnsupportedError)


def test_a_folder_that_may_not_be_entered_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "a directory" in refusal(tmp_path, UnsupportedError)

    def refused(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refused)
    assert "Permission denied" in refusal(tmp_path, UnreadableError)
