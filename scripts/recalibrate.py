"""The card of a model made anew from a fuller `val` than its weights were chosen by.

    python scripts/flagship_data.py all.parquet full.parquet --rotation 4
    python scripts/recalibrate.py runs/fast/fast.onnx full.parquet src/unmask/detector/models/fast.onnx

Aggregation needs whole recordings: of thinned ones (`--each`) the longest runs are not known.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import numpy as np
import onnx

from unmask.data.manifest import read_samples
from unmask.detector.model import load_model
from unmask.evaluation.held_out import history_of
from unmask.report.atomic import write
from unmask.training.ensemble_scores import scores_of
from unmask.training.merge import with_card
from unmask.training.recalibrate import recalibrated, trained_methods


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("model", type=Path)
    options.add_argument("corpus", type=Path)
    options.add_argument("out", type=Path)
    chosen = options.parse_args()
    model = load_model(chosen.model, threads=2)
    val = tuple(sample for sample in read_samples(chosen.corpus) if sample.split == "val")
    (raw,) = scores_of([model], val, chosen.model.parent / "scores", lambda done, of, line: None)
    card = recalibrated(model.card, val, np.asarray(raw), trained_methods(chosen.corpus), print)
    print(f"aggregation {card.aggregation}, {card.band}")
    history = model.history + history_of(val, chosen.corpus)
    network, told = onnx.load(chosen.model), msgspec.json.encode(card).decode()
    write(chosen.out, with_card(network, told, card.description, history))


if __name__ == "__main__":
    main()
