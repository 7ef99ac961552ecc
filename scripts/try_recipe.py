"""What a change of a recipe is worth elsewhere: a short training, measured on data sets that are left out.

    python scripts/flagship_data.py all.parquet foreign.parquet --rotation 3 --each 10
    python scripts/try_recipe.py recipes/accurate-first.yaml foreign.parquet runs/try --steps 300
    python scripts/try_recipe.py recipes/accurate-first.yaml foreign.parquet runs/try --steps 300 \
        --set mix.paired=false --set mix.self_blended=0.5

Prints one line of a table: the AUC of interviews' forgeries against the same interviews' reals, against all
reals, of talking heads against real recordings, of GANs and of text to image against photos; and the share of
real frames that are called fake at the score that 5 % of the real photos reach. Each as it is / degraded.
"""

from __future__ import annotations

import argparse
import zlib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from sklearn.metrics import roc_auc_score

from unmask.data.corpus import Sample
from unmask.data.manifest import read_samples
from unmask.training.fit import VALIDATION_STRENGTH, Fit, score
from unmask.training.recipe import parse_recipe

TALKING = {"anitalker", "cyberhost", "dreamtalk", "edtalk", "emo", "loopy", "omnihuman", "sadtalker", "vasa"}
MOST = {"real photo": 300, "gan": 150, "t2i": 150, "talk": 180}
"""Crops of a kind that are measured at most, drawn by a hash of their names."""

FALSE_ALARMS = 0.05


def kind_of(sample: Sample) -> str:
    if not sample.fake:
        return f"real {sample.kind}"
    if sample.method in TALKING:
        return "talk"
    if sample.kind == "frame":
        return "swap"
    return "gan" if sample.method.startswith("stylegan") else "t2i"


def measured(samples: Sequence[Sample]) -> list[Sample]:
    of_kind = defaultdict(list)
    for sample in samples:
        if sample.split == "val" and sample.method not in {"ffpp-mixed"}:
            of_kind[kind_of(sample)].append(sample)
    kept = []
    for kind, found in of_kind.items():
        found.sort(key=lambda sample: zlib.crc32(sample.path.name.encode()))
        kept += found[: MOST.get(kind, len(found))]
    return kept


def figures(samples: Sequence[Sample], scores: NDArray[np.float64]) -> list[float]:
    kinds = np.array([kind_of(sample) for sample in samples])
    interview = np.array([sample.dataset in {"ffpp", "dfd"} for sample in samples])
    frames, photos = kinds == "real frame", kinds == "real photo"

    def against(fakes: NDArray[np.bool_], reals: NDArray[np.bool_]) -> float:
        rows = fakes | reals
        return float(roc_auc_score(fakes[rows], scores[rows]))

    limit = np.quantile(scores[photos], 1 - FALSE_ALARMS)
    swap = kinds == "swap"
    return [
        against(swap & interview, frames & interview),
        against(swap, frames | photos),
        against(kinds == "talk", frames),
        against(kinds == "gan", photos),
        against(kinds == "t2i", photos),
        float((scores[frames & interview] > limit).mean()),
        float((scores[frames & ~interview] > limit).mean()),
    ]


def changed(document: dict[str, Any], change: str) -> None:
    name, _, value = change.partition("=")
    *rooms, last = name.split(".")
    for room in rooms:
        document = document.setdefault(room, {})
    document[last] = msgspec.yaml.decode(value.encode())


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("recipe", type=Path)
    options.add_argument("manifest", type=Path)
    options.add_argument("folder", type=Path)
    options.add_argument("--steps", type=int, default=300)
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    chosen = options.parse_args()
    document = msgspec.yaml.decode(chosen.recipe.read_bytes())
    short = (f"schedule.steps={chosen.steps}", "schedule.validate_every=1000000", "schedule.average=0.98")
    for change in (*short, *chosen.set):
        changed(document, change)
    recipe, samples = parse_recipe(document), read_samples(chosen.manifest)
    fit = Fit(recipe, samples, chosen.folder)
    fit._validate = lambda workers: ""  # type: ignore[method-assign]  # measured below, once
    with Progress() as bar:
        task = bar.add_task("training", total=fit.steps)

        def show(step: int, steps: int, message: str) -> None:
            bar.update(task, completed=step, description=message or None)

        fit.run(show)
    torch.save(fit.average.state_dict(), chosen.folder / "average.pt")
    part = measured(samples)
    columns = []
    for strength in (0.0, VALIDATION_STRENGTH):
        logits = np.array(score(fit.average, part, recipe, strength).logits)
        np.save(chosen.folder / f"scores-{strength}.npy", logits)
        columns.append(figures(part, logits))
    cells = " | ".join(f"{plain:.3f} / {degraded:.3f}" for plain, degraded in zip(*columns, strict=True))
    told = ", ".join(chosen.set) or "as it is"
    print("| recipe | interviews | all reals | talking | GAN | text to image | called fake | other frames |")
    print(f"| {told} | {cells} |")


if __name__ == "__main__":
    main()
