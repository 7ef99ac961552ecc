"""Figures as a reader wants them: a table to read, a table to compute with."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import polars as pl

from unmask.evaluation.figures import FULL, MEDIUM, Line
from unmask.evaluation.figures import lines as lines_of
from unmask.evaluation.table import Scores, write_scores
from unmask.figures.estimate import Estimate
from unmask.figures.summary import Summary
from unmask.report.atomic import write

ABSENT = "–"

COLUMNS = (
    "model", "level", "kind", "by", "group", "against_all", "files", "judged", "coverage", "unsure",
    "real_called_fake",
)  # fmt: skip

HEADINGS = (
    "model", "set", "real", "fake", "judged", "AUC", "EER", "TPR at 1 %", "TPR at 10 %", "accuracy",
    "majority", "balanced", "false alarms", "ECE", "Brier", "UNSURE",
)  # fmt: skip

LEVEL_WORDS = {
    "file": "Files (a photo or video as a whole)",
    "track": "People in videos",
    "frame": "Frames of videos",
    "crop": "Faces one by one",
}


def write_outcome(scores: Scores, folder: Path) -> str:
    """Write scores.parquet, figures.csv and report.md to `folder`; the report's text.

    Raises:
        UnmaskError: they cannot be written.
    """
    plain = list(lines_of(scores))
    degraded = robustness(scores)
    text = to_markdown(plain) + (f"\n{robustness_table(degraded)}" if degraded else "")
    write_scores(scores, folder / "scores.parquet")
    write(folder / "figures.csv", to_csv(plain).encode())
    write(folder / "report.md", text.encode())
    return text


@dataclass(frozen=True, slots=True)
class Robustness:
    """AUC of one model on one kind of media under one degradation, at every severity, against plain media.

    `relative` is the mean of AUC under the degradation over AUC without; what no face was found in any more
    counts in `coverage`, the least share of files judged.
    """

    model: str
    kind: str
    degradation: str
    plain: float
    at: tuple[float, ...]
    coverage: float

    @property
    def relative(self) -> float:
        """The mean AUC under the degradation, as a share of the AUC on plain media."""
        return float(np.mean(self.at)) / self.plain


def robustness(scores: Scores) -> list[Robustness]:
    """What each degradation costs each model on files as a whole."""
    told = []
    states = scores.rows.filter(pl.col("severity") > 0).select("degradation", "severity").unique()
    for degradation in sorted(states["degradation"].unique()):
        severities = sorted(states.filter(pl.col("degradation") == degradation)["severity"].to_list())
        found: dict[tuple[str, str], list[Line]] = {}
        for severity in severities:
            for line in lines_of(
                scores, levels=[MEDIUM], groups=(), degradation=degradation, severity=severity, draws=1
            ):
                found.setdefault((line.model, line.kind), []).append(line)
        for line in lines_of(scores, levels=[MEDIUM], groups=(), draws=1):
            under = found.get((line.model, line.kind), [])
            values = [u.summary.auc.value for u in under if u.summary is not None]
            if line.summary is not None and values:
                least = min(u.coverage for u in under)
                told.append(
                    Robustness(
                        line.model, line.kind, degradation, line.summary.auc.value, tuple(values), least
                    )
                )
    return told


def robustness_table(rows: Sequence[Robustness]) -> str:
    """A table of AUC by severity, and the mean relative AUC of each model."""
    most = max(len(row.at) for row in rows)
    heads = [
        "model",
        "media",
        "degradation",
        "plain",
        *map(str, range(1, most + 1)),
        "relative",
        "least judged",
    ]
    parts = ["### AUC under degradation", "", "| " + " | ".join(heads) + " |"]
    parts.append("| --- | --- | --- |" + " ---: |" * (len(heads) - 3))
    for row in rows:
        shown = [f"{value:.3f}" for value in row.at] + [ABSENT] * (most - len(row.at))
        parts.append(
            f"| {row.model} | {row.kind}s | {row.degradation} | {row.plain:.3f} | {' | '.join(shown)} "
            f"| {row.relative:.3f} | {share(row.coverage)} |"
        )
    parts.append("")
    for model in sorted({row.model for row in rows}):
        mean = float(np.mean([row.relative for row in rows if row.model == model]))
        parts.append(f"Mean relative AUC of {model}: {mean:.3f}")
    return "\n".join(parts) + "\n"


def to_csv(lines: Iterable[Line]) -> str:
    """Every figure with its bounds, a row per line; empty where a figure cannot be had."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [f.name for f in fields(Summary)]
    estimates = {f.name for f in fields(Summary) if f.type == "Estimate"}
    heads = [
        part
        for name in names
        for part in ([name, f"{name}_low", f"{name}_high"] if name in estimates else [name])
    ]
    writer.writerow([*COLUMNS, *heads])
    for line in lines:
        row: list[object] = [getattr(line, name) for name in COLUMNS]
        for name in names:
            value = None if line.summary is None else getattr(line.summary, name)
            if isinstance(value, Estimate):
                row += [value.value, value.low, value.high]
            else:
                row += [value] * (3 if name in estimates else 1)
        writer.writerow([_plain(value) for value in row])
    return text.getvalue()


def to_markdown(lines: Sequence[Line]) -> str:
    """A table per level, with 95 % intervals; sets of which too little was judged are marked."""
    parts = []
    for level, words in LEVEL_WORDS.items():
        rows = [line for line in lines if line.level == level]
        if not rows:
            continue
        parts += [f"### {words}", ""]
        parts.append("| " + " | ".join(HEADINGS) + " |")
        parts.append("| --- | --- |" + " ---: |" * (len(HEADINGS) - 2))
        parts += ["| " + " | ".join(cells(line)) + " |" for line in rows]
        parts.append("")
    if any(line.against_all for line in lines):
        parts.append("* A set of one label only, against all media of the other label and the same kind.")
    if any(not line.is_full for line in lines):
        parts.append(
            f"! Less than {FULL:.0%} of the files were judged: the figures do not stand for the whole set."
        )
    return "\n".join(parts).rstrip() + "\n"


def cells(line: Line) -> list[str]:
    """One line of figures as text, in the order of `HEADINGS`."""
    name = f"{line.kind}s: {line.group or 'all'}{' *' if line.against_all else ''}"
    judged = f"{line.judged} of {line.files}{'' if line.is_full else ' !'}"
    told = line.summary
    if told is None:
        return [line.model, name, ABSENT, ABSENT, judged, *[ABSENT] * (len(HEADINGS) - 6), share(line.unsure)]
    return [
        line.model,
        name,
        str(told.real),
        str(told.fake),
        judged,
        number(told.auc),
        percent(told.equal_error_rate),
        percent(told.detection_at_1),
        percent(told.detection_at_10),
        percent(told.accuracy),
        share(told.majority),
        percent(told.balanced_accuracy),
        percent(told.false_alarm_rate),
        number(told.calibration_error),
        number(told.brier),
        share(line.unsure),
    ]


def number(estimate: Estimate) -> str:
    """`0.912 [0.88, 0.94]`; a dash where there is none, no brackets where there is no interval."""
    if math.isnan(estimate.value):
        return ABSENT
    if math.isnan(estimate.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def percent(estimate: Estimate) -> str:
    """`91.2 [88.0, 94.1] %`."""
    if math.isnan(estimate.value):
        return ABSENT
    if math.isnan(estimate.low):
        return f"{100 * estimate.value:.1f} %"
    return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}] %"


def share(value: float) -> str:
    """`12.0 %`."""
    return ABSENT if math.isnan(value) else f"{100 * value:.1f} %"


def _plain(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else value
