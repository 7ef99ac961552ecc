"""OpenForensics (Le et al., ICCV 2021): pictures with several faces, each labelled, in COCO-like tables.

{Train,Val,Test-Dev,Test-Challenge}_poly.json   images: [{id, file_name}], annotations: [{image_id,
[Images/]{Train,…}/*.jpg                        category_id, bbox: [x, y, w, h]}], categories: [{id, name}]
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unmask.data.layouts.found import LAYOUTS, Found, expect
from unmask.data.manifest import Row
from unmask.data.sample import ORIGINAL
from unmask.errors import DataError

SPLIT_OF = {"Train": "train", "Val": "val", "Test-Dev": "test", "Test-Challenge": "test"}
ENDING = "_poly.json"


@LAYOUTS.register("openforensics")
def openforensics(root: Path) -> Found:
    """A row per annotated face; its picture is the source, so that one picture lies in one split."""
    if not root.is_dir() or not (tables := sorted(root.glob(f"**/*{ENDING}"))):
        expect(root, *(f"{name}{ENDING}" for name in SPLIT_OF))
        tables = []
    found = Found(root)
    for table in tables:
        _add(found, table)
    return found


def _add(found: Found, table: Path) -> None:
    content = _read(table)
    part = table.name.removesuffix(ENDING)
    fakes = {c["id"] for c in content.get("categories", ()) if "fake" in str(c.get("name", "")).lower()}
    faces: dict[int, list[dict[str, Any]]] = {}
    for annotation in content["annotations"]:
        faces.setdefault(annotation["image_id"], []).append(annotation)
    bare = 0
    for image in content["images"]:
        path = _file(found.root, table, part, image["file_name"])
        if path is None:
            found.missing.append(image["file_name"])
            continue
        bare += image["id"] not in faces
        for face in faces.get(image["id"], ()):
            x, y, width, height = (float(v) for v in face["bbox"])
            fake = face["category_id"] in (fakes or {1})
            found.rows.append(
                Row(
                    path=found.relative(path),
                    fake=fake,
                    dataset="openforensics",
                    method="openforensics" if fake else ORIGINAL,
                    kind="photo",
                    source=f"openforensics:{path.stem}",
                    split=SPLIT_OF.get(part, ""),
                    box=(x, y, x + width, y + height),
                )
            )
    if bare:
        found.notes.append(f"{bare} pictures of {table.name} have no annotated face")


def _file(root: Path, table: Path, part: str, name: str) -> Path | None:
    """The tables say `Images/Train/x.jpg`; the archives unpack to several places."""
    base = Path(name).name
    places = (root / name, table.parent / name, root / part / base, root / "Images" / part / base)
    return next((p for p in (*places, table.parent / part / base, table.parent / base) if p.is_file()), None)


def _read(table: Path) -> dict[str, Any]:
    try:
        content = json.loads(table.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{table} is no JSON: {error}", hint="fetch it again") from error
    if not isinstance(content, dict) or not {"images", "annotations"} <= set(content):
        raise DataError(f"{table} has no images and annotations", hint="is it a COCO table?")
    return content
