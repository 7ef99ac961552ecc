"""Figures as tables: Markdown for a reader, CSV for a program."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import fields

from unmask.evaluation.figures import FULL, Line
from unmask.figures.estimate import Estimate
from unmask.figures.summary import Summary
from unmask.report.names import visible

ABSENT = "–"

COLUMNS = (
    "model", "level", "kind", "by", "group", "against_all", "files", "judged", "coverage", "unsure",
    "real_called_fake",
)  # fmt: skip

HEADINGS = (
    "model", "set", "real", "fake", "judged", "AUC", "AP", "EER", "TPR at 1 %", "TPR at 10 %", "accuracy",
    "majority", "balanced", "false alarms", "ECE", "Brier", "log loss", "UNSURE",
)  # fmt: skip

LEVEL_WORDS = {
    "file": "Files (a photo or video as a whole)",
    "track": "People in videos",
    "frame": "Frames of videos",
    "crop": "Faces one by one",
}

AGAINST_ALL = "A set of one label only, against all media of the other label and the same kind."
NOT_FULL = f"Less than {FULL:.0%} of the files were judged: the figures do not stand for the whole set."


def to_csv(lines: Iterable[Line]) -> str:
    """Every figure with its bounds, a row per line; empty where a figure cannot be had."""
    names = [f.name for f in fields(Summary)]
    estimates = {f.name for f in fields(Summary) if f.type == "Estimate"}
    heads = [
        part
        for name in names
        for part in ([name, f"{name}_low", f"{name}_high"] if name in estimates else [name])
    ]
    rows = []
    for line in lines:
        row: list[object] = [getattr(line, name) for name in COLUMNS]
        for name in names:
            value = None if line.summary is None else getattr(line.summary, name)
            if isinstance(value, Estimate):
                row += [value.value, value.low, value.high]
            else:
                row += [value] * (3 if name in estimates else 1)
        rows.append(row)
    return csv_of([*COLUMNS, *heads], rows)


def to_markdown(lines: Sequence[Line]) -> str:
    """A table per level, with 95 % intervals; sets of which too little was judged are marked."""
    parts = []
    for level, words in LEVEL_WORDS.items():
        rows = [line for line in lines if line.level == level]
        if rows:
            parts += [f"### {words}", "", *markdown_table(HEADINGS, map(cells, rows), words=2), ""]
    if any(line.against_all for line in lines):
        parts.append(f"* {AGAINST_ALL}")
    if any(not line.is_full for line in lines):
        parts.append(f"! {NOT_FULL}")
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
        number(told.average_precision),
        percent(told.equal_error_rate),
        percent(told.detection_at_1),
        percent(told.detection_at_10),
        percent(told.accuracy),
        share(told.majority),
        percent(told.balanced_accuracy),
        percent(told.false_alarm_rate),
        number(told.calibration_error),
        number(told.brier),
        number(told.log_loss),
        share(line.unsure),
    ]


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, words: int) -> list[str]:
    """The lines of a table whose first `words` columns are text and whose others are figures."""
    return [
        "| " + " | ".join(heads) + " |",
        "| " + "--- | " * words + "---: | " * (len(heads) - words - 1) + "---: |",
        *("| " + " | ".join(map(cell, row)) + " |" for row in rows),
    ]


def cell(text: str) -> str:
    """Text that breaks no table, and shows what it holds."""
    return visible(text).replace("\\", "\\\\").replace("|", "\\|")


def csv_of(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV table; figures in six digits, nothing where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([_plain(value) for value in row] for row in rows)
    return text.getvalue()


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


def difference(estimate: Estimate, *, points: bool = False) -> str:
    """`+0.021 [−0.010, +0.050]`, or in percentage points."""
    if math.isnan(estimate.value):
        return ABSENT
    value, low, high = (signed(x, points=points) for x in (estimate.value, estimate.low, estimate.high))
    return value if math.isnan(estimate.low) else f"{value} [{low}, {high}]"


def signed(value: float, *, points: bool = False) -> str:
    """A difference with its sign, in thousandths or in tenths of a percentage point; 0 has none."""
    text = f"{100 * value:+.1f}" if points else f"{value:+.3f}"
    return text[1:] if not float(text) else text.replace("-", "−")


def share(value: float) -> str:
    """`12.0 %`."""
    return ABSENT if math.isnan(value) else f"{100 * value:.1f} %"


def chance(p_value: float) -> str:
    """A p-value in three digits; `<0.001` below, a dash where there is none."""
    if math.isnan(p_value):
        return ABSENT
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _plain(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return "" if value is None else value
