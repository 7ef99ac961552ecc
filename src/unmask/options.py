"""The options of a scan: each exists once, here; command line and other forms are made from these fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How a file is scanned. The defaults are safe and are what the shipped figures were measured with."""

    stride: Annotated[
        int,
        Meta(ge=1, description="Look at every Nth frame of a video; at ten in all where it is short."),
    ] = 10
    frames: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Look at this many frames, spread evenly, instead of every Nth."),
    ] = None
    model: Annotated[
        tuple[str, ...],
        Meta(description="Model by name or path of a .onnx file; several make an ensemble."),
    ] = ("fast",)
    detector: Annotated[str, Meta(description="Face detector by name.")] = "centerface"
    aggregation: Annotated[
        str | None, Meta(description="How faces make a person's score; the model's own way if not given.")
    ] = None
    min_face: Annotated[
        int, Meta(ge=8, description="Faces with a longer side under this many pixels are not judged.")
    ] = 40
    max_faces: Annotated[int, Meta(ge=1, description="Judge at most this many faces per frame.")] = 20
    evidence: Annotated[
        int, Meta(ge=0, description="Keep this many telling faces per person for the report.")
    ] = 4
    threads: Annotated[int, Meta(ge=0, description="Threads to use; 0 is one per core.")] = 0
    timeout: Annotated[float, Meta(gt=0, description="Give up on a file after this many seconds.")] = 1800.0
    max_bytes: Annotated[int, Meta(ge=1, description="Refuse larger files.")] = 4 * 1024**3
    max_pixels: Annotated[int, Meta(ge=1, description="Refuse stills of more pixels.")] = 100_000_000
    max_frame_pixels: Annotated[
        int, Meta(ge=1, description="Refuse videos whose frames have more pixels; the default is 8K.")
    ] = 8192 * 4320
    max_seconds: Annotated[float, Meta(gt=0, description="Refuse longer videos.")] = 4 * 3600.0
