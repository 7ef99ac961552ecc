"""What travels through unmask: frames and faces on the way in, one tree of judgements on the way out.

Everything here is frozen and typed. The report tree (`Report` → `TrackReport` → `FaceReport`) is also the
JSON document, field by field; `SCHEMA_VERSION` changes with it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

SCHEMA_VERSION = "1.0"

Point = tuple[float, float]
"""(x, y) in pixels; x to the right, y down; pixel centres at whole numbers."""

BoxXYXY = tuple[float, float, float, float]
"""(x1, y1, x2, y2) in pixels of the frame; may reach outside it."""

Landmarks = tuple[Point, Point, Point, Point, Point]
"""Right eye, left eye, nose tip, right and left mouth corner, as the subject has them
(so the right eye is the one further left in an upright picture)."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded picture.

    `image` is RGB uint8 (H, W, 3), upright (rotation metadata applied). `index` counts the frames of the
    file in presentation order from 0; `time` is seconds from the first frame.
    """

    image: NDArray[np.uint8]
    index: int
    time: float


@dataclass(frozen=True, slots=True)
class Face:
    """A face found in one frame: box and landmarks in pixels of the frame, detection score in [0, 1]."""

    box: BoxXYXY
    landmarks: Landmarks
    score: float

    @property
    def size(self) -> float:
        """The longer side of the box, in pixels."""
        x1, y1, x2, y2 = self.box
        return max(x2 - x1, y2 - y1)


class Verdict(enum.StrEnum):
    """What is said of a face, a person or a file: a judgement, or the reason there is none."""

    REAL = "REAL"
    FAKE = "FAKE"
    UNSURE = "UNSURE"
    NO_FACE = "NO_FACE"
    FACE_TOO_SMALL = "FACE_TOO_SMALL"
    UNREADABLE = "UNREADABLE"
    UNSUPPORTED = "UNSUPPORTED"
    TIMED_OUT = "TIMED_OUT"

    @property
    def is_judgement(self) -> bool:
        """True for REAL, FAKE and UNSURE; False where a reason stands in place of a judgement."""
        return self in (Verdict.REAL, Verdict.FAKE, Verdict.UNSURE)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What can be shown of a judged face.

    `crop` is the aligned crop as the first model saw it, a JPEG file (base64 in JSON). `heatmap` holds rows
    of equal length covering the crop evenly: positive values (in logits) speak for a fake, negative ones for
    a real face, and their mean is the network's raw score; empty where the model gives none. `corners` is
    where the crop's upper left, upper right, lower right and lower left corner lie in the frame, in pixels.
    """

    crop: bytes
    heatmap: tuple[tuple[float, ...], ...]
    corners: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class FaceReport:
    """One face in one frame. `probability` is P(fake), None where `verdict` is no judgement."""

    frame: int
    time: float
    box: BoxXYXY
    landmarks: Landmarks
    detection_score: float
    size: float
    verdict: Verdict
    probability: float | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, in seconds, in which the faces of one track were judged FAKE."""

    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class TrackReport:
    """One person through time; `id` counts from 1 in order of appearance."""

    id: int
    verdict: Verdict
    probability: float | None
    start: float
    end: float
    faces: tuple[FaceReport, ...]
    fake_spans: tuple[Span, ...] = ()

    @property
    def judged(self) -> tuple[FaceReport, ...]:
        """The faces that have a probability."""
        return tuple(face for face in self.faces if face.probability is not None)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the file says of itself; None where it does not say. `rotation` is degrees, already applied."""

    name: str
    size_bytes: int
    sha256: str
    kind: str = ""
    container: str = ""
    codec: str = ""
    pixel_format: str = ""
    width: int | None = None
    height: int | None = None
    frame_rate: float | None = None
    variable_frame_rate: bool | None = None
    duration: float | None = None
    frame_count: int | None = None
    rotation: int = 0
    has_audio: bool = False
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was looked at and what was not, in counts.

    `frames_sampled` of `frames_total` (None: not known) were looked at; `frames_failed` should have been but
    did not decode; `faces_found` splits into judged, too small, and those beyond the most that are judged of
    one frame.
    """

    frames_total: int | None = None
    frames_sampled: int = 0
    frames_failed: int = 0
    frames_with_faces: int = 0
    faces_found: int = 0
    faces_judged: int = 0
    faces_too_small: int = 0
    truncated: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Band:
    """Where a verdict begins, as probabilities: at `fake_above` and higher FAKE, at `real_below` and lower
    REAL, UNSURE between. The rates were measured on the calibration data: of real inputs called FAKE, and
    of fake inputs called REAL."""

    real_below: float
    fake_above: float
    false_alarm_rate: float
    miss_rate: float

    def verdict(self, probability: float) -> Verdict:
        """REAL, FAKE or UNSURE for a P(fake) in [0, 1]."""
        if probability >= self.fake_above:
            return Verdict.FAKE
        return Verdict.REAL if probability <= self.real_below else Verdict.UNSURE


RECORDING: Final = "recording"
"""What was measured on recordings alone."""


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold on P(fake) with what was measured at it on the validation split: the share of real inputs
    at or above it (false alarms), and of fake ones (detections); all in [0, 1]. `on` is `RECORDING` where
    recordings alone were measured, and empty where photos were, too."""

    threshold: float
    false_alarm_rate: float
    detection_rate: float
    on: str = ""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Which model judged: enough to name it and to read its limits. `figures` are lines of text, AUCs with
    intervals; `operating_points` are sorted from few false alarms to many, those on recordings last."""

    name: str
    version: str
    sha256: str
    architecture: str
    description: str
    training_data: str
    limits: tuple[str, ...]
    figures: tuple[str, ...]
    licence: str
    operating_points: tuple[OperatingPoint, ...] = ()


@dataclass(frozen=True, slots=True)
class PartialPerson:
    """One person as judged so far; `latest` is the time in seconds at which they were last seen."""

    id: int
    verdict: Verdict
    probability: float
    judged: int
    latest: float


@dataclass(frozen=True, slots=True)
class Partial:
    """What is known of a file while it is still being looked at.

    `share` in [0, 1] is how much of the file was looked at; `probability` and `verdict` are those of the
    person who would decide now, None as long as nobody was judged. `points` are the faces judged since the
    last partial result: (person, time in seconds, P(fake)).
    """

    share: float
    frames: int
    faces: int
    verdict: Verdict | None
    probability: float | None
    people: tuple[PartialPerson, ...]
    points: tuple[tuple[int, float, float], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The judgement on one file. `probability` is P(fake), None where `verdict` is no judgement.

    `message` says in one sentence why; `hint` what could be done where there is no judgement. `seconds` is
    the wall time the scan took and `scanned` when it began (ISO 8601, UTC); these and nothing else differ
    between two scans of one file.
    """

    path: str
    verdict: Verdict
    probability: float | None
    message: str
    hint: str = ""
    file: FileFacts | None = None
    coverage: Coverage = Coverage()
    tracks: tuple[TrackReport, ...] = ()
    models: tuple[ModelFacts, ...] = ()
    band: Band | None = None
    aggregation: str = ""
    detector: str = ""
    options: tuple[tuple[str, str], ...] = ()
    unmask_version: str = ""
    seconds: float = 0.0
    scanned: str = ""
    schema_version: str = SCHEMA_VERSION

    def save(self, path: str | Path) -> Path:
        """Write the report as `.html` (one self-contained page), `.pdf` or `.json`, by the name's ending.

        Raises:
            UnmaskError: another ending, the file cannot be written, or `.pdf` without `unmask[web]`.
        """
        from unmask.report import save

        return save(self, path)
