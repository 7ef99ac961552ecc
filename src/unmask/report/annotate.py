"""The file itself once more, with a box, a number and P(fake) at every face."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.errors import UnmaskError, UnreadableError
from unmask.media import Limits, Sampling, open_media
from unmask.report.atomic import replacing
from unmask.report.canvas import RgbCanvas
from unmask.report.marks import caption_of, draw
from unmask.report.positions import Marked
from unmask.report.video import COMMENT, FORMATS, Annotated, Progress, write_video
from unmask.types import Report

STILLS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""Ending → Pillow's name of the format."""

STILL_QUALITY = 92

UNLIMITED = Limits(max_bytes=sys.maxsize, max_pixels=sys.maxsize, max_frame_pixels=sys.maxsize)
"""The file was scanned: what was not too large for that is not too large now."""


def annotate(
    media_path: str | Path, report: Report, out_path: str | Path, progress: Progress | None = None
) -> Annotated:
    """Write the image or video at `media_path` with what `report` says of it drawn in.

    Video becomes H.264 in .mp4, .mov or .mkv with the times and the sound it had; frames that do not decode
    are left out. Images become .png, .jpg or .webp. `progress` is called with the share of the work done, in
    [0, 1]. The file is written whole or not at all.

    Raises:
        UnmaskError: an ending that does not fit, output and input are the same file, the report is about
            another file, or a file cannot be read or written.
    """
    source, target = Path(media_path), Path(out_path)
    still = _is_still(report, target)
    _check(source, report, target, still)
    with replacing(target) as temporary:
        if still:
            return _write_still(source, report, temporary, target)
        return write_video(source, report, temporary, target, progress or (lambda _: None))


def writable(target: Path, report: Report) -> Path:
    """`target`, with .mp4 or .png behind its name where what is annotated cannot be written under its own."""
    still = _is_still(report, target)
    if target.suffix.lower() in (STILLS if still else FORMATS):
        return target
    return target.with_name(target.name + (".png" if still else ".mp4"))


def _is_still(report: Report, target: Path) -> bool:
    if report.file is not None and report.file.kind:
        return report.file.kind == "image"
    return target.suffix.lower() in STILLS


def _check(source: Path, report: Report, target: Path, still: bool) -> None:
    """Refuse what could only end in a wrong or lost file."""
    endings = STILLS if still else FORMATS
    if target.suffix.lower() not in endings:
        raise UnmaskError(
            f"an annotated {'image' if still else 'video'} cannot be written to {target.name!r}",
            hint=f"end the name in {', '.join(endings)}",
        )
    if not source.is_file():
        raise UnreadableError(f"there is no file {str(source)!r}", hint="give the file that was scanned")
    if target.exists() and target.samefile(source):
        raise UnmaskError(
            f"{str(target)!r} is the input itself", hint="give another name: the input is never overwritten"
        )
    if report.file is not None and report.file.size_bytes != source.stat().st_size:
        raise UnmaskError(
            f"the report is not about {source.name!r}: its file had {report.file.size_bytes:,} bytes",
            hint="scan the file again",
        )


def _write_still(source: Path, report: Report, temporary: Path, wanted: Path) -> Annotated:
    from PIL import Image, PngImagePlugin

    image = _upright(source)
    marks = [
        Marked(track.id, face.box, face.verdict, face.probability)
        for track in report.tracks
        for face in track.faces
    ]
    draw(RgbCanvas(image), marks, caption_of(report))
    drawn = Image.fromarray(image)
    match STILLS[wanted.suffix.lower()]:
        case "PNG":
            info = PngImagePlugin.PngInfo()
            info.add_text("Comment", COMMENT)
            drawn.save(temporary, "PNG", pnginfo=info)
        case "JPEG":
            drawn.save(temporary, "JPEG", quality=STILL_QUALITY, subsampling=0, comment=COMMENT)
        case other:
            drawn.save(temporary, other, quality=STILL_QUALITY)
    return Annotated(wanted, frames=1)


def _upright(source: Path) -> NDArray[np.uint8]:
    """The picture as the scan saw it, RGB uint8 (H, W, 3): what was judged can be drawn on, at its place.

    Raises:
        UnreadableError, UnsupportedError: it cannot be read, or moves.
    """
    with open_media(source, UNLIMITED) as media:
        if media.facts.kind != "image":
            raise UnreadableError(f"{source.name}: not a still", hint="end the name in .mp4")
        return np.array(next(iter(media.frames(Sampling()))).image)
