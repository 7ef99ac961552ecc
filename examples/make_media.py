"""Make the example video from the example photo: a camera that moves over it, real first, then forged.

`examples/media/astronaut.png` is NASA's portrait of Eileen Collins (public domain), as scikit-image ships it.
In the second half of the video the face is a self-blend of itself, and the picture says so in a corner.

    python examples/make_media.py
"""

from __future__ import annotations

import math
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.faces.centerface import CenterFace
from unmask.faces.crop import face_frame
from unmask.forge.selfblend import self_blend
from unmask.types import Landmarks, Point

MEDIA = Path(__file__).parent / "media"
SIZE = (640, 480)
"""Width and height of the video."""
RATE, SECONDS, FORGED_FROM = 25, 8, 4
SEED = 16
"""A self-blend of the whole face that one can see when one knows where to look."""

Image = NDArray[np.uint8]


def main() -> None:
    photo = cv2.imread(str(MEDIA / "astronaut.png"), cv2.IMREAD_COLOR_RGB)
    if photo is None:
        raise SystemExit("examples/media/astronaut.png is missing")
    photo = np.asarray(photo, np.uint8)
    face = CenterFace().find(photo)[0]
    forged = self_blend(photo, face.landmarks, np.random.default_rng(SEED)).image
    target = MEDIA / "half-forged.mp4"
    noise = np.random.default_rng(0)
    with av.open(str(target), "w") as out:
        out.metadata["comment"] = "made by unmask from a public-domain photo; forged in its second half"
        video = out.add_stream("libx264", rate=RATE, options={"crf": "20", "preset": "medium"})
        video.width, video.height, video.pix_fmt = (*SIZE, "yuv420p")
        audio = out.add_stream("aac", rate=24_000)
        for index in range(RATE * SECONDS):
            is_forged = index >= RATE * FORGED_FROM
            view = look(forged if is_forged else photo, face.landmarks, index / RATE)
            grain = noise.normal(0, 2.0, view.shape)
            view = np.clip(view + grain, 0, 255).astype(np.uint8)
            caption(view, "FORGED by unmask" if is_forged else "original photo")
            out.mux(video.encode(av.VideoFrame.from_ndarray(view, format="rgb24")))
        out.mux(video.encode(None))
        for frame in tone():
            out.mux(audio.encode(frame))
        out.mux(audio.encode(None))
    print(target, target.stat().st_size)


def look(photo: Image, landmarks: Landmarks, time: float) -> Image:
    """What a hand-held camera sees of the photo at `time` seconds."""
    width, height = SIZE
    centre: Point = face_frame(landmarks).point(0.0, 0.2)
    zoom = 1.55 + 0.12 * math.sin(time * 0.9)
    angle = math.radians(2.5 * math.sin(time * 0.7))
    cos, sin = math.cos(angle) / zoom, math.sin(angle) / zoom
    sway_x, sway_y = 14 * math.sin(time * 1.3), 8 * math.cos(time * 1.1)
    matrix = np.array(
        [
            [cos, -sin, centre[0] + sway_x - cos * width / 2 + sin * height / 2],
            [sin, cos, centre[1] + sway_y + 20 - sin * width / 2 - cos * height / 2],
        ]
    )
    view = cv2.warpAffine(
        photo,
        matrix,
        SIZE,
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(view, np.uint8)


def caption(view: Image, text: str) -> None:
    """Write `text` into the lower left corner, in place."""
    at = (12, view.shape[0] - 14)
    cv2.putText(view, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(view, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)


def tone() -> list[av.AudioFrame]:
    """A quiet tone as long as the video: something for tools that must keep the sound."""
    rate, chunk = 24_000, 1024
    samples = 0.05 * np.sin(2 * np.pi * 220 * np.arange(rate * SECONDS) / rate)
    frames = []
    for start in range(0, len(samples), chunk):
        frame = av.AudioFrame.from_ndarray(
            samples[None, start : start + chunk].astype(np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.pts = rate, start
        frames.append(frame)
    return frames


if __name__ == "__main__":
    main()
