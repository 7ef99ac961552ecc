"""A video once more with marks in every frame: same times, same sound, picture encoded anew as H.264."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.codec.context import Flags

from unmask.errors import UnmaskError, UnreadableError
from unmask.report.atomic import replacing
from unmask.report.canvas import YuvCanvas
from unmask.report.marks import caption_of, draw
from unmask.report.positions import Positions
from unmask.report.sound import COPIED, Sound
from unmask.report.source import open_source, packets, turn, video_stream
from unmask.types import Report

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

COMMENT = "annotated by unmask"

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Ending → the muxer's name."""

MUXER = {"mp4": {"movflags": "+faststart"}, "mov": {"movflags": "+faststart"}}
"""Muxer → its options: the index goes to the front, so that a page can play the file while it loads."""

ENCODER = {"crf": "20", "preset": "fast"}
"""Of libx264: no visible loss at about the size a camera phone makes."""

MATRICES = {1: "709", 9: "2020", 10: "2020"}
"""ITU-T H.273 matrix coefficients → colour matrix; others (and silence) are taken as BT.601."""

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Annotated:
    """What was written: frames in the video, damaged ones left out, and streams of sound copied, encoded,
    and left out because no decoder knows them."""

    path: Path
    frames: int
    damaged: int = 0
    sound_copied: int = 0
    sound_encoded: int = 0
    sound_left_out: int = 0


def write_video(
    source: Path, report: Report | None, target: Path, wanted: Path, progress: Progress
) -> Annotated:
    """Write the annotated video to `target`, a name with the ending of `wanted`, which the result names;
    without a report nothing is drawn in.

    Raises:
        UnreadableError, UnsupportedError: the source cannot be read, or holds no video.
        UnmaskError: the target cannot be written.
    """
    with open_source(source) as container:
        video = video_stream(container, source)
        try:
            form = FORMATS[wanted.suffix.lower()]
            with av.open(f"file:{target}", "w", format=form, options=MUXER.get(form, {})) as output:
                if report is not None:
                    output.metadata["comment"] = COMMENT
                return _Copy(container, video, output, report, progress).run(wanted)
        except av.error.FFmpegError as error:
            raise UnmaskError(
                f"cannot write {str(wanted)!r}: {error.strerror}",
                hint="choose another ending (.mkv takes most), or a disk with room",
            ) from error


def write_plain(source: Path, target: Path) -> Annotated:
    """Write the video to `target` as H.264 without marks, for players that do not know its own form.

    The file is written whole or not at all.

    Raises:
        UnreadableError, UnsupportedError: the source cannot be read, or holds no video.
        UnmaskError: the target cannot be written.
    """
    with replacing(target) as temporary:
        return write_video(source, None, temporary, target, lambda _: None)


