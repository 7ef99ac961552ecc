"""From a score file to figures: by level, by kind of medium, and by group, with the coverage beside each."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from unmask.evaluation.table import FACE, FILE, TRACK, Scores
from unmask.figures.sources import DRAWS
from unmask.figures.summary import Summary, summarise
from unmask.types import Verdict

CROP, FRAME, PERSON, MEDIUM = "crop", "frame", "track", "file"
LEVELS = (MEDIUM, PERSON, FRAME, CROP)
"""What is counted as one: a whole photo or video (who is most likely fake decides), a person in it, a frame
(its most likely fake face), a face in a frame."""

GROUPS = ("dataset", "method", "size", "compression")
"""What figures are broken down by."""

FULL = 0.99
"""Coverage under which a figure is marked: what was not judged might have gone either way."""

SIZES = (64, 128, 256)
"""Pixels of the longer side of a face between which face sizes are told apart."""

UNKNOWN = -1
"""Stands for the class of a face whose size is not known."""

FEWEST = 2
"""Units of each label under which a group gives no line of its own."""


@dataclass(frozen=True, slots=True)
class Line:
    """The figures of one model on one set at one level.

    `group` is a value of `by` ("" for everything). Groups of one label are compared with all media of the
    other label and the same kind (`against_all`). `files` were there, `judged` of them got a probability,
    and `coverage` is their share; of a group by size it is that of the whole set, since what was not judged
    has no size. `unsure` and `real_called_fake` are shares of files, the latter of the judged reals.
    """

    model: str
    level: str
    kind: str
    by: str
    group: str
    against_all: bool
    files: int
    judged: int
    coverage: float
    unsure: float
    real_called_fake: float
    summary: Summary | None

    @property
    def is_full(self) -> bool:
        """True where so much was judged that the figures can stand for all."""
        return self.coverage >= FULL


def lines(
    scores: Scores,
    *,
    levels: Sequence[str] = LEVELS,
    groups: Sequence[str] = GROUPS,
    draws: int = DRAWS,
    seed: int = 0,
    degradation: str = "",
    severity: int = 0,
) -> Iterator[Line]:
    """The figures of every model on the media in one state, everything first and then group by group."""
    state = (pl.col("degradation") == degradation) & (pl.col("severity") == severity)
    for model in scores.models:
        of_model = scores.rows.lazy().filter(state & (pl.col("model") == model.name))
        for kind in sorted(of_model.select("kind").unique().collect()["kind"]):
            of_kind = of_model.filter(pl.col("kind") == kind)
            files = _Files(of_kind.filter(pl.col("level") == FILE).collect())
            for level in levels:
                if kind == "image" and level in (FRAME, PERSON):
                    continue
                texts = {by: files.values(by) for by in groups if by != "size"}
                units = _Units.of(units_of(of_kind, level), texts)
                parts = [(by, value) for by in groups for value in files.values(by)]
                for by, value in [("", ""), *parts]:
                    known, part = files.chosen(by, value), units.chosen(by, value)
                    labels = np.unique(files.fake[known])
                    compared = part
                    if by and len(labels) == 1:
                        if by == "size":
                            continue
                        compared = part | (units.fake != labels[0])
                    asked = files.chosen("", "") if by == "size" else known
                    enough = part.any() and compared.sum() >= FEWEST
                    yield Line(
                        model=model.name,
                        level=level,
                        kind=kind,
                        by=by,
                        group=value,
                        against_all=bool(compared.sum() > part.sum()),
                        files=int(known.sum()),
                        judged=int((known & files.judged).sum()),
                        coverage=_share(files.judged[asked]),
                        unsure=_share(files.verdict[known] == Verdict.UNSURE.value),
                        real_called_fake=_share(
                            files.verdict[known & files.judged & ~files.fake] == Verdict.FAKE.value
                        ),
                        summary=units.summary(compared, model.fake_above, draws, seed) if enough else None,
                    )


def units_of(rows: pl.LazyFrame, level: str) -> pl.LazyFrame:
    """One row per unit of this level that was judged, with its probability and all that is known of its
    file."""
    judged = pl.col("probability").is_not_null()
    if level in (MEDIUM, PERSON):
        return rows.filter((pl.col("level") == (FILE if level == MEDIUM else TRACK)) & judged)
    faces = rows.filter((pl.col("level") == FACE) & judged)
    if level == CROP:
        return faces
    known = ("fake", "source", *(by for by in GROUPS if by != "size"))
    return faces.group_by("file", "frame").agg(
        pl.col("probability").max(), pl.col("size").median(), *(pl.col(name).first() for name in known)
    )


def size_class(size: float | None) -> str:
    """The class of a face's size in pixels, as a group is called; "" where it is not known."""
    if size is None or math.isnan(size):
        return ""
    return SIZE_CLASSES[int(np.searchsorted(SIZES, size))]


