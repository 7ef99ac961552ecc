"""A model file opened for use: crops in, raw scores and evidence maps out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from unmask.detector.card import CARD_KEY, ModelCard, parse_card
from unmask.detector.history import HISTORY_KEY, History, parse_history
from unmask.detector.overflow import overflows
from unmask.detector.tower import parse_tower
from unmask.errors import ModelError

SHIPPED = ("fast", "accurate")
"""Names of the models inside the package; anything else is a path."""

JUDGED_ALONE = (b"DynamicQuantize",)
"""Operators by which a crop's score depends on its neighbours in a batch: all share one range of integers. A
face's score must not depend on who else is in the picture, so where a file names one of these, crops are
judged one at a time."""

IN_INTEGERS = b"QuantizeLinear"
"""In the names of operators by which a network comes to integers."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What a model says of N crops: `raw` (N,) float64, and `evidence` (N, h, w) float32 or None."""

    raw: NDArray[np.float64]
    evidence: NDArray[np.float32] | None


class Model:
    """One network with its card. What lies outside the file is in `beside`."""

    def __init__(self, data: bytes, where: str, threads: int, beside: Path | None = None) -> None:
        self.sha256 = hashlib.sha256(data).hexdigest()
        # Searched as bytes: names of operators lie in the file as they are, and parsing takes long.
        self._at_once = 1 if any(name in data for name in JUDGED_ALONE) else None
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        # Spinning threads would take the cores that the video decoder needs.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if IN_INTEGERS in data and overflows():
            options.add_session_config_entry("session.x64quantprecision", "1")
        if beside is not None:
            options.add_session_config_entry(
                "session.model_external_initializers_file_folder_path", str(beside)
            )
        try:
            self._session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own classes share no other base
            raise ModelError(
                f"{where} is not an ONNX model that can be opened", hint="give a .onnx file made by unmask"
            ) from error
        properties = self._session.get_modelmeta().custom_metadata_map
        self.card: ModelCard = parse_card(properties.get(CARD_KEY), where)
        self._history = properties.get(HISTORY_KEY)
        self._outputs = [output.name for output in self._session.get_outputs()]
        if "score" not in self._outputs or [i.name for i in self._session.get_inputs()] != ["crops"]:
            raise ModelError(f"{where} does not map `crops` to `score`", hint="export it with unmask")

    @property
    def history(self) -> History:
        """Which recordings the model has seen; an older file does not say."""
        return parse_history(self._history)

    def score(self, crops: NDArray[np.uint8]) -> Scores:
        """Scores of `crops`, RGB uint8 (N, S, S, 3) cut as `card.crop` says; N may be 0."""
        if not len(crops):
            return Scores(np.zeros(0), None)
        names = [name for name in ("score", "evidence") if name in self._outputs]
        step = self._at_once or len(crops)
        parts = [
            self._session.run(names, {"crops": crops[at : at + step]}) for at in range(0, len(crops), step)
        ]
        results = [np.concatenate(part) for part in zip(*parts, strict=True)]
        evidence = results[1].astype(np.float32) if len(results) > 1 else None
        return Scores(results[0].astype(np.float64), evidence)


def plan_of(name: str) -> Traversable | None:
    """What the shipped model of that name stands on outside the package, as JSON; None where it is whole."""
    plan = resources.files("unmask.detector") / "models" / f"{name}.tower.json"
    return plan if name in SHIPPED and plan.is_file() else None


def load_model(name: str | Path, *, threads: int = 1, fetch: bool = False) -> Model:
    """The shipped model of that name, or the model file at that path. What a shipped model stands on is
    fetched if asked for.

    Raises:
        ModelError: no such name or file, the file is not a model with a card, or what it stands on is
            missing.
    """
    shipped = str(name) in SHIPPED
    path = resources.files("unmask.detector") / "models" / f"{name}.onnx" if shipped else Path(name)
    plan, beside = plan_of(str(name)), None
    if plan is not None:
        beside = parse_tower(plan.read_bytes()).path(str(name), fetch=fetch).parent
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"there is no model {str(name)!r}",
            hint=f"give the path of a .onnx file or one of: {', '.join(SHIPPED)}",
        ) from error
    return Model(data, f"model {name!r}" if shipped else str(name), threads, beside)
