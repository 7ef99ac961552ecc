"""The door of the room: a path goes in, an open image or video comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unmask.media.limits import Limits
from unmask.media.sniff import signature
from unmask.media.source import read_source

if TYPE_CHECKING:
    import os

    from unmask.media.media import Media


def open_media(
    path: str | os.PathLike[str],
    limits: Limits | None = None,
    *,
    threads: int | None = None,
    deadline: float | None = None,
) -> Media:
    """Open an image or video by its content.

    `threads` are the decoder's (None: one per core); `deadline` is a `time.monotonic()` value that holds
    for opening and for every pass over the frames. Raises UnreadableError (missing, forbidden, empty,
    damaged), UnsupportedError (not a regular file, neither image nor video, no video in it, beyond a
    limit), TimedOutError.
    """
    limits = limits or Limits()
    source = read_source(path, limits, deadline)
    if signature(source.head).is_picture:
        # Imported here and below: a scan of pictures needs no libav, a scan of videos no Pillow.
        from unmask.media.picture import open_picture

        return open_picture(source, limits, signature(source.head), deadline)
    from unmask.media.video import Video

    return Video(source, limits, threads=threads, deadline=deadline)