SIZE_CLASSES = (
    f"under {SIZES[0]} px",
    *(f"{low} to {high} px" for low, high in itertools.pairwise(SIZES)),
    f"over {SIZES[-1]} px",
)


class _Files:
    """The files of one kind, judged or not, by column."""

    def __init__(self, files: pl.DataFrame) -> None:
        self.table = files
        self.fake = files["fake"].to_numpy()
        self.judged = files["probability"].is_not_null().to_numpy()
        self.verdict = files["verdict"].to_numpy()
        self.size = np.array([size_class(size) for size in files["size"]], dtype=str)

    def values(self, by: str) -> list[str]:
        """The groups there are, those of size from small to large."""
        if by == "size":
            return [name for name in SIZE_CLASSES if (self.size == name).any()]
        return sorted(value for value in self.table[by].unique() if value)

    def chosen(self, by: str, value: str) -> NDArray[np.bool_]:
        """Which files are of a group."""
        if not by:
            return np.ones(len(self.table), dtype=bool)
        return self.size == value if by == "size" else (self.table[by] == value).to_numpy()


class _Units:
    """What is judged at one level, as plain columns; texts as numbers, so that millions of rows stay
    small."""

    def __init__(self, table: pl.DataFrame, groups: Mapping[str, Sequence[str]]) -> None:
        self.fake = table["fake"].to_numpy()
        self.p = table["probability"].to_numpy()
        self.source = table["source"].to_physical().to_numpy().astype(np.int64)
        size = table["size"].fill_null(math.nan).to_numpy()
        self.size = np.where(np.isnan(size), UNKNOWN, np.searchsorted(SIZES, size)).astype(np.int8)
        self.groups = {by: (names, table[by].to_physical().to_numpy()) for by, names in groups.items()}

    @classmethod
    def of(cls, units: pl.LazyFrame, groups: Mapping[str, Sequence[str]]) -> _Units:
        """The units as columns; `groups` are the values that there are of each."""
        named = [pl.col(by).cast(pl.Enum([*names, ""])) for by, names in groups.items()]
        # Numbered in the order of their names, so that the same scores give the same draws.
        sources = units.select(pl.col("source").unique().sort()).collect()["source"]
        source = pl.col("source").cast(pl.Enum(sources))
        return cls(units.select("fake", "probability", "size", source, *named).collect(), groups)

    def chosen(self, by: str, value: str) -> NDArray[np.bool_]:
        """Which units are of a group."""
        if not by:
            return np.ones(len(self.p), dtype=bool)
        if by == "size":
            return np.asarray(self.size == SIZE_CLASSES.index(value), dtype=bool)
        names, numbers = self.groups[by]
        return np.asarray(numbers == names.index(value), dtype=bool)

    def summary(self, chosen: NDArray[np.bool_], threshold: float, draws: int, seed: int) -> Summary:
        """The figures of these units, resampled by source."""
        fake, p, source = self.fake[chosen], self.p[chosen], self.source[chosen]
        return summarise(fake, p, source, threshold=threshold, draws=draws, seed=seed)


def _share(true: NDArray[np.bool_]) -> float:
    return float(true.mean()) if len(true) else math.nan
