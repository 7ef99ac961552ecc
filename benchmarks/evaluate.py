"""How long it takes to make every figure again from the scores of a large test set, and in how much memory.

python benchmarks/evaluate.py            # 100,000 videos of 32 frames (needs unmask[lab])
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FRAMES = 32
METHODS = 8
SOURCES_SHARE = 0.5
"""Recordings per video: several fakes are made from one."""


def make(path: Path, videos: int) -> None:
    """A score file of made-up scores: half of the videos fake, those of one video alike."""
    import numpy as np
    import polars as pl

    from unmask.evaluation.table import FACE, FILE, SCHEMA, TRACK, JudgedBy, Scores, write_scores
    from unmask.types import Band

    rng = np.random.default_rng(0)
    fake = rng.random(videos) < 0.5
    source = rng.integers(0, int(videos * SOURCES_SHARE), videos)
    method = np.where(fake, rng.integers(1, METHODS + 1, videos), 0)
    centre = rng.normal(0, 1, videos) + 1.5 * fake - 0.75
    band = Band(0.3, 0.7, 0.05, 0.05)

    def rows(level: str, index: np.ndarray, p: np.ndarray, frame: np.ndarray | None) -> pl.DataFrame:
        names = pl.Series("number", index)
        return pl.DataFrame(
            {
                "model": pl.Series(["made"]).new_from_index(0, len(index)),
                "level": pl.Series([level]).new_from_index(0, len(index)),
                "file": "set/" + names.cast(pl.String),
                "kind": pl.Series(["video"]).new_from_index(0, len(index)),
                "fake": fake[index],
                "dataset": "set " + (names % 3).cast(pl.String),
                "method": pl.Series(method[index]).cast(pl.String),
                "source": pl.Series(source[index]).cast(pl.String),
                "compression": pl.Series(["c23"]).new_from_index(0, len(index)),
                "degradation": pl.Series([""]).new_from_index(0, len(index)),
                "severity": pl.Series([0]).new_from_index(0, len(index)),
                "track": pl.Series([1]).new_from_index(0, len(index)),
                "frame": frame,
                "time": pl.Series([None]).new_from_index(0, len(index)),
                "size": 40 + 300 * rng.random(len(index)),
                "verdict": np.where(
                    p >= band.fake_above, "FAKE", np.where(p <= band.real_below, "REAL", "UNSURE")
                ),
                "probability": p,
            }
        ).cast(SCHEMA)

    every = np.arange(videos)
    faces = np.repeat(every, FRAMES)
    of_video = 1 / (1 + np.exp(-centre))
    of_face = 1 / (1 + np.exp(-(centre[faces] + rng.normal(0, 1, len(faces)))))
    table = pl.concat(
        [
            rows(FACE, faces, of_face, np.tile(np.arange(FRAMES), videos)),
            rows(TRACK, every, of_video, None),
            rows(FILE, every, of_video, None),
        ]
    )
    write_scores(Scores(table, (JudgedBy("made", "", band.fake_above, band.real_below),)), path)


def figures(path: Path) -> None:
    """Make all figures, then the page, and print what it took."""
    from unmask.evaluation.outcome import outcome
    from unmask.evaluation.table import read_scores

    began = time.perf_counter()
    told = outcome(read_scores(path))
    measured = time.perf_counter()
    page = told.page()
    drawn = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(told.lines)} lines of figures in {measured - began:.1f} s")
    print(f"the page ({len(page) / 1024:,.0f} KiB) in {drawn - measured:.1f} s more; at most {peak:,.0f} MiB")


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--videos", type=int, default=100_000)
    options.add_argument("--from", dest="path", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.path is not None:
        figures(chosen.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scores.parquet"
        make(path, chosen.videos)
        print(f"{chosen.videos:,} videos of {FRAMES} frames: {path.stat().st_size / 2**20:.0f} MiB")
        # In a process of its own: its memory is what counts, not that of making the file.
        subprocess.run([sys.executable, __file__, "--from", str(path)], check=True)


if __name__ == "__main__":
    main()
