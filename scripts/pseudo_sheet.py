"""Draw pseudo-fakes of every kind, to look at: python scripts/pseudo_sheet.py CORPUS OUT.png

CORPUS is a corpus folder or a manifest of face crops. The first line shows real faces of as many sources as
there are places; below are for each kind the forged pictures, with what was done, and their masks; then the
honest twins and the retouched. `--kind` shows one kind in several draws.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from unmask.data.manifest import read_samples
from unmask.data.sample import Sample
from unmask.forge.kinds import KINDS
from unmask.forge.pseudo import PseudoFakes
from unmask.forge.retouch import retouch
from unmask.training.samples import read_image

GAP, CAPTION, FONT_SIZE = 4, 30, 11


def chosen(samples: list[Sample], per: int, seed: int, least: float) -> list[Sample]:
    """`per` real samples of as many data sets and sources as can be, none smaller than `least` px."""
    rng = np.random.default_rng(seed)
    by_dataset: dict[str, list[Sample]] = {}
    for number in rng.permutation(len(samples)):
        sample = samples[number]
        (x1, _), (x2, _) = sample.landmarks[:2]
        if not sample.fake and abs(x2 - x1) >= least:
            by_dataset.setdefault(sample.dataset, []).append(sample)
    lists, found, turn = list(by_dataset.values()), [], 0
    while lists and len(found) < per and turn < per * len(lists):
        candidates = lists[turn % len(lists)]
        if candidates:
            found.append(candidates.pop())
        turn += 1
    return found


class Sheet:
    """Lines of pictures with a caption over each."""

    def __init__(self, per: int, side: int) -> None:
        self.per, self.side = per, side
        self.cells: list[tuple[int, int, NDArray[np.uint8], str]] = []
        self.tops: list[int] = [GAP]

    def line(self, pictures: list[NDArray[np.uint8]], captions: list[str]) -> None:
        """One more line; without captions it follows the one above closely."""
        caption = CAPTION if any(captions) else 0
        for number, (picture, text) in enumerate(zip(pictures, captions, strict=True)):
            self.cells.append((number, self.tops[-1], picture, text))
        self.tops.append(self.tops[-1] + caption + self.side + GAP)

    def save(self, out: Path) -> None:
        font = ImageFont.load_default(FONT_SIZE)
        sheet = Image.new("RGB", (GAP + self.per * (self.side + GAP), self.tops[-1]), "white")
        draw = ImageDraw.Draw(sheet)
        for column, top, picture, text in self.cells:
            left = GAP + column * (self.side + GAP)
            how = cv2.INTER_AREA if picture.shape[0] > self.side else cv2.INTER_CUBIC
            small = cv2.resize(picture, (self.side, self.side), interpolation=how)
            if text:
                draw.text((left, top), text, fill="black", font=font)
            sheet.paste(Image.fromarray(small), (left, top + (CAPTION if text else 0)))
        sheet.save(out)


def wrapped(words: tuple[str, ...], width: int) -> str:
    """Two lines of at most `width` characters."""
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += f"{word} "
    return "\n".join(lines[:2])


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("corpus", type=Path)
    options.add_argument("out", type=Path)
    options.add_argument("--per", type=int, default=8)
    options.add_argument("--side", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--least", type=float, default=0.0, help="least distance of the eyes in pixels")
    options.add_argument("--kind", choices=[*KINDS.names(), "twin", "retouch"])
    options.add_argument("--lines", type=int, default=1, help="draws of each kind")
    asked = options.parse_args()
    reals = [s for s in read_samples(asked.corpus) if not s.fake]
    faces = chosen(reals, asked.per, asked.seed, asked.least)
    wide = asked.side // 6
    sheet = Sheet(len(faces), asked.side)
    sheet.line([read_image(s) for s in faces], [wrapped(("real", s.dataset), wide) for s in faces])
    for kind in [asked.kind] if asked.kind in KINDS.names() else [] if asked.kind else KINDS.names():
        maker = PseudoFakes({kind: 1.0}, reals, read_image)
        for turn in range(asked.lines):
            made = [maker.make(s, np.random.default_rng((asked.seed, turn, n))) for n, s in enumerate(faces)]
            sheet.line([m.image for m in made], [wrapped(m.done, wide) for m in made])
            masks = [np.repeat((m.mask * 255).astype(np.uint8)[..., None], 3, axis=2) for m in made]
            sheet.line(masks, [""] * len(made))
    for kind in KINDS.names() if asked.kind in (None, "twin") else []:
        maker = PseudoFakes({kind: 1.0}, reals, read_image)
        twins = [maker.twin(s, np.random.default_rng((asked.seed, n))) for n, s in enumerate(faces)]
        sheet.line(twins, [wrapped(("twin", "of", kind), wide)] * len(twins))
    for turn in range(asked.lines) if asked.kind in (None, "retouch") else []:
        done = [
            retouch(read_image(s), s.landmarks, np.random.default_rng((asked.seed, turn, n)))
            for n, s in enumerate(faces)
        ]
        sheet.line([image for image, _ in done], [wrapped(("retouch", *names), wide) for _, names in done])
    sheet.save(asked.out)


if __name__ == "__main__":
    main()
