"""Compare the face detectors in one run, on one thread: what they find, what they invent, what they cost.

Needs the research corpus (a folder with train.csv, dev.csv and their media) and YuNet's weights:

    UNMASK_YUNET=yunet.onnx python benchmarks/faces.py --corpus CORPUS

Four questions, one Markdown table:

1. crops: recall and landmarks on a random sample of the corpus's face crops (validation split). YuNet found
   these faces in the first place, so the numbers flatter YuNet, and other detectors' finer ones are hidden.
2. frames: on whole pictures and every n-th frame of the development videos. The reference is what at least
   two of the OTHER families of detectors find; a false detection is one that no other family shares.
3. size: crops shrunk onto a plain 1080p frame, the smallest face (in pixels of a 640-wide frame) at which
   at least 90 % are found, for all faces and for those turned away the most.
4. time: milliseconds for a 1920×1080 and a 640×360 frame.
"""

from __future__ import annotations

import argparse
import csv
import random
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.faces.blazeface import BlazeFace
from unmask.faces.centerface import CenterFace
from unmask.faces.finder import FaceFinder
from unmask.faces.mtcnn import MTCNN
from unmask.faces.overlap import iou
from unmask.faces.yunet import YuNet
from unmask.types import Face, Landmarks

Image = NDArray[np.uint8]

SAME = 0.4
"""IoU from which two boxes are the same face; low, since detectors differ in what a face's box is."""
SIZES = (12, 16, 20, 24, 32, 48, 64, 96, 140)
"""Longer sides of pasted faces, in pixels of a 640-wide frame."""
FOUND = 0.9
"""Recall from which a size counts as found."""
TURNED = 0.25
"""Part of the pasted faces, those turned away the most, that is counted on its own."""
ROUNDS = 7
"""Timings per detector and frame, interleaved between detectors; the median counts."""

CONFIGURATIONS: dict[str, Callable[[], FaceFinder]] = {
    "centerface 320": lambda: CenterFace(1, long_side=320),
    "centerface 352": lambda: CenterFace(1, long_side=352),
    "centerface 384": lambda: CenterFace(1, long_side=384),
    "centerface 416": lambda: CenterFace(1, long_side=416),
    "centerface 512": lambda: CenterFace(1, long_side=512),
    "centerface 640": lambda: CenterFace(1, long_side=640),
    "blazeface 192": lambda: BlazeFace(1, long_side=192),
    "blazeface 256": lambda: BlazeFace(1, long_side=256),
    "blazeface 320": lambda: BlazeFace(1, long_side=320),
    "yunet 320": lambda: YuNet(1, long_side=320),
    "yunet 416": lambda: YuNet(1, long_side=416),
    "yunet 640": lambda: YuNet(1, long_side=640),
    "mtcnn 20": lambda: MTCNN(1, min_face=20),
    "mtcnn 60": lambda: MTCNN(1, min_face=60),
}
REFEREES = ("centerface 640", "blazeface 192", "yunet 640", "mtcnn 20")
"""One configuration per family, which together say what is a face on whole frames."""


@dataclass
class Tally:
    """What one configuration did."""

    crop_recall: float = 0.0
    crop_false: int = 0
    landmark_off: list[float] = field(default_factory=list)
    frame_faces: int = 0
    frame_found: int = 0
    frame_false: int = 0
    size_recall: dict[int, float] = field(default_factory=dict)
    turned_recall: dict[int, float] = field(default_factory=dict)
    ms_1080: float = 0.0
    ms_360: float = 0.0


@dataclass(frozen=True)
class Crop:
    """A face crop of the corpus with YuNet's box and landmarks, in its pixels."""

    image: Image
    box: NDArray[np.float32]
    landmarks: Landmarks

    @property
    def turn(self) -> float:
        """How far the nose is from the middle of the eyes, in eye-to-mouth distances: 0 faces us."""
        marks = np.array(self.landmarks)
        eyes, mouth = marks[:2].mean(axis=0), marks[3:].mean(axis=0)
        down = mouth - eyes
        length = max(float(np.hypot(*down)), 1e-6)
        nose = marks[2] - eyes
        return abs(float(nose[0] * down[1] - nose[1] * down[0])) / length**2


def boxes_of(faces: list[Face]) -> NDArray[np.float32]:
    """Boxes (N, 4) of faces."""
    return np.array([face.box for face in faces], dtype=np.float32).reshape(-1, 4)


