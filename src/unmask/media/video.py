"""A video file: its facts from a walk over its packets, its frames from a decoding pass in the background."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from unmask.errors import UnreadableError, UnsupportedError
from unmask.media.bounds import stated_end
from unmask.media.container import LIBAV_ERRORS, open_container, translated, video_stream
from unmask.media.decode import DecodeSettings, FullPass, PlannedPass, Tally, prepare
from unmask.media.entry import temporal_layers
from unmask.media.facts import Counts, MediaFacts
from unmask.media.index import PacketIndex, build_index
from unmask.media.media import Media
from unmask.media.orientation import UPRIGHT
from unmask.media.plan import make_plan
from unmask.media.prefetch import Prefetch
from unmask.media.rgb import orientation
from unmask.media.tags import clean_tags

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from unmask.media.limits import Limits
    from unmask.media.sampling import Sampling
    from unmask.media.source import Source
    from unmask.types import Frame

FRAMES_AHEAD = 3
"""Finished frames that may wait for the consumer: enough to even out, 75 MB at 4K."""
FIRST_FRAME_TRIES = 8
"""Keyframes tried for a first picture, which tells format and rotation."""
DEFAULT_RATE = 25.0
"""Frames per second assumed where a file does not say."""


class Video(Media):
    """Opening walks over the packets, so it already knows the exact number of frames."""

    def __init__(
        self, source: Source, limits: Limits, *, threads: int | None, deadline: float | None
    ) -> None:
        self._settings = DecodeSettings(
            source, threads or os.cpu_count() or 1, limits.max_frame_pixels, deadline
        )
        self._tally = Tally()
        self._asked = 0
        self._passes: Prefetch[Frame] | None = None
        container = open_container(source, deadline)
        try:
            with translated(source.name):
                self._read_facts(container, source, limits, deadline)
        finally:
            container.close()

    def _read_facts(
        self, container: InputContainer, source: Source, limits: Limits, deadline: float | None
    ) -> None:
        stream = video_stream(container, source.name)
        _refuse_large(stream, limits, source.name)
        _refuse_long(container, limits, source.name)
        prepare(stream, 1, limits.max_frame_pixels)
        first = _FirstFrame(stream)
        self._index = build_index(
            container,
            stream,
            name=source.name,
            max_seconds=limits.max_seconds,
            deadline=deadline,
            on_keyframe=first.look_at,
        )
        if self._index.frame_count == 0:
            raise UnreadableError(
                f"{source.name}: no frames are left in it", hint="copy or download it again"
            )
        codec = stream.codec_context
        self._codec = stream.codec.name
        self._intra_only = bool(stream.codec.intra_only)
        self._temporal_layers = temporal_layers(codec.extradata) if self._codec == "hevc" else 0
        self._truncated = _is_truncated(source, stream, self._index)
        self._notes = _notes(stream, self._index, self._truncated)
        super().__init__(_facts(container, stream, source, self._index, first.frame))

    def frames(self, sampling: Sampling) -> Iterator[Frame]:
        """See `Media.frames`; decoding runs `FRAMES_AHEAD` in a thread that ends with the iterator."""
        self.close()
        tally = self._tally = Tally()
        planned = self._index.has_order
        if planned:
            ranks = sampling.ranks(self._index.frame_count)
            self._asked = len(ranks)
            plan = make_plan(
                self._index,
                ranks,
                codec=self._codec,
                intra_only=self._intra_only,
                temporal_layers=self._temporal_layers,
            )
            source = PlannedPass(self._settings, self._index, plan, tally).frames()
        else:
            self._asked = 0
            rate = self.facts.frame_rate or DEFAULT_RATE
            source = FullPass(self._settings, self._index, sampling, rate, tally).frames()
        ahead = self._passes = Prefetch(source, FRAMES_AHEAD)
        try:
            yield from ahead
        finally:
            ahead.close()
        if tally.given == 0:
            raise UnreadableError(
                f"{self._settings.source.name}: not one of its frames could be decoded",
                hint="copy or download it again",
            )

    @property
    def counts(self) -> Counts:
        """See `Media.counts`."""
        tally = self._tally
        missing = self._asked - tally.given if tally.ended and self._asked else tally.corrupt
        notes = list(self._notes)
        if tally.errors:
            notes.append(f"{tally.errors} packets could not be decoded")
        return Counts(
            decoded=tally.decoded,
            sampled=tally.given,
            failed=missing,
            truncated=self._truncated,
            notes=tuple(notes),
        )

    def close(self) -> None:
        """See `Media.close`."""
        if self._passes is not None:
            self._passes.close()
            self._passes = None


class _FirstFrame:
    """Decodes the first keyframe that can be, on its own."""

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        self._tries = 0
        self.frame: VideoFrame | None = None

    def look_at(self, packet: Packet[VideoStream]) -> None:
        """Try this keyframe unless one has already come out."""
        if self.frame is not None or self._tries >= FIRST_FRAME_TRIES:
            return
        self._tries += 1
        try:
            decoded = [*self._context.decode(packet), *self._context.decode(None)]
            self.frame = decoded[0] if decoded else None
            self._context.flush_buffers()
        except LIBAV_ERRORS:
            return


def _facts(
    container: InputContainer,
    stream: VideoStream,
    source: Source,
    index: PacketIndex,
    first: VideoFrame | None,
) -> MediaFacts:
    context = stream.codec_context
    turn = orientation(first) if first is not None else UPRIGHT
    stored = (first.width, first.height) if first is not None else (context.width, context.height)
    width, height = turn.size(*stored)
    layout = first.format if first is not None else context.format
    timing = index.timing
    rate = timing.frame_rate if timing else None
    if rate is None and stream.average_rate:
        rate = float(stream.average_rate)
    duration = timing.duration_s if timing else index.frame_count / (rate or DEFAULT_RATE)
    return MediaFacts(
        kind="video",
        container=container.format.name,
        codec=stream.codec.canonical_name,
        pixel_format=layout.name if layout else "unknown",
        bit_depth=layout.components[0].bits if layout and layout.components else None,
        width=width,
        height=height,
        rotation_degrees=turn.clockwise_degrees,
        frame_rate=rate,
        variable_frame_rate=timing.variable if timing else None,
        duration_s=duration,
        frame_count=index.frame_count,
        has_audio=bool(container.streams.audio),
        tags=clean_tags([*container.metadata.items(), *stream.metadata.items()]),
        size_bytes=source.size,
        sha256=source.sha256,
    )


def _refuse_large(stream: VideoStream, limits: Limits, name: str) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > limits.max_frame_pixels:
        raise UnsupportedError(
            f"{name}: frames of {width}x{height} are more than {limits.max_frame_pixels} pixels",
            hint="raise --max-frame-pixels if you trust the file",
        )


def _refuse_long(container: InputContainer, limits: Limits, name: str) -> None:
    seconds = (container.duration or 0) / 1_000_000
    if seconds > limits.max_seconds:
        raise UnsupportedError(
            f"{name}: says it lasts {seconds:.0f} s, more than the limit of {limits.max_seconds:.0f} s",
            hint="raise --max-seconds",
        )


def _is_truncated(source: Source, stream: VideoStream, index: PacketIndex) -> bool:
    end = stated_end(source.path)
    return (end is not None and end > source.size) or stream.frames > len(index.pts)


def _notes(stream: VideoStream, index: PacketIndex, truncated: bool) -> tuple[str, ...]:
    notes = []
    if truncated:
        notes.append("the file is cut off; it is scanned up to there")
    if index.read_errors:
        notes.append(f"{index.read_errors} damaged places were passed over")
    if not index.has_order:
        notes.append("presentation times are missing or broken; every frame is decoded and counted")
    aspect = stream.sample_aspect_ratio
    if aspect and aspect != 1:
        notes.append(f"pixels are not square ({aspect.numerator}:{aspect.denominator}); left as they are")
    return tuple(notes)
