"""A file in, a degraded copy of it out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2

from unmask.errors import UnmaskError, UnsupportedError
from unmask.evaluation.degrade.encode import Step, encode
from unmask.evaluation.degrade.registry import DEGRADATIONS, FileDegradation, PictureDegradation
from unmask.media import Sampling, open_media
from unmask.media.source import printable_path
from unmask.report.atomic import replacing

if TYPE_CHECKING:
    from unmask.media import Media, MediaFacts
    from unmask.types import Frame

Progress = Callable[[float], None]
"""Called with the share of the work done, in [0, 1]."""

EVERY_FRAME = Sampling(stride=1)

SEED_DIGITS = 16
"""Hexadecimal digits of the file's SHA-256 that seed what is random: 64 bits."""

PNG_EFFORT = 1
"""Of zlib, 0 to 9: the files are read once and deleted, so speed counts and size does not."""


def degrade_file(
    source: Path, target: Path, kind: str, severity: int, *, progress: Progress | None = None
) -> Path:
    """Write a degraded copy of an image or video to `target` and return `target`.

    What the source is, is told from its content. Images are written as PNG, so that nothing else is lost;
    videos and animations as MP4, upright, without sound, every frame that could be decoded at its own time.
    Colours have 8 bits. The file is written whole or not at all, with the same bytes every time. `target`
    should end in `.png` or `.mp4`; its ending changes nothing.

    Raises:
        UnmaskError: there is no such degradation or severity, an encoder is missing, or the target cannot
            be written.
        UnreadableError: the source is missing, empty, or so damaged that nothing comes out of it.
        UnsupportedError: the source is no image or video, too large, or not what `kind` can be done to.
    """
    degradation = DEGRADATIONS[kind]
    if not issubclass(degradation, FileDegradation):
        raise UnmaskError(
            f"{kind} disturbs the faces found in a file and not the file", hint="use NoisyFinder instead"
        )
    with open_media(source, threads=1) as media:
        if media.facts.kind not in degradation.media:
            raise UnsupportedError(
                f"{printable_path(source)}: {kind} cannot be done to an {media.facts.kind}",
                hint="choose a degradation that applies to it",
            )
        made = degradation(severity, int(media.facts.sha256[:SEED_DIGITS], 16))
        with replacing(target) as temporary:
            if media.facts.kind == "image" and isinstance(made, PictureDegradation):
                _write_image(media, temporary, made)
            else:
                steps = made.steps((media.facts.width, media.facts.height))
                try:
                    _write_video(media, temporary, steps, media.facts, _Share(progress, len(steps)))
                except av.error.FFmpegError as error:
                    if isinstance(error, OSError):
                        # The disk's and not the encoder's: `replacing` names the target.
                        raise
                    raise UnsupportedError(
                        f"{printable_path(source)}: cannot be encoded: {error.strerror}",
                        hint="leave this file out",
                    ) from error
    if progress is not None:
        progress(1.0)
    return target


def _write_image(media: Media, target: Path, degradation: PictureDegradation) -> None:
    for frame in media.frames(EVERY_FRAME):
        degraded = cv2.cvtColor(degradation.picture(frame), cv2.COLOR_RGB2BGR)
        packed = cv2.imencode(".png", degraded, (cv2.IMWRITE_PNG_COMPRESSION, PNG_EFFORT))[1]
        target.write_bytes(packed.tobytes())


def _write_video(media: Media, target: Path, steps: list[Step], facts: MediaFacts, share: _Share) -> None:
    """Through the first step, and what comes out of it through the rest; `facts` are the source's."""
    step, *rest = steps
    written = target.with_name(f"{target.stem}-{len(rest)}.mp4") if rest else target
    try:
        frames = step.change(share.counted(media.frames(EVERY_FRAME), media.facts.frame_count))
        encode(
            frames,
            written,
            step.encoding,
            rate=facts.frame_rate,
            steady=not facts.variable_frame_rate,
            duration=facts.duration_s,
        )
        if rest:
            with open_media(written, threads=1) as again:
                _write_video(again, target, rest, facts, share)
    finally:
        if rest:
            written.unlink(missing_ok=True)


class _Share:
    """Tells how far several passes over a video have come."""

    def __init__(self, progress: Progress | None, passes: int) -> None:
        self._progress = progress or (lambda _: None)
        self._passes = passes
        self._begun = -1

    def counted(self, frames: Iterator[Frame], total: int | None) -> Iterator[Frame]:
        self._begun += 1
        for frame in frames:
            yield frame
            part = min((frame.index + 1) / total, 1.0) if total else 0.0
            self._progress((self._begun + part) / self._passes)
