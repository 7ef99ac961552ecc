"""How well do facts that have nothing to do with forging tell real from fake in the corpus?

    python scripts/check_shortcuts.py CORPUS

Fits boosted trees on `train` to (a) facts about the files and (b) plain statistics of crops cut and degraded
as in training, and prints their AUC on `val` with intervals over sources. What (a) reaches shows why crops
must be cut and re-encoded alike; what (b) still reaches may be a shortcut for a network, too.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from unmask.data.corpus import Sample, read_corpus
from unmask.faces.crop import CropSpec, cut, face_frame
from unmask.figures.scores import auc_estimate
from unmask.training.degrade import degrade
from unmask.training.samples import read_image

MOST = 4000
"""Training samples looked at."""


def file_facts(sample: Sample, image: NDArray[np.uint8]) -> list[float]:
    """Side of the picture, size of the face, bytes per pixel, black or white edges."""
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    size = sample.path.stat().st_size
    return [image.shape[0], face_frame(sample.landmarks).face_size, size / image.size, float(edge.std())]


def crop_statistics(sample: Sample, image: NDArray[np.uint8], rng: np.random.Generator) -> list[float]:
    """Sharpness, noise, and the means and spreads of colours of the crop a network would see."""
    crop = cut(degrade(image, rng, 0.9), sample.landmarks, CropSpec())
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = grey - cv2.GaussianBlur(grey, (0, 0), 1.5)
    laplacian = cv2.Laplacian(grey, cv2.CV_32F)
    return [
        float(np.log(laplacian.var() + 1)),
        float(np.median(np.abs(detail))),
        *crop.mean(axis=(0, 1)).tolist(),
        *crop.std(axis=(0, 1)).tolist(),
    ]


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    samples = read_corpus(Path(sys.argv[1]))
    rng = np.random.default_rng(0)
    train = [s for s in samples if s.split == "train"]
    train = [train[i] for i in rng.permutation(len(train))[:MOST]]
    val = [s for s in samples if s.split == "val"]
    tables: dict[str, list[NDArray[np.float64]]] = {"facts about the file": [], "statistics of the crop": []}
    for part in (train, val):
        images = [read_image(sample) for sample in part]
        rows = list(zip(part, images, strict=True))
        tables["facts about the file"].append(np.array([file_facts(s, i) for s, i in rows]))
        tables["statistics of the crop"].append(np.array([crop_statistics(s, i, rng) for s, i in rows]))
    labels = [np.array([s.fake for s in part]) for part in (train, val)]
    for name, (fit_on, try_on) in tables.items():
        model = HistGradientBoostingClassifier(random_state=0, max_iter=150).fit(fit_on, labels[0])
        scores = model.predict_proba(try_on)[:, 1]
        print(f"{name}: AUC on val {auc_estimate(labels[1], scores, [s.source for s in val], draws=300)}")


if __name__ == "__main__":
    main()
