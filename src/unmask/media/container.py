"""Opening a video with libav so that nothing but the file itself is read, and its errors made ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import av
import av.error
from av.stream import Disposition

from unmask.errors import TimedOutError, UnmaskError, UnreadableError, UnsupportedError
from unmask.media.bounds import start_of_cut_box
from unmask.media.sniff import Signature, signature

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from unmask.media.source import Source

FORMATS = (
    "3gp,3g2,asf,av1,avi,dv,flv,gif,h264,hevc,ivf,m4a,m4v,matroska,mj2,mov,mp4,mpeg,mpegts,"
    "mpegvideo,mjpeg,mxf,nut,obu,ogg,webm,y4m,yuv4mpegpipe,rm,wav,mp3,flac,aac"
)
"""Demuxers that read one file and nothing else. Playlists (hls, dash, concat), image sequences (image2)
and generators (lavfi) can name other files or addresses, and are not here; sound formats are, so that
the reason for refusing one can be told."""

LIBAV_ERRORS = (av.error.FFmpegError, ValueError, MemoryError)
"""What PyAV raises for bad content (most are ValueErrors as well)."""

MAX_READ_ERRORS = 50
"""Errors in a row from the demuxer before the rest of the file is given up."""


@contextmanager
def translated(name: str) -> Iterator[None]:
    """Raise what libav raises as UnreadableError (TimedOutError where it was interrupted)."""
    try:
        yield
    except UnmaskError:
        raise
    except av.error.ExitError as error:
        raise TimedOutError(f"{name}: opening it took longer than the time limit") from error
    except (*LIBAV_ERRORS, EOFError, OSError) as error:
        raise UnreadableError(
            f"{name}: damaged video ({_reason(error)})", hint="copy or download it again"
        ) from error


def open_container(source: Source, deadline: float | None) -> InputContainer:
    """The file as a libav container. Raises UnsupportedError, UnreadableError, TimedOutError."""
    if signature(source.head) is Signature.UNKNOWN and _looks_like_text(source.head):
        raise _not_media(source.name)
    try:
        try:
            return _open(f"file:{source.path}", deadline)
        except (av.error.InvalidDataError, av.error.EOFError):
            # Libav refuses a fragmented recording that breaks off within a header; what is before it is good.
            cut = start_of_cut_box(source.path)
            if cut is None:
                raise
            return _open(f"subfile,,start,0,end,{cut},,:file:{source.path}", deadline)
    except av.error.ExitError as error:
        raise TimedOutError(f"{source.name}: opening it took longer than the time limit") from error
    except (*LIBAV_ERRORS, EOFError, OSError) as error:
        if signature(source.head) is Signature.UNKNOWN:
            raise _not_media(source.name) from error
        raise UnreadableError(
            f"{source.name}: damaged or incomplete video ({_reason(error)})",
            hint="its index is missing: the recording or download was cut off; fetch the file again",
        ) from error


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The moving picture: the first video stream that is no cover art. Raises UnsupportedError."""
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    for stream in container.streams.video:
        # PyAV leaves the codec context out for codecs libavcodec has no decoder for.
        if stream.disposition & still:
            continue
        if stream.codec_context is None:
            raise UnsupportedError(f"{name}: no decoder for its video", hint="convert it to H.264 first")
        return stream
    if container.streams.audio:
        raise UnsupportedError(f"{name}: has sound but no video", hint="give image or video files")
    raise UnsupportedError(f"{name}: holds no video", hint="give image or video files")


def _open(url: str, deadline: float | None) -> InputContainer:
    patience = None if deadline is None else max(deadline - time.monotonic(), 0.001)
    return av.open(
        url,
        container_options={"protocol_whitelist": "file,subfile", "format_whitelist": FORMATS},
        metadata_errors="replace",
        timeout=patience,
    )


def _looks_like_text(head: bytes) -> bool:
    """Libav takes many texts for subtitles or drawings; no video begins with 64 printable characters."""
    start = head[:64]
    return all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start)


def _not_media(name: str) -> UnsupportedError:
    return UnsupportedError(f"{name}: is not an image or video", hint="give image or video files")


def _reason(error: BaseException) -> str:
    return (getattr(error, "strerror", None) or type(error).__name__).lower()
