"""Run the study's networks again, under its protocol and under an honest one.

    python scripts/study.py train CORPUS            # all networks, both protocols; goes on where it was
    python scripts/study.py train CORPUS --only frames/lenet sources/lenet

Each recipe in recipes/study/<protocol>/<name>.yaml becomes a run in runs/study/<protocol>/<name>. Finished
runs are left as they are. `unmask compare runs/study/frames` shows them side by side.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from unmask.cli.bar import steps
from unmask.training.make import make
from unmask.training.result import RESULT_FILE

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "recipes" / "study"
RUNS = ROOT / "runs" / "study"
PROTOCOLS = ("frames", "sources")

ORDER = ("lenet", "lenet-tuned", "minivggnet", "resnet", "meso4", "alexnet", "vgg16", "vgg19")
"""From the cheapest to the dearest."""


def train(corpus: Path, only: list[str]) -> None:
    """Make every run that is not finished."""
    for name in ORDER:
        for protocol in PROTOCOLS:
            run = f"{protocol}/{name}"
            folder = RUNS / run
            if (only and run not in only) or (folder / RESULT_FILE).is_file():
                continue
            began = time.monotonic()
            print(f"== {run}", file=sys.stderr, flush=True)
            with steps(run) as show:
                make(RECIPES / f"{run}.yaml", corpus, folder, progress=show, say=_say)
            print(f"== {run}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("what", choices=["train"])
    options.add_argument("corpus", type=Path)
    options.add_argument("--only", nargs="*", default=[])
    chosen = options.parse_args()
    train(chosen.corpus, chosen.only)


if __name__ == "__main__":
    main()
