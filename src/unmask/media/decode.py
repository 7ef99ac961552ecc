"""The decoding pass: sends the planned packets to the decoder and gives the wanted frames as RGB."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmask.media.container import LIBAV_ERRORS, open_container, translated, video_stream
from unmask.media.deadline import check_deadline
from unmask.media.index import NO_PTS, PacketIndex, ReadLog, read_packets
from unmask.media.rgb import RgbConverter
from unmask.types import Frame

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from unmask.media.plan import Plan, Run
    from unmask.media.sampling import Sampling
    from unmask.media.source import Source

SEEK_BYTES = 4 << 20
"""Reading past less than this is quicker than seeking and finding one's place again."""
SEEK_PACKETS = 300
PADDING_PIXELS = 1 << 16
"""What padding may add to a small picture."""
RESYNC_PACKETS = 2000
"""Packets after a seek among which a known one must turn up, else the file is read from the start."""


@dataclass(slots=True)
class Tally:
    """Counts of a pass under way."""

    decoded: int = 0
    given: int = 0
    corrupt: int = 0
    errors: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """What both ways of decoding need to know."""

    source: Source
    threads: int
    max_frame_pixels: int
    deadline: float | None


class PlannedPass:
    """Decodes the runs of a plan; frames are exactly those of a full pass."""

    def __init__(self, settings: DecodeSettings, index: PacketIndex, plan: Plan, tally: Tally) -> None:
        self._settings = settings
        self._index = index
        self._plan = plan
        self._tally = tally
        self._converter = RgbConverter()
        # A place in the file identifies a packet only where each has its own.
        self._seekable = bool((index.pos >= 0).all()) and len(np.unique(index.pos)) == len(index.pos)

    def frames(self) -> Generator[Frame]:
        """The wanted frames in presentation order."""
        reader = _Reader(self._settings, self._index, self._seekable)
        try:
            with translated(self._settings.source.name):
                for run in self._plan.runs:
                    # Seeking empties the decoder too: what it still holds has to come out before.
                    if (run.emptied and not self._plan.only_wanted) or reader.is_far(run.start):
                        yield from self._finish(self._decode(reader, None))
                        reader.stream.codec_context.flush_buffers()
                    reader.go_to(run.start)
                    yield from self._run(reader, run)
                yield from self._finish(self._decode(reader, None))
            self._tally.ended = True
        finally:
            reader.close()

    def _run(self, reader: _Reader, run: Run) -> Iterator[Frame]:
        context = reader.stream.codec_context
        wanted, skips, alone = self._plan.wanted, self._plan.skips_unreferenced, self._plan.only_wanted
        for number, packet in reader.until(run.stop):
            if alone and not wanted[number]:
                continue
            if skips:
                context.skip_frame = "DEFAULT" if wanted[number] else "NONREF"
            yield from self._finish(self._decode(reader, packet))

    def _decode(self, reader: _Reader, packet: Packet[VideoStream] | None) -> Iterable[VideoFrame]:
        try:
            return reader.stream.codec_context.decode(packet)
        except LIBAV_ERRORS:
            self._tally.errors += 1
            return ()

    def _finish(self, decoded: Iterable[VideoFrame]) -> Iterator[Frame]:
        for frame in decoded:
            self._tally.decoded += 1
            # Not by `opaque`: PyAV frees it under the GIL, which may deadlock with decoder threads.
            rank = None if frame.pts is None else self._plan.rank_by_pts.get(frame.pts)
            if rank is None:
                continue
            if not _is_usable(frame, self._settings):
                self._tally.corrupt += 1
                continue
            image = self._converter.convert(frame)
            self._tally.given += 1
            yield Frame(image=image, index=rank, time=float(self._index.times[rank]))


class FullPass:
    """Decodes everything and counts; for files whose presentation times cannot be trusted."""

    def __init__(
        self, settings: DecodeSettings, index: PacketIndex, sampling: Sampling, rate: float, tally: Tally
    ) -> None:
        self._settings = settings
        self._wanted = set(sampling.ranks(index.frame_count).tolist())
        self._stride = sampling.stride if sampling.frames is None else None
        self._last = max(self._wanted, default=-1)
        self._rate = rate
        self._tally = tally
        self._converter = RgbConverter()
        self._clock = _Clock(index.tick, rate)
        self._next = 0

    def frames(self) -> Generator[Frame]:
        """The wanted frames in the order the decoder shows them."""
        container, stream = _open_for_decoding(self._settings)
        context = stream.codec_context
        settings = self._settings
        try:
            with translated(settings.source.name):
                log = ReadLog()
                packets: Iterator[Packet[VideoStream]] = read_packets(
                    container, stream, settings.deadline, settings.source.name, log
                )
                for packet in _and_none(packets):
                    check_deadline(settings.deadline, settings.source.name)
                    try:
                        decoded = context.decode(packet)
                    except LIBAV_ERRORS:
                        self._tally.errors += 1
                        # A packet is a frame: the ones after it keep their numbers.
                        self._tally.corrupt += self._is_next_wanted()
                        continue
                    for frame in decoded:
                        yield from self._finish(frame)
                    if self._stride is None and self._next > self._last:
                        break
            self._tally.ended = True
        finally:
            container.close()

    def _finish(self, frame: VideoFrame) -> Iterator[Frame]:
        number = self._next
        self._tally.decoded += 1
        time = self._clock.time(frame.pts)
        if not self._is_next_wanted():
            return
        if not _is_usable(frame, self._settings):
            self._tally.corrupt += 1
            return
        image = self._converter.convert(frame)
        self._tally.given += 1
        yield Frame(image=image, index=number, time=time)

    def _is_next_wanted(self) -> bool:
        number = self._next
        self._next += 1
        return number % self._stride == 0 if self._stride else number in self._wanted


