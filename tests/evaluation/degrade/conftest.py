"""The short video that most tests of the degradations are content with."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import pytest
from tests.evaluation.degrade.degraded import SHORT


@pytest.fixture(scope="session")
def short_video(video_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first frames of the example video, with its sound left out."""
    target = tmp_path_factory.mktemp("short") / "short.mp4"
    with av.open(str(video_path)) as source, av.open(str(target), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "10", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for frame in itertools.islice(source.decode(video=0), SHORT):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return target
