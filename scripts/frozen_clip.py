"""How far features of CLIP go that were never tuned: a linear head over any of its blocks.

    python scripts/frozen_clip.py features train.parquet features/      # resumable; 7 crops/s on two cores
    python scripts/frozen_clip.py heads train.parquet features/
    python scripts/frozen_clip.py makes train.parquet features/

`train.parquet` comes from `scripts/flagship_data.py`. Of every recording six crops are kept. All of `val` is
there plain and degraded; the training side is drawn degraded, and as many reals self-blended. The heads are
logistic regressions. For `heads` each is fitted twice: on all, and with a whole family of forgeries left out,
on which it is then measured. For `makes` whole makes of real recordings are left out, and the share of their
faces that is called fake is measured, with and without forged recordings among the training data.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score

from unmask.data.corpus import Sample
from unmask.data.manifest import read_samples
from unmask.faces.crop import CropSpec
from unmask.forge.selfblend import self_blend
from unmask.training.degrade import degrade
from unmask.training.samples import STILL, Jitter, cut_moved, read_image
from unmask.zoo.build import build
from unmask.zoo.network import NETWORKS

SPEC = CropSpec(size=224, margin=1.3)
BATCH, PART = 16, 512
PLAIN, DEGRADED, AGAIN = 0, 1, 2
BLENDED = (9, 8)
EACH = 6
WIDTH = 768
BLENDS = 0.35
"""The share of self-blends among the fakes that a head is fitted on."""

FAMILIES = {
    "swap": ("deepfakes", "faceswap", "faceshifter", "neuraltextures", "face2face", "dfd", "ffpp-mixed"),
    "talk": (
        "anitalker", "cyberhost", "dreamtalk", "edtalk", "emo", "loopy", "omnihuman", "sadtalker", "vasa",
    ),
    "gan": ("stylegan-mix", "stylegan1", "stylegan2", "stylegan2-studio"),
    "t2i": (
        "dalle3", "flux", "flux-lora", "grok", "imagen", "sd1.5-lora", "sd2.1", "sdxl", "t2i-mixed",
    ),
}  # fmt: skip

MAKES = {
    "sign language, lip reading": ("signlanguageandlipre", "aslflashcards", "signs-recognition", "lipnet"),
    "interviews": ("ffpp", "ffpp_frames", "dfd", "dfd_frames"),
}

BLOCKS = {"5": [4], "9": [8], "12": [11], "4, 8, 12": [3, 7, 11], "all": list(range(12))}
PARTS = {"class token": slice(0, WIDTH), "with mean of patches": slice(0, 2 * WIDTH)}


def jobs_of(samples: Sequence[Sample]) -> NDArray[np.int64]:
    """Which sample is drawn in which way, (N, 2): `val` first, then training draws in an order whose every
    beginning is mixed."""
    of_source = defaultdict(list)
    for number, sample in enumerate(samples):
        if sample.split == "train":
            of_source[sample.source, sample.method].append(number)
    train = [
        rows[at]
        for rows in of_source.values()
        for at in sorted(set(np.linspace(0, len(rows) - 1, EACH).round().astype(int)))
    ]
    val = [number for number, sample in enumerate(samples) if sample.split == "val"]
    real = [number for number in train if not samples[number].fake]
    random = np.random.default_rng(0)
    draws: list[tuple[int, int]] = []
    for way, blended in zip((DEGRADED, AGAIN), BLENDED, strict=True):
        draws += [(number, way) for number in train]
        draws += [(int(number), blended) for number in random.permutation(real)[:3000]]
    mixed = [draws[at] for at in np.random.default_rng(1).permutation(len(draws))]
    return np.array([(n, PLAIN) for n in val] + [(n, DEGRADED) for n in val] + mixed)


def crop_of(sample: Sample, number: int, way: int) -> NDArray[np.uint8]:
    """A crop (224, 224, 3); the same arguments give the same one."""
    random, image = np.random.default_rng((5, number, way)), read_image(sample)
    if way == PLAIN:
        return cut_moved(image, sample.landmarks, SPEC, STILL)
    if way in BLENDED:
        image = self_blend(image, sample.landmarks, random).image
    image = degrade(image, random, 0.9)
    moved = STILL if sample.split == "val" else Jitter.draw(random, 1.0, True)
    return cut_moved(image, sample.landmarks, SPEC, moved)


def write_features(samples: Sequence[Sample], folder: Path) -> None:
    """(rows, 12, 1536) in half precision, in parts: class token and mean of patches after each block."""
    folder.mkdir(parents=True, exist_ok=True)
    cv2.setNumThreads(1)
    jobs, info = jobs_of(samples), NETWORKS["clip_vit_b16"]
    network = build("clip_vit_b16", start="clip").eval()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (info.mean, info.std))
    after: list[torch.Tensor] = []
    for block in network.layers:
        block.register_forward_hook(lambda _, __, tokens: after.append(tokens.float()))
    for start in track(range(0, len(jobs), PART), description="features"):
        path = folder / f"part-{start:06d}.npy"
        if path.exists():
            continue
        rows = []
        part = jobs[start : start + PART]
        for at in range(0, len(part), BATCH):
            crops = np.stack([crop_of(samples[n], int(n), int(way)) for n, way in part[at : at + BATCH]])
            images = (torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255 - mean) / std
            after.clear()
            with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
                network.tokens(images)
            told = [torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=1) for tokens in after]
            rows.append(torch.stack(told, dim=1).half().numpy())
        unfinished = path.with_suffix(".part")
        with unfinished.open("wb") as file:
            np.save(file, np.concatenate(rows))
        unfinished.replace(path)


class Drawn:
    """What was drawn, with its features; of an unfinished folder what there is."""

    def __init__(self, samples: Sequence[Sample], folder: Path) -> None:
        self.features = np.concatenate([np.load(path) for path in sorted(folder.glob("part-*.npy"))])
        jobs = jobs_of(samples)[: len(self.features)]
        drawn = [samples[number] for number in jobs[:, 0]]
        self.plain, self.blended = jobs[:, 1] == PLAIN, np.isin(jobs[:, 1], BLENDED)
        self.fake = np.array([sample.fake for sample in drawn]) | self.blended
        self.val = np.array([sample.split == "val" for sample in drawn])
        family = {method: name for name, methods in FAMILIES.items() for method in methods}
        self.family = np.array([family.get(sample.method, "") for sample in drawn])
        self.data_set = np.array([sample.dataset for sample in drawn])
        self.frame = np.array([sample.kind == "frame" for sample in drawn])
        self.group = np.array([f"{sample.dataset} {sample.method}" for sample in drawn])

    def weights(self, rows: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Weights as the training draws: labels evenly, groups by the square root of their size."""
        told = np.zeros(len(rows))
        kinds = (
            (~self.fake, 0.5),
            (self.fake & ~self.blended, 0.5 * (1 - BLENDS)),
            (self.blended, 0.5 * BLENDS),
        )
        for of_kind, share in kinds:
            names, place = np.unique(self.group[rows & of_kind], return_inverse=True)
            if self.blended[rows & of_kind].all():
                place = np.zeros_like(place)
            sizes = np.bincount(place, minlength=len(names))
            told[rows & of_kind] = (
                share * (np.sqrt(sizes) / np.sqrt(sizes).sum() / np.maximum(sizes, 1))[place]
            )
        return told / told.sum()


