"""The sound of an annotated video: the packets of the original wherever the container takes them."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import av
from av.audio.resampler import AudioResampler

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

COPIED = {
    "mp4": frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "alac", "flac", "opus"}),
    "mov": frozenset(
        {"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_f32le"}
    ),
    "matroska": frozenset(
        {
            "aac",
            "mp3",
            "mp2",
            "ac3",
            "eac3",
            "dts",
            "alac",
            "flac",
            "opus",
            "vorbis",
            "pcm_s16le",
            "pcm_s24le",
        }
    ),
}
"""Muxer → sound that players expect to find in such a file; other sound is encoded to AAC."""

AAC_BITS_PER_CHANNEL = 96_000

AAC_FRAME = 1024
"""Samples in a packet of AAC-LC."""


class Sound:
    """One stream of sound, copied packet for packet or encoded anew."""

    def __init__(self, stream: AudioStream, output: OutputContainer, copied: bool, start: Fraction) -> None:
        self.copied = copied
        self.start = start
        self.resampler: AudioResampler | None = None
        if copied:
            self.out: AudioStream = output.add_stream_from_template(stream)
            return
        context = stream.codec_context
        layout = "mono" if context.channels == 1 else "stereo"
        self.out = output.add_stream("aac", rate=context.sample_rate, layout=layout)
        self.out.bit_rate = AAC_BITS_PER_CHANNEL * (1 if layout == "mono" else 2)
        self.resampler = AudioResampler("fltp", layout, context.sample_rate, AAC_FRAME)

    def packets(self, packet: Packet[Any]) -> list[Packet[Any]]:
        """What goes into the output for one packet of the input."""
        if self.resampler is None:
            return self._moved(packet)
        frames: list[AudioFrame] = []
        with contextlib.suppress(av.error.FFmpegError):
            frames = cast("list[AudioFrame]", packet.decode())
        out = []
        for frame in frames:
            if frame.pts is not None and frame.time_base is not None:
                frame.pts -= round(self.start / frame.time_base)
            for piece in self.resampler.resample(frame):
                out += self.out.encode(piece)
        return out

    def rest(self) -> list[Packet[Any]]:
        """What is left when the input has ended."""
        if self.resampler is None:
            return []
        pieces = self.resampler.resample(None)
        return [packet for piece in [*pieces, None] for packet in self.out.encode(piece)]

    def _moved(self, packet: Packet[Any]) -> list[Packet[Any]]:
        if not packet.size or packet.dts is None:
            return []
        shift = round(self.start / packet.time_base)
        packet.dts -= shift
        packet.pts = packet.dts if packet.pts is None else packet.pts - shift
        packet.stream = self.out
        return [packet]
