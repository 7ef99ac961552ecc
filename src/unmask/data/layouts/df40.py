"""DF40 (Yan et al., NeurIPS 2024) as given out: cropped frames, fakes only for the 31 known methods.

[DF40_train/]<method>/{ff,cdf}/[frames/]<clip>/<frame>.png     clips named as in FaceForensics++, Celeb-DF
<method>/{real,fake}/[<clip>/]<picture>                        the nine methods that bring their own reals
"""

from __future__ import annotations

from pathlib import Path

from unmask.data.layouts.found import ASIDE, LAYOUTS, VIDEOS, Found, frame_number, media_below
from unmask.data.layouts.names import Ties, celebdf, ffpp
from unmask.data.manifest import Row
from unmask.data.sample import ORIGINAL
from unmask.errors import DataError

DOMAINS = {"ff": "ff", "cdf": "cdf"}
PASSED = frozenset({"frames", "images", "videos", "faces"})


@LAYOUTS.register("df40")
def df40(root: Path) -> Found:
    """All frames and pictures; the domain (ff, cdf) is kept as compression."""
    found = Found(root)
    if root.is_dir():
        for path in media_below(root):
            parts = path.relative_to(root).parts
            if not ASIDE & set(parts) and (row := _row(found, path, parts)):
                found.rows.append(row)
    if not found.rows:
        raise DataError(
            f"{root} does not look like DF40: no <method>/<ff, cdf, real or fake>/… in it",
            hint="give the folder that holds the folders of the methods",
        )
    reals = sum(not row.fake for row in found.rows)
    if not reals:
        found.notes.append("no reals: they are those of FaceForensics++ and Celeb-DF, index and join them")
    return found


def _row(found: Found, path: Path, parts: tuple[str, ...]) -> Row | None:
    split = ""
    if parts[0].lower().startswith("df40"):
        split = next((s for s in ("train", "test") if s in parts[0].lower()), "")
        parts = parts[1:]
    if len(parts) < 3:
        return None
    method, rest = parts[0].lower(), [part for part in parts[1:-1] if part.lower() not in PASSED]
    domain = next((part.lower() for part in rest if part.lower() in DOMAINS), "")
    label = next((part.lower() for part in rest if part.lower() in ("real", "fake")), "fake")
    if not domain and not any(part.lower() in ("real", "fake") for part in rest) and "frames" not in parts:
        return None
    clip = [part for part in rest if part.lower() not in (*DOMAINS, "real", "fake")]
    kind = "video" if path.suffix.lower() in VIDEOS else ("frame" if clip else "photo")
    name = clip[-1] if clip else path.stem
    ties = _ties(domain, name, f"df40:{method}/{label}/{name}")
    return Row(
        path=found.relative(path),
        fake=label == "fake",
        dataset="df40",
        method=method if label == "fake" else ORIGINAL,
        kind=kind,
        source=ties.source,
        identity=ties.identity,
        partner_source=ties.partner_source,
        partner=ties.partner,
        compression=domain,
        split=split,
        frame=frame_number(path) if kind == "frame" else 0,
    )


def _ties(domain: str, name: str, own: str) -> Ties:
    """Clips of the known methods are made from recordings of the two data sets; synthesised faces are not."""
    if domain == "cdf" and name.startswith("id"):
        return celebdf(name)
    if name.replace("_", "").isdigit() and "_" in name and domain != "cdf":
        return ffpp(name)
    return Ties(own)
