"""WildDeepfake (Zi et al., ACM MM 2020): folders of frames, unpacked from numbered archives.

{real,fake}_{train,test}/<archive>/[real|fake/]<sequence>/<frame>.png
"""

from __future__ import annotations

import re
from pathlib import Path

from unmask.data.layouts.found import LAYOUTS, Found, expect, frame_number, media_below
from unmask.data.manifest import Row
from unmask.data.sample import ORIGINAL

FOLDERS = ("real_train", "real_test", "fake_train", "fake_test")


@LAYOUTS.register("wilddeepfake")
def wilddeepfake(root: Path) -> Found:
    """Frames; an archive holds the sequences of one video, and is their source."""
    expect(root, *FOLDERS)
    found = Found(root)
    for name in FOLDERS:
        label, split = name.split("_")
        if not (root / name).is_dir():
            found.notes.append(f"{name} is not there")
        for path in media_below(root / name):
            below = path.relative_to(root / name).parts[:-1]
            archive = next((part for part in below if re.match(r"\d+", part)), "")
            if not archive:
                continue
            found.rows.append(
                Row(
                    path=found.relative(path),
                    fake=label == "fake",
                    dataset="wilddeepfake",
                    method="wild" if label == "fake" else ORIGINAL,
                    kind="frame",
                    source=f"wilddeepfake:{name}/{archive}",
                    split=split,
                    frame=frame_number(path),
                )
            )
    return found
