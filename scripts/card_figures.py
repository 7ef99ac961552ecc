"""Put what an evaluation measured into a model's card, where every report shows it.

    unmask evaluate fast --on CORPUS/dev.csv --out out/
    python scripts/card_figures.py fast out/figures.csv src/unmask/detector/models/fast.onnx

The AUC and its interval over all photos and over all videos; calibrating anew drops them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import msgspec
import onnx
import polars as pl

from unmask.detector.card import Figure
from unmask.detector.model import load_model
from unmask.report.atomic import write
from unmask.training.merge import with_card

LEVELS = {"image": "photo", "video": "video"}


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("model", help="as in the table of figures")
    options.add_argument("figures", type=Path)
    options.add_argument("file", type=Path, help="the model's file, which is written anew")
    options.add_argument("--on", default="media of other origin", help="what reports call them")
    chosen = options.parse_args()
    table = pl.read_csv(chosen.figures, infer_schema_length=None).filter(
        (pl.col("model") == chosen.model) & (pl.col("level") == "file") & pl.col("by").is_null()
    )
    told = tuple(
        Figure(
            chosen.on,
            LEVELS[row["kind"]],
            *(round(row[name], 4) for name in ("auc", "auc_low", "auc_high")),
            row["judged"],
        )
        for row in table.sort("kind").to_dicts()
    )
    # By its name where it is shipped, since its larger part may lie elsewhere.
    model = load_model(chosen.model if chosen.file.stem == chosen.model else chosen.file)
    card = replace(model.card, figures=(*(f for f in model.card.figures if f.on != chosen.on), *told))
    network = onnx.load(chosen.file, load_external_data=False)
    text = msgspec.json.encode(card).decode()
    write(chosen.file, with_card(network, text, card.description, model.history))
    for figure in told:
        print(f"{figure.on} {figure.level}s: AUC {figure.auc:.3f} [{figure.low:.3f}, {figure.high:.3f}]")


if __name__ == "__main__":
    main()
