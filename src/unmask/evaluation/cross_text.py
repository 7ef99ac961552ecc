"""The table of `cross` as Markdown, CSV, LaTeX and a page."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from unmask.errors import UnmaskError
from unmask.evaluation.cross import SURE, Cell, Column, Cross, Row
from unmask.evaluation.figures import FULL
from unmask.figures.sources import FEWEST_SOURCES
from unmask.report.atomic import write

ABSENT = "–"

LEVELS = {
    "file": "files",
    "track": "people in videos",
    "frame": "frames of videos",
    "crop": "faces in videos",
}

NOT_FULL, WITHIN, SEEN = "!", "†", "‡"

CSV_HEADS = (
    "trained_on", "model", "model_sha256", "tested_on", "kind", "level", "auc", "auc_low", "auc_high", "real",
    "fake", "files", "judged", "best", "within", "seen", "protocol", "protocol_sha256",
)  # fmt: skip


def save(table: Cross, path: Path) -> None:
    """Write the table to `path`, as its ending says: .md, .csv, .tex or .html.

    Raises:
        UnmaskError: another ending, or the file cannot be written.
    """
    kinds: dict[str, Callable[[Cross], str]] = {
        ".md": markdown, ".csv": plain, ".tex": latex, ".html": page,
    }  # fmt: skip
    make = kinds.get(path.suffix.lower())
    if make is None:
        raise UnmaskError(
            f"{path} has none of the endings {', '.join(kinds)}", hint="the ending says what is written"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, make(table).encode())


@dataclass(frozen=True)
class _Shown:
    """A cell in words: the figure, its interval, the marks, and whether it is the best of its column."""

    value: str
    interval: str
    marks: str
    best: bool


def _shown(cell: Cell | None) -> _Shown:
    if cell is None:
        return _Shown(ABSENT, "", "", False)
    marks = "".join(
        mark
        for mark, there in ((NOT_FULL, not cell.is_full), (WITHIN, cell.within), (SEEN, cell.seen))
        if there
    )
    if cell.auc is None:
        return _Shown(ABSENT, "", marks, False)
    interval = "" if math.isnan(cell.auc.low) else f"[{cell.auc.low:.3f}, {cell.auc.high:.3f}]"
    return _Shown(f"{cell.auc.value:.3f}", interval, marks, cell.best)


def _columns(table: Cross) -> list[str]:
    """The headings behind `trained on` and `model`."""
    average = [f"mean of {len(table.averaged)}"] if table.averaged else []
    return [*map(str, table.columns), *average]


def _cells(table: Cross, row: Row) -> list[_Shown]:
    """A row's cells in the order of `_columns`."""
    shown = [_shown(table.cells.get((row, column))) for column in table.columns]
    if table.averaged:
        mean = table.mean(row)
        shown.append(_Shown(ABSENT if mean is None else f"{mean:.3f}", "", "", False))
    return shown


def notes(table: Cross) -> list[str]:
    """What a reader has to know to read the table."""
    said = [
        f"AUC over {LEVELS[table.level]}; brackets are 95 % intervals by bootstrap over sources.",
    ]
    cells = list(table.cells.values())
    if any(cell.best for cell in cells):
        said.append(
            "Bold: better than every other model in the column that judged it in full, each by DeLong's test "
            f"with sources as clusters, p < {SURE:g}."
        )
    elif len(table.rows) > 1:
        said.append(
            f"No model is better than every other in its column by DeLong's test at p < {SURE:g}, for which "
            f"{FEWEST_SOURCES} sources of each label are needed."
        )
    if any(cell.auc is None for cell in cells):
        said.append(f"{ABSENT} Not measured, or media of one label only.")
    if any(not cell.is_full for cell in cells):
        said.append(f"{NOT_FULL} Less than {FULL:.0%} of the files were judged.")
    if any(cell.within for cell in cells):
        said.append(f"{WITHIN} The model was trained on other media of this data set.")
    if any(cell.seen for cell in cells):
        said.append(f"{SEEN} The model was trained on or chosen by some of these very recordings.")
    strangers = [row.model for row in table.rows if not row.trained_on]
    if strangers:
        said.append(
            f"{ABSENT} before a model: what it was trained on is not known, so it may have seen any of these "
            f"media: {', '.join(strangers)}."
        )
    if table.averaged:
        said.append(f"The mean is over {', '.join(map(str, table.averaged))}.")
    for known in dict.fromkeys(table.protocols.values()):
        columns = ", ".join(str(c) for c in table.columns if table.protocols[c] == known)
        if known is None:
            said.append(f"Without a protocol: {columns}.")
        else:
            said.append(f"Protocol {known[0]}, SHA-256 {known[1]}: {columns}.")
    return said


