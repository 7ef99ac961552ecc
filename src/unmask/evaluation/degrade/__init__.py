"""The degradations that robustness is measured under. Importing the families files them by name."""

from unmask.evaluation.degrade import faces, overlay, pictures, social, videos
from unmask.evaluation.degrade.faces import NoisyFinder, disturbed_scanner
from unmask.evaluation.degrade.files import degrade_file
from unmask.evaluation.degrade.registry import DEGRADATIONS, SEVERITIES, applies_to

__all__ = [
    "DEGRADATIONS",
    "SEVERITIES",
    "NoisyFinder",
    "applies_to",
    "degrade_file",
    "disturbed_scanner",
    "faces",
    "overlay",
    "pictures",
    "social",
    "videos",
]