def fitted(
    features: NDArray[np.float32], drawn: Drawn, rows: NDArray[np.bool_], decay: float
) -> NDArray[np.float32]:
    """The score of everything by a logistic regression on `rows`."""
    x = torch.from_numpy(features[rows])
    y = torch.from_numpy(drawn.fake[rows]).float() * 0.95 + 0.025
    weights = torch.from_numpy(drawn.weights(rows)[rows]).float()
    mean, std = x.mean(0), x.std(0) + 1e-3
    slope, shift = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    step = torch.optim.LBFGS([slope, shift], max_iter=60, history_size=10, line_search_fn="strong_wolfe")
    x = (x - mean) / std

    def loss() -> torch.Tensor:
        step.zero_grad()
        each = torch.nn.functional.binary_cross_entropy_with_logits(x @ slope + shift, y, reduction="none")
        value = (weights * each).sum() + decay * slope.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    step.step(loss)
    with torch.no_grad():
        return np.asarray(((torch.from_numpy(features) - mean) / std) @ slope + shift)


def aucs(scores: NDArray[np.float32], drawn: Drawn, family: str) -> Iterator[float]:
    """AUC of a family's fakes against the real faces of `val`: plain, then degraded."""
    for plain in (True, False):
        rows = drawn.val & (drawn.plain == plain)
        of_family = rows & (drawn.family == family)
        kept = (rows & ~drawn.fake) | of_family
        yield float(roc_auc_score(drawn.fake[kept], scores[kept]))


