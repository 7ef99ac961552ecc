"""FaceForensics++ and the Deep Fake Detection videos that are given out with it (Rössler et al., ICCV 2019).

original_sequences/{youtube,actors}/{raw,c0,c23,c40}/videos/000.mp4
manipulated_sequences/{Deepfakes,…}/{raw,c0,c23,c40}/videos/000_003.mp4      target_donor
manipulated_sequences/DeepFakeDetection/c23/videos/01_02__scene__HASH.mp4
splits/{train,val,test}.json                                                 [["071", "054"], …]
"""

from __future__ import annotations

import json
from pathlib import Path

from unmask.data.layouts.found import LAYOUTS, Found, clips_of, expect, folders_in, rows_of
from unmask.data.layouts.names import FFPP_SPLITS, ties_of
from unmask.data.sample import ORIGINAL
from unmask.errors import DataError

ORIGINALS, FAKES = "original_sequences", "manipulated_sequences"
METHODS = {
    "Deepfakes": "deepfakes",
    "Face2Face": "face2face",
    "FaceSwap": "faceswap",
    "FaceShifter": "faceshifter",
    "NeuralTextures": "neuraltextures",
}
DFD_FOLDER, DFD_ORIGINALS, FFPP_ORIGINALS = "DeepFakeDetection", "actors", "youtube"
RAW = "raw"


@LAYOUTS.register("faceforensics")
def faceforensics(root: Path) -> Found:
    """FaceForensics++ with all methods there are, and DFD where it lies beside them."""
    expect(root, ORIGINALS, FAKES)
    found = Found(root)
    _add_ffpp(found)
    if (root / FAKES / DFD_FOLDER).is_dir() or (root / ORIGINALS / DFD_ORIGINALS).is_dir():
        _add_dfd(found)
    return found


@LAYOUTS.register("deepfakedetection")
def deepfakedetection(root: Path) -> Found:
    """The Deep Fake Detection videos alone."""
    expect(root, f"{ORIGINALS}/{DFD_ORIGINALS}", f"{FAKES}/{DFD_FOLDER}")
    found = Found(root, within=[root / ORIGINALS / DFD_ORIGINALS, root / FAKES / DFD_FOLDER])
    _add_dfd(found)
    return found


def _add_ffpp(found: Found) -> None:
    split_of = ffpp_splits(found.root)
    _add_folder(found, found.root / ORIGINALS / FFPP_ORIGINALS, "ffpp", ORIGINAL, split_of)
    for folder, method in METHODS.items():
        place = found.root / FAKES / folder
        if not place.is_dir():
            found.notes.append(f"{FAKES}/{folder} is not there")
        _add_folder(found, place, "ffpp", method, split_of)
    _note_missing(found, "ffpp", f"{ORIGINALS}/{FFPP_ORIGINALS}", "ffpp:")


def _add_dfd(found: Found) -> None:
    _add_folder(found, found.root / ORIGINALS / DFD_ORIGINALS, "dfd", ORIGINAL, {})
    _add_folder(found, found.root / FAKES / DFD_FOLDER, "dfd", "dfd", {})
    _note_missing(found, "dfd", f"{ORIGINALS}/{DFD_ORIGINALS}", "dfd:")


def _add_folder(found: Found, folder: Path, dataset: str, method: str, split_of: dict[str, str]) -> None:
    for quality in folders_in(folder):
        if quality.name not in ("raw", "c0", "c23", "c40"):
            continue
        for clip in clips_of(quality):
            ties = ties_of(dataset, clip.name)
            target = clip.name.partition("_")[0]
            found.rows.extend(
                rows_of(
                    found,
                    clip,
                    ties,
                    fake=method != ORIGINAL,
                    dataset=dataset,
                    method=method,
                    compression=RAW if quality.name == "c0" else quality.name,
                    split=split_of.get(target, ""),
                )
            )


def _note_missing(found: Found, dataset: str, folder: str, prefix: str) -> None:
    """Every fake names the recording it was made from: those should be among the originals."""
    ours = [row for row in found.rows if row.dataset == dataset]
    there = {(row.source, row.compression) for row in ours if not row.fake}
    wanted = {
        (source, row.compression)
        for row in ours
        if row.fake
        for source in (row.source, row.partner_source)
        if source
    }
    for source, compression in sorted(wanted - there):
        found.missing.append(f"{folder}/{compression}/videos/{source.removeprefix(prefix)}.mp4")


def ffpp_splits(root: Path) -> dict[str, str]:
    """Recording → split, by the lists published with FaceForensics++ where they lie in `root` or `splits/`.

    Raises:
        DataError: a list is there but is not what it should be.
    """
    split_of: dict[str, str] = {}
    for split in FFPP_SPLITS:
        for path in (root / "splits" / f"{split}.json", root / f"{split}.json"):
            if not path.is_file():
                continue
            try:
                pairs = json.loads(path.read_text(encoding="utf-8"))
                split_of.update({str(name): split for pair in pairs for name in pair})
            except (ValueError, TypeError) as error:
                raise DataError(
                    f"{path} is no list of pairs: {error}", hint="take it from the FaceForensics++ repository"
                ) from error
    return split_of
