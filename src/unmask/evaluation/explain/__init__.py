"""Reading a model: what in a face moves its score, and whether its heatmap says so truly.

`file` explains single files with what a scan needs; `media` takes means over labelled media. Nothing here
needs torch.
"""

DEFAULT_MAPS = ("evidence", "occlusion")

FACES_OF_FILE = 4
"""Faces explained of one file: the most suspicious of each person, and the most genuine."""

FACES_OF_MEDIUM = 2
"""Faces of each labelled video that go into means."""

LIMIT = 30
"""Labelled media of each method that go into means."""
