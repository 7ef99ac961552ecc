"""Measure models on labelled media by scanning them as a user would."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from unmask.errors import DataError
from unmask.figures.scores import auc_estimate
from unmask.many import scan_many
from unmask.options import ScanOptions
from unmask.types import Report, Verdict


@dataclass(frozen=True, slots=True)
class Labelled:
    """A media file with its label and where it comes from."""

    path: Path
    fake: bool
    kind: str
    dataset: str


def read_table(table: Path) -> list[Labelled]:
    """The rows of a CSV with the columns `file, label, kind, dataset`.

    Raises:
        DataError: the table cannot be read, lacks a column, or holds no rows.
    """
    try:
        with table.open(newline="", encoding="utf-8") as lines:
            rows = list(csv.DictReader(lines))
    except OSError as error:
        raise DataError(f"{table} cannot be read: {error.strerror}") from error
    if not rows or not {"file", "label", "kind", "dataset"} <= set(rows[0]):
        raise DataError(f"{table} needs rows with the columns file, label, kind, dataset")
    folder = table.with_suffix("")
    return [Labelled(folder / r["file"], r["label"] == "fake", r["kind"], r["dataset"]) for r in rows]


def evaluate(
    models: Sequence[str], table: Path, out: Path | None, progress: Callable[[int, int], None]
) -> str:
    """A Markdown table of AUC with 95 % interval, coverage and verdicts, by kind and by data set.

    A data set with one label only is compared with all media of the other label and the same kind.
    """
    media = read_table(table)
    options = ScanOptions(model=tuple(models), evidence=0)
    reports = []
    for report in scan_many([entry.path for entry in media], options):
        reports.append(report)
        progress(len(reports), len(media))
    if out is not None:
        _write_scores(out, media, reports)
    lines = [
        "| kind | data set | real | fake | judged | AUC [95 %] | real → FAKE | fake → REAL | UNSURE |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    pairs = list(zip(media, reports, strict=True))
    for kind in sorted({entry.kind for entry in media}):
        of_kind = [pair for pair in pairs if pair[0].kind == kind]
        lines.append(_row(kind, "all", of_kind, of_kind))
        for dataset in sorted({entry.dataset for entry, _ in of_kind}):
            chosen = [pair for pair in of_kind if pair[0].dataset == dataset]
            lines.append(_row(kind, dataset, chosen, of_kind))
    return "\n".join(lines)


Pair = tuple[Labelled, Report]


def _row(kind: str, dataset: str, chosen: Sequence[Pair], of_kind: Sequence[Pair]) -> str:
    labels = {entry.fake for entry, _ in chosen}
    compared = list(chosen)
    mark = ""
    if len(labels) == 1:
        compared += [pair for pair in of_kind if pair[0].fake not in labels]
        mark = " (against all of the other label)"
    judged = [pair for pair in compared if pair[1].probability is not None]
    fakes = [entry.fake for entry, _ in judged]
    figure = "-"
    if len(set(fakes)) == 2:
        scores = [report.probability or 0.0 for _, report in judged]
        figure = str(auc_estimate(fakes, scores, [str(entry.path) for entry, _ in judged])) + mark
    real = [report.verdict for entry, report in chosen if not entry.fake]
    fake = [report.verdict for entry, report in chosen if entry.fake]
    everyone = [*real, *fake]
    seen = sum(verdict.is_judgement for verdict in everyone)
    return (
        f"| {kind} | {dataset} | {len(real)} | {len(fake)} | {seen} of {len(everyone)} | {figure} | "
        f"{_share(real, Verdict.FAKE)} | {_share(fake, Verdict.REAL)} | {_share(everyone, Verdict.UNSURE)} |"
    )


def _share(verdicts: Sequence[Verdict], wanted: Verdict) -> str:
    return f"{sum(v is wanted for v in verdicts)} of {len(verdicts)}" if verdicts else "-"


def _write_scores(path: Path, media: Sequence[Labelled], reports: Sequence[Report]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "kind", "dataset", "verdict", "probability"])
        for entry, report in zip(media, reports, strict=True):
            shown = "" if report.probability is None else f"{report.probability:.6f}"
            label = "fake" if entry.fake else "real"
            name = f"{entry.path.parent.name}/{entry.path.name}"
            writer.writerow([name, label, entry.kind, entry.dataset, report.verdict.value, shown])
