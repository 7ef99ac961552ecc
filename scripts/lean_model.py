"""Turns a trained model on a public network into what is shipped: a small file, and a plan for the rest.

    python scripts/lean_model.py accurate.onnx clip_vit_b16/clip train.parquet MODELS --beside fast-int8.onnx

MODELS is `src/unmask/detector/models`. Calibrated anew on `val`, since its matrices are in integers there.
With `--beside` the file also holds other models, and says the mean of all calibrated log-odds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from unmask.data.manifest import read_samples
from unmask.data.sample import Sample
from unmask.detector.card import Calibration, ModelCard
from unmask.detector.model import SHIPPED, Model, load_model
from unmask.evaluation.held_out import history_of
from unmask.figures.paired import delong
from unmask.report.atomic import write
from unmask.training.ensemble_scores import AS_IS, DEGRADED, ms_per_face, scores_of
from unmask.training.ensemble_vote import Method, Vote
from unmask.training.lean import lean
from unmask.training.merge import Member, merge, with_card
from unmask.training.recalibrate import recalibrated, trained_methods
from unmask.training.samples import STILL, FromDisk, read_image
from unmask.zoo.starts import STARTS, start_path

SPOT_CHECK = 16
"""Crops on which the file must say what its parts say."""

ROUNDING = 0.02
"""How far it may be off, in log-odds: integers are rounded by batch."""


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("model", type=Path)
    options.add_argument("start")
    options.add_argument("corpus", type=Path)
    options.add_argument("models", type=Path)
    options.add_argument("--beside", nargs="*", default=[], help="models whose log-odds are averaged with it")
    options.add_argument("--each", type=int, default=8, help="compare with floats on every Nth crop")
    chosen = options.parse_args()
    full = load_model(chosen.model, threads=2)
    data = chosen.model.read_bytes()
    small, beside = _lean(data, full, chosen.start)
    val = tuple(sample for sample in read_samples(chosen.corpus) if sample.split == "val")
    folder, trained = chosen.model.parent / "scores", trained_methods(chosen.corpus)
    (raw,) = scores_of([small], val, folder, lambda done, of, line: None)
    card = recalibrated(full.card, val, raw, trained, print)
    _compare(full, small, val[:: chosen.each], folder)
    if chosen.beside:
        others = [load_model(name, threads=2) for name in chosen.beside]
        paths = [_path(name) for name in chosen.beside]
        vote = Vote(Method.WEIGHTED, (1 / (1 + len(others)),) * (1 + len(others)))
        full.card = card
        members = [
            Member(model.card.name, content, model)
            for model, content in zip([full, *others], [data, *(p.read_bytes() for p in paths)], strict=True)
        ]
        all_raw = [raw, *scores_of(others, val, folder, lambda done, of, line: None)]
        logits = np.stack([m.logits(r) for m, r in zip(members, all_raw, strict=True)], axis=2)
        raw = vote.log_odds(logits.reshape(-1, len(members))).reshape(2, -1)
        blank = _of_all(card, others, vote)
        both = with_card(merge(members, vote), msgspec.json.encode(blank).decode(), blank.description)
        card = recalibrated(blank, val, raw, trained, print)
        small, beside = _lean(both, full, chosen.start)
        _check(small, val[:: len(val) // SPOT_CHECK][:SPOT_CHECK], raw[AS_IS][:: len(val) // SPOT_CHECK])
        data = both
    network, plan = lean(data, STARTS[chosen.start], start_path(chosen.start))
    seen = full.history + history_of(val, chosen.corpus)
    history = sum((load_model(name).history for name in chosen.beside), seen)
    path = chosen.models / f"{card.name}.onnx"
    write(path, with_card(network, msgspec.json.encode(card).decode(), card.description, history))
    plan_json = msgspec.json.format(msgspec.json.encode(plan), indent=1)
    write(chosen.models / f"{card.name}.tower.json", plan_json + b"\n")
    for threads in (1, 2):
        model = Model(path.read_bytes(), card.name, threads, beside)
        print(f"{ms_per_face(model):.0f} ms a face on {threads} threads")


def _lean(data: bytes, full: Model, start: str) -> tuple[Model, Path]:
    """The network in `data` as it will be shipped, with the card of `full`, and where its other part lies."""
    network, plan = lean(data, STARTS[start], start_path(start))
    beside = plan.path(full.card.name, fetch=True).parent
    blank = with_card(network, msgspec.json.encode(full.card).decode(), full.card.description)
    return Model(blank, full.card.name, 2, beside), beside


def _path(name: str) -> Path:
    if name in SHIPPED:
        return Path(str(resources.files("unmask.detector") / "models" / f"{name}.onnx"))
    return Path(name)


def _of_all(card: ModelCard, others: Sequence[Model], vote: Vote) -> ModelCard:
    """`card` as that of the file with the others in it, but for what is measured."""
    names = ", ".join(f"`{other.card.name}` ({other.card.architecture})" for other in others)
    return replace(
        card,
        architecture=" + ".join([card.architecture, *(other.card.architecture for other in others)]),
        description=f"{card.description} The mean of its log-odds and those of {names}.",
        calibration=Calibration(1.0, 0.0),
        licence=" ".join(dict.fromkeys([card.licence, *(other.card.licence for other in others)])),
        limits=tuple(dict.fromkeys([*card.limits, *(limit for o in others for limit in o.card.limits)])),
    )


def _compare(full: Model, small: Model, part: tuple[Sample, ...], folder: Path) -> None:
    integers, floats = scores_of([small, full], part, folder, lambda done, of, line: None)
    fake, sources = np.array([s.fake for s in part]), [s.source or str(s.path) for s in part]
    for row, name in ((AS_IS, "val"), (DEGRADED, "val, degraded")):
        gap = delong(fake, integers[row], floats[row], sources).auc
        print(f"{name}: integers minus floats {gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]")


def _check(model: Model, samples: Sequence[Sample], expected: NDArray[np.float64]) -> None:
    crops = np.stack([FromDisk().crop(s, model.card.crop, STILL, read_image(s)) for s in samples])
    off = float(np.abs(model.score(crops).raw - expected[: len(samples)]).max())
    print(f"the file differs from its parts by at most {off:.3f} in log-odds")
    if off > ROUNDING:
        raise SystemExit("that is more than rounding")


if __name__ == "__main__":
    main()
