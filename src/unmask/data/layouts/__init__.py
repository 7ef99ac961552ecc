"""How public data sets lie on disk, one file per family. Importing this files every layout by name."""

from unmask.data.layouts import (
    celebdf,
    deeperforensics,
    deepfakebench,
    df40,
    dfdc,
    faceforensics,
    folders,
    openforensics,
    own,
    uadfv,
    wilddeepfake,
)
from unmask.data.layouts.found import LAYOUTS, Found, Layout

__all__ = [
    "LAYOUTS",
    "Found",
    "Layout",
    "celebdf",
    "deeperforensics",
    "deepfakebench",
    "df40",
    "dfdc",
    "faceforensics",
    "folders",
    "openforensics",
    "own",
    "uadfv",
    "wilddeepfake",
]
