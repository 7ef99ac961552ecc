"""Scan labelled media with several models at once, as a user would, and keep every score."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from unmask.detector.detector import Detector
from unmask.errors import UnmaskError
from unmask.evaluation.journal import read_journal
from unmask.evaluation.table import JudgedBy, Medium, Scores, found_in, labelled, table
from unmask.isolated import Lost, isolated
from unmask.options import ScanOptions
from unmask.scanner import Scanner
from unmask.types import Report, Verdict
from unmask.version import __version__

Progress = Callable[[int, int], None]
"""Called with how many of how many scans are done."""


Found = list[list[dict[str, Any]]]
"""What each model found in one trial: a row a face, track and file."""


WITHOUT_EFFECT = ("model", "evidence", "threads")
"""Options that change no score; models are told apart by their hashes."""


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
        """What a scan of it depends on: which file, as it now is, and in what state. Not what is known of it:
        a label that was mended since is no other trial."""
        path = self.medium.path.resolve()
        try:
            told = path.stat()
            version = f"{told.st_size}\0{told.st_mtime_ns}"
        except OSError:
            version = "absent"
        return f"{path}\0{version}\0{self.medium.kind}\0{self.degraded.kind}\0{self.degraded.severity}"


def keyed(media: Sequence[Medium], degradations: Sequence[Degraded]) -> dict[Trial, str]:
    """The trials that these media in these states give, each with its key."""
    trials = [Trial(medium, state) for state in degradations for medium in media if fits(medium, state)]
    return {trial: trial.key for trial in trials}


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

    What the scans find is noted in `journal`, a line a scan: called again on the same one, it goes on.
    Labels and all else that is known of the media are not, and files changed since are scanned anew.

    Raises:
        ModelError: a model cannot be had.
        DataError: the journal is of other models or options, or of another version of unmask.
    """
    models = judged_by(options)
    trials = keyed(media, degradations)
    done: dict[str, Found] = read_journal(journal, _head(models, options))
    waiting = [trial for trial, key in trials.items() if key not in done]
    count = len(trials) - len(waiting)
    progress(count, len(trials))
    with journal.open("a", encoding="utf-8") as notes:
        if not done:
            notes.write(json.dumps(_head(models, options)) + "\n")
        for trial, found in _scan(waiting, models, options, workers):
            done[trials[trial]] = found
            notes.write(json.dumps([trials[trial], found], allow_nan=False) + "\n")
            notes.flush()
            count += 1
            progress(count, len(trials))
    return table(
        (
            row
            for trial, key in trials.items()
            for model, found in zip(models, done[key], strict=True)
            for row in _rows(trial, model, found)
        ),
        models,
    )


def fits(medium: Medium, state: Degraded) -> bool:
    """Whether a degradation can be done to a medium of this kind; those of found faces can be to any."""
    if not state.kind:
        return True
    from unmask.evaluation.degrade import applies_to

    media = applies_to(state.kind)
    return not media or medium.kind in media


def _scan(
    trials: Iterable[Trial], models: Sequence[JudgedBy], options: ScanOptions, workers: int | None
) -> Iterator[tuple[Trial, Found]]:
    count = workers or os.cpu_count() or 1
    threads = options.threads or max(1, (os.cpu_count() or 1) // count)
    options = replace(options, threads=threads, evidence=0)
    results = isolated(
        trials,
        _scan_one,
        workers=count,
        timeout=options.timeout,
        prepare=_open,
        prepared_with=[options, len(models)],
    )
    with contextlib.closing(results):
        for trial, result in results:
            yield trial, _lost(trial, result, models) if isinstance(result, Lost) else result


_options = ScanOptions()
_models = 0
_scanners: dict[Degraded, Scanner] = {}
"""Of a worker process: one scanner for plain media, and one for each way of disturbing the faces found."""


def _open(options: ScanOptions, models: int) -> None:
    global _options, _models
    _options, _models = options, models


def _scan_one(trial: Trial) -> Found:
    return [found_in(report) for report in _reports(trial)]


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
            return [report] * _models
        return _scanner(Degraded()).scan_alone(target)


def _scanner(state: Degraded) -> Scanner:
    if state not in _scanners:
        if state.kind:
            from unmask.evaluation.degrade import disturbed_scanner

            _scanners[state] = disturbed_scanner(_options, state.kind, state.severity)
        else:
            _scanners[state] = Scanner(_options)
    return _scanners[state]


def _lost(trial: Trial, lost: Lost, models: Sequence[JudgedBy]) -> Found:
    verdict = Verdict.TIMED_OUT if lost.hung else Verdict.UNREADABLE
    report = Report(str(trial.medium.path), verdict, None, "")
    return [found_in(report)] * len(models)


def _rows(trial: Trial, model: JudgedBy, found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    state = trial.degraded
    return labelled(model.name, trial.medium, found, degradation=state.kind, severity=state.severity)


def _head(models: Sequence[JudgedBy], options: ScanOptions) -> dict[str, object]:
    """What must not change between two calls on one journal."""
    return {
        "unmask": __version__,
        "models": [model.sha256 for model in models],
        **{name: value for name, value in asdict(options).items() if name not in WITHOUT_EFFECT},
    }