class _Clock:
    """Makes frame times that never go back out of presentation times that may."""

    def __init__(self, tick: float, rate: float) -> None:
        self._tick = tick
        self._step = 1 / rate
        self._last_pts: int | None = None
        self._now: float | None = None

    def time(self, pts: int | None) -> float:
        """Seconds from the first frame; a missing or backward step counts as one frame."""
        if self._now is None:
            self._now = 0.0
        elif pts is not None and self._last_pts is not None and pts > self._last_pts:
            self._now += (pts - self._last_pts) * self._tick
        else:
            self._now += self._step
        self._last_pts = pts
        return self._now


class _Reader:
    """Reads packets with their numbers in the index, and finds its way to a later one."""

    def __init__(self, settings: DecodeSettings, index: PacketIndex, seekable: bool) -> None:
        self._settings = settings
        self._index = index
        self._seekable = seekable
        self._open()

    def _open(self) -> None:
        self.container, self.stream = _open_for_decoding(self._settings)
        self._read_from_here(0)

    def _read_from_here(self, number: int) -> None:
        self._next = number
        self._held: Packet[VideoStream] | None = None
        self._packets = self._read()

    def _read(self) -> Iterator[Packet[VideoStream]]:
        settings = self._settings
        return read_packets(self.container, self.stream, settings.deadline, settings.source.name, ReadLog())

    def close(self) -> None:
        """Let go of the file."""
        self.container.close()

    def is_far(self, number: int) -> bool:
        """Whether packet `number` is sought and not read up to."""
        ahead = number - self._next
        return self._seekable and ahead > 0 and (ahead > SEEK_PACKETS or self._bytes_to(number) > SEEK_BYTES)

    def go_to(self, number: int) -> None:
        """Make packet `number` the next one."""
        if self.is_far(number):
            self._seek(number)
        while self._next < number and self._advance() is not None:
            pass

    def until(self, stop: int) -> Iterator[tuple[int, Packet[VideoStream]]]:
        """Packets up to and with number `stop`, each with its number."""
        settings = self._settings
        while self._next <= stop:
            check_deadline(settings.deadline, settings.source.name)
            number = self._next
            packet = self._advance()
            if packet is None:
                return
            yield number, packet

    def _bytes_to(self, number: int) -> int:
        return int(abs(self._index.pos[number] - self._index.pos[self._next]))

    def _advance(self) -> Packet[VideoStream] | None:
        packet, self._held = self._held, None
        if packet is None:
            packet = next(self._packets, None)
        if packet is not None:
            self._next += 1
        return packet

    def _seek(self, target: int) -> None:
        """Seek to at most `target`; reopen and stay at the start where that cannot be made sure of."""
        pts = int(self._index.pts[target])
        try:
            self.container.seek(pts, stream=self.stream, backward=True)
        except LIBAV_ERRORS:
            self._reopen()
            return
        self._packets = self._read()
        for _ in range(RESYNC_PACKETS):
            packet = next(self._packets, None)
            number = None if packet is None else self._number_of(packet)
            if packet is None or (number is not None and number > target):
                break
            if number is not None:
                self._next, self._held = number, packet
                return
        self._reopen()

    def _number_of(self, packet: Packet[VideoStream]) -> int | None:
        found = np.flatnonzero(self._index.pos == (-1 if packet.pos is None else packet.pos))
        if len(found) != 1:
            return None
        number = int(found[0])
        pts = NO_PTS if packet.pts is None else packet.pts
        same = self._index.pts[number] == pts and self._index.size[number] == packet.size
        return number if same else None

    def _reopen(self) -> None:
        self._seekable = False
        self.container.close()
        self._open()


def _open_for_decoding(settings: DecodeSettings) -> tuple[InputContainer, VideoStream]:
    container = open_container(settings.source, settings.deadline)
    stream = video_stream(container, settings.source.name)
    prepare(stream, settings.threads, settings.max_frame_pixels)
    return container, stream


def prepare(stream: VideoStream, threads: int, max_frame_pixels: int) -> None:
    """Set the decoder's threads, and have libavcodec refuse pictures that grow too large midway."""
    context = stream.codec_context
    context.thread_type = "AUTO"
    context.thread_count = threads
    # The decoder measures padded rows and whole macroblocks, which reach beyond the picture.
    context.options = {"max_pixels": str(max_frame_pixels + max_frame_pixels // 16 + PADDING_PIXELS)}


def _is_usable(frame: VideoFrame, settings: DecodeSettings) -> bool:
    """Whether it was decoded without a flaw and has not outgrown the limit."""
    return not frame.is_corrupt and frame.width * frame.height <= settings.max_frame_pixels


def _and_none(packets: Iterator[Packet[VideoStream]]) -> Iterator[Packet[VideoStream] | None]:
    yield from packets
    yield None