def markdown(table: Cross) -> str:
    """The table in Markdown, its columns aligned."""
    lines = [["trained on", "model", *_columns(table)]]
    for row in table.rows:
        cells = []
        for shown in _cells(table, row):
            value = f"**{shown.value}**" if shown.best else shown.value
            cells.append(" ".join(part for part in (value + shown.marks, shown.interval) if part))
        lines.append([row.trained_on or ABSENT, row.model, *cells])
    lines = [[_escaped(cell) for cell in line] for line in lines]
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    rules = ["-" * width if n < 2 else "-" * (width - 1) + ":" for n, width in enumerate(widths)]

    def joined(cells: Sequence[str]) -> str:
        aligned = (
            c.ljust(w) if n < 2 else c.rjust(w) for n, (c, w) in enumerate(zip(cells, widths, strict=True))
        )
        return "| " + " | ".join(aligned) + " |"

    text = [joined(lines[0]), joined(rules), *map(joined, lines[1:]), "", *notes(table)]
    return "\n".join(text) + "\n"


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


def plain(table: Cross) -> str:
    """A row per cell with every figure in full, as CSV; empty where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADS)
    for row in table.rows:
        for column in table.columns:
            cell = table.cells.get((row, column))
            if cell is not None:
                writer.writerow(_row(table, row, column, cell))
    return text.getvalue()


def _row(table: Cross, row: Row, column: Column, cell: Cell) -> list[object]:
    auc = (cell.auc.value, cell.auc.low, cell.auc.high) if cell.auc else (math.nan,) * 3
    return [
        row.trained_on,
        row.model,
        row.sha256,
        column.name,
        column.kind,
        table.level,
        *("" if math.isnan(value) else f"{value:.6g}" for value in auc),
        cell.real,
        cell.fake,
        cell.files,
        cell.judged,
        *(int(flag) for flag in (cell.best, cell.within, cell.seen)),
        *(table.protocols[column] or ("", "")),
    ]


TEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "–": "--", "†": r"\textsuperscript{\dag}",
    "‡": r"\textsuperscript{\ddag}", "!": r"\textsuperscript{!}",
}  # fmt: skip


def latex(table: Cross) -> str:
    """A table for a paper; it needs `\\usepackage{booktabs}`."""
    heads = _columns(table)
    tested = len(table.columns)
    lines = [
        "% needs \\usepackage{booktabs}; made by `unmask table`",
        "\\begin{tabular}{ll" + "r" * len(heads) + "}",
        "\\toprule",
        f"& & \\multicolumn{{{tested}}}{{c}}{{tested on}}" + " &" * (len(heads) - tested) + r" \\",
        f"\\cmidrule(lr){{3-{2 + tested}}}",
        " & ".join(["trained on", "model", *map(_tex, heads)]) + r" \\",
        "\\midrule",
    ]
    for row in table.rows:
        cells = []
        for shown in _cells(table, row):
            value = f"\\textbf{{{shown.value}}}" if shown.best else _tex(shown.value)
            interval = f" {{\\scriptsize {shown.interval}}}" if shown.interval else ""
            cells.append(value + _tex(shown.marks) + interval)
        lines.append(" & ".join([_tex(row.trained_on or ABSENT), _tex(row.model), *cells]) + r" \\")
    lines += ["\\bottomrule", "\\end{tabular}", *(f"% {note}" for note in notes(table))]
    return "\n".join(lines) + "\n"


def _tex(text: str) -> str:
    return "".join(TEX.get(letter, letter) for letter in text.replace("\n", " "))


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Trained on, tested on</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5d6672; --line: #d9dee4; --page: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4b0; --line: #343b44;
  --page: #14171b; } }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 90rem; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } li { color: var(--soft); overflow-wrap: anywhere; } ul { padding-left: 1.2rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
thead th { color: var(--soft); font-weight: 600; } .over { text-align: center; }
.text { text-align: left; font-weight: 400; } small { color: var(--soft); display: block; }
</style>
</head>
<body>
<h1>Trained on, tested on</h1>
<div class="scroll" tabindex="0" role="region" aria-label="AUC by model and set"><table>
<thead>
<tr><td colspan="2"></td><th scope="colgroup" class="over" colspan="{{ tested }}">tested on</th>
{%- if heads|length > tested %}<td></td>{% endif %}</tr>
<tr><th scope="col" class="text">trained on</th><th scope="col" class="text">model</th>
{%- for head in heads %}<th scope="col">{{ head }}</th>{% endfor %}</tr>
</thead>
<tbody>
{% for trained, model, cells in rows %}<tr><td class="text">{{ trained }}</td>
<th scope="row" class="text">{{ model }}</th>
{%- for c in cells %}<td>{% if c.best %}<strong>{{ c.value }}</strong>{% else %}{{ c.value }}{% endif %}
{{- c.marks }}
{%- if c.interval %}<small>{{ c.interval }}</small>{% endif %}</td>{% endfor %}</tr>
{% endfor %}</tbody>
</table></div>
<ul>{% for note in notes %}<li>{{ note }}</li>
{% endfor %}</ul>
</body>
</html>
"""


def page(table: Cross) -> str:
    """The table as a page that loads nothing."""
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
    return template.render(
        heads=_columns(table),
        tested=len(table.columns),
        rows=[(row.trained_on or ABSENT, row.model, _cells(table, row)) for row in table.rows],
        notes=notes(table),
    )
