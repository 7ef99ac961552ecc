"""Merge several model files into one network: one input, each member's own cut of it, one combined score.

All that is done to the members' outputs lies in the graph: calibration, vote, and the mean of the evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, version_converter

from unmask.detector.card import CARD_KEY
from unmask.detector.history import HISTORY_KEY, History
from unmask.detector.model import Model
from unmask.errors import ModelError
from unmask.faces.crop import CropSpec
from unmask.training.ensemble_graph import MergedGraph, resizes, shared_crop
from unmask.training.ensemble_vote import Vote

PARITY = 1e-4
"""Largest difference allowed between the merged file and its members' combined outputs, in logits; of logits
beyond ±1, the largest relative difference."""

RESIZING_OPSET = 18
"""The first ONNX operator set whose Resize can average what it shrinks."""

LEAST_OPSET = 13

LEAST_IR = 8


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A model file to merge: how it is called, its bytes, and the same opened."""

    name: str
    data: bytes
    model: Model

    @property
    def spec(self) -> CropSpec:
        return self.model.card.crop

    def logits(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated log-odds of raw scores, element by element."""
        calibration = self.model.card.calibration
        return calibration.scale * raw + calibration.offset

    def evidence_shape(self) -> tuple[int, int] | None:
        """Rows and columns of its evidence maps, None where it has none."""
        evidence = self.model.score(np.zeros((1, self.spec.size, self.spec.size, 3), np.uint8)).evidence
        return None if evidence is None else (evidence.shape[1], evidence.shape[2])


def merge(members: Sequence[Member], vote: Vote) -> onnx.ModelProto:
    """The merged network, without a card.

    `crops` uint8 (N, S, S, 3), cut as `shared_crop` says, become `score` (N,), the combined log-odds, and,
    where any member gives evidence, `evidence` (N, h, w), whose mean is the score.

    Raises:
        ModelError: the members' operator sets do not go together, or the result is not faithful.
    """
    specs = [member.spec for member in members]
    parts = [onnx.load_from_string(member.data) for member in members]
    needed = RESIZING_OPSET if resizes(specs) else LEAST_OPSET
    opset = max(needed, *(_opset(part) for part in parts))
    parts = [_converted(part, opset, member.name) for part, member in zip(parts, members, strict=True)]
    build = MergedGraph(shared_crop(specs))
    build.views(specs)
    for index, part in enumerate(parts):
        build.member(index, part, specs[index])
    calibrations = [member.model.card.calibration for member in members]
    build.vote([build.calibrated(n, calibration) for n, calibration in enumerate(calibrations)], vote)
    shapes = {n: shape for n, member in enumerate(members) for shape in [member.evidence_shape()] if shape}
    if shapes:
        build.evidence(
            shapes,
            {n: specs[n].margin for n in shapes},
            {n: calibrations[n] for n in shapes},
            {n: vote.shares[n] for n in shapes},
        )
    opsets = [helper.make_opsetid("", opset), *_other_opsets(parts)]
    merged = build.model(opsets, max(LEAST_IR, *(part.ir_version for part in parts)))
    _check(merged, members, vote)
    return merged


def refuse_parts_beside(data: bytes, name: str) -> None:
    """Refuse a model file that is only a part: what is made of it would lack the rest.

    Raises:
        ModelError: some of its weights lie in another file.
    """
    try:
        stored = onnx.load_from_string(data).graph.initializer
    except Exception:  # no model at all, which opening it tells better; protobuf's errors share no other base
        return
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in stored):
        raise ModelError(
            f"model {name} keeps weights in a second file, so no other model can be made of it",
            hint="give models of one file, such as `fast`; a scan takes any as they are: repeat --model",
        )


def with_card(network: onnx.ModelProto, card: str, description: str, history: History | None = None) -> bytes:
    """The model file made of a network, a card as JSON, and what the model has seen, in place of those that
    the network came with."""
    model = onnx.ModelProto()
    model.CopyFrom(network)
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, card
    if history is not None:
        entry = model.metadata_props.add()
        entry.key, entry.value = HISTORY_KEY, msgspec.json.encode(history).decode()
    model.producer_name, model.doc_string = "unmask", description
    return bytes(model.SerializeToString())


def _opset(model: onnx.ModelProto) -> int:
    return max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=1)


def _converted(model: onnx.ModelProto, opset: int, name: str) -> onnx.ModelProto:
    if _opset(model) == opset:
        return model
    try:
        return version_converter.convert_version(model, opset)
    except Exception as error:  # the converter raises bare RuntimeErrors and its own
        raise ModelError(
            f"model {name} uses ONNX operator set {_opset(model)} and cannot be converted to {opset}",
            hint="export the models with the same operator set",
        ) from error


def _other_opsets(parts: Sequence[onnx.ModelProto]) -> list[onnx.OperatorSetIdProto]:
    versions: dict[str, int] = {}
    for part in parts:
        for entry in part.opset_import:
            if entry.domain in ("", "ai.onnx"):
                continue
            if versions.setdefault(entry.domain, entry.version) != entry.version:
                raise ModelError(
                    f"the models use different versions of the operator set {entry.domain!r}",
                    hint="export the models with the same tools",
                )
    return [helper.make_opsetid(domain, version) for domain, version in versions.items()]


def views(members: Sequence[Member], crops: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """What each member sees of shared crops (N, S, S, 3) within the merged network."""
    specs = [member.spec for member in members]
    build = MergedGraph(shared_crop(specs))
    build.views(specs)
    outputs = []
    for number, spec in enumerate(specs):
        build.add("Identity", [build.views_of[spec]], f"out{number}")
        shape: list[str | int | None] = ["n", spec.size, spec.size, 3]
        outputs.append(helper.make_tensor_value_info(f"out{number}", TensorProto.UINT8, shape))
    model = build.model_of(outputs, [helper.make_opsetid("", RESIZING_OPSET)], LEAST_IR)
    session = _opened(model)
    return [np.asarray(view, dtype=np.uint8) for view in session.run(None, {"crops": crops})]


def _check(merged: onnx.ModelProto, members: Sequence[Member], vote: Vote) -> None:
    """Refuse a merged network that says anything else than its members together."""
    size = shared_crop([member.spec for member in members]).size
    crops = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
    # Not only noise: networks are hardly alike on flat pictures and on noise.
    crops[1], crops[2] = 128, np.linspace(0, 255, size, dtype=np.uint8)[None, :, None]
    try:
        onnx.checker.check_model(merged)
        session = _opened(merged)
        theirs = np.concatenate(
            [session.run(["score"], {"crops": part})[0] for part in (crops[:1], crops[1:])]
        )
    except Exception as error:  # onnx and onnxruntime raise many classes that share no other base
        raise ModelError(f"the merged network does not run: {error}") from error
    seen = views(members, crops)
    logits = [m.logits(m.model.score(view).raw) for m, view in zip(members, seen, strict=True)]
    ours = vote.log_odds(np.stack(logits, axis=1))
    off = float((np.abs(ours - theirs) / np.maximum(1, np.abs(ours))).max())
    if not off <= PARITY:
        raise ModelError(f"the merged network differs from its members by {off:.2g} in log-odds")


def _opened(model: onnx.ModelProto) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
