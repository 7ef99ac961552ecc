"""A model file in 8-bit integers: smaller and quicker, and measured against the one it was made from."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
import onnx
import platformdirs
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from unmask.data.manifest import read_samples
from unmask.data.sample import Sample
from unmask.detector.model import SHIPPED, Model, load_model
from unmask.errors import DataError, ModelError
from unmask.evaluation.held_out import guard, history_of
from unmask.faces.crop import CropSpec, cut
from unmask.figures.paired import Difference, delong
from unmask.figures.scores import auc
from unmask.report.atomic import write
from unmask.training.degrade import degrade
from unmask.training.ensemble_scores import AS_IS, DEGRADED, STRENGTH, Progress, ms_per_face, scores_of
from unmask.training.merge import refuse_parts_beside, with_card
from unmask.training.recalibrate import recalibrated
from unmask.training.samples import read_image

RANGES_FROM = 64
"""Training crops from which ranges of activations are read. Where whole layers have ranges, every activation
of each is held in memory."""

PERCENTILE = 99.99
"""Rarer activations are clipped."""

IN_FLOATS = 1e-3
"""The first layers, up to this share of all weights, stay in floats: they tell all that comes after in a few
channels, where rounding costs most, and saves nothing."""

BATCH = 8

QUANTIZED = ("Conv", "Add", "Clip", "Relu", "MatMul", "Gemm")


@dataclass(frozen=True, slots=True)
class Compared:
    """A model as it was and in integers: bytes, milliseconds a face on one thread, AUC on `val` as it is and
    degraded, and the difference (integers minus floats) on `val` as it is."""

    size: tuple[int, int]
    ms: tuple[float, float]
    auc: tuple[float, float]
    degraded_auc: tuple[float, float]
    difference: Difference


def quantize(
    model: str | Path,
    corpus: Path,
    out: Path,
    *,
    seed: int = 0,
    cache: Path | None = None,
    progress: Progress = lambda *_: None,
    say: Callable[[str], None] = print,
    protocol: Path | None = None,
    root: Path | None = None,
) -> Compared:
    """Write `model` (a name or a path) in 8-bit integers to `out`, calibrated anew on `val` of `corpus`.

    Convolutional networks get their ranges of activations from degraded crops of `train` (Jacob et al., CVPR
    2018; weights per channel; the first layers stay in floats); those made of matrix products, which ranges
    of whole layers serve badly, take theirs from each input. Scores are kept in the folder `cache`.

    Raises:
        ModelError: the model cannot be had, is only a part, or holds nothing to quantize, or `out` is the
            model itself.
        DataError: `corpus` lacks crops to train on or a label in `val`, or the protocol does not let it
            choose.
        UnmaskError: the file cannot be written.
    """
    data, before = _opened(model, out)
    samples = read_samples(corpus)
    val = tuple(sample for sample in samples if sample.split == "val")
    train = [sample for sample in samples if sample.split == "train"]
    if len({sample.fake for sample in val}) < 2 or not train:
        raise DataError(
            f"{corpus} needs crops to train on, and real and fake ones in 'val'",
            hint="the ranges of the integers come from the first, the calibration from the second",
        )
    guard([] if protocol is None else [protocol], root, [*train, *val], corpus, say)
    out.parent.mkdir(parents=True, exist_ok=True)
    network = _in_integers(data, seen(train, before.card.crop, seed))
    description = f"{before.card.description} In 8-bit integers."
    card = replace(before.card, name=out.stem, description=description)
    blank = with_card(network, msgspec.json.encode(card).decode(), description)
    after = Model(blank, str(out), os.cpu_count() or 1)
    folder = cache or platformdirs.user_cache_path("unmask") / "scores"
    raw = scores_of([before, after], val, folder, progress)
    card = recalibrated(card, val, raw[1], {sample.method for sample in train if sample.fake}, say)
    history = before.history + history_of([*train, *val], corpus)
    write(out, with_card(network, msgspec.json.encode(card).decode(), description, history))
    fake = np.array([sample.fake for sample in val])
    return Compared(
        size=(len(data), out.stat().st_size),
        ms=(ms_per_face(load_model(model)), ms_per_face(load_model(out))),
        auc=(auc(fake, raw[0][AS_IS]), auc(fake, raw[1][AS_IS])),
        degraded_auc=(auc(fake, raw[0][DEGRADED]), auc(fake, raw[1][DEGRADED])),
        difference=delong(
            fake, raw[1][AS_IS], raw[0][AS_IS], [sample.source or str(sample.path) for sample in val]
        ),
    )


def _opened(model: str | Path, out: Path) -> tuple[bytes, Model]:
    path = Path(model)
    if str(model) in SHIPPED:
        data = (resources.files("unmask.detector") / "models" / f"{model}.onnx").read_bytes()
    else:
        if path.exists() and out.exists() and out.samefile(path):
            raise ModelError(f"{out} is the model itself", hint="give another file with --out")
        data = path.read_bytes() if path.is_file() else b""
    refuse_parts_beside(data, str(model))
    return data, load_model(model, threads=os.cpu_count() or 1)


def seen(train: Sequence[Sample], spec: CropSpec, seed: int = 0) -> list[NDArray[np.uint8]]:
    """`RANGES_FROM` degraded crops of the training split, by which ranges are set."""
    random = np.random.default_rng(seed)
    chosen = random.permutation(len(train))[:RANGES_FROM]
    return [
        cut(degrade(read_image(train[row]), random, STRENGTH), train[row].landmarks, spec) for row in chosen
    ]


def _in_integers(data: bytes, crops: Sequence[NDArray[np.uint8]]) -> onnx.ModelProto:
    """The network without its metadata, in integers."""
    with tempfile.TemporaryDirectory() as place, _quiet():
        given, ready, made = (Path(place) / name for name in ("given.onnx", "ready.onnx", "made.onnx"))
        given.write_bytes(data)
        quant_pre_process(str(given), str(ready), skip_symbolic_shape=True)
        prepared = onnx.load(ready)
        kind = _mostly(prepared)
        if kind == "MatMul":
            quantize_dynamic(ready, made, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True)
        else:
            quantize_static(
                ready,
                made,
                _Crops(crops),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(QUANTIZED),
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=_first(prepared),
                # In seven bits: sums of eight overflow on processors that lack instructions for them.
                reduce_range=True,
                calibrate_method=CalibrationMethod.Percentile,
                extra_options={"CalibPercentile": PERCENTILE},
            )
        network = onnx.load(made)
    del network.metadata_props[:]
    return network


def _mostly(network: onnx.ModelProto) -> str:
    """Where most weights lie: in `Conv` or in `MatMul`."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in network.graph.initializer}
    weights = {"Conv": 0, "MatMul": 0}
    for node in network.graph.node:
        kind = "MatMul" if node.op_type == "Gemm" else node.op_type
        if kind in weights:
            weights[kind] += sum(sizes.get(name, 0) for name in node.input)
    if not any(weights.values()):
        raise ModelError("the model holds no weights that could be integers")
    return max(weights, key=lambda kind: weights[kind])


def _first(network: onnx.ModelProto) -> list[str]:
    """The names of the convolutions that stay in floats."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in network.graph.initializer}
    room = IN_FLOATS * sum(sizes.values())
    first = []
    for node in network.graph.node:
        if node.op_type == "Conv":
            room -= sum(sizes.get(name, 0) for name in node.input)
            if room < 0:
                break
            first.append(node.name)
    return first


class _Crops(CalibrationDataReader):
    """Crops in batches, as the library asks for them."""

    def __init__(self, crops: Sequence[NDArray[np.uint8]]) -> None:
        batches = [np.stack(crops[n : n + BATCH]) for n in range(0, len(crops), BATCH)]
        self._rest: Iterator[NDArray[np.uint8]] = iter(batches)

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """The next batch, None after the last."""
        batch = next(self._rest, None)
        return None if batch is None else {"crops": batch}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the library prints and logs of its own work."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