def read_crops(corpus: Path, count: int, seed: int) -> list[Crop]:
    """A random sample of the validation crops."""
    with (corpus / "train.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    crops = []
    for row in random.Random(seed).sample(rows, count):
        image = read_image(corpus / "train" / row["file"])
        box = np.array([float(row[key]) for key in ("x1", "y1", "x2", "y2")], dtype=np.float32)
        a, b, c, d, e = ((float(row[f"lm{i}x"]), float(row[f"lm{i}y"])) for i in range(5))
        crops.append(Crop(image, box, (a, b, c, d, e)))
    return crops


def read_image(path: Path) -> Image:
    """RGB pixels of a picture."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"{path} cannot be read")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_frames(corpus: Path, step: int, every_image: int) -> Iterator[Image]:
    """Every `every_image`-th picture and every `step`-th frame of every video of the development set."""
    with (corpus / "dev.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    images = [row for row in rows if row["kind"] == "image"]
    for row in images[::every_image]:
        yield read_image(corpus / "dev" / row["file"])
    for row in rows:
        if row["kind"] == "video":
            with av.open(str(corpus / "dev" / row["file"])) as container:
                for index, frame in enumerate(container.decode(video=0)):
                    if index % step == 0:
                        yield np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def measure_crops(finders: dict[str, FaceFinder], crops: list[Crop], tallies: dict[str, Tally]) -> None:
    """Question 1."""
    for name, finder in finders.items():
        tally, found = tallies[name], 0
        for crop in crops:
            faces = finder.find(crop.image)
            overlap = iou(boxes_of(faces), crop.box[None])[:, 0] if faces else np.zeros(0)
            tally.crop_false += int((overlap < SAME).sum())
            if overlap.size and overlap.max() >= SAME:
                found += 1
                marks = np.array(faces[int(overlap.argmax())].landmarks)
                theirs = np.array(crop.landmarks)
                eyes = max(float(np.hypot(*(theirs[1] - theirs[0]))), 1.0)
                tally.landmark_off.append(float(np.hypot(*(marks - theirs).T).mean()) / eyes)
        tally.crop_recall = found / len(crops)


def family(name: str) -> str:
    """The detector of a configuration."""
    return name.split(maxsplit=1)[0]


def measure_frames(finders: dict[str, FaceFinder], frames: Iterator[Image], tallies: dict[str, Tally]) -> int:
    """Question 2; returns the number of frames."""
    count = 0
    for frame in frames:
        count += 1
        found = {name: boxes_of(finder.find(frame)) for name, finder in finders.items()}
        for name, boxes in found.items():
            others = [found[referee] for referee in REFEREES if family(referee) != family(name)]
            agreed = agreement(others)
            tally = tallies[name]
            tally.frame_faces += len(agreed)
            if len(boxes):
                tally.frame_found += int((iou(agreed, boxes).max(axis=1) >= SAME).sum()) if len(agreed) else 0
                anyone = np.concatenate(others)
                shared = iou(boxes, anyone).max(axis=1) >= SAME if len(anyone) else np.zeros(len(boxes), bool)
                tally.frame_false += int((~shared).sum())
    return count


def agreement(opinions: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Boxes (N, 4) that at least two opinions share, each face once."""
    agreed: list[NDArray[np.float32]] = []
    for first, boxes in enumerate(opinions):
        for box in boxes:
            if agreed and iou(box[None], np.array(agreed)).max() >= SAME:
                continue
            if any(len(other) and iou(box[None], other).max() >= SAME for other in opinions[first + 1 :]):
                agreed.append(box)
    return np.array(agreed, dtype=np.float32).reshape(-1, 4)


def pasted(crops: list[Crop], size: int) -> Iterator[tuple[Image, list[tuple[int, NDArray[np.float32]]]]]:
    """1080p frames with the crops shrunk until their faces have `size` pixels at 640 wide.

    Gives each frame with (number of the crop, its box in the frame).
    """
    width, height = 1920, 1080
    columns = 4 if size <= 64 else 2
    rows = 3 if size <= 64 else 1
    per_frame = columns * rows
    for start in range(0, len(crops), per_frame):
        frame = np.full((height, width, 3), 110, dtype=np.uint8)
        placed = []
        for slot, crop in enumerate(crops[start : start + per_frame]):
            scale = size * width / 640 / float((crop.box[2:] - crop.box[:2]).max())
            side = max(1, round(crop.image.shape[0] * scale))
            way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            small = cv2.resize(crop.image, (side, side), interpolation=way)
            centre_x = (slot % columns * 2 + 1) * width // (2 * columns)
            centre_y = (slot // columns * 2 + 1) * height // (2 * rows)
            left, top = centre_x - side // 2, centre_y - side // 2
            frame[top : top + side, left : left + side] = small
            placed.append((start + slot, crop.box * scale + np.array([left, top, left, top], np.float32)))
        yield frame, placed


def measure_sizes(finders: dict[str, FaceFinder], crops: list[Crop], tallies: dict[str, Tally]) -> None:
    """Question 3."""
    limit = sorted(crop.turn for crop in crops)[int(len(crops) * (1 - TURNED))]
    turned = {number for number, crop in enumerate(crops) if crop.turn >= limit}
    for size in SIZES:
        hits: dict[str, set[int]] = {name: set() for name in finders}
        for frame, placed in pasted(crops, size):
            for name, finder in finders.items():
                boxes = boxes_of(finder.find(frame))
                for number, box in placed:
                    if len(boxes) and iou(box[None], boxes).max() >= SAME:
                        hits[name].add(number)
        for name, found in hits.items():
            tallies[name].size_recall[size] = len(found) / len(crops)
            tallies[name].turned_recall[size] = len(found & turned) / len(turned)


def measure_time(finders: dict[str, FaceFinder], frame: Image, tallies: dict[str, Tally]) -> None:
    """Question 4, on one real frame brought to both sizes."""
    large = np.asarray(cv2.resize(frame, (1920, 1080), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    small = np.asarray(cv2.resize(large, (640, 360), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    times: dict[tuple[str, int], list[float]] = {}
    for round_ in range(ROUNDS + 1):
        for name, finder in finders.items():
            for picture in (large, small):
                start = time.perf_counter()
                finder.find(picture)
                if round_:
                    times.setdefault((name, picture.shape[0]), []).append(time.perf_counter() - start)
    for name, tally in tallies.items():
        tally.ms_1080 = statistics.median(times[name, 1080]) * 1000
        tally.ms_360 = statistics.median(times[name, 360]) * 1000


def smallest(recall: dict[int, float]) -> str:
    """The smallest size from which on upwards recall holds, in words; large faces may be lost again."""
    good = [size for size, value in recall.items() if value >= FOUND]
    if not good:
        return "–"
    lost = [size for size, value in recall.items() if value < FOUND and size > good[0]]
    return f"{good[0]}" + (f" (not {', '.join(map(str, lost))})" if lost else "")


def table(tallies: dict[str, Tally]) -> str:
    """All answers as Markdown."""
    lines = [
        "| detector | crops: recall | false | landmarks off, median (90 %) | frames: recall | false "
        "| smallest face | smallest, turned | recall at 32 px | ms 1080p | ms 360p |",
        "| --- " + "| ---: " * 10 + "|",
    ]
    for name, tally in tallies.items():
        off = np.array(tally.landmark_off or [np.nan])
        lines.append(
            f"| {name} | {tally.crop_recall:.1%} | {tally.crop_false} "
            f"| {np.median(off):.3f} ({np.quantile(off, 0.9):.3f}) "
            f"| {tally.frame_found / max(tally.frame_faces, 1):.1%} | {tally.frame_false} "
            f"| {smallest(tally.size_recall)} | {smallest(tally.turned_recall)} "
            f"| {tally.size_recall.get(32, 0):.0%} | {tally.ms_1080:.1f} | {tally.ms_360:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run all four and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--crops", type=int, default=400, help="crops for question 1")
    parser.add_argument("--paste", type=int, default=120, help="crops for question 3")
    parser.add_argument("--step", type=int, default=50, help="every n-th frame of a video")
    parser.add_argument("--every-image", type=int, default=2, help="every n-th picture")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    finders = {name: make() for name, make in CONFIGURATIONS.items()}
    tallies = {name: Tally() for name in finders}
    crops = read_crops(arguments.corpus, arguments.crops, arguments.seed)
    measure_crops(finders, crops, tallies)
    frames = read_frames(arguments.corpus, arguments.step, arguments.every_image)
    count = measure_frames(finders, frames, tallies)
    measure_sizes(finders, crops[: arguments.paste], tallies)
    measure_time(finders, next(read_frames(arguments.corpus, 10**9, 10**9)), tallies)
    faces = {family(name): tally.frame_faces for name, tally in tallies.items()}
    print(table(tallies))
    print(f"\n{len(crops)} crops, {count} frames; reference faces on frames: {faces}")


if __name__ == "__main__":
    main()
