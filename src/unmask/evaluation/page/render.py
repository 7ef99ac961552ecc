"""An outcome as one page that needs nothing but itself: no network, no script, no second file."""

from __future__ import annotations

import base64
import functools
import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from unmask.evaluation.coverage import coverage, held, reasons_of
from unmask.evaluation.figures import LEVELS, MEDIUM, Line
from unmask.evaluation.judged import JudgedFiles
from unmask.evaluation.outcome_text import ABSENT, AGAINST_ALL, LEVEL_WORDS, NOT_FULL, number, percent, share
from unmask.evaluation.page import words
from unmask.evaluation.page.drawing import Plot
from unmask.evaluation.page.groups import Cost, Forest, costs, degradation_plots, forests, legend
from unmask.evaluation.page.listed import Crossing, Mistakes, Said, matrix, mistakes, said
from unmask.evaluation.page.looks import OUTLINES, Look, looks_of
from unmask.evaluation.page.probabilities import distribution_plot, reliability_plot
from unmask.evaluation.page.rank import FEW, Ranked, precision_plot, ranked, risk_plot, roc_of_one, roc_plots
from unmask.evaluation.pairs import HEADINGS as PAIR_HEADINGS
from unmask.evaluation.pairs import NOTE as PAIR_NOTE
from unmask.evaluation.pairs import Pair, most_telling
from unmask.evaluation.pairs import cells as pair_cells
from unmask.evaluation.protocol import TEST
from unmask.evaluation.robustness import Robustness
from unmask.evaluation.table import Scores
from unmask.figures.estimate import Estimate
from unmask.report import words as report_words
from unmask.report.html import TEMPLATES as REPORT_TEMPLATES
from unmask.report.names import visible
from unmask.version import __version__

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Cell:
    """A figure and the small print under it."""

    value: str
    interval: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A model's figures at one level."""

    model: str
    look: Look
    cells: tuple[Cell, ...]


