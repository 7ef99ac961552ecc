"""A peer that is one of our model files: our frames, our faces, our persons, their network."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import replace
from pathlib import Path

from unmask.detector.card import Calibration, ModelCard
from unmask.evaluation.peers.peer import THRESHOLD, Judged, JudgedFace
from unmask.faces.crop import CropSpec
from unmask.options import ScanOptions
from unmask.scanner import Scanner
from unmask.types import Band, Report

NOT_CALIBRATED = (
    "not calibrated: P(fake) is what the network gave, and FAKE begins at 0.5 because its authors say so",
    "its error rates were not measured; the card states the worst, 100 %",
    "faces are found and cut by unmask, not by the authors' own code",
)
"""The limits of every network taken over as it is."""


class ScannedPeer:
    """A network of others behind our own scanner.

    `model` is the whole model file with its card: written to disk, it can be given wherever a model of ours
    can, as in `unmask evaluate`.

    Raises:
        ModelError: `model` is no model file.
        UnmaskError: as `Scanner`.
    """

    def __init__(self, model: bytes, options: ScanOptions) -> None:
        self.model = model
        with tempfile.TemporaryDirectory(prefix="unmask-") as folder:
            path = Path(folder) / "peer.onnx"
            path.write_bytes(model)
            self._scanner = Scanner(replace(options, model=(str(path),), evidence=0))
        self.card = self._scanner.detector.models[0].card

    @property
    def name(self) -> str:
        """See `Peer`."""
        return self.card.name

    @property
    def identity(self) -> str:
        """See `Peer`."""
        return hashlib.sha256(self.model).hexdigest()

    def judge(self, path: Path) -> Judged:
        """See `Peer`. A network that gives no number for one of the faces makes the file UNREADABLE."""
        return judged_of(self._scanner.scan(path))


def judged_of(report: Report) -> Judged:
    """What a report says, as a peer says it."""
    faces = tuple(
        JudgedFace(face.frame, face.time, track.id, face.size, face.probability)
        for track in report.tracks
        for face in track.faces
    )
    return Judged(report.verdict, report.probability, faces, report.message)


def card_of(
    name: str,
    *,
    sha256: str,
    architecture: str,
    description: str,
    crop: CropSpec,
    training_data: str,
    licence: str,
    aggregation: str = "mean",
    limits: tuple[str, ...] = (),
) -> ModelCard:
    """The card of a network taken over as it is: no calibration, no figures. `sha256` is of the file that it
    was read from; its beginning is the version."""
    return ModelCard(
        name=name,
        version=sha256[:12],
        architecture=architecture,
        description=description,
        crop=crop,
        aggregation=aggregation,
        calibration=Calibration(scale=1.0, offset=0.0),
        band=Band(real_below=THRESHOLD, fake_above=THRESHOLD, false_alarm_rate=1.0, miss_rate=1.0),
        operating_points=(),
        figures=(),
        training_data=training_data,
        limits=(*NOT_CALIBRATED, *limits),
        licence=licence,
        seed=0,
        recipe_sha256="",
    )
