"""What is drawn over a video or picture: boxes through time, and heatmaps where they belong in the frame."""

from __future__ import annotations

from typing import Any

import cv2

from unmask.report import words
from unmask.report.charts import UNSEEN_AFTER, sampling_interval
from unmask.report.evidence import heat, scale_of
from unmask.report.marks import COLOUR, NO_JUDGEMENT
from unmask.report.positions import HOLD, HOLD_AT_END, LONE_HOLD
from unmask.types import FaceReport, Report, TrackReport, Verdict

HEAT_SIDE = 160
"""Pixels of a heatmap's picture: enough for the eye, since the maps are coarse and smooth."""


def overlay(report: Report, base: str) -> dict[str, Any]:
    """All that a player draws, as plain data; `base` is the address below which the pictures of faces are.

    A track's `points` are [time, x1, y1, x2, y2, P(fake) or null] in order of time, in seconds and pixels of
    the upright frame. `bridge`, `hold` and `hold_at_end` are seconds: how far apart two sights may be for
    the box to move between them, and how long it stays after one; as in annotated videos.
    """
    times = sorted({face.time for track in report.tracks for face in track.faces})
    step = sampling_interval(times)
    file, band = report.file, report.band
    return {
        "size": [file.width, file.height] if file is not None and file.width and file.height else None,
        "still": words.is_image(file),
        "step": round(step, 4),
        "bridge": round(UNSEEN_AFTER * step, 4),
        "hold": round(HOLD * step if step else LONE_HOLD, 4),
        "hold_at_end": round(HOLD_AT_END * step if step else LONE_HOLD, 4),
        "ends": [round(times[0], 3), round(times[-1], 3)] if times else [0, 0],
        "band": None if band is None else [band.real_below, band.fake_above],
        "looks": {verdict: _look(verdict) for verdict in Verdict},
        "tracks": [_track(track, base) for track in report.tracks if track.faces],
    }


def _look(verdict: Verdict) -> dict[str, str]:
    red, green, blue = COLOUR.get(verdict, NO_JUDGEMENT)
    bright = 0.299 * red + 0.587 * green + 0.114 * blue > 150
    return {
        "colour": f"rgb({red} {green} {blue})",
        "ink": "black" if bright else "white",
        "sign": words.SYMBOL[verdict],
        "word": words.HEADLINE[verdict],
    }


def _track(track: TrackReport, base: str) -> dict[str, Any]:
    faces = sorted(track.faces, key=lambda face: face.time)
    return {
        "id": track.id,
        "verdict": track.verdict,
        "points": [_point(face) for face in faces],
        "evidence": [_evidence(track, face, base) for face in faces if face.evidence is not None],
    }


def _point(face: FaceReport) -> list[float | None]:
    p = face.probability
    return [round(face.time, 3), *(round(value) for value in face.box), None if p is None else round(p, 4)]


def _evidence(track: TrackReport, face: FaceReport, base: str) -> dict[str, Any]:
    assert face.evidence is not None
    corners = [[round(x, 1), round(y, 1)] for x, y in face.evidence.corners]
    address = f"{base}/faces/{track.id}/{face.frame}"
    return {
        "t": round(face.time, 3),
        "frame": face.frame,
        "corners": corners,
        "crop": f"{address}.jpg",
        "heat": f"{address}/heat.png" if face.evidence.heatmap else None,
    }


def evidence_of(report: Report, track_id: int, frame: int) -> FaceReport | None:
    """The face of this person in this frame, if it was kept as evidence."""
    for track in report.tracks:
        if track.id == track_id:
            return next((f for f in track.faces if f.frame == frame and f.evidence is not None), None)
    return None


def heat_scale(report: Report) -> float:
    """The value (logits) at which colours are strongest: one for the whole report."""
    return scale_of(face for track in report.tracks for face in track.faces)


def heat_png(report: Report, face: FaceReport) -> bytes | None:
    """A face's heatmap as a transparent PNG to lay over its crop; None where the model gave none."""
    colours = heat(face, heat_scale(report), HEAT_SIDE)
    if colours is None:
        return None
    _, png = cv2.imencode(".png", cv2.cvtColor(colours, cv2.COLOR_RGBA2BGRA))
    return png.tobytes()