class _Copy:
    """One pass over the input in the order of its packets."""

    def __init__(
        self,
        container: InputContainer,
        video: VideoStream,
        output: OutputContainer,
        report: Report | None,
        progress: Progress,
    ) -> None:
        self.container, self.video, self.output, self.progress = container, video, output, progress
        self.marks = None if report is None else (Positions(report), caption_of(report))
        total = report.file.frame_count if report is not None and report.file is not None else None
        self.total = total or video.frames
        # A recording may start at any time of day; both streams are moved alike, so they stay together.
        self.start = Fraction(max(container.start_time or 0, 0), av.time_base)
        self.first: int | None = None
        self.last: int | None = None
        self.size = (0, 0)
        self.frames = self.damaged = 0
        self.encoder: VideoStream | None = None
        self.waiting: list[Packet[Any]] = []
        self.sound: dict[int, Sound] = {}
        video.thread_type = "AUTO"

    def run(self, wanted: Path) -> Annotated:
        kept = COPIED[self.output.format.name.split(",")[0]]
        audio = [s for s in self.container.streams.audio if s.codec_context is not None]
        self.sound = {s.index: Sound(s, self.output, s.codec_context.name in kept, self.start) for s in audio}
        for packet in packets(self.container, [self.video, *audio]):
            if packet.stream.index == self.video.index:
                self._picture(packet)
            else:
                self._mux(self.sound[packet.stream.index].packets(packet))
        if self.encoder is None:
            raise UnreadableError(
                "not one frame could be decoded", hint="the file is damaged: get another copy"
            )
        self.output.mux(self.encoder.encode(None))
        for sound in self.sound.values():
            self.output.mux(sound.rest())
        copied = sum(sound.copied for sound in self.sound.values())
        return Annotated(
            path=wanted,
            frames=self.frames,
            damaged=self.damaged,
            sound_copied=copied,
            sound_encoded=len(self.sound) - copied,
            sound_left_out=len(self.container.streams.audio) - len(audio),
        )

    def _picture(self, packet: Packet[Any]) -> None:
        if self.frames == 0 and packet.pts is not None and packet.size and not packet.is_discard:
            # The report's clock starts with the first frame of the file, even where that one is damaged.
            self.first = packet.pts if self.first is None else min(self.first, packet.pts)
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self.damaged += 1
            return
        for frame in frames:
            if frame.is_corrupt:
                self.damaged += 1
            else:
                self._frame(frame)

    def _frame(self, frame: VideoFrame) -> None:
        tick = frame.time_base or self.video.time_base or Fraction(1, 1000)
        pts = frame.pts
        if pts is None:
            pts = 0 if self.last is None else self.last + round(1 / (tick * (self.video.average_rate or 25)))
        if self.last is not None and pts <= self.last:
            pts = self.last + 1
        self.last = pts
        canvas = self._canvas(frame)
        first = pts if self.first is None else self.first
        if self.marks is not None:
            positions, caption = self.marks
            draw(canvas, positions.at(float((pts - first) * tick)), caption)
        if self.encoder is None:
            self.encoder = self._open_encoder(frame, canvas, tick)
        drawn = av.VideoFrame.from_ndarray(canvas.packed, format="yuv420p")
        drawn.pts, drawn.time_base, drawn.duration = pts - round(self.start / tick), tick, frame.duration
        self._mux(self.encoder.encode(drawn))
        self.frames += 1
        self.progress(min(self.frames / self.total, 1.0) if self.total else 0.0)

    def _canvas(self, frame: VideoFrame) -> YuvCanvas:
        """The frame upright as something to draw on; an odd last row or column is left out."""
        if self.encoder is not None and (frame.width, frame.height) != self.size:
            frame = frame.reformat(width=self.size[0], height=self.size[1])
        self.size = (frame.width, frame.height)
        plain = frame.reformat(format="yuv420p")
        even = [(plain.height // 2 * 2, plain.width // 2 * 2)] + 2 * [(plain.height // 2, plain.width // 2)]
        transpose, mirror_x, mirror_y = turn(frame)
        height, width = even[0][::-1] if transpose else even[0]
        canvas = YuvCanvas(width, height, MATRICES.get(int(frame.colorspace), "601"))
        for plane, (rows, columns), drawn in zip(plain.planes, even, canvas.planes, strict=True):
            stored = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:rows, :columns]
            turned = stored.T if transpose else stored
            drawn[:] = turned[:: -1 if mirror_y else 1, :: -1 if mirror_x else 1]
        return canvas

    def _open_encoder(self, frame: VideoFrame, canvas: YuvCanvas, tick: Fraction) -> VideoStream:
        rate = self.video.average_rate or Fraction(25)
        stream = self.output.add_stream("libx264", rate=rate, options=ENCODER)
        stream.width, stream.height, stream.pix_fmt = canvas.width, canvas.height, "yuv420p"
        stream.codec_context.time_base = tick
        # Else the encoder makes up how long the last frame is shown.
        stream.codec_context.flags |= Flags.frame_duration
        shape = self.video.sample_aspect_ratio
        if shape:
            stream.codec_context.sample_aspect_ratio = 1 / shape if turn(frame)[0] else shape
        context = stream.codec_context
        context.colorspace, context.color_primaries = int(frame.colorspace), int(frame.color_primaries)
        context.color_trc = int(frame.color_trc)
        for packet in self.waiting:
            self.output.mux(packet)
        self.waiting.clear()
        return stream

    def _mux(self, packets: list[Packet[Any]]) -> None:
        """Write the packets; the header can only be written once the first picture tells its size."""
        if self.encoder is None:
            self.waiting += packets
        else:
            self.output.mux(packets)
