"""Does one person stay one, and another become another?

    python scripts/tracking.py CORPUS/dev

Of the videos below a folder, those in which no sampled frame shows more than one face: how many of them stay
one person, and how often the next face keeps the person. Against it, how often the face of another video, put
where the last one was, is taken for the same person. The videos must be of one person each without a cut: a
cut to somebody else counts as an error.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from unmask.faces.tracks import Look, Tracker, look_of
from unmask.scanner import Scanner
from unmask.types import Face, Frame

VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm"}

Seen = list[tuple[float, Face, Look]]


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--pairs", type=int, default=2000, help="of faces of two videos")
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    scanner, clips = Scanner(), []
    for path in sorted(p for p in chosen.folder.rglob("*") if p.suffix.lower() in VIDEOS):
        seen = single_faces(scanner, path)
        if len(seen) > 1:
            clips.append(seen)
    followed = [follow(seen) for seen in clips]
    kept = [a == b for ids in followed for a, b in itertools.pairwise(ids)]
    print(f"{len(clips)} videos of one face at a time, {sum(map(len, clips)):,} faces")
    print(f"one person: {sum(max(ids) == 1 for ids in followed)} of {len(clips)}")
    print(f"next face keeps the person: {np.mean(kept):.4f} of {len(kept):,}")
    rng = np.random.default_rng(chosen.seed)
    taken = []
    for _ in range(chosen.pairs if len(clips) > 1 else 0):
        here, there = (clips[int(i)] for i in rng.choice(len(clips), 2, replace=False))
        (time, face, look), (_, _, other) = here[rng.integers(len(here))], there[rng.integers(len(there))]
        taken.append(follow([(time, face, look), (time + 1 / 3, face, other)]) == [1, 1])
    if taken:
        print(f"another video's face is taken for the same person: {np.mean(taken):.4f} of {len(taken):,}")


def single_faces(scanner: Scanner, path: Path) -> Seen:
    """The faces of a video in time, none where a frame shows two."""
    seen: Seen = []
    most = 0

    def look(frame: Frame, faces: Sequence[Face]) -> None:
        nonlocal most
        most = max(most, len(faces))
        for face in faces[:1]:
            crop = scanner.detector.crops(frame.image, face.landmarks)[0]
            seen.append((frame.time, face, look_of(crop)))

    scanner.scan(path, look=look)
    return seen if most == 1 else []


def follow(seen: Seen) -> list[int]:
    """The person of each face."""
    tracker = Tracker()
    return [tracker.update([face], [look], time)[0] for time, face, look in seen]


if __name__ == "__main__":
    main()
