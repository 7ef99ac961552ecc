"""Plain trees: anything below a folder `real` or `fake`, at any depth, as many collections come.

    [train|val|test/][…/]fake/[<method>/][<recording>/…]file

The first folder below `fake` is the method. Files further down belong to one recording per folder; a file
directly in the label's or the method's folder is its own recording.
"""

from __future__ import annotations

from pathlib import Path

from unmask.data.layouts.found import ASIDE, LAYOUTS, VIDEOS, Found, frame_number, media_below
from unmask.data.manifest import Row
from unmask.data.sample import ORIGINAL
from unmask.errors import DataError

LABELS = {
    "real": False,
    "original": False,
    "originals": False,
    "0_real": False,
    "fake": True,
    "fakes": True,
    "1_fake": True,
}
SPLIT_OF = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


@LAYOUTS.register("folders")
def folders(root: Path) -> Found:
    """Images and videos labelled by a folder above them; the data set is named like the root."""
    found = Found(root)
    if root.is_dir():
        for path in media_below(root):
            parts = path.relative_to(root).parts
            if not ASIDE & set(parts) and (row := _row(found, path, parts)):
                found.rows.append(row)
    if not found.rows:
        raise DataError(
            f"{root} holds no images or videos below a folder called real or fake",
            hint="sort the files into real/ and fake/, or name another --layout",
        )
    methods = {row.method for row in found.rows if row.fake}
    if len(methods) > 40:
        found.notes.append(
            f"{len(methods)} folders below fake/ were taken for methods; if they are recordings, "
            "put one more folder, named like the method, above them"
        )
    return found


def _row(found: Found, path: Path, parts: tuple[str, ...]) -> Row | None:
    lower = [part.lower() for part in parts[:-1]]
    at = next((i for i, part in enumerate(lower) if part in LABELS), None)
    if at is None:
        return None
    fake, below = LABELS[lower[at]], parts[at + 1 : -1]
    split = next((SPLIT_OF[part] for part in lower if part in SPLIT_OF), "")
    dataset = found.root.resolve().name
    is_video = path.suffix.lower() in VIDEOS
    recording = len(below) > 1 and not is_video
    place = "/".join(parts[:-1]) if recording else "/".join((*parts[:-1], path.stem))
    return Row(
        path=found.relative(path),
        fake=fake,
        dataset=dataset,
        method=(below[0].lower() if below else "unknown") if fake else ORIGINAL,
        kind="video" if is_video else ("frame" if recording else "photo"),
        source=f"{dataset}:{place}",
        split=split,
        frame=frame_number(path) if recording else 0,
    )
