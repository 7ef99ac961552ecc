"""Turns a trained model on a public network into what is shipped: a small file, and a plan for the rest.

    python scripts/lean_model.py accurate.onnx clip_vit_b16/clip train.parquet MODELS --beside pupil-int8.onnx

MODELS is `src/unmask/detector/models`. Calibrated anew on `val`, since its matrices are in integers there.
With `--beside` the file also holds other models, and says the mean of all calibrated log-odds, of which
the first has the `--share`; those that stand on the same public network share it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
import onnx
from numpy.typing import NDArray

from unmask.data.manifest import read_samples
from unmask.data.sample import Sample
from unmask.detector.card import Calibration, ModelCard
from unmask.detector.model import SHIPPED, Model, load_model
from unmask.detector.tower import Tower
from unmask.errors import ModelError
from unmask.evaluation.held_out import history_of
from unmask.figures.paired import delong
from unmask.report.atomic import write
from unmask.training.ensemble_scores import AS_IS, DEGRADED, ms_per_face, scores_of
from unmask.training.ensemble_vote import Method, Vote
from unmask.training.lean import lean
from unmask.training.merge import Member, merge, with_card
from unmask.training.quantize import seen
from unmask.training.recalibrate import recalibrated, trained_methods
from unmask.training.samples import STILL, FromDisk, read_image
from unmask.zoo.starts import STARTS, start_path

SPOT_CHECK = 16
"""Crops on which the file must say what its parts say."""

ROUNDING = 0.02
"""How far it may be off, in log-odds."""


@dataclass(frozen=True, slots=True)
class Given:
    """A model as it was trained: its bytes, the same opened, and what is judged by in its place: in integers
    where it stands on the public network, else itself."""

    data: bytes
    full: Model
    judged: Model

    @property
    def leaned(self) -> bool:
        return self.judged is not self.full


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("model", type=Path)
    options.add_argument("start")
    options.add_argument("corpus", type=Path)
    options.add_argument("models", type=Path)
    options.add_argument("--beside", nargs="*", default=[], help="models whose log-odds are averaged with it")
    options.add_argument("--share", type=float, default=0.5, help="of the first model in that mean")
    options.add_argument("--each", type=int, default=8, help="compare with floats on every Nth crop")
    chosen = options.parse_args()
    samples = read_samples(chosen.corpus)
    val = tuple(sample for sample in samples if sample.split == "val")
    train = [sample for sample in samples if sample.split == "train"]
    if not train:
        raise SystemExit(f"{chosen.corpus} has no crops to train on, by which ranges are set")
    folder, trained = chosen.model.parent / "scores", trained_methods(chosen.corpus)
    crops = seen(train, load_model(chosen.model).card.crop)
    models = [_given(path, chosen.start, crops) for path in map(_path, [chosen.model, *chosen.beside])]
    if not models[0].leaned:
        raise SystemExit(f"{chosen.model} does not stand on {chosen.start}")
    all_raw = scores_of([model.judged for model in models], val, folder, lambda done, of, line: None)
    for model, own in zip(models, all_raw, strict=True):
        if model.leaned:
            print(f"{model.full.card.name} in integers")
            model.full.card = recalibrated(model.full.card, val, own, trained, print)
            _compare(model, val[:: chosen.each], folder)
    data, card, raw = models[0].data, models[0].full.card, all_raw[0]
    if len(models) > 1:
        rest = (1 - chosen.share) / (len(models) - 1)
        vote = Vote(Method.WEIGHTED, (chosen.share, *[rest] * (len(models) - 1)))
        members = [Member(model.full.card.name, model.data, model.full) for model in models]
        logits = np.stack([m.logits(r) for m, r in zip(members, all_raw, strict=True)], axis=2)
        raw = vote.log_odds(logits.reshape(-1, len(members))).reshape(2, -1)
        card = _of_all(card, [model.full for model in models[1:]], chosen.share)
        data = with_card(merge(members, vote), msgspec.json.encode(card).decode(), card.description)
        card = recalibrated(card, val, raw, trained, print)
    network, plan = _lean(data, chosen.start, crops)
    rows = slice(None, None, max(1, len(val) // SPOT_CHECK))
    _check(_opened(network, plan, card), val[rows][:SPOT_CHECK], raw[AS_IS][rows])
    history = sum((model.full.history for model in models), history_of([*train, *val], chosen.corpus))
    path = chosen.models / f"{card.name}.onnx"
    write(path, with_card(network, msgspec.json.encode(card).decode(), card.description, history))
    plan_json = msgspec.json.format(msgspec.json.encode(plan), indent=1)
    write(chosen.models / f"{card.name}.tower.json", plan_json + b"\n")
    beside = plan.path(card.name, fetch=True)
    print(f"{(path.stat().st_size + beside.stat().st_size) / 1e6:.1f} MB with what it stands on")
    for threads in (1, 2):
        model = Model(path.read_bytes(), card.name, threads, beside.parent)
        print(f"{ms_per_face(model):.0f} ms a face on {threads} threads")


def _given(path: Path, start: str, crops: Sequence[NDArray[np.uint8]]) -> Given:
    data, full = path.read_bytes(), load_model(path, threads=2)
    try:
        network, plan = _lean(data, start, crops)
    except ModelError:  # it stands on nothing else
        return Given(data, full, full)
    return Given(data, full, _opened(network, plan, full.card))


def _lean(data: bytes, start: str, crops: Sequence[NDArray[np.uint8]]) -> tuple[onnx.ModelProto, Tower]:
    return lean(data, STARTS[start], start_path(start), crops)


def _opened(network: onnx.ModelProto, plan: Tower, card: ModelCard) -> Model:
    """The network as it will be shipped, with that card, on what its plan makes."""
    data = with_card(network, msgspec.json.encode(card).decode(), card.description)
    return Model(data, card.name, 2, plan.path(card.name, fetch=True).parent)


def _path(name: str) -> Path:
    if name in SHIPPED:
        return Path(str(resources.files("unmask.detector") / "models" / f"{name}.onnx"))
    return Path(name)


def _of_all(card: ModelCard, others: Sequence[Model], share: float) -> ModelCard:
    """`card` as that of the file with the others in it, but for what is measured."""
    names = ", ".join(f"`{other.card.name}` ({other.card.architecture})" for other in others)
    return replace(
        card,
        architecture=" + ".join([card.architecture, *(other.card.architecture for other in others)]),
        description=f"{card.description} The mean of its log-odds ({share:g}) and those of {names}.",
        calibration=Calibration(1.0, 0.0),
        licence=" ".join(dict.fromkeys([card.licence, *(other.card.licence for other in others)])),
        limits=tuple(dict.fromkeys([*card.limits, *(limit for o in others for limit in o.card.limits)])),
    )


def _compare(model: Given, part: tuple[Sample, ...], folder: Path) -> None:
    integers, floats = scores_of([model.judged, model.full], part, folder, lambda done, of, line: None)
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
