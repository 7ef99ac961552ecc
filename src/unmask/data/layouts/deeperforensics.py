"""DeeperForensics-1.0 (Jiang et al., CVPR 2020).

    manipulated_videos/{end_to_end,end_to_end_level_1,…,reenact_postprocess}/000_M101.mp4   target_actor
    source_videos/M101/…/M101_light_up_happy_camera_front.mp4                              the actors
    lists/splits/{train,val,test}.txt

Targets are FaceForensics++ recordings, which are not part of it: index those with `faceforensics` and join.
"""

from __future__ import annotations

from pathlib import Path

from unmask.data.layouts.found import (
    LAYOUTS,
    VIDEOS,
    Clip,
    Found,
    clips_of,
    expect,
    folders_in,
    media_below,
    rows_of,
)
from unmask.data.layouts.names import Ties, ffpp
from unmask.data.sample import ORIGINAL

DATASET = "deeperforensics"
FAKES, ACTORS, LISTS = "manipulated_videos", "source_videos", "lists/splits"


@LAYOUTS.register("deeperforensics")
def deeperforensics(root: Path) -> Found:
    """Swaps with the variant (distortion) as compression, and the actors' own recordings as real."""
    expect(root, FAKES, ACTORS)
    found = Found(root)
    split_of = _splits(root / LISTS)
    names = set()
    for variant in folders_in(root / FAKES):
        for clip in clips_of(variant):
            names.add(clip.name)
            found.rows.extend(
                rows_of(
                    found,
                    clip,
                    ffpp(clip.name),
                    fake=True,
                    dataset=DATASET,
                    method="reenact-postprocess" if variant.name == "reenact_postprocess" else "df-vae",
                    compression=variant.name,
                    split=split_of.get(clip.name, ""),
                )
            )
    found.missing = [f"{FAKES}/*/{name}.mp4" for name in sorted(split_of) if name not in names]
    for actor in folders_in(root / ACTORS):
        person = f"{DATASET}:{actor.name}"
        for path in media_below(actor):
            if path.suffix.lower() in VIDEOS:
                clip = Clip(path.stem, "video", (path,))
                ties = Ties(f"{DATASET}:{path.stem}", person)
                found.rows.extend(
                    rows_of(
                        found,
                        clip,
                        ties,
                        fake=False,
                        dataset=DATASET,
                        method=ORIGINAL,
                    )
                )
    found.notes.append(
        "the real videos to compare with are FaceForensics++ c23: index those and `unmask data join` both"
    )
    return found


def _splits(folder: Path) -> dict[str, str]:
    split_of = {}
    for split in ("train", "val", "test"):
        path = folder / f"{split}.txt"
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            split_of.update({Path(line.strip()).stem: split for line in lines if line.strip()})
    return split_of
