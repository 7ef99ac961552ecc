"""Files that Pillow reads: tells a still from an animation, and what is known of either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import ExifTags

from unmask.errors import UnreadableError, UnsupportedError
from unmask.media.orientation import EXIF, UPRIGHT, Orientation
from unmask.media.pillow import damage_translated, open_image
from unmask.media.sniff import Signature
from unmask.media.tags import clean_tags

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from unmask.media.limits import Limits
    from unmask.media.media import Media
    from unmask.media.source import Source

_ANIMATED = frozenset((Signature.GIF, Signature.PNG, Signature.WEBP, Signature.AVIF))
_PNG_EXIF = frozenset(("exif", "Raw profile type exif"))


def open_picture(source: Source, limits: Limits, kind: Signature, deadline: float | None) -> Media:
    """A still, or an animation where there is more than one frame.

    Raises UnreadableError; UnsupportedError beyond `limits` before any pixel is decoded.
    """
    from unmask.media.animation import Animation
    from unmask.media.still import Still

    file = reopened(source)
    try:
        image = open_image(file, kind, source.name)
        pixels = image.width * image.height
        animated = kind in _ANIMATED and _is_animated(image)
        most = limits.max_frame_pixels if animated else limits.max_pixels
        if pixels > most:
            raise UnsupportedError(
                f"{source.name}: {image.width}x{image.height} are more than {most} pixels",
                hint="raise --max-pixels if you trust the file",
            )
        if animated:
            return Animation(source, kind, image, limits, deadline)
        return Still(source, kind, image, deadline)
    except BaseException:
        file.close()
        raise


def reopened(source: Source) -> BinaryIO:
    """The file once more; since it was hashed it may have been moved, deleted or forbidden.

    Raises UnreadableError.
    """
    try:
        return source.path.open("rb")
    except OSError as error:
        raise UnreadableError(
            f"{source.name}: can no longer be read ({error.strerror or error})",
            hint="leave files where they are while they are scanned",
        ) from error


def _is_animated(image: ImageFile) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:
        # A GIF is searched for a second frame here; damage on the way leaves a still with its one frame.
        return False


def exif_orientation(image: ImageFile, name: str) -> Orientation:
    """What the Exif orientation tag asks for; upright where it is missing, damaged or out of range."""
    value = exif_values(image, name).get(ExifTags.Base.Orientation)
    return EXIF.get(value, UPRIGHT) if isinstance(value, int) else UPRIGHT


def left_to_turn(image: ImageFile, asked: Orientation) -> Orientation:
    """The part of `asked` that Pillow does not do by itself: for TIFF it turns all, size included."""
    return UPRIGHT if image.format == "TIFF" else asked


def picture_tags(image: ImageFile, name: str) -> tuple[tuple[str, str], ...]:
    """The kept Exif entries and text chunks."""
    exif = [(ExifTags.TAGS.get(key, ""), value) for key, value in exif_values(image, name).items()]
    texts = [(key, value) for key, value in image.info.items() if isinstance(value, (str, bytes))]
    return clean_tags([*exif, *texts])


def exif_values(image: ImageFile, name: str) -> dict[int, Any]:
    """Exif tag number → value; empty where there is none or it is damaged."""
    if image.format == "PNG" and not _PNG_EXIF & image.info.keys():
        # Pillow would decode all pixels to look behind them, where hardly any writer puts it.
        return {}
    try:
        with damage_translated(name):
            return dict(image.getexif())
    except Exception:
        # Damaged metadata does not make the picture unusable; it is Pillow's errors translated that end here.
        return {}


def bit_depth(image: ImageFile) -> int:
    """Bits per channel as stored, as far as Pillow tells."""
    if image.mode == "1":
        return 1
    raw_mode = next((tile.args for tile in image.tile), None)
    raw_name = raw_mode[0] if isinstance(raw_mode, tuple) and raw_mode else raw_mode
    if ";16" in image.mode or (isinstance(raw_name, str) and ";16" in raw_name):
        return 16
    return 32 if image.mode in ("I", "F") else 8
