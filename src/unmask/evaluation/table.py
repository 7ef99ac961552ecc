"""The score file: everything that was measured, one row a face, a track and a file, from which every figure
can be made again.

A file is known by its full identity, `dataset/path`, never by its bare name. What could not be judged is
there as well, with the reason as its verdict and no probability: it counts in coverage.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from unmask.errors import DataError
from unmask.report.atomic import replacing
from unmask.types import Report, Verdict

FORMAT = "unmask-scores/1"
FORMAT_KEY, MODELS_KEY, SETTING_KEY = "unmask.format", "unmask.models", "unmask.protocol"

FACE, TRACK, FILE = "face", "track", "file"
"""The levels that rows are of."""

NOT_SCORED = "NOT_SCORED"
"""Stands for the verdict on a file that others' scores leave out without a reason."""

SCHEMA = pl.Schema(
    {
        "model": pl.String(),
        "level": pl.Enum([FACE, TRACK, FILE]),
        "file": pl.String(),
        "kind": pl.String(),
        "fake": pl.Boolean(),
        "dataset": pl.String(),
        "method": pl.String(),
        "source": pl.String(),
        "compression": pl.String(),
        "degradation": pl.String(),
        "severity": pl.Int8(),
        "track": pl.Int32(),
        "frame": pl.Int64(),
        "time": pl.Float64(),
        "size": pl.Float32(),
        "verdict": pl.String(),
        "probability": pl.Float64(),
    }
)
"""Every column. `size` is a face's longer side in pixels (of a track or a file: the median of its judged
faces); texts that are not known are empty."""


OF_A_FILE = ["file", "kind", "fake", "dataset", "method", "source", "compression", "degradation", "severity"]
"""The columns that are alike in all rows of a file in one state."""


@dataclass(frozen=True, slots=True)
class Medium:
    """A labelled file that is measured: where it lies, and what is known of it. `id` is `dataset/path`.

    `recordings` are the recordings in it as other tables name them, too: its own and, of a swap, the donor's.
    """

    path: Path
    id: str
    fake: bool
    kind: str
    dataset: str
    method: str = ""
    source: str = ""
    compression: str = ""
    recordings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """Who judged: the model's name as shown, its file's hash, and the probabilities at which its verdicts
    begin."""

    name: str
    sha256: str = ""
    fake_above: float = 0.5
    real_below: float = 0.5


@dataclass(frozen=True, slots=True)
class Setting:
    """Under which protocol scores were made (docs/protocols.md), and on which of its sets.

    `data_sha256` is over the files' names and labels. By a model's name: `trained_on` the data sets it was
    trained on, where its file says so; `seen` how many of the set's recordings it was trained on or chosen
    by; `within` are the models that were trained on other media of the set's data sets.
    """

    protocol: str
    sha256: str
    part: str
    role: str
    data_sha256: str
    draws: int
    seed: int
    trained_on: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scores:
    """A score file in memory; `setting` is None where no protocol was followed."""

    rows: pl.DataFrame
    models: tuple[JudgedBy, ...]
    setting: Setting | None = None

    def model(self, name: str) -> JudgedBy:
        """The model of this name. Raises `DataError` where it is not in the table."""
        for model in self.models:
            if model.name == name:
                return model
        raise DataError(f"no scores of {name!r}", hint="known: " + ", ".join(m.name for m in self.models))


def labelled(
    model: str,
    medium: Medium,
    found: Iterable[Mapping[str, Any]],
    *,
    degradation: str = "",
    severity: int = 0,
) -> list[dict[str, Any]]:
    """The rows of what was `found` in a medium: with the label and all else that is known of it."""
    common = {
        "model": model,
        "file": medium.id,
        "kind": medium.kind,
        "fake": medium.fake,
        "dataset": medium.dataset,
        "method": medium.method,
        "source": medium.source or medium.id,
        "compression": medium.compression,
        "degradation": degradation,
        "severity": severity,
    }
    return [common | dict(row) for row in found]


