"""One table over training runs, as Markdown or CSV; `compare_page` makes the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unmask.errors import DataError, UnmaskError
from unmask.report.atomic import write
from unmask.training.result import RESULT_FILE, RunResult, SplitFigures, read_result

CHOSEN_BY = "val"
"""The split by whose AUC runs are put in order."""

ABSENT = "-"

HEADINGS = (
    "name", "network", "protocol", "parameters", "MACs", "ms/face", "steps", "epochs", "minutes",
    "train", "val", "majority", "accuracy", "balanced", "AUC", "EER", "F1 real", "F1 fake",
)  # fmt: skip

TEXT_COLUMNS = 3
"""The first columns are words, the others figures."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run with the folder it was found in, relative to the one that was searched."""

    folder: Path
    result: RunResult


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs, best first, and what was said of the files that are not runs of this version."""

    runs: tuple[Run, ...]
    skipped: tuple[str, ...]


def find_runs(folder: Path) -> Runs:
    """All runs in `folder` and its subfolders, by AUC on `val`; those without one come last.

    Raises:
        DataError: there is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}", hint="give the folder that holds your runs")
    runs, skipped = [], []
    for path in sorted(folder.rglob(RESULT_FILE)):
        try:
            runs.append(Run(path.parent.relative_to(folder), read_result(path)))
        except DataError as error:
            skipped.append(error.message)
    if not runs:
        notes = "".join(f"\n  {note}" for note in skipped)
        raise DataError(
            f"no training run of this version in {folder}{notes}", hint="`unmask train` leaves one per recipe"
        )
    return Runs(tuple(sorted(runs, key=_order)), tuple(skipped))


def _order(run: Run) -> tuple[float, str, str]:
    figures = run.result.on(CHOSEN_BY)
    return (-figures.auc if figures else 1.0, run.result.name, str(run.folder))


def splits_of(runs: Sequence[Run]) -> list[str]:
    """The splits that any run was measured on besides `val`, in the order they first appear."""
    names = (figures.split for run in runs for figures in run.result.figures)
    return [name for name in dict.fromkeys(names) if name != CHOSEN_BY]


def headings(runs: Sequence[Run]) -> list[str]:
    """The headings of `row`."""
    return [*HEADINGS, *(f"{kind} {split}" for split in splits_of(runs) for kind in ("accuracy", "AUC"))]


def row(run: Run, others: Sequence[str]) -> list[str]:
    """A run's cells as people read them; accuracy and AUC also on the splits named in `others`."""
    result = run.result
    figures = result.on(CHOSEN_BY)
    cells = [
        result.name,
        result.network,
        result.protocol,
        count(result.parameters),
        count(result.macs),
        ABSENT if result.ms_per_face is None else f"{result.ms_per_face:.2f}",
        str(result.steps),
        f"{result.epochs:.1f}",
        f"{result.seconds / 60:.1f}",
        str(result.train_size),
        str(result.val_size),
        f"{figures.majority if figures else result.val_majority:.4f}",
    ]
    if figures:
        cells += [
            interval(figures.accuracy, figures.accuracy_low, figures.accuracy_high),
            f"{figures.balanced_accuracy:.4f}",
            interval(figures.auc, figures.auc_low, figures.auc_high),
            *(f"{value:.4f}" for value in (figures.eer, figures.real.f1, figures.fake.f1)),
        ]
    else:
        cells += [ABSENT] * (len(HEADINGS) - len(cells))
    for split in others:
        of_split = result.on(split)
        if of_split is None:
            cells += [ABSENT, ABSENT]
            continue
        cells.append(interval(of_split.accuracy, of_split.accuracy_low, of_split.accuracy_high))
        cells.append(interval(of_split.auc, of_split.auc_low, of_split.auc_high))
    return cells


def interval(value: float, low: float, high: float) -> str:
    """A figure with its interval."""
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"


def count(number: int | None) -> str:
    """A large count in thousands (k), millions (M) or thousand millions (G)."""
    if number is None:
        return ABSENT
    for size, unit in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if number >= size:
            return f"{number / size:.2f}{unit}"
    return str(number)


def save(runs: Sequence[Run], path: Path) -> None:
    """Write the table to `path`, as its ending says: .md, .csv or .html.

    Raises:
        UnmaskError: another ending, or the file cannot be written.
    """
    from unmask.training.compare_page import page

    kinds = {".md": markdown, ".csv": table, ".html": page}
    if path.suffix.lower() not in kinds:
        raise UnmaskError(
            f"{path} has none of the endings {', '.join(kinds)}", hint="the ending says what is written"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, kinds[path.suffix.lower()](runs).encode())


def markdown(runs: Sequence[Run]) -> str:
    """The table in Markdown, its columns aligned."""
    others = splits_of(runs)
    lines = [
        [_escaped(cell) for cell in cells] for cells in (headings(runs), *(row(r, others) for r in runs))
    ]
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.ljust(width) if n < TEXT_COLUMNS else cell.rjust(width)
            for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join(aligned) + " |"

    rules = ["-" * w if n < TEXT_COLUMNS else "-" * (w - 1) + ":" for n, w in enumerate(widths)]
    return "\n".join([line(lines[0]), line(rules), *(line(cells) for cells in lines[1:])]) + "\n"


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def table(runs: Sequence[Run]) -> str:
    """Every field of every run as CSV, figures in full; those of a split are named `split.figure`."""
    rows = [flat(run) for run in runs]
    names = list(dict.fromkeys(name for cells in rows for name in cells))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, restval=ABSENT, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def flat(run: Run) -> dict[str, Any]:
    """A run's fields by name, without nesting."""
    facts = asdict(run.result)
    del facts["figures"], facts["format"]
    cells = {"folder": str(run.folder)}
    cells |= {name: ABSENT if value is None else value for name, value in facts.items()}
    for figures in run.result.figures:
        cells |= {f"{figures.split}.{name}": value for name, value in _flat_figures(figures).items()}
    return cells


def _flat_figures(figures: SplitFigures) -> dict[str, Any]:
    values = asdict(figures)
    del values["split"]
    by_class = {label: values.pop(label) for label in ("real", "fake")}
    counts = dict(zip(("tn", "fp", "fn", "tp"), values.pop("confusion"), strict=True))
    nested = {f"{label}.{name}": value for label, part in by_class.items() for name, value in part.items()}
    return values | nested | counts
