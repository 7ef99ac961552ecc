"""The card of a file made from other files: what `val` says of its own scores."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.data.manifest import read_samples
from unmask.data.sample import Sample
from unmask.detector.card import ModelCard
from unmask.training import calibrate
from unmask.training.ensemble_scores import AS_IS, DEGRADED
from unmask.training.fit import Scored


def recalibrated(
    card: ModelCard,
    samples: tuple[Sample, ...],
    raw: NDArray[np.float64],
    trained: Collection[str],
    say: Callable[[str], None],
) -> ModelCard:
    """`card` with aggregation, calibration, band, operating points and figures from the file's own scores
    (2, N) of the samples of `val`, as they are and degraded. Methods `trained` on calibrate nothing where
    there are others (`calibrate.unseen`)."""
    conditions = {
        name: calibrate.units_of(Scored(samples, tuple(raw[row].tolist())))
        for name, row in (("val", AS_IS), ("val, degraded", DEGRADED))
    }
    both = [unit for units in conditions.values() for unit in units]
    trials = calibrate.try_aggregations(both)
    aggregation = trials[0].name if trials else card.aggregation
    strange = calibrate.unseen(both, trained)
    scores = calibrate.aggregated(strange, aggregation)
    calibration = calibrate.fit_calibration(strange, scores)
    probabilities = calibrate.probabilities_of(scores, calibration)
    figures = tuple(
        figure
        for on, units in conditions.items()
        for figure in calibrate.figures_of(units, calibrate.aggregated(units, aggregation), on)
    )
    for figure in figures:
        say(f"{figure.on} {figure.level}s: AUC {figure.auc:.3f} [{figure.low:.3f}, {figure.high:.3f}]")
    return replace(
        card,
        aggregation=aggregation,
        calibration=calibration,
        band=calibrate.fit_band(strange, probabilities),
        operating_points=calibrate.operating_points(strange, probabilities),
        figures=figures,
    )


def trained_methods(corpus: Path) -> set[str]:
    """The methods of the fakes in the training split of a corpus or manifest."""
    return {sample.method for sample in read_samples(corpus) if sample.fake and sample.split == "train"}
