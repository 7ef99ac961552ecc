"""The one thing a corpus is made of, as training sees it: a face crop on disk and what is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from unmask.types import BoxXYXY, Landmarks

ORIGINAL = "original"
"""The method of a real face."""

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".heic", ".avif"})
"""How the names of still pictures end."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One face crop on disk.

    `fake` is the label; `split` is train, val, test or empty; `source` the original recording it comes from,
    `identity` the person seen; of a swap, `partner_source` and `partner` are the recording and the person the
    other half came from; `origin` is the file that the crop was cut from. `landmarks` and `box` are in pixels
    of the crop, `time` in seconds of the recording. What a corpus does not say is empty.
    """

    path: Path
    fake: bool
    split: str
    method: str
    dataset: str
    source: str
    kind: str
    landmarks: Landmarks
    identity: str = ""
    partner: str = ""
    partner_source: str = ""
    compression: str = ""
    frame: int = 0
    time: float = 0.0
    box: BoxXYXY | None = None
    origin: str = ""

    @property
    def recording(self) -> tuple[str, ...]:
        """What tells the recording that a frame is of from all others: several come from one source where one
        original was forged more than once, compressed more than once, or tied to others that look alike."""
        clip = PurePosixPath(self.origin)
        if clip.suffix.lower() in IMAGES:
            clip = clip.parent  # a recording that lies there as a folder of frames
        return (self.dataset, self.method, self.source, str(clip), self.compression)
