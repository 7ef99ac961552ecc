"""Search for better settings of a recipe: Optuna's TPE, poor trials stopped early, all kept in one file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import optuna
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

from unmask.data.manifest import read_samples
from unmask.errors import DataError
from unmask.evaluation.held_out import guard
from unmask.training.fit import Fit
from unmask.training.make import prepare, protocols_of
from unmask.training.pictures import FAKE, REAL
from unmask.training.recipe import parse_recipe
from unmask.training.split import apply_protocol

SPACE: dict[str, dict[str, Any]] = {
    "schedule.rate": {"low": 1e-5, "high": 1e-2, "log": True},
    "schedule.weight_decay": {"low": 1e-6, "high": 1e-1, "log": True},
    "schedule.label_smoothing": {"low": 0.0, "high": 0.1},
    "optimizer.kind": {"choices": ["adam", "adamw", "sgd"]},
    "dropout": {"low": 0.0, "high": 0.6},
}
"""What is searched where a recipe has no section `tune`: dotted keys of the recipe, each with `low` and
`high` (and `log`) or with `choices`."""

STUDY = "tune"


def tune(
    recipe_path: Path,
    corpus: Path,
    folder: Path,
    *,
    trials: int,
    progress: Callable[[int, int, str], None] = lambda *_: None,
    say: Callable[[str], None] = print,
    protocol: Path | None = None,
    root: Path | None = None,
) -> Path:
    """Try settings until `folder/study.db` holds `trials` finished ones; gives the best recipe's path.

    The quality of a trial is what weights are chosen by in a training: AUC on `val`. Called again it goes on.
    `folder` gets `best.yaml`, `history.png` and `importance.png` as well. What `protocol`, or the recipe's
    own, calls test is refused; its sets lie below `root`.

    Raises:
        DataError: the recipe, its section `tune` or the corpus is not usable, or a protocol calls some of it
            test.
    """
    document, space = _read(recipe_path)
    recipe = parse_recipe(document)
    protocols = protocols_of(recipe, recipe_path, protocol)
    if protocols:
        samples = apply_protocol(read_samples(corpus), recipe.protocol, recipe.seed)
        guard(protocols, root, samples, corpus, say)
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name=STUDY,
        storage=f"sqlite:///{(folder / 'study.db').resolve()}",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
        direction="maximize",
        load_if_exists=True,
    )
    for stale in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        # Left by a run that was killed: it will not be finished by anyone.
        study.tell(stale.number, state=TrialState.FAIL)
    # By where it goes on, else it would draw what it drew at first.
    study.sampler = optuna.samplers.TPESampler(
        seed=int(document.get("seed", 0)) + len(study.trials), multivariate=True
    )
    done = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))

    def objective(trial: optuna.Trial) -> float:
        chosen = {key: _suggest(trial, key, options) for key, options in space.items()}
        recipe = parse_recipe(changed(document, chosen))
        run = folder / f"trial-{trial.number:03d}"
        # Again, because a trial may draw other samples.
        fit = prepare(
            recipe, corpus, run, say=lambda _: None, progress=progress, protocols=protocols, root=root
        )
        try:
            return _train(fit, trial, progress)
        finally:
            # The settings and the quality are kept; weights of hundreds of trials would fill the disk.
            shutil.rmtree(run, ignore_errors=True)

    def told(study: optuna.Study, trial: FrozenTrial) -> None:
        state = "stopped early" if trial.state is TrialState.PRUNED else f"{trial.value:.4f}"
        settings = "  ".join(f"{key} {_short(value)}" for key, value in trial.params.items())
        say(f"trial {trial.number}: {state}  {settings}")

    study.optimize(objective, n_trials=max(0, trials - done), callbacks=[told])
    if not study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        raise DataError("no trial was finished", hint="allow more --trials")
    _draw_history(study, folder / "history.png")
    _draw_importance(study, folder / "importance.png")
    best = changed(document, study.best_params)
    if recipe.protocol.file:
        beside = os.path.relpath((recipe_path.parent / recipe.protocol.file).absolute(), folder.absolute())
        best = changed(best, {"protocol.file": Path(beside).as_posix()})
    path = folder / "best.yaml"
    path.write_bytes(msgspec.yaml.encode(best))
    say(f"best: {study.best_value:.4f} of trial {study.best_trial.number}")
    return path


def changed(document: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """A copy of a recipe's document with values at dotted keys replaced."""
    copy: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    for key, value in settings.items():
        *folders, last = key.split(".")
        place = copy
        for name in folders:
            place = place.setdefault(name, {})
        place[last] = value
    return copy


def _read(path: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The recipe's document without its section `tune`, and that section."""
    try:
        document: dict[str, Any] = msgspec.yaml.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(f"recipe {path}: {error}", hint="recipes/ holds working examples") from error
    space: dict[str, dict[str, Any]] = document.pop("tune", None) or SPACE
    for key, options in space.items():
        if not isinstance(options, dict) or not ({"low", "high"} <= set(options) or "choices" in options):
            raise DataError(f"tune.{key} says nothing to choose from", hint="give low and high, or choices")
    return document, space


def _suggest(trial: optuna.Trial, key: str, options: dict[str, Any]) -> Any:
    if "choices" in options:
        return trial.suggest_categorical(key, options["choices"])
    low, high = options["low"], options["high"]
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(key, low, high, log=bool(options.get("log")))
    return trial.suggest_float(key, float(low), float(high), log=bool(options.get("log")))


def _train(fit: Fit, trial: optuna.Trial, progress: Callable[[int, int, str], None]) -> float:
    told = -1.0

    def after(step: int, steps: int, message: str) -> None:
        nonlocal told
        progress(step, steps, "")
        if fit.best != told and fit.best > 0:
            told = fit.best
            trial.report(fit.best, step)
            if trial.should_prune():
                raise optuna.TrialPruned

    fit.run(after, workers=0 if fit.recipe.mix.precut else 2)
    return fit.best


def _draw_history(study: optuna.Study, path: Path) -> None:
    trials = study.get_trials(deepcopy=False)
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    finished = [(t.number, t.value) for t in trials if t.state is TrialState.COMPLETE and t.value is not None]
    stopped = [
        (t.number, max(t.intermediate_values.values()))
        for t in trials
        if t.state is TrialState.PRUNED and t.intermediate_values
    ]
    axes.scatter(*zip(*finished, strict=True), color=FAKE, label="finished")
    if stopped:
        axes.scatter(*zip(*stopped, strict=True), color="grey", marker="x", label="stopped early")
    best, line = float("-inf"), []
    for number, value in finished:
        best = max(best, value)
        line.append((number, best))
    axes.plot(*zip(*line, strict=True), color=REAL, label="best so far")
    axes.set(xlabel="trial", ylabel="AUC on val")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def _draw_importance(study: optuna.Study, path: Path) -> None:
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) < 3 or len({t.value for t in finished}) < 2:
        return  # importance is estimated from differences
    importance = optuna.importance.get_param_importances(study)
    figure = Figure(figsize=(8, 0.5 * len(importance) + 1.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.barh(list(importance), list(importance.values()), color=REAL)
    axes.invert_yaxis()
    axes.set(xlabel="share of the differences between trials that the setting explains")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
