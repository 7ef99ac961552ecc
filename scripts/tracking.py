"""Does one person stay one, and another become another?

    python scripts/tracking.py CORPUS/dev

Of the videos below a folder, those in which no sampled frame shows more than one face: how many of them stay
one person, and how often the next face keeps the person. Against it, how often the face of another video, put
where the last one was after some time of it, is taken for the same person: as they are, in black and white,
and in the light of the first (its mean and spread of each colour). The videos must be of one person each
without a cut: a cut to somebody else counts as an error.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.faces.tracks import COLOUR_SIDE, Tracker, look_of
from unmask.scanner import Scanner
from unmask.types import Face, Frame

VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm"}

Image = NDArray[np.uint8]
Seen = list[tuple[float, Face, Image]]
"""Time, face and a small aligned crop of it."""


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
    print(f"{len(clips)} videos of one face at a time, {sum(map(len, clips)):,} faces")
    for name, lit in LIGHTS.items():
        followed = [follow([(t, face, lit(crop, crop)) for t, face, crop in seen]) for seen in clips]
        kept = [a == b for ids in followed for a, b in itertools.pairwise(ids)]
        taken = strangers_taken(clips, chosen.pairs, chosen.seed, lit)
        print(
            f"{name}: one person {sum(max(ids) == 1 for ids in followed)} of {len(clips)}, "
            f"next face keeps the person {np.mean(kept):.4f} of {len(kept):,}, "
            f"a stranger's is taken for theirs {np.mean(taken):.4f} of {len(taken):,}"
        )


def strangers_taken(
    clips: Sequence[Seen], pairs: int, seed: int, lit: Callable[[Image, Image], Image]
) -> list[bool]:
    """Whether the face of another video is taken for the last of up to ten faces of this one."""
    rng, taken = np.random.default_rng(seed), []
    for _ in range(pairs if len(clips) > 1 else 0):
        here, there = (clips[int(i)] for i in rng.choice(len(clips), 2, replace=False))
        last = int(rng.integers(len(here)))
        seen = [(time, face, lit(crop, crop)) for time, face, crop in here[max(0, last - 9) : last + 1]]
        (time, face, crop), stranger = here[last], there[int(rng.integers(len(there)))][2]
        *_, of_last, of_stranger = follow([*seen, (time + 1 / 3, face, lit(stranger, crop))])
        taken.append(of_last == of_stranger)
    return taken


def as_it_is(crop: Image, _: Image) -> Image:
    return crop


def black_and_white(crop: Image, _: Image) -> Image:
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def in_the_light_of(crop: Image, other: Image) -> Image:
    """Mean and spread of each channel as in `other`: about what one room and one camera would make of it."""
    values = (crop - crop.mean((0, 1))) / (crop.std((0, 1)) + 1) * (other.std((0, 1)) + 1)
    lit: Image = np.clip(values + other.mean((0, 1)), 0, 255).astype(np.uint8)
    return lit


LIGHTS = {"as they are": as_it_is, "in black and white": black_and_white, "in one light": in_the_light_of}


def single_faces(scanner: Scanner, path: Path) -> Seen:
    """The faces of a video in time, none where a frame shows two."""
    seen: Seen = []
    most = 0

    def look(frame: Frame, faces: Sequence[Face]) -> None:
        nonlocal most
        most = max(most, len(faces))
        for face in faces[:1]:
            crop = scanner.detector.crops(frame.image, face.landmarks)[0]
            small = cv2.resize(crop, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA)
            seen.append((frame.time, face, small.astype(np.uint8, copy=False)))

    scanner.scan(path, look=look)
    return seen if most == 1 else []


def follow(seen: Seen) -> list[int]:
    """The person of each face."""
    tracker = Tracker()
    return [tracker.update([face], [look_of(crop)], time)[0] for time, face, crop in seen]


if __name__ == "__main__":
    main()
