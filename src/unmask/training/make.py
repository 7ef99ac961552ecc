"""From a recipe to a model file: fit, choose, calibrate, export. One call makes a shipped model again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from unmask.data.corpus import Sample, read_corpus
from unmask.detector.card import ModelCard
from unmask.training import calibrate
from unmask.training.export import export
from unmask.training.fit import VALIDATION_STRENGTH, Fit, score
from unmask.training.recipe import Recipe, read_recipe
from unmask.version import __version__


def make(
    recipe_path: Path,
    corpus: Path,
    folder: Path,
    *,
    progress: Callable[[int, int, str], None] = lambda *_: None,
    say: Callable[[str], None] = print,
) -> Path:
    """Train what the recipe describes on the corpus and write `folder/<name>.onnx`; goes on where it was.

    Raises:
        DataError: the recipe or the corpus is not usable.
        ModelError: the start weights are missing, or the exported file is not faithful.
    """
    recipe = read_recipe(recipe_path)
    samples = read_corpus(corpus)
    fit = Fit(recipe, samples, folder)
    fit.run(progress)
    state = torch.load(fit.best_weights, map_location="cpu", weights_only=True)
    fit.average.load_state_dict(state)
    clean = calibrate.units_of(score(fit.average, fit.val, recipe, 0.0))
    degraded = calibrate.units_of(score(fit.average, fit.val, recipe, VALIDATION_STRENGTH))
    both = [*clean, *degraded]
    trials = calibrate.try_aggregations(both)
    for trial in trials:
        say(f"aggregation {trial.name:8} AUC whole {trial.whole:.4f}  partly forged {trial.partly:.4f}")
    aggregation = trials[0].name
    scores = calibrate.aggregated(both, aggregation)
    calibration = calibrate.fit_calibration(both, scores)
    probabilities = calibrate.probabilities_of(scores, calibration)
    figures = (
        *calibrate.figures_of(clean, calibrate.aggregated(clean, aggregation), "val"),
        *calibrate.figures_of(degraded, calibrate.aggregated(degraded, aggregation), "val, degraded"),
    )
    card = ModelCard(
        name=recipe.name,
        version=__version__,
        architecture=recipe.network,
        description=recipe.description.strip(),
        crop=recipe.crop,
        aggregation=aggregation,
        calibration=calibration,
        band=calibrate.fit_band(both, probabilities),
        operating_points=calibrate.operating_points(both, probabilities),
        figures=figures,
        training_data=_training_data(fit.train, recipe),
        limits=recipe.limits,
        licence=recipe.licence,
        seed=recipe.seed,
        recipe_sha256=hashlib.sha256(recipe_path.read_bytes()).hexdigest(),
    )
    path = folder / f"{recipe.name}.onnx"
    export(fit.average, card, path)
    for figure in figures:
        say(f"{figure.on} {figure.level}s: AUC {figure.auc:.3f} [{figure.low:.3f}, {figure.high:.3f}]")
    say(f"band {card.band}; error at 0.5: {_error_rate(both, probabilities):.3f}")
    return path


def _training_data(samples: Sequence[Sample], recipe: Recipe) -> str:
    real = [s for s in samples if not s.fake]
    fake = [s for s in samples if s.fake]
    methods = len({s.method for s in fake})
    datasets = len({s.dataset for s in samples})
    return (
        f"{len(real)} real and {len(fake)} fake face crops of {methods} methods from {datasets} public "
        f"research data sets; {recipe.mix.self_blended:.0%} of the fakes drawn in training were self-blended "
        "real faces."
    )


def _error_rate(units: Sequence[calibrate.Unit], probabilities: np.ndarray) -> float:
    labels = np.array([unit.fake for unit in units])
    return float(((probabilities >= 0.5) != labels).mean())
