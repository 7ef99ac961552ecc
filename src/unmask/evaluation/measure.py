"""Scan labelled media with several models at once, as a user would, and keep every score."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from unmask.detector.detector import Detector
from unmask.errors import UnmaskError
from unmask.evaluation.journal import read_journal
from unmask.evaluation.table import JudgedBy, Medium, Scores, rows_of, table
from unmask.isolated import Lost, isolated
from unmask.options import ScanOptions
from unmask.scanner import Scanner
from unmask.types import Report, Verdict

Progress = Callable[[int, int], None]
"""Called with how many of how many scans are done."""


@dataclass(frozen=True, slots=True)
class Degraded:
    """What is done to the media before they are scanned; nothing where `kind` is empty."""

    kind: str = ""
    severity: int = 0


@dataclass(frozen=True, slots=True)
class Trial:
    """One file to be scanned in one state."""

    medium: Medium
    degraded: Degraded = Degraded()

    @property
    def key(self) -> str:
        """What tells it from the others."""
        return f"{self.medium.id}\0{self.degraded.kind}\0{self.degraded.severity}"


def judged_by(options: ScanOptions) -> tuple[JudgedBy, ...]:
    """The models as a score file names them; two of the same name are told apart by their hash.

    Raises:
        ModelError: one cannot be had.
    """
    models = Detector.load(options.model).models
    names = [model.card.name for model in models]
    return tuple(
        JudgedBy(
            name if names.count(name) == 1 else f"{name} {model.sha256[:8]}",
            model.sha256,
            model.card.band.fake_above,
            model.card.band.real_below,
        )
        for name, model in zip(names, models, strict=True)
    )


def measure(
    options: ScanOptions,
    media: Sequence[Medium],
    journal: Path,
    *,
    degradations: Sequence[Degraded] = (Degraded(),),
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> Scores:
    """Scores of every model in `options` on all media in each of the states.

    What is done is noted in `journal`, a line a scan: called again on the same one, it goes on.

    Raises:
        ModelError: a model cannot be had.
        DataError: the journal is of other models or options.
    """
    models = judged_by(options)
    trials = [Trial(medium, state) for state in degradations for medium in media if fits(medium, state)]
    done = read_journal(journal, _head(models, options))
    waiting = [trial for trial in trials if trial.key not in done]
    count = len(trials) - len(waiting)
    progress(count, len(trials))
    with journal.open("a", encoding="utf-8") as notes:
        if not done:
            notes.write(json.dumps(_head(models, options)) + "\n")
        for trial, rows in _scan(waiting, models, options, workers):
            done[trial.key] = rows
            notes.write(json.dumps([trial.key, rows], allow_nan=False) + "\n")
            notes.flush()
            count += 1
            progress(count, len(trials))
    return table((row for trial in trials for row in done[trial.key]), models)


def fits(medium: Medium, state: Degraded) -> bool:
    """Whether a degradation can be done to a medium of this kind; those of found faces can be to any."""
    if not state.kind:
        return True
    from unmask.evaluation.degrade import applies_to

    media = applies_to(state.kind)
    return not media or medium.kind in media


def _scan(
    trials: Iterable[Trial], models: Sequence[JudgedBy], options: ScanOptions, workers: int | None
) -> Iterator[tuple[Trial, list[dict[str, Any]]]]:
    count = workers or os.cpu_count() or 1
    threads = options.threads or max(1, (os.cpu_count() or 1) // count)
    options = replace(options, threads=threads, evidence=0)
    results = isolated(
        trials,
        _scan_one,
        workers=count,
        timeout=options.timeout,
        prepare=_open,
        prepared_with=[options, tuple(models)],
    )
    with contextlib.closing(results):
        for trial, result in results:
            yield trial, _lost(trial, result, models) if isinstance(result, Lost) else result


_options = ScanOptions()
_models: tuple[JudgedBy, ...] = ()
_scanners: dict[Degraded, Scanner] = {}
"""Of a worker process: one scanner for plain media, and one for each way of disturbing the faces found."""


def _open(options: ScanOptions, models: tuple[JudgedBy, ...]) -> None:
    global _options, _models
    _options, _models = options, models


def _scan_one(trial: Trial) -> list[dict[str, Any]]:
    reports = _reports(trial)
    return [
        row for model, report in zip(_models, reports, strict=True) for row in _rows(trial, model, report)
    ]


def _reports(trial: Trial) -> list[Report]:
    state = trial.degraded
    if not state.kind:
        return _scanner(Degraded()).scan_alone(trial.medium.path)
    from unmask.evaluation.degrade import applies_to, degrade_file

    if not applies_to(state.kind):
        return _scanner(state).scan_alone(trial.medium.path)
    ending = ".mp4" if trial.medium.kind == "video" else ".png"
    with tempfile.TemporaryDirectory(prefix="unmask-") as folder:
        target = Path(folder) / f"degraded{ending}"
        try:
            degrade_file(trial.medium.path, target, state.kind, state.severity)
        except UnmaskError as error:
            report = Report(str(trial.medium.path), Verdict.UNREADABLE, None, error.message, hint=error.hint)
            return [report] * len(_models)
        return _scanner(Degraded()).scan_alone(target)


def _scanner(state: Degraded) -> Scanner:
    if state not in _scanners:
        if state.kind:
            from unmask.evaluation.degrade import disturbed_scanner

            _scanners[state] = disturbed_scanner(_options, state.kind, state.severity)
        else:
            _scanners[state] = Scanner(_options)
    return _scanners[state]


def _lost(trial: Trial, lost: Lost, models: Sequence[JudgedBy]) -> list[dict[str, Any]]:
    verdict = Verdict.TIMED_OUT if lost.hung else Verdict.UNREADABLE
    report = Report(str(trial.medium.path), verdict, None, "")
    return [row for model in models for row in _rows(trial, model, report)]


def _rows(trial: Trial, model: JudgedBy, report: Report) -> list[dict[str, Any]]:
    state = trial.degraded
    return rows_of(model.name, trial.medium, report, degradation=state.kind, severity=state.severity)


def _head(models: Sequence[JudgedBy], options: ScanOptions) -> dict[str, object]:
    """What must not change between two calls on one journal."""
    return {
        "models": [model.sha256 for model in models],
        "stride": options.stride,
        "frames": options.frames,
        "detector": options.detector,
        "min_face": options.min_face,
    }
