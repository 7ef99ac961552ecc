"""How often the 95 % intervals of all figures hold the truth, on made-up sets whose truth is known.

python scripts/interval_coverage.py            # the table of docs/evaluation.md, about five minutes

Samples of one source resemble each other. The truth of each figure is that of a set of 400,000 sources.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.figures.sources import DRAWS
from unmask.figures.summary import RANKED, SUMMED, Summary, summarise

Sample = tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.int64]]

FIGURES = (*RANKED, *SUMMED)


@dataclass(frozen=True)
class Case:
    """Sets of one make: how many sources of each label, with how many samples each, and whether every source
    has both labels (`tied`). `apart` is how far fakes score above reals in log-odds, `own` how much sources
    differ."""

    name: str
    sources: int
    each: int
    apart: float
    own: float
    tied: bool = False

    def draw(self, random: np.random.Generator, sources: int) -> Sample:
        """One set of so many sources of each label."""
        fake = np.repeat(np.arange(2 * sources) % 2 == 1, self.each)
        source = np.repeat(np.arange(2 * sources), self.each)
        if self.tied:
            source //= 2
        shift = random.normal(0, self.own, 2 * sources)[source]
        odds = self.apart * (fake - 0.5) + shift + random.normal(0, 1, len(fake))
        return fake, 1 / (1 + np.exp(-odds)), source


CASES = (
    Case("small, weak", 30, 4, 1.0, 0.7),
    Case("small, strong", 30, 4, 4.0, 0.7),
    Case("photos", 150, 1, 1.5, 0.0),
    Case("clips", 100, 10, 2.0, 1.0),
    Case("fakes of the reals here", 100, 4, 1.5, 1.0, tied=True),
    Case("large", 6_000, 2, 1.5, 1.0),
)


def hits(case: Case, runs: int, draws: int, say: Callable[[str], None]) -> dict[str, float]:
    """The share of runs in which each figure's interval held the truth; NaN where none was given."""
    truth = summarise(*case.draw(np.random.default_rng(1), 400_000), draws=1)
    told: list[Summary] = []
    for seed in range(runs):
        told.append(
            summarise(*case.draw(np.random.default_rng(seed + 2), case.sources), draws=draws, seed=seed)
        )
        say(f"\r{case.name}: {seed + 1} of {runs}")
    found = {}
    for name in FIGURES:
        given = [getattr(one, name) for one in told]
        right = getattr(truth, name).value
        known = [one.low <= right <= one.high for one in given if not np.isnan(one.low)]
        found[name] = float(np.mean(known)) if known else np.nan
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--draws", type=int, default=DRAWS // 2)
    given = parser.parse_args()
    rows = {
        case.name: hits(case, given.runs, given.draws, lambda text: print(text, end="", flush=True))
        for case in CASES
    }
    print("\n\n| figure |", " | ".join(rows), "|")
    print("| --- |", " ---: |" * len(rows))
    for name in FIGURES:
        shares = ["—" if np.isnan(row[name]) else f"{row[name]:.0%}" for row in rows.values()]
        print(f"| {name.replace('_', ' ')} |", " | ".join(shares), "|")


if __name__ == "__main__":
    main()
