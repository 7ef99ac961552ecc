"""The shipped model on the example media: the same scores everywhere, and forged time told from real time."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.detector.detector import Detector
from unmask.faces.centerface import CenterFace
from unmask.options import ScanOptions
from unmask.scanner import Scanner

PHOTO_SCORE = -0.81027
"""Raw score of the example photo; changes only with the model or the crop, and then on purpose."""
STABLE = 1e-3
FORGED_FROM = 4.0
"""Seconds into the example video at which the face becomes a forged one."""


def test_score_of_the_photo_is_stable_across_batches_and_threads(photo: NDArray[np.uint8]) -> None:
    (face,) = CenterFace().find(photo)
    for threads in (1, 2):
        detector = Detector.load(["fast"], threads=threads)
        crops = detector.crops(photo, face.landmarks)
        for count in (1, 3, 8):
            for score in detector.score([crops] * count):
                assert score.raw[0] == pytest.approx(PHOTO_SCORE, abs=STABLE)


def test_forged_half_of_the_video_is_told_from_the_real_half(video_path: object) -> None:
    report = Scanner(ScanOptions()).scan(str(video_path))
    (track,) = report.tracks
    real = [face.probability for face in track.faces if face.time < FORGED_FROM]
    forged = [face.probability for face in track.faces if face.time >= FORGED_FROM]
    assert len(real) == len(forged) == 10
    assert min(p for p in forged if p is not None) > max(p for p in real if p is not None)