def found_in(report: Report) -> list[dict[str, Any]]:
    """What a report says of its faces, tracks and file, a row each, with nothing of what is known besides."""
    rows: list[dict[str, Any]] = []
    all_sizes: list[float] = []
    for track in report.tracks:
        sizes = [face.size for face in track.judged]
        all_sizes += sizes
        rows += [
            {
                "level": FACE,
                "track": track.id,
                "frame": face.frame,
                "time": face.time,
                "size": face.size,
                "verdict": face.verdict.value,
                "probability": face.probability,
            }
            for face in track.faces
        ]
        rows.append(
            {
                "level": TRACK,
                "track": track.id,
                "size": _middle(sizes),
                "verdict": track.verdict.value,
                "probability": track.probability,
            }
        )
    last = {"level": FILE, "size": _middle(all_sizes)}
    rows.append(last | {"verdict": report.verdict.value, "probability": report.probability})
    return rows


def table(rows: Iterable[Mapping[str, Any]], models: Iterable[JudgedBy]) -> Scores:
    """A checked score table of rows; columns that are missing are empty.

    Raises:
        DataError: as `check`.
    """
    frame = pl.DataFrame(list(rows), schema=SCHEMA) if rows else pl.DataFrame(schema=SCHEMA)
    return check(Scores(frame, tuple(models)))


def check(scores: Scores) -> Scores:
    """`scores`, if they can be believed.

    Raises:
        DataError: a probability that is not a number from 0 to 1; one with a reason as verdict, or a
        judgement
            without one; a file given twice; a file with two labels; rows of a model that is not named.
    """
    rows = scores.rows
    p = pl.col("probability")
    wrong = rows.filter(p.is_not_null() & (p.is_nan() | (p < 0) | (p > 1)))
    if len(wrong):
        raise DataError(
            f"{wrong['file'][0]}: P(fake) is {wrong['probability'][0]}", hint="it must lie in [0, 1]"
        )
    judged = [verdict.value for verdict in Verdict if verdict.is_judgement]
    unclear = rows.filter(pl.col("verdict").is_in(judged) == p.is_null())
    if len(unclear):
        first = unclear.row(0, named=True)
        raise DataError(
            f"{first['file']}: verdict {first['verdict']} with P(fake) {first['probability']}",
            hint="a reason has no probability, and a judgement has one",
        )
    files = rows.filter(pl.col("level") == FILE)
    again = files.filter(files.select("model", "file", "degradation", "severity").is_duplicated())
    if len(again):
        raise DataError(
            f"{again['file'][0]} is there twice",
            hint="name files by data set and full path, not by bare name",
        )
    labels = rows.group_by("file").agg(pl.col("fake").n_unique().alias("labels")).filter(pl.col("labels") > 1)
    if len(labels):
        raise DataError(f"{labels['file'][0]} is both real and fake", hint="two files share a name")
    unknown = set(rows["model"].unique()) - {model.name for model in scores.models}
    if unknown:
        raise DataError(f"scores of {sorted(unknown)[0]!r}, which is not among the models")
    return scores


def write_scores(scores: Scores, path: Path) -> Path:
    """Write the score file (Parquet), whole or not at all.

    Raises:
        UnmaskError: it cannot be written.
    """
    told = {FORMAT_KEY: FORMAT, MODELS_KEY: json.dumps([asdict(model) for model in scores.models])}
    if scores.setting is not None:
        told[SETTING_KEY] = json.dumps(asdict(scores.setting))
    with replacing(path) as temporary:
        scores.rows.write_parquet(temporary, metadata=told)
    return path


def read_scores(path: Path) -> Scores:
    """The score file at `path`.

    Raises:
        DataError: it cannot be read, is none, or cannot be believed (`check`).
    """
    try:
        told = pl.read_parquet_metadata(path)
        if told.get(FORMAT_KEY) != FORMAT:
            raise DataError(f"{path} is no score file", hint="`unmask evaluate --out` writes one")
        rows = pl.read_parquet(path).select(SCHEMA.names()).cast(SCHEMA)
        models = tuple(JudgedBy(**model) for model in json.loads(told[MODELS_KEY]))
        setting = msgspec.json.decode(told[SETTING_KEY], type=Setting) if SETTING_KEY in told else None
    except (OSError, pl.exceptions.PolarsError, msgspec.MsgspecError, ValueError, TypeError) as error:
        raise DataError(f"{path} cannot be read as scores: {error}") from error
    return check(Scores(rows, models, setting))


def _middle(values: list[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None
