"""unmask: tells whether the faces in an image or a video are real or manipulated, and shows why.

    import unmask
    report = unmask.scan("clip.mp4")
    report.verdict, report.probability
    report.save("clip.html")

Names are loaded when first used, so that `import unmask` costs next to nothing.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING

from unmask.version import __version__

# onnxruntime tells its makers of the machine and its use unless this is set before it is loaded. What is
# looked at here is nobody else's business, and neither is that it is.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from unmask.api import scan, scan_many
    from unmask.detector.model import Model, load_model
    from unmask.errors import UnmaskError
    from unmask.options import ScanOptions
    from unmask.scanner import Scanner
    from unmask.types import Face, FaceReport, Frame, Report, TrackReport, Verdict

_HOME = {
    "Face": "unmask.types",
    "FaceReport": "unmask.types",
    "Frame": "unmask.types",
    "Model": "unmask.detector.model",
    "Report": "unmask.types",
    "ScanOptions": "unmask.options",
    "Scanner": "unmask.scanner",
    "TrackReport": "unmask.types",
    "UnmaskError": "unmask.errors",
    "Verdict": "unmask.types",
    "load_model": "unmask.detector.model",
    "scan": "unmask.api",
    "scan_many": "unmask.api",
}

__all__ = [
    "Face",
    "FaceReport",
    "Frame",
    "Model",
    "Report",
    "ScanOptions",
    "Scanner",
    "TrackReport",
    "UnmaskError",
    "Verdict",
    "__version__",
    "load_model",
    "scan",
    "scan_many",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'unmask' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
