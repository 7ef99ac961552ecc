"""Scores as a protocol's own rule makes them: one face per frame, and a file's score from its frames'.

A scan follows the model's card: faces are gathered by person, and the person most likely to be fake decides.
Most published figures follow a simpler rule; from the rows of faces that every score file holds it can be had
without scanning again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from unmask.evaluation.protocol import BY_CARD, Scoring
from unmask.evaluation.table import FACE, FILE, SCHEMA, Medium, Scores, check
from unmask.types import Band

OF_ONE_FILE = ["model", "file", "degradation", "severity"]

WAYS = {
    "mean": pl.col("probability").mean(),
    "median": pl.col("probability").median(),
    "max": pl.col("probability").max(),
}


def rescored(
    scores: Scores, scoring: Scoring, recordings: Mapping[str, Sequence[Medium]] | None = None
) -> Scores:
    """`scores` with the rows of one face per frame, and files judged by those; as they are where the card
    decides. With `recordings` (name → pictures in order) each is one file whose frames are the pictures.

    What judges files without telling of faces keeps its own scores; a file that was not judged keeps its
    reason.
    """
    if scoring.file == BY_CARD:
        return scores
    names = SCHEMA.names()
    rows = scores.rows if recordings is None else _joined(scores.rows, recordings)
    order = ["size", "probability"] if scoring.frame == "largest" else ["probability", "size"]
    judged = pl.col("probability").is_not_null()
    faces = (
        rows.filter((pl.col("level") == FACE) & judged)
        .sort([*OF_ONE_FILE, "frame", *order], descending=[False] * 5 + [True] * 2)
        .group_by([*OF_ONE_FILE, "frame"], maintain_order=True)
        .first()
        .select(names)
    )
    files = rows.filter(pl.col("level") == FILE)
    without_faces = files.filter(judged).join(faces, on=OF_ONE_FILE, how="anti")
    told = (
        pl.concat([faces, without_faces.select(names)])
        .group_by(OF_ONE_FILE)
        .agg(WAYS[scoring.file].alias("p"), pl.col("size").median().cast(pl.Float32).alias("middle"))
    )
    files = (
        # What was judged comes first, so that a recording has a frame's reason only where all have one.
        files.sort(~judged, maintain_order=True)
        .group_by(OF_ONE_FILE, maintain_order=True)
        .first()
        .join(told, on=OF_ONE_FILE, how="left", maintain_order="left")
        .with_columns(probability=pl.col("p"), size=pl.col("middle"))
    )
    files = files.with_columns(verdict=_verdicts(files, scores)).select(names)
    return check(Scores(pl.concat([faces, files]), scores.models, scores.setting))


def _joined(rows: pl.DataFrame, recordings: Mapping[str, Sequence[Medium]]) -> pl.DataFrame:
    """The rows of pictures as those of the recordings that they are frames of."""
    places = pl.DataFrame(
        [(frame.id, name, at) for name, frames in recordings.items() for at, frame in enumerate(frames)],
        schema={"file": pl.String, "recording": pl.String, "at": pl.Int64},
        orient="row",
    )
    as_video = {"file": pl.col("recording"), "frame": pl.col("at"), "kind": pl.lit("video")}
    return (
        rows.join(places, on="file", how="inner", maintain_order="left")
        .with_columns(**as_video, time=pl.lit(None, pl.Float64))
        .select(rows.columns)
    )


def _verdicts(files: pl.DataFrame, scores: Scores) -> pl.Series:
    """The verdict of each file by its model's band; the reason it has where it was not judged."""
    bands = {m.name: Band(m.real_below, m.fake_above, 0.0, 0.0) for m in scores.models}
    told = [
        was if p is None else bands[model].verdict(p).value
        for model, p, was in files.select("model", "probability", "verdict").iter_rows()
    ]
    return pl.Series("verdict", told, dtype=pl.String)