FIGURES = (
    "real + fake", "AUC", "AP", "EER", "TPR at 1 %", "TPR at 10 %", "accuracy", "majority",
    "balanced", "false alarms", "ECE", "Brier", "log loss", "UNSURE",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Article:
    """What is shown of one model on the files of one kind."""

    model: str
    look: Look
    roc: Plot | None
    reliability: Plot
    distribution: Plot
    mistakes: Mistakes


@dataclass(frozen=True, slots=True)
class OfKind:
    """Everything about the files of one kind; empty where it cannot be had."""

    kind: str
    lacking: str
    rank: tuple[Plot, ...]
    banded: bool
    precision: Plot | None
    risk: Plot | None
    said: tuple[tuple[Said, ...], ...]
    matrix: tuple[tuple[str, tuple[Crossing | None, ...]], ...]
    pairs: tuple[tuple[str, ...], ...]
    all_pairs: int
    forests: tuple[Forest, ...]
    against_all: bool
    groups: tuple[tuple[str, tuple[Cell, ...]], ...]
    degraded: tuple[Plot, ...]
    degradations: tuple[str, ...]
    costs: tuple[Cost, ...]
    articles: tuple[Article, ...]


def render(
    scores: Scores,
    lines: Sequence[Line],
    judged: Sequence[JudgedFiles],
    pairs: Sequence[Pair],
    degraded: Sequence[Robustness],
    *,
    draws: int,
    seed: int,
) -> str:
    """The page. The same scores give the same bytes."""
    names = [model.name for model in scores.models]
    looks = looks_of(names, lines)
    covered = coverage(judged)
    return (
        _environment()
        .get_template("outcome.html.j2")
        .render(
            title=words.title(scores.models, len({name for files in judged for name in files.table["file"]})),
            models=scores.models,
            looks=looks,
            legend=legend(looks, names),
            grey=sum(not look.own for look in looks.values()),
            setting=scores.setting,
            training=_training(scores),
            remembered=scores.setting.seen if scores.setting else {},
            held=held(judged),
            covered=covered,
            reasons=reasons_of(covered),
            levels=[
                (LEVEL_WORDS[level], found) for level in LEVELS if (found := _level(lines, level, looks))
            ],
            parts=[_of_kind(files, lines, pairs, degraded, looks, draws, seed) for files in judged],
            lacking=any(not line.is_full for line in lines) or any(not row.is_full for row in covered),
            version=__version__,
        )
    )


def _training(scores: Scores) -> dict[str, str]:
    """What has to be known of each model's training; nothing where no test set was measured, as nobody asked
    then."""
    told = scores.setting
    if told is None or told.role != TEST:
        return {}
    return {model.name: words.training(told, model.name) for model in scores.models}


def _level(lines: Sequence[Line], level: str, looks: Mapping[str, Look]) -> list[tuple[str, list[Row]]]:
    """The figures over everything at one level: per kind a row a model; no kind of which nobody has any."""
    of_level = [line for line in lines if line.level == level and not line.by]
    kinds = dict.fromkeys(line.kind for line in of_level if line.summary is not None)
    return [
        (kind, [Row(line.model, looks[line.model], _cells(line)) for line in of_level if line.kind == kind])
        for kind in sorted(kinds)
    ]


def _cells(line: Line) -> tuple[Cell, ...]:
    """One line of figures, in the order of `FIGURES`."""
    told = line.summary
    judged = f"{line.judged:,} of {line.files:,}{'' if line.is_full else ' !'}"
    if told is None:
        return (Cell(ABSENT, judged), *[Cell(ABSENT)] * (len(FIGURES) - 2), Cell(share(line.unsure)))
    return (
        Cell(f"{told.real:,} + {told.fake:,}", judged),
        _figure(told.auc),
        _figure(told.average_precision),
        _figure(told.equal_error_rate, percent),
        _figure(told.detection_at_1, percent),
        _figure(told.detection_at_10, percent),
        _figure(told.accuracy, percent),
        Cell(share(told.majority)),
        _figure(told.balanced_accuracy, percent),
        _figure(told.false_alarm_rate, percent),
        _figure(told.calibration_error),
        _figure(told.brier),
        _figure(told.log_loss),
        Cell(share(line.unsure)),
    )


def _figure(estimate: Estimate, words_of: Callable[[Estimate], str] = number) -> Cell:
    """A figure with its interval underneath."""
    value, bracket, rest = words_of(estimate).partition(" [")
    if not bracket:
        return Cell(value)
    inner, _, unit = rest.partition("]")
    return Cell(value + unit, inner.replace(", ", "–"))


def _of_kind(
    files: JudgedFiles,
    lines: Sequence[Line],
    pairs: Sequence[Pair],
    degraded: Sequence[Robustness],
    looks: Mapping[str, Look],
    draws: int,
    seed: int,
) -> OfKind:
    models = ranked(files, looks, draws=draws, seed=seed)
    on_files = {
        line.model: line for line in lines if (line.kind, line.level, line.by) == (files.kind, MEDIUM, "")
    }
    names = [model.name for model in models]
    of_kind = [pair for pair in pairs if pair.kind == files.kind]
    if all(math.isnan(pair.told.auc.value.value) for pair in of_kind):
        of_kind = []
    rank = roc_plots(models, _said_of(on_files, names, "auc"))
    banded = sum(model.look.own for model in models) <= FEW
    degradations, paid = costs(degraded, files.kind, looks)
    crossings = matrix(of_kind, names) if len(names) > 1 else []
    return OfKind(
        kind=files.kind,
        lacking=_lacking(files, models),
        rank=tuple(rank),
        banded=banded,
        precision=precision_plot(models, _said_of(on_files, names, "average_precision")),
        risk=risk_plot(models),
        said=tuple(said(files, looks)),
        matrix=tuple((name, tuple(row)) for name, row in zip(names, crossings, strict=False)),
        pairs=tuple(tuple(pair_cells(pair)[1:]) for pair in most_telling(of_kind)),
        all_pairs=len(of_kind),
        forests=tuple(forests(lines, files.kind, looks)),
        against_all=any(line.against_all for line in lines if line.kind == files.kind),
        groups=tuple(_groups(lines, files.kind, [name for name in names if looks[name].own])),
        degraded=tuple(degradation_plots(degraded, files.kind, looks)),
        degradations=tuple(degradations),
        costs=tuple(paid),
        articles=tuple(_article(files, model, show_roc=not banded) for model in models),
    )


def _lacking(files: JudgedFiles, models: Sequence[Ranked]) -> str:
    """Why there are no curves; empty where there are."""
    if not models:
        return "No model judged any of these files."
    if any(model.roc is not None for model in models):
        return ""
    if {model.real > 0 for model in models} == {True, False}:
        return "No model judged files of both labels: there is no ROC, no precision and no comparison."
    return words.one_label(fake=models[0].fake > 0)


def _said_of(on_files: Mapping[str, Line], names: Sequence[str], figure: str) -> dict[str, str]:
    """What a legend says of each model."""
    told = {}
    for name in names:
        line = on_files.get(name)
        told[name] = ABSENT if line is None or line.summary is None else number(getattr(line.summary, figure))
    return told


def _article(files: JudgedFiles, model: Ranked, *, show_roc: bool) -> Article:
    at = [judge.name for judge in files.models].index(model.name)
    return Article(
        model=model.name,
        look=model.look,
        roc=roc_of_one(model) if show_roc else None,
        reliability=reliability_plot(files, at),
        distribution=distribution_plot(files, at),
        mistakes=mistakes(files, at),
    )


def _groups(lines: Sequence[Line], kind: str, names: Sequence[str]) -> list[tuple[str, tuple[Cell, ...]]]:
    """AUC on files of every group, a column per model."""
    found: dict[tuple[str, str], dict[str, Line]] = {}
    for line in lines:
        if (line.kind, line.level) == (kind, MEDIUM) and line.by:
            found.setdefault((line.by, line.group), {})[line.model] = line
    told = []
    for (_, group), of_group in found.items():
        cells = [_auc(of_group.get(name)) for name in names]
        against = any(line.against_all for line in of_group.values())
        told.append((f"{group}{' *' if against else ''}", tuple(cells)))
    return told


def _auc(line: Line | None) -> Cell:
    if line is None or line.summary is None or math.isnan(line.summary.auc.value):
        return Cell(ABSENT)
    cell = _figure(line.summary.auc)
    return cell if line.is_full else Cell(f"{cell.value} !", cell.interval)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, REPORT_TEMPLATES]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_made_visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parts = (REPORT_TEMPLATES / "style.css", TEMPLATES / "outcome.css")
    style = "".join(part.read_text(encoding="utf-8") for part in parts)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    environment.globals.update(
        words=words,
        said=report_words,
        outlines=OUTLINES,
        figures=FIGURES,
        pair_headings=PAIR_HEADINGS[1:],
        pair_note=PAIR_NOTE,
        against_all=AGAINST_ALL,
        not_full=NOT_FULL,
        style=Markup(style),
        # The page may show its own style, and nothing else may happen in it.
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
    )
    return environment


def _made_visible(value: object) -> object:
    """Names may hold characters that reorder or hide what stands around them. A figure keeps its sign."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return visible(value).replace(" %", "\N{NO-BREAK SPACE}%")
