"""Turns a trained model on a public network into what is shipped: a small file, and a plan for the rest.

    python scripts/lean_model.py runs/accurate/accurate.onnx clip_vit_b16/clip train.parquet MODELS

MODELS is `src/unmask/detector/models`. Calibrated anew on `val`, since its matrices are in integers there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import numpy as np

from unmask.data.manifest import read_samples
from unmask.detector.model import Model, load_model
from unmask.figures.paired import delong
from unmask.report.atomic import write
from unmask.training.ensemble_scores import AS_IS, DEGRADED, ms_per_face, scores_of
from unmask.training.lean import lean
from unmask.training.merge import with_card
from unmask.training.recalibrate import recalibrated, trained_methods
from unmask.zoo.starts import STARTS, start_path


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("model", type=Path)
    options.add_argument("start")
    options.add_argument("corpus", type=Path)
    options.add_argument("models", type=Path)
    options.add_argument("--each", type=int, default=8, help="compare with floats on every Nth crop")
    chosen = options.parse_args()
    full = load_model(chosen.model, threads=2)
    network, plan = lean(chosen.model.read_bytes(), STARTS[chosen.start], start_path(chosen.start))
    beside = plan.path(full.card.name, fetch=True).parent
    blank = with_card(network, msgspec.json.encode(full.card).decode(), full.card.description)
    small = Model(blank, full.card.name, 2, beside)
    val = tuple(sample for sample in read_samples(chosen.corpus) if sample.split == "val")
    folder = chosen.model.parent / "scores"
    (raw,) = scores_of([small], val, folder, lambda done, of, line: None)
    card = recalibrated(full.card, val, raw, trained_methods(chosen.corpus), print)
    path = chosen.models / f"{card.name}.onnx"
    write(path, with_card(network, msgspec.json.encode(card).decode(), card.description, full.history))
    plan_json = msgspec.json.format(msgspec.json.encode(plan), indent=1)
    write(chosen.models / f"{card.name}.tower.json", plan_json + b"\n")
    part = val[:: chosen.each]
    integers, floats = scores_of([small, full], part, folder, lambda done, of, line: None)
    fake, sources = np.array([s.fake for s in part]), [s.source or str(s.path) for s in part]
    for row, name in ((AS_IS, "val"), (DEGRADED, "val, degraded")):
        gap = delong(fake, integers[row], floats[row], sources).auc
        print(f"{name}: integers minus floats {gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]")
    for threads in (1, 2):
        model = Model(path.read_bytes(), card.name, threads, beside)
        print(f"{ms_per_face(model):.0f} ms a face on {threads} threads")


if __name__ == "__main__":
    main()