def print_heads(drawn: Drawn, decay: float = 3e-4) -> None:
    heads = [f"{family}, {state}" for family in FAMILIES for state in ("plain", "degraded")]
    print(f"| blocks | of these | families | {' | '.join(heads)} | mean |")
    print("| --- " * 3 + "| ---: " * (len(heads) + 1) + "|")
    train = ~drawn.val
    for blocks, places in BLOCKS.items():
        for part, columns in PARTS.items():
            features = drawn.features[:, places, columns].reshape(len(drawn.val), -1).astype(np.float32)
            scores = fitted(features, drawn, train, decay)
            of_all = [value for family in FAMILIES for value in aucs(scores, drawn, family)]
            left_out = [
                value
                for family in FAMILIES
                for value in aucs(
                    fitted(features, drawn, train & (drawn.family != family), decay), drawn, family
                )
            ]
            for told, values in (("all trained on", of_all), ("one left out", left_out)):
                row = [*values, float(np.mean(values))]
                print(f"| {blocks} | {part} | {told} | {' | '.join(f'{v:.3f}' for v in row)} |", flush=True)


def print_makes(drawn: Drawn, decay: float = 3e-4) -> None:
    """A make whose reals are left out loses its fakes and pseudo-fakes, too."""
    features = drawn.features[:, BLOCKS["4, 8, 12"], :WIDTH].reshape(len(drawn.val), -1).astype(np.float32)
    recorded = drawn.frame & drawn.fake & ~drawn.blended
    left_out = {
        "none": np.zeros(len(drawn.val), bool),
        "talking heads": drawn.family == "talk",
        "all of recordings": recorded,
    }
    print("| make left out | forgeries left out | called fake | against swaps | against talking heads |")
    print("| --- | --- | ---: | ---: | ---: |")
    for make, data_sets in MAKES.items():
        of_make = np.isin(drawn.data_set, data_sets)
        held = of_make & ~drawn.fake & drawn.frame
        for told, without in left_out.items():
            scores = fitted(features, drawn, ~drawn.val & ~of_make & ~without, decay)
            limit = np.quantile(scores[drawn.val & ~drawn.fake & ~drawn.frame], 0.95)
            row = [f"{np.mean(scores[held] > limit):.3f}"]
            for family in ("swap", "talk"):
                kept = held | (drawn.val & drawn.frame & (drawn.family == family))
                row.append(f"{roc_auc_score(drawn.fake[kept], scores[kept]):.3f}")
            print(f"| {make} ({held.sum()}) | {told} | {' | '.join(row)} |", flush=True)


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("what", choices=["features", "heads", "makes"])
    options.add_argument("manifest", type=Path)
    options.add_argument("folder", type=Path)
    chosen = options.parse_args()
    samples = read_samples(chosen.manifest)
    if chosen.what == "features":
        write_features(samples, chosen.folder)
    elif chosen.what == "heads":
        print_heads(Drawn(samples, chosen.folder))
    else:
        print_makes(Drawn(samples, chosen.folder))


if __name__ == "__main__":
    main()
