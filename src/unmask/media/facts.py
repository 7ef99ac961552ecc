"""What is known of a file before, and counted after, its frames are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["image", "video"]
"""An animation is a video; an animation of one frame is an image."""


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """A file's properties, read from its content (never from its name)."""

    kind: Kind
    container: str
    """The format's name: `jpeg`, `png`, `gif`, `mov,mp4,m4a,3gp,3g2,mj2`, `matroska,webm` …"""
    codec: str
    """`h264`, `hevc`, `vp9` …; for stills and animations the same as `container`."""
    pixel_format: str
    """libavcodec's name for video (`yuv420p`), Pillow's mode for stills (`RGB`)."""
    bit_depth: int | None
    """Bits per channel as stored; frames are always given with 8."""
    width: int
    """Of the upright picture, in pixels."""
    height: int
    rotation_degrees: int
    """Clockwise turn that made the stored picture upright: 0, 90, 180 or 270."""
    frame_rate: float | None
    """Frames per second on average; None for a still."""
    variable_frame_rate: bool | None
    duration_s: float | None
    frame_count: int | None
    """Frames present in the file, counted and not taken from its header."""
    has_audio: bool
    tags: tuple[tuple[str, str], ...]
    """(name, value) pairs that say how the file was made; printable, short, without places."""
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the frames in the last pass over a file; `sampled + failed` were asked for."""

    decoded: int = 0
    """Frames that came out of the decoder, wanted or only needed to reach a wanted one."""
    sampled: int = 0
    """Frames given to the caller."""
    failed: int = 0
    """Frames asked for that did not come out whole; they are never given."""
    truncated: bool = False
    """The file ends before it says it does."""
    notes: tuple[str, ...] = ()
    """Sentences for the reader of the report."""
