"""How faces are cut."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.errors import DataError

FORMATS = ("webp", "jpeg", "png")


@dataclass(frozen=True, slots=True)
class ExtractOptions:
    """Every `stride`-th frame, or `frames` of them spread evenly; in each the largest face, or all.

    A crop is square, its side is `margin` times the longer side of the face's box, shifted inside the
    picture, never enlarged and at most `size` pixels. Faces under `min_face` pixels are left out: a scan
    does not judge them either. `quality` (1 to 100) is that of WebP and JPEG. A file may take `timeout`
    seconds.

    Raises:
        DataError: a value that makes no sense.
    """

    stride: int = 10
    frames: int | None = None
    detector: str = "centerface"
    margin: float = 1.7
    size: int = 320
    format: str = "webp"
    quality: int = 90
    all_faces: bool = False
    min_face: int = 40
    timeout: float = 1800.0

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise DataError(
                f"faces cannot be written as {self.format!r}", hint=f"choose {', '.join(FORMATS)}"
            )
        if not (self.margin >= 1 and self.size >= 16 and 1 <= self.quality <= 100 and self.timeout > 0):
            raise DataError(
                "margin must be 1 or more, size 16 or more, quality 1 to 100, timeout above 0",
                hint="leave them out for the values the shipped models were trained with",
            )
        if self.stride < 1 or (self.frames is not None and self.frames < 1):
            raise DataError("stride and frames must be 1 or more", hint="--frames 8 is a usual choice")
