"""One model or several behind one interface: cut, score, and say with what probability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.detector.aggregate import AGGREGATIONS, mean
from unmask.detector.card import probability
from unmask.detector.model import Model, load_model
from unmask.errors import UnmaskError
from unmask.faces.crop import cut
from unmask.types import Band, Landmarks, ModelFacts

BATCH = 4
"""Crops per call of a network: larger batches gain nothing on a CPU and cost memory."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceScore:
    """Raw scores (M,) of one face by the M models, and the first model's evidence map (h, w) or None."""

    raw: NDArray[np.float64]
    evidence: NDArray[np.float32] | None


class Detector:
    """An ensemble of one or more models; their calibrated log-odds are averaged."""

    def __init__(
        self, models: Sequence[Model], aggregation: str | None = None, columns: Sequence[int] | None = None
    ) -> None:
        if not models:
            raise UnmaskError("no model given", hint="give at least one, such as fast")
        self.models = tuple(models)
        self._columns = tuple(range(len(models)) if columns is None else columns)
        self.aggregation = aggregation or models[0].card.aggregation
        self._aggregate = AGGREGATIONS[self.aggregation]

    @classmethod
    def load(
        cls, names: Sequence[str | Path], *, aggregation: str | None = None, threads: int = 1
    ) -> Detector:
        """The detector made of the models of these names or paths.

        Raises:
            ModelError: a model cannot be had.
            UnmaskError: no model is named, or the aggregation is not known.
        """
        return cls([load_model(name, threads=threads) for name in names], aggregation)

    def alone(self) -> tuple[Detector, ...]:
        """Each model by itself, with its own aggregation and band: it takes its column of the raw scores (M,)
        that this detector gives, so that several models can be compared in one look at a file."""
        return tuple(Detector([model], columns=[m]) for m, model in enumerate(self.models))

    @property
    def band(self) -> Band:
        """The UNSURE band: the model's own; of several models, the mean of theirs."""
        bands = [model.card.band for model in self.models]
        return Band(
            real_below=float(np.mean([b.real_below for b in bands])),
            fake_above=float(np.mean([b.fake_above for b in bands])),
            false_alarm_rate=max(b.false_alarm_rate for b in bands),
            miss_rate=max(b.miss_rate for b in bands),
        )

    @property
    def facts(self) -> tuple[ModelFacts, ...]:
        """The models as a report names them."""
        return tuple(
            ModelFacts(
                name=model.card.name,
                version=model.card.version,
                sha256=model.sha256,
                architecture=model.card.architecture,
                description=model.card.description,
                training_data=model.card.training_data,
                limits=model.card.limits,
                figures=tuple(
                    f"AUC {f.auc:.3f} [{f.low:.3f}, {f.high:.3f}] on {f.on} ({f.units} {f.level}s)"
                    for f in model.card.figures
                ),
                licence=model.card.licence,
                operating_points=tuple(
                    sorted(model.card.operating_points, key=lambda point: (point.on, point.false_alarm_rate))
                ),
            )
            for model in self.models
        )

    def crops(self, image: NDArray[np.uint8], landmarks: Landmarks) -> tuple[NDArray[np.uint8], ...]:
        """One crop per model, as its card says, from `image` RGB uint8 (H, W, 3)."""
        cuts = {spec: cut(image, landmarks, spec) for spec in {model.card.crop for model in self.models}}
        return tuple(cuts[model.card.crop] for model in self.models)

    def score(self, faces: Sequence[tuple[NDArray[np.uint8], ...]]) -> list[FaceScore]:
        """Scores of faces given as what `crops` returned, in order."""
        if not faces:
            return []
        results = [model.score(np.stack([face[m] for face in faces])) for m, model in enumerate(self.models)]
        raw = np.stack([result.raw for result in results], axis=1)
        evidence = results[0].evidence
        return [FaceScore(raw[n], None if evidence is None else evidence[n]) for n in range(len(faces))]

    def gives_number(self, raw: NDArray[np.float64]) -> bool:
        """Whether each of its models gave a number for a face with the raw scores (M,): a network may
        overflow, or its file may be damaged."""
        return all(np.isfinite(raw[m]) for m in self._columns)

    def probability(self, raw: Sequence[NDArray[np.float64]]) -> float:
        """P(fake) of one person from the raw scores (M,) of one or more faces, in order of time."""
        return self._combined(raw, self._aggregate)

    def mean_probability(self, raw: Sequence[NDArray[np.float64]]) -> float:
        """P(fake) of a short run of faces, which all count alike."""
        return self._combined(raw, mean)

    def _combined(
        self, raw: Sequence[NDArray[np.float64]], aggregate: Callable[[NDArray[np.float64]], float]
    ) -> float:
        through_time = np.stack(raw)
        logits = [
            model.card.calibration.logit(aggregate(through_time[:, m]))
            for m, model in zip(self._columns, self.models, strict=True)
        ]
        return probability(float(np.mean(logits)))
