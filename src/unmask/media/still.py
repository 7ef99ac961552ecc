"""A single picture."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from unmask.errors import UnreadableError
from unmask.media.deadline import check_deadline
from unmask.media.facts import Counts, MediaFacts
from unmask.media.media import Media
from unmask.media.picture import bit_depth, exif_orientation, left_to_turn, picture_tags, reopened
from unmask.media.pillow import close_image, open_image
from unmask.media.pixels import to_rgb
from unmask.media.sniff import Signature
from unmask.types import Frame

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

    from unmask.media.sampling import Sampling
    from unmask.media.source import Source

_JPEG_END = b"\xff\xd9"
_CUT_NOTE = "the image is cut off or damaged; what is left of it was used"


class Still(Media):
    """One frame, at time 0. Truncated files give what can be decoded of them, with a note."""

    def __init__(self, source: Source, kind: Signature, image: ImageFile, deadline: float | None) -> None:
        self._source = source
        self._kind = kind
        self._image: ImageFile | None = image
        self._deadline = deadline
        asked = exif_orientation(image, source.name)
        self._orientation = left_to_turn(image, asked)
        self._counts = Counts()
        width, height = self._orientation.size(image.width, image.height)
        super().__init__(
            MediaFacts(
                kind="image",
                container=kind.value.lower(),
                codec=kind.value.lower(),
                pixel_format=image.mode,
                bit_depth=bit_depth(image),
                width=width,
                height=height,
                rotation_degrees=asked.clockwise_degrees,
                frame_rate=None,
                variable_frame_rate=None,
                duration_s=None,
                frame_count=1,
                has_audio=False,
                tags=picture_tags(image, source.name),
                size_bytes=source.size,
                sha256=source.sha256,
            )
        )

    def frames(self, sampling: Sampling) -> Iterator[Frame]:
        """See `Media.frames`; the one frame whatever `sampling` says."""
        check_deadline(self._deadline, self._source.name)
        image = self._take_image()
        notes = self._page_notes(image)
        cut = False
        try:
            try:
                image.load()
            except Exception as error:
                # As in `damage_translated`: on damaged content Pillow raises almost anything.
                cut = True
                image = self._salvage(image, error)
            pixels = self._orientation.apply(to_rgb(image))
        except UnreadableError:
            raise
        except Exception as error:
            raise self._unreadable(error) from error
        finally:
            self.close()
        check_deadline(self._deadline, self._source.name)
        self._counts = Counts(1, 1, 0, cut, (*notes, _CUT_NOTE) if cut else notes)
        yield Frame(image=pixels, index=0, time=0.0)

    @property
    def counts(self) -> Counts:
        """See `Media.counts`."""
        return self._counts

    def close(self) -> None:
        """See `Media.close`."""
        if self._image is not None:
            close_image(self._image)
            self._image = None

    def _take_image(self) -> ImageFile:
        if self._image is None:
            self._image = self._open(reopened(self._source))
        return self._image

    def _open(self, file: BinaryIO) -> ImageFile:
        return open_image(file, self._kind, self._source.name)

    def _salvage(self, image: ImageFile, error: Exception) -> ImageFile:
        """The rows decoded before the damage. Pillow's switch for this is one for the whole process."""
        if self._kind is Signature.JPEG:
            # Given its end marker, libjpeg paints what it has, the coarse passes of a progressive file too.
            with reopened(self._source) as file:
                image = self._open(io.BytesIO(file.read() + _JPEG_END))
            try:
                image.load()
                return image
            except Exception as second:
                error = second
        try:
            image.getpixel((0, 0)) if not image.tile else image.tile.clear()
            decoded = bool(np.asarray(image).any())
        except Exception as third:
            raise self._unreadable(third) from third
        if not decoded:
            raise self._unreadable(error) from error
        return image

    def _page_notes(self, image: ImageFile) -> tuple[str, ...]:
        try:
            pages = int(getattr(image, "n_frames", 1))
        except Exception:
            # Counting pages walks through the whole file, damage and all; it is only for the note.
            return ()
        return (f"the file holds {pages} pictures; the first one is used",) if pages > 1 else ()

    def _unreadable(self, error: Exception) -> UnreadableError:
        return UnreadableError(
            f"{self._source.name}: damaged image ({str(error) or type(error).__name__})",
            hint="copy or download it again",
        )
