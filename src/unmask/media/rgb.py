"""From a decoded video frame to upright RGB."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from av.video.reformatter import VideoReformatter

from unmask.media.orientation import UPRIGHT, Orientation, from_display_matrix

if TYPE_CHECKING:
    from av.sidedata.sidedata import SideData
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

SCALER_THREADS = 1
"""A 1080p frame takes libswscale 0.7 ms on one thread; starting more costs as much as they save."""


class RgbConverter:
    """Converts the frames of one video; keeps the scaler's tables between frames."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._turns: dict[int, Orientation] = {}

    def convert(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """RGB uint8 (H, W, 3), upright and contiguous, by the frame's own colour matrix and range.

        Transparent video is laid on white.
        """
        has_alpha = any(component.is_alpha for component in frame.format.components)
        layout = "rgba" if has_alpha else "rgb24"
        rgb = self._reformatter.reformat(frame, format=layout, threads=SCALER_THREADS)
        pixels = _on_white(_view(rgb, 4)) if has_alpha else _view(rgb, 3)
        return self._turn(frame).apply(np.ascontiguousarray(pixels))

    def _turn(self, frame: VideoFrame) -> Orientation:
        # PyAV's side data and its frame refer to each other and stay in memory until the garbage collector
        # runs: they are looked at once per rotation and not once per frame.
        turn = self._turns.get(frame.rotation)
        if turn is None:
            turn = self._turns[frame.rotation] = orientation(frame)
        return turn


def orientation(frame: VideoFrame) -> Orientation:
    """How the frame has to be turned, by the display matrix the decoder attached to it."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return UPRIGHT if matrix is None else from_display_matrix(bytes(cast("SideData", matrix)))


def _view(frame: VideoFrame, channels: int) -> NDArray[np.uint8]:
    """The samples (H, W, channels) of a packed frame, where they lie: at 1080p a copy would be 6 MB."""
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(frame.height, plane.line_size)
    pixels: NDArray[np.uint8] = rows[:, : frame.width * channels].reshape(frame.height, frame.width, channels)
    return pixels


def _on_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    alpha = rgba[..., 3:].astype(np.uint16)
    mixed = rgba[..., :3] * alpha + 255 * (255 - alpha) + 127
    return (mixed // 255).astype(np.uint8)
