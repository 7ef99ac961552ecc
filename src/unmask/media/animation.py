"""Animated GIF, WebP, APNG and AVIF: whole pictures composed by Pillow, with the times viewers give them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import numpy as np

from unmask.errors import UnreadableError, UnsupportedError
from unmask.media.deadline import check_deadline
from unmask.media.facts import Counts, MediaFacts
from unmask.media.media import Media
from unmask.media.picture import bit_depth, exif_orientation, picture_tags, reopened
from unmask.media.pillow import close_image, damage_translated, open_image
from unmask.media.pixels import to_rgb
from unmask.media.prefetch import Prefetch
from unmask.media.timeline import Timeline, read_timeline, shown_for
from unmask.types import Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

    from unmask.media.limits import Limits
    from unmask.media.sampling import Sampling
    from unmask.media.sniff import Signature
    from unmask.media.source import Source

FRAMES_AHEAD = 3


class Animation(Media):
    """Frames are built one upon the other, so a pass decodes all up to the last one wanted."""

    def __init__(
        self, source: Source, kind: Signature, image: ImageFile, limits: Limits, deadline: float | None
    ) -> None:
        self._source = source
        self._kind = kind
        self._limits = limits
        self._deadline = deadline
        self._orientation = exif_orientation(image, source.name)
        # APNG: a default image that is no part of the animation is Pillow's frame 0.
        self._first = 1 if getattr(image, "default_image", False) else 0
        with reopened(source) as file:
            self._timeline = read_timeline(file, kind)
        self._total = self._count(image)
        self._decoded = self._given = self._asked = 0
        self._ended = False
        self._passes: Prefetch[Frame] | None = None
        super().__init__(self._facts(image))
        close_image(image)
        if self._total < 1:
            raise UnreadableError(
                f"{source.name}: no frames are left in it", hint="copy or download it again"
            )
        self._refuse_long()

    def frames(self, sampling: Sampling) -> Iterator[Frame]:
        """See `Media.frames`."""
        self.close()
        ranks = sampling.ranks(self._total).tolist()
        self._decoded = self._given = 0
        self._asked = len(ranks)
        self._ended = False
        ahead = self._passes = Prefetch(self._decode(ranks), FRAMES_AHEAD)
        try:
            yield from ahead
        finally:
            ahead.close()
        self._ended = True
        if self._given == 0:
            raise UnreadableError(
                f"{self._source.name}: not one of its frames could be decoded",
                hint="copy or download it again",
            )

    @property
    def counts(self) -> Counts:
        """See `Media.counts`."""
        cut = self._timeline is not None and not self._timeline.complete
        return Counts(
            decoded=self._decoded,
            sampled=self._given,
            failed=self._asked - self._given if self._ended else 0,
            truncated=cut,
            notes=("the file is cut off; it is scanned up to there",) if cut else (),
        )

    def close(self) -> None:
        """See `Media.close`."""
        if self._passes is not None:
            self._passes.close()
            self._passes = None

    def _decode(self, ranks: list[int]) -> Generator[Frame]:
        starts = self._starts()
        now = 0.0
        wanted = set(ranks)
        image = open_image(reopened(self._source), self._kind, self._source.name)
        try:
            for rank in range(ranks[-1] + 1):
                check_deadline(self._deadline, self._source.name)
                pixels = self._compose(image, rank, rank in wanted)
                if pixels is None:
                    return
                self._decoded += 1
                time = now if starts is None else float(starts[rank])
                now += shown_for(float(image.info.get("duration") or 0) / 1000)
                if rank in wanted:
                    self._given += 1
                    yield Frame(image=self._orientation.apply(pixels), index=rank, time=time)
        finally:
            close_image(image)

    def _compose(self, image: ImageFile, rank: int, wanted: bool) -> NDArray[np.uint8] | None:
        """Frame `rank` as RGB (empty unless wanted); None where the file is damaged there."""
        try:
            image.seek(self._first + rank)
            if image.width * image.height > self._limits.max_frame_pixels:
                return None
            image.load()
            return to_rgb(image) if wanted else np.empty((0, 0, 3), np.uint8)
        except Exception:
            # As in `damage_translated`: Pillow raises almost anything; the frames before are still good.
            return None

    def _count(self, image: ImageFile) -> int:
        if self._timeline is not None:
            return len(self._timeline.durations)
        with damage_translated(self._source.name):
            return int(getattr(image, "n_frames", 1)) - self._first

    def _starts(self) -> NDArray[np.float64] | None:
        if self._timeline is None:
            return None
        durations = np.asarray(self._timeline.durations)
        return np.concatenate(([0.0], np.cumsum(durations)[:-1]))

    def _facts(self, image: ImageFile) -> MediaFacts:
        name = self._kind.value.lower()
        width, height = self._orientation.size(image.width, image.height)
        duration, variable = _rhythm(self._timeline)
        return MediaFacts(
            kind="video",
            container=name,
            codec=name,
            pixel_format=image.mode,
            bit_depth=bit_depth(image),
            width=width,
            height=height,
            rotation_degrees=self._orientation.clockwise_degrees,
            frame_rate=self._total / duration if duration else None,
            variable_frame_rate=variable,
            duration_s=duration,
            frame_count=self._total,
            has_audio=False,
            tags=picture_tags(image, self._source.name),
            size_bytes=self._source.size,
            sha256=self._source.sha256,
        )

    def _refuse_long(self) -> None:
        duration = self.facts.duration_s or 0.0
        if duration > self._limits.max_seconds:
            raise UnsupportedError(
                f"{self._source.name}: lasts {duration:.0f} s, more than {self._limits.max_seconds:.0f} s",
                hint="raise --max-seconds",
            )


def _rhythm(timeline: Timeline | None) -> tuple[float | None, bool | None]:
    """(duration in seconds, whether frames are shown for different times)."""
    if timeline is None or not timeline.durations:
        return None, None
    return sum(timeline.durations), len(set(timeline.durations)) > 1
