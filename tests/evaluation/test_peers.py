"""What peers promise: the authors' numbers to the last digit, our faces, and no number dressed up."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
import re
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import h5py
import msgspec
import numpy as np
import onnx
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from unmask.detector.model import Model
from unmask.errors import DataError, ModelError, UnmaskError
from unmask.evaluation.peers import Judged, Peer, keras, open_peer, read_scores
from unmask.evaluation.peers import mesonet as mesonet_module
from unmask.evaluation.peers import onnx as onnx_module
from unmask.evaluation.peers.command import CommandPeer, CommandSettings
from unmask.evaluation.peers.onnx import OnnxSettings
from unmask.options import ScanOptions
from unmask.scanner import Scanner
from unmask.types import Verdict

GUIDE = Path(__file__).parents[2] / "docs" / "peers.md"

Array = NDArray[np.float64]
Arrays = dict[str, NDArray[np.float32]]


def sigmoid(logits: object) -> Array:
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


# The interface


@pytest.mark.parametrize("spec", ["mesonet", "mesonet:", "nonesuch:x.h5", ""])
def test_unknown_peer_is_an_error_that_lists_the_kinds(spec: str) -> None:
    with pytest.raises(UnmaskError, match=r"(?s)hint: .*command, mesonet, onnx"):
        open_peer(spec)


@pytest.mark.parametrize("kind", ["command", "mesonet", "onnx"])
def test_absent_file_is_an_error_with_a_hint(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"(?s)absent.*hint"):
        open_peer(f"{kind}:{tmp_path / 'absent'}")


def test_a_reason_never_has_a_number_nor_a_judgement_none() -> None:
    with pytest.raises(ValueError, match="NO_FACE"):
        Judged(Verdict.NO_FACE, 0.5)
    with pytest.raises(ValueError, match="FAKE"):
        Judged(Verdict.FAKE, None)
    for wrong in (1.01, -0.01, float("nan")):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            Judged(Verdict.FAKE, wrong)


# MesoNet: Keras's files and Keras's arithmetic, channels last, written down anew

STEPS = ((3, 8, 2), (5, 8, 2), (5, 16, 2), (5, 16, 4))
"""Kernel, channels and pooling of each convolution; MesoInception4 has the last two."""

WIDTHS = ((1, 4, 4, 2), (2, 4, 4, 2))


class Weights:
    """Random weights by the names of Keras, numbered as Keras numbers layers when they are made."""

    def __init__(self, inception: bool) -> None:
        self.inception = inception
        self.random = np.random.default_rng(int(inception))
        self.layers: dict[str, Arrays] = {}
        self.count: dict[str, int] = {}
        channels = 3
        if inception:
            for one, *pairs in WIDTHS:
                self.convolution(1, channels, one)
                for width in pairs:
                    self.convolution(1, channels, width)
                    self.convolution(3, width, width)
                channels = one + sum(pairs)
                self.norm(channels)
        for kernel, outputs, _ in STEPS[2:] if inception else STEPS:
            self.convolution(kernel, channels, outputs)
            self.norm(outputs)
            channels = outputs
        self.dense(8 * 8 * 16, 16)
        self.dense(16, 1)

    def add(self, kind: str, arrays: dict[str, Array]) -> None:
        self.count[kind] = self.count.get(kind, 0) + 1
        named = {name: np.asarray(value, np.float32) for name, value in arrays.items()}
        self.layers[f"{kind}_{self.count[kind]}"] = named

    def convolution(self, side: int, inputs: int, outputs: int) -> None:
        shape = (side, side, inputs, outputs)
        kernel = self.random.normal(0, 1 / np.sqrt(side * side * inputs), shape)
        self.add("conv2d", {"kernel": kernel, "bias": self.random.normal(0, 0.2, outputs)})

    def norm(self, channels: int) -> None:
        draw = self.random
        arrays = {"gamma": draw.uniform(0.5, 1.5, channels), "beta": draw.normal(0, 0.2, channels)}
        arrays["moving_mean"] = draw.normal(0, 0.2, channels)
        arrays["moving_variance"] = draw.uniform(0.05, 0.5, channels)
        self.add("batch_normalization", arrays)

    def dense(self, inputs: int, outputs: int) -> None:
        kernel = self.random.normal(0, 1 / np.sqrt(inputs), (inputs, outputs))
        self.add("dense", {"kernel": kernel, "bias": self.random.normal(0, 0.2, outputs)})

    def by_depth(self) -> list[str]:
        """Layers in the order in which Keras writes them: of a block, what is nearest to the input first."""
        names = list(self.layers)
        if not self.inception:
            return names
        blocks = ["conv2d_2 4 6 1 3 5 7", "conv2d_9 11 13 8 10 12 14"]
        first, second = ([f"conv2d_{n}" for n in block.removeprefix("conv2d_").split()] for block in blocks)
        norms = [name for name in names if name.startswith("batch")]
        return [
            *first,
            norms[0],
            *second,
            norms[1],
            "conv2d_15",
            norms[2],
            "conv2d_16",
            norms[3],
            *names[-2:],
        ]

    def write(self, path: Path, *, whole: bool = False, order: Sequence[str] = ()) -> Path:
        """A file as Keras 2 writes it: `save_weights`, or `save` where `whole`."""
        names = ["input_1", *(order or self.by_depth()), "flatten_1"]
        with h5py.File(path, "w") as file:
            root = file.create_group("model_weights") if whole else file
            root.attrs["layer_names"] = [name.encode() for name in names]
            root.attrs["backend"], root.attrs["keras_version"] = b"tensorflow", b"2.1.5"
            for name in names:
                group = root.create_group(name)
                arrays = self.layers.get(name, {})
                group.attrs["weight_names"] = [f"{name}/{key}:0".encode() for key in arrays]
                for key, value in arrays.items():
                    group[f"{name}/{key}:0"] = value
            if whole:
                file.create_group("optimizer_weights").attrs["weight_names"] = [b"Adam/iterations:0"]
        return path

    def logit_of_real(self, picture: NDArray[np.uint8]) -> float:
        """What Keras computes for one picture (256, 256, 3), up to the sigmoid."""
        x = picture / 255.0
        numbers = iter(range(1, 17))
        norms = iter(range(1, 5))

        def step(x: Array, dilation: int = 1) -> Array:
            layer = self.layers[f"conv2d_{next(numbers)}"]
            return np.maximum(convolve(x, layer["kernel"], dilation) + layer["bias"], 0)

        def rest(x: Array, pool: int) -> Array:
            layer = self.layers[f"batch_normalization_{next(norms)}"]
            scale = layer["gamma"] / np.sqrt(layer["moving_variance"] + 1e-3)
            x = (x - layer["moving_mean"]) * scale + layer["beta"]
            side, channels = len(x) // pool, x.shape[2]
            return x.reshape(side, pool, side, pool, channels).max((1, 3))

        if self.inception:
            for _ in WIDTHS:
                branches = [step(x), *(step(step(x), dilation) for dilation in (1, 2, 3))]
                x = rest(np.concatenate(branches, axis=2), 2)
        for *_, pool in STEPS[2:] if self.inception else STEPS:
            x = rest(step(x), pool)
        hidden = x.reshape(-1) @ self.layers["dense_1"]["kernel"] + self.layers["dense_1"]["bias"]
        hidden = np.where(hidden > 0, hidden, 0.1 * hidden)
        last = self.layers["dense_2"]
        return float((hidden @ last["kernel"] + last["bias"])[0])


def convolve(x: Array, kernel: NDArray[np.float32], dilation: int) -> Array:
    """Convolution of (H, W, C) with (k, k, C, F), padded to the same size, in float64."""
    reach = dilation * (len(kernel) - 1)
    padded = np.pad(x, ((reach // 2, reach - reach // 2),) * 2 + ((0, 0),))
    windows = sliding_window_view(padded, (reach + 1, reach + 1), axis=(0, 1))[..., ::dilation, ::dilation]
    return np.einsum("hwcij,ijcf->hwf", windows, kernel.astype(np.float64), optimize=True)


@pytest.fixture(scope="module")
def pictures(photo_path: Path) -> NDArray[np.uint8]:
    """Crops (2, 256, 256, 3): a part of a photo, and noise."""
    photo = np.asarray(Image.open(photo_path).convert("RGB"))
    noise = np.random.default_rng(5).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    return np.stack([photo[:256, 90:346], noise])


@pytest.mark.parametrize("whole", [False, True], ids=["weights only", "whole model"])
@pytest.mark.parametrize("inception", [False, True], ids=["Meso4", "MesoInception4"])
def test_converted_mesonet_gives_kerass_numbers_the_other_way_round(
    inception: bool, whole: bool, pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    weights = Weights(inception)
    path = weights.write(tmp_path / "Meso.h5", whole=whole)
    model = Model(mesonet_module.convert(path), "converted", 1)
    theirs = np.array([weights.logit_of_real(picture) for picture in pictures])
    assert np.ptp(theirs) > 0.05
    assert model.score(pictures).raw == pytest.approx(-theirs, abs=1e-5)
    assert sigmoid(model.score(pictures).raw) == pytest.approx(1 - sigmoid(theirs), abs=1e-5)


def test_branches_in_the_order_of_the_code_give_the_same_network(
    pictures: NDArray[np.uint8], tmp_path: Path
) -> None:
    weights = Weights(inception=True)
    files = [
        weights.write(tmp_path / "depth.h5"),
        weights.write(tmp_path / "code.h5", order=list(weights.layers)),
    ]
    one, other = (Model(mesonet_module.convert(file), "converted", 1).score(pictures).raw for file in files)
    assert one == pytest.approx(other, abs=1e-6)


def test_mesonets_card_says_what_it_is_and_is_not(tmp_path: Path) -> None:
    path = Weights(inception=False).write(tmp_path / "Meso4_DF.h5")
    card = Model(mesonet_module.convert(path), "converted", 1).card
    assert (card.name, card.architecture) == ("Meso4_DF", "meso4")
    assert card.version == hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    assert (card.crop.size, card.crop.margin) == (256, 1.0)
    assert (card.calibration.scale, card.calibration.offset) == (1, 0)
    assert (card.band.real_below, card.band.fake_above) == (0.5, 0.5)
    assert any("not calibrated" in limit for limit in card.limits)
    assert not card.figures
    assert not card.operating_points


def test_mesonet_sees_the_same_frames_and_faces_as_ours(
    make_model: Callable[..., Path], video_path: Path, tmp_path: Path
) -> None:
    options = ScanOptions(frames=4, threads=1)
    peer = open_peer(f"mesonet:{Weights(inception=False).write(tmp_path / 'Meso4_DF.h5')}", options)
    said = peer.judge(video_path)
    ours = Scanner(dataclasses.replace(options, model=(str(make_model()),))).scan(video_path)
    assert said.verdict in (Verdict.REAL, Verdict.FAKE)
    assert [(f.frame, f.time, f.track, f.size) for f in said.faces] == [
        (face.frame, face.time, track.id, face.size) for track in ours.tracks for face in track.faces
    ]
    assert said.probability == pytest.approx(
        sigmoid(np.mean([np.log(f.probability / (1 - f.probability)) for f in said.faces if f.probability]))
    )


def test_scanned_peer_gives_reasons_in_place_of_numbers(tmp_path: Path) -> None:
    peer = open_peer(f"mesonet:{Weights(inception=False).write(tmp_path / 'Meso4_DF.h5')}")
    Image.new("RGB", (320, 240), (90, 120, 150)).save(tmp_path / "sky.png")
    (tmp_path / "empty.mp4").touch()
    for name, verdict in (("sky.png", Verdict.NO_FACE), ("empty.mp4", Verdict.UNREADABLE)):
        said = peer.judge(tmp_path / name)
        assert (said.verdict, said.probability, said.faces) == (verdict, None, ())
        assert said.message


def test_peers_model_file_can_be_given_where_ours_can(photo_path: Path, tmp_path: Path) -> None:
    peer = open_peer(f"mesonet:{Weights(inception=False).write(tmp_path / 'Meso4_DF.h5')}")
    (tmp_path / "kept.onnx").write_bytes(peer.model)  # type: ignore[attr-defined]
    report = Scanner(ScanOptions(model=(str(tmp_path / "kept.onnx"),))).scan(photo_path)
    assert report.probability == peer.judge(photo_path).probability


def _no_names(file: h5py.File) -> None:
    del file.attrs["layer_names"]


def _lacking(file: h5py.File) -> None:
    del file["conv2d_2"]


def _linked(file: h5py.File) -> None:
    del file["conv2d_2"]
    file["conv2d_2"] = h5py.ExternalLink("/etc/hostname", "/")


def _softly_linked(file: h5py.File) -> None:
    del file["conv2d_2"]
    file["conv2d_2"] = h5py.SoftLink("/conv2d_3")


def _virtual(file: h5py.File) -> None:
    del file["dense_2/dense_2/bias:0"]
    layout = h5py.VirtualLayout((1,), "f4")
    layout[0:1] = h5py.VirtualSource("elsewhere.h5", "x", (1,))
    file["dense_2/dense_2"].create_virtual_dataset("bias:0", layout)


def _elsewhere(file: h5py.File) -> None:
    del file["dense_2/dense_2/bias:0"]
    outside = [("/etc/hostname", 0, h5py.h5f.UNLIMITED)]
    file["dense_2/dense_2"].create_dataset("bias:0", (1,), "f4", external=outside)


def _bomb(file: h5py.File) -> None:
    del file["dense_1/dense_1/kernel:0"]
    file["dense_1/dense_1"].create_dataset(
        "kernel:0", (10**6, 10**5), "f4", chunks=(1000, 1000), compression=9
    )


def _wider(file: h5py.File) -> None:
    del file["conv2d_1/conv2d_1/kernel:0"]
    file["conv2d_1/conv2d_1/kernel:0"] = np.zeros((3, 3, 3, 9), np.float32)


def _not_numbers(file: h5py.File) -> None:
    file["conv2d_1/conv2d_1/kernel:0"][0, 0, 0, 0] = np.nan


def _whole_numbers(file: h5py.File) -> None:
    del file["conv2d_1/conv2d_1/bias:0"]
    file["conv2d_1/conv2d_1/bias:0"] = np.zeros(8, np.int32)


def _negative(file: h5py.File) -> None:
    file["batch_normalization_1/batch_normalization_1/moving_variance:0"][0] = -1


def _one_more(file: h5py.File) -> None:
    file.attrs["layer_names"] = [*file.attrs["layer_names"].astype("S"), b"dense_2"]


def _many(file: h5py.File) -> None:
    file.attrs["layer_names"] = [b"x"] * 1000


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (_no_names, "Keras 3"),
        (_lacking, "there is no 'conv2d_2'"),
        (_linked, "link to elsewhere"),
        (_softly_linked, "link to elsewhere"),
        (_virtual, "in another file"),
        (_elsewhere, "in another file"),
        (_bomb, "too many"),
        (_wider, "another shape"),
        (_not_numbers, "not all numbers"),
        (_whole_numbers, "not floating-point"),
        (_negative, "negative variance"),
        (_one_more, "another network"),
        (_many, "too many"),
    ],
)
def test_other_hdf5_file_is_a_clear_error(
    harm: Callable[[h5py.File], None], says: str, tmp_path: Path
) -> None:
    path = Weights(inception=False).write(tmp_path / "other.h5")
    with h5py.File(path, "r+") as file:
        harm(file)
    with pytest.raises(ModelError, match=says) as raised:
        mesonet_module.convert(path)
    assert "other.h5" in raised.value.message


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(99), b"no HDF5 file at all"])
def test_file_that_is_no_hdf5_is_a_clear_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other.h5").write_bytes(content)
    with pytest.raises(ModelError, match=r"(?s)other.h5.*HDF5.*hint"):
        open_peer(f"mesonet:{tmp_path / 'other.h5'}")


def test_huge_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.h5").open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(ModelError, match="too large"):
        open_peer(f"mesonet:{tmp_path / 'huge.h5'}")


def test_library_that_hangs_on_a_file_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras, "SECONDS", 0.01)
    with pytest.raises(ModelError, match="cannot cope"):
        mesonet_module.convert(Weights(inception=False).write(tmp_path / "slow.h5"))


# ONNX

SIZE = 16
MEAN, STD, SCALE = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3), 1 / 255
MATRIX = np.array([[1.5, -0.5, 0.3], [-0.7, 0.9, 0.2], [0.4, 0.6, -1.1]], np.float32)
"""From the means of three channels to three class scores."""

SETTINGS: dict[str, object] = {
    "name": "other",
    "model": "other.onnx",
    "size": SIZE,
    "margin": 1.3,
    "layout": "nchw",
    "colour": "rgb",
    "scale": SCALE,
    "mean": list(MEAN),
    "std": list(STD),
    "fake": "logit",
}


def network(
    classes: Sequence[int] = (0,),
    last: str = "",
    *,
    batch: int | str = "n",
    planes: bool = True,
    kind: int = TensorProto.FLOAT,
    opset: int = 13,
    shape: Sequence[int] = (0, -1),
    gain: float = 1.0,
) -> onnx.ModelProto:
    """A network of means of channels: `classes` of `MATRIX`'s rows, then perhaps a Sigmoid or a Softmax.

    Its own names are those of our nodes, to see that none clash.
    """
    matrix = gain * MATRIX[list(classes)].T
    picture: list[int | str] = [3, SIZE, SIZE] if planes else [SIZE, SIZE, 3]
    nodes = [] if planes else [helper.make_node("Transpose", ["crops"], ["planes"], perm=[0, 3, 1, 2])]
    nodes += [
        helper.make_node("Cast", ["crops" if planes else "planes"], ["unmask/floats"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["unmask/floats"], ["pooled"]),
        helper.make_node("Reshape", ["pooled", "shape"], ["rows"]),
        helper.make_node("MatMul", ["rows", "matrix"], ["values" if last else "score"]),
    ]
    if last:
        nodes.append(
            helper.make_node(last, ["values"], ["score"], **({"axis": 1} if last == "Softmax" else {}))
        )
    graph = helper.make_graph(
        nodes,
        "other",
        [helper.make_tensor_value_info("crops", kind, [batch, *picture])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(matrix.astype(np.float32), "matrix"),
            numpy_helper.from_array(np.array(shape, np.int64), "shape"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def described(folder: Path, net: onnx.ModelProto | None = None, **changes: object) -> Path:
    """A description beside its network; a change to None leaves a key out."""
    if net is not None:
        onnx.save(net, folder / "other.onnx")
    path = folder / "other.toml"
    path.write_text(toml({**SETTINGS, **changes}), encoding="utf-8")
    return path


def toml(values: dict[str, object]) -> str:
    """Keys and values as TOML; None leaves a key out."""
    return "".join(f"{key} = {toml_value(value)}\n" for key, value in values.items() if value is not None)


def toml_value(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml_value(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value)


def some_crops() -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (5, SIZE, SIZE, 3), dtype=np.uint8)


def means(crops: NDArray[np.uint8]) -> Array:
    return ((crops.mean((1, 2)) * SCALE - MEAN) / STD) @ MATRIX.T.astype(np.float64)


def scores(path: Path, crops: NDArray[np.uint8] | None = None) -> Array:
    model = Model(onnx_module.convert(path), "wrapped", 1)
    crops = some_crops() if crops is None else crops
    found = model.score(crops).raw
    assert model.score(crops[:1]).raw == pytest.approx(found[:1], abs=1e-5)
    return found


def log_softmax_odds(values: Array, fake: int) -> Array:
    shares = np.exp(values) / np.exp(values).sum(1, keepdims=True)
    return np.log(shares[:, fake] / (1 - shares[:, fake]))


@pytest.mark.parametrize("planes", [True, False], ids=["nchw", "nhwc"])
@pytest.mark.parametrize(
    ("classes", "last", "changes", "expected"),
    [
        ((0,), "", {"fake": "logit"}, lambda v: v[:, 0]),
        ((0,), "Sigmoid", {"fake": "probability"}, lambda v: v[:, 0]),
        ((0,), "Sigmoid", {"fake": "probability_of_real"}, lambda v: -v[:, 0]),
        ((0, 1), "", {"fake": 1, "softmax": True}, lambda v: v[:, 1] - v[:, 0]),
        ((0, 1), "Softmax", {"fake": 0, "softmax": False}, lambda v: v[:, 0] - v[:, 1]),
        ((0, 1, 2), "", {"fake": 2, "softmax": True}, lambda v: log_softmax_odds(v, 2)),
        ((0, 1, 2), "Softmax", {"fake": 1, "softmax": False}, lambda v: log_softmax_odds(v, 1)),
    ],
)
def test_wrapped_network_gives_the_log_odds_its_description_means(
    classes: Sequence[int],
    last: str,
    changes: dict[str, object],
    expected: Callable[[Array], Array],
    planes: bool,
    tmp_path: Path,
) -> None:
    layout = "nchw" if planes else "nhwc"
    path = described(tmp_path, network(classes, last, planes=planes), layout=layout, **changes)
    assert scores(path) == pytest.approx(expected(means(some_crops())), abs=1e-4)


def test_blue_first_turns_the_channels_and_takes_mean_and_std_in_that_order(tmp_path: Path) -> None:
    path = described(tmp_path, network(), colour="bgr")
    assert scores(path) == pytest.approx(means(some_crops()[..., ::-1])[:, 0], abs=1e-4)


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 21])
def test_old_and_new_operator_sets_can_be_wrapped(opset: int, tmp_path: Path) -> None:
    one = described(tmp_path, network(last="Sigmoid", opset=opset), fake="probability")
    assert scores(one) == pytest.approx(means(some_crops())[:, 0], abs=1e-4)
    several = described(tmp_path, network((0, 1, 2), opset=opset), fake=2, softmax=True)
    assert scores(several) == pytest.approx(log_softmax_odds(means(some_crops()), 2), abs=1e-4)


def test_too_old_an_operator_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"(?s)operator set 7.*hint"):
        onnx_module.convert(described(tmp_path, network(opset=7)))


@pytest.mark.parametrize(
    "one_picture",
    [{"batch": 1}, {"batch": 1, "shape": (1, 3)}, {"shape": (1, 3)}],
    ids=["says so", "is so", "is so and says otherwise"],
)
def test_network_for_one_picture_is_called_face_by_face(
    one_picture: dict[str, object], tmp_path: Path
) -> None:
    path = described(tmp_path, network(last="Sigmoid", **one_picture), fake="probability")  # type: ignore[arg-type]
    assert scores(path) == pytest.approx(means(some_crops())[:, 0], abs=1e-4)


def test_network_for_several_pictures_at_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="exactly 4"):
        onnx_module.convert(described(tmp_path, network(batch=4)))


def test_half_precision_and_bytes_are_taken_as_input(tmp_path: Path) -> None:
    half = described(tmp_path, network(kind=TensorProto.FLOAT16))
    assert scores(half) == pytest.approx(means(some_crops())[:, 0], abs=2e-2)
    plain = {"scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1]}
    matrix = MATRIX[0].astype(np.float64)
    # Averages of bytes are far from 1: the parity that is asked for is relative then.
    bytes_ = network(kind=TensorProto.UINT8)
    found = scores(described(tmp_path, bytes_, **plain))
    assert found == pytest.approx(some_crops().mean((1, 2)) @ matrix, rel=1e-4)
    with pytest.raises(ModelError, match=r"(?s)takes bytes.*hint"):
        onnx_module.convert(described(tmp_path, bytes_))


def test_constants_of_the_outer_graph_are_found_within_inner_graphs(tmp_path: Path) -> None:
    def branch(name: str, constant: str) -> onnx.GraphProto:
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node("Mul", ["plain", constant], [name])], name, [], [out])

    model = network()
    model.graph.node[-1].output[0] = "plain"
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(2, np.float32), "two"),
            numpy_helper.from_array(np.array(-3, np.float32), "three"),
            numpy_helper.from_array(np.array(False), "which"),
        ]
    )
    inner = {"then_branch": branch("a", "two"), "else_branch": branch("b", "three")}
    model.graph.node.append(helper.make_node("If", ["which"], ["score"], **inner))
    assert scores(described(tmp_path, model)) == pytest.approx(-3 * means(some_crops())[:, 0], abs=1e-4)


def test_certain_probabilities_stay_numbers_and_impossible_ones_do_not(tmp_path: Path) -> None:
    # 0 on black, 1 on white: the test pictures lie between, these two at the ends.
    plain = {"mean": [0, 0, 0], "std": [1, 1, 1], "fake": "probability"}
    model = network(gain=1.0)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((3, 1), 1 / 3, np.float32), "matrix"))
    ends = np.stack([np.full((SIZE, SIZE, 3), level, np.uint8) for level in (0, 255)])
    assert scores(described(tmp_path, model, **plain), ends) == pytest.approx([-16.118, 16.118], abs=1e-2)
    too_much = Model(onnx_module.convert(described(tmp_path, model, **plain, scale=1.5 / 255)), "x", 1)
    assert np.isnan(too_much.score(ends).raw).tolist() == [False, True]


def test_file_is_unreadable_where_the_network_gives_no_number(photo_path: Path, tmp_path: Path) -> None:
    # The root of (0.54 - mean of red): the test pictures have 0.5, the face of the photo has more.
    model = network(last="Sqrt")
    model.graph.node[-1].input[0] = "lacking"
    model.graph.node.insert(4, helper.make_node("Sub", ["most", "values"], ["lacking"]))
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.float32([[1], [0], [0]]), "matrix"))
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.54), "most"))
    said = open_peer(f"onnx:{described(tmp_path, model, mean=[0, 0, 0], std=[1, 1, 1])}").judge(photo_path)
    assert (said.verdict, said.probability) == (Verdict.UNREADABLE, None)
    assert "no number for 1 of 1 faces" in said.message


@pytest.mark.parametrize(
    ("model", "changes", "says"),
    [
        (network(), {"size": 17}, "size and layout"),
        (network(), {"layout": "nhwc"}, "size and layout"),
        (network(), {"input": "pixels"}, "no input 'pixels'"),
        (network(), {"output": "logits"}, "no output 'logits'"),
        (network(gain=9), {"fake": "probability"}, "described as giving a probability"),
        (network(last="Sigmoid"), {"fake": 1, "softmax": True}, "there is no class 1"),
        (network((0, 1)), {"fake": 2, "softmax": True}, "there is no class 2"),
        (network((0, 1)), {"fake": -1, "softmax": True}, "there is no class -1"),
        (network((0, 1)), {"fake": "logit"}, "2 numbers per picture"),
        (network((0, 1)), {"fake": 1, "softmax": False}, "do not add up to 1"),
        (network((0, 1), "Softmax"), {"fake": 1, "softmax": True}, "probabilities already"),
        (network((0, 1)), {"fake": 1}, "softmax goes with"),
        (network(), {"softmax": True}, "softmax goes with"),
        (network(gain=np.inf), {}, "no number"),
        (network(), {"std": [1, 0, 1]}, "std must be above 0"),
        (network(), {"scale": 0}, "scale not 0"),
        (network(), {"margn": 1.2, "margin": None}, r"(?s)unknown key 'margn'.*known: name, model"),
        (network(), {"margin": None}, "missing required field `margin`"),
        (network(), {"layout": "chw"}, "layout"),
        (network(), {"mean": [0, 0]}, "mean"),
        (network(), {"fake": "real"}, "fake"),
        (network(), {"aggregation": "best"}, r"(?s)no aggregation.*hint"),
        (network(), {"sha256": "0" * 64}, "not the file"),
        (network(), {"model": "absent.onnx"}, "absent.onnx"),
    ],
)
def test_wrong_description_is_an_error_that_says_what_is_wrong(
    model: onnx.ModelProto, changes: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(UnmaskError, match=says):
        onnx_module.convert(described(tmp_path, model, **changes))


def test_several_inputs_or_outputs_must_be_told_apart(tmp_path: Path) -> None:
    model = network()
    model.graph.node.append(helper.make_node("Neg", ["score"], ["other"]))
    model.graph.output.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, None))
    with pytest.raises(ModelError, match=r"(?s)2 outputs.*score, other"):
        onnx_module.convert(described(tmp_path, model))
    assert scores(described(tmp_path, model, output="other")) == pytest.approx(
        -means(some_crops())[:, 0], abs=1e-4
    )
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    with pytest.raises(ModelError, match="several inputs: crops, more"):
        onnx_module.convert(described(tmp_path, model, output="other"))


def test_hash_that_fits_is_accepted(tmp_path: Path) -> None:
    described(tmp_path, network())
    digest = hashlib.sha256((tmp_path / "other.onnx").read_bytes()).hexdigest()
    onnx_module.convert(described(tmp_path, sha256=digest.upper()))


def test_weights_beside_the_network_are_read_from_its_folder_only(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = described(inside, network())
    onnx.save(
        network(), inside / "other.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    assert scores(path) == pytest.approx(means(some_crops())[:, 0], abs=1e-4)
    (inside / "w.bin").rename(tmp_path / "w.bin")
    with pytest.raises(ModelError, match="cannot be read"):
        onnx_module.convert(path)
    model = onnx.load(inside / "other.onnx", load_external_data=False)
    for place in ("../w.bin", str(tmp_path / "w.bin")):
        for tensor in model.graph.initializer:
            next(entry for entry in tensor.external_data if entry.key == "location").value = place
        (inside / "other.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ModelError, match="outside the folder"):
            onnx_module.convert(path)
    (inside / "w.bin").symlink_to(tmp_path / "w.bin")
    for tensor in model.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = "w.bin"
    (inside / "other.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="outside the folder"):
        onnx_module.convert(path)


@pytest.mark.parametrize("content", [b"", b"no network", b"\x80\x04\x95pickle"])
def test_file_that_is_no_network_is_a_clear_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(content)
    with pytest.raises(ModelError, match=r"(?s)other.onnx.*hint"):
        onnx_module.convert(described(tmp_path))


def test_onnx_peer_judges_with_its_own_crop_and_aggregation(photo_path: Path, tmp_path: Path) -> None:
    peer = open_peer(
        f"onnx:{described(tmp_path, network(), aggregation='median', margin=1.7, licence='MIT')}"
    )
    said = peer.judge(photo_path)
    assert (peer.name, len(said.faces)) == ("other", 1)
    assert said.probability == pytest.approx(said.faces[0].probability)
    card = peer.card  # type: ignore[attr-defined]
    assert (card.aggregation, card.crop.margin, card.licence) == ("median", 1.7, "MIT")


# Commands


def judge_script(folder: Path, body: str) -> None:
    (folder / "judge.py").write_text(f"import json, os, sys, time\nfile = sys.argv[1]\n{body}\n")


def command_peer(folder: Path, body: str, **changes: object) -> Peer:
    """A peer whose program is Python, given as what it does with `file`."""
    judge_script(folder, body)
    settings: dict[str, object] = {
        "name": "program",
        "command": [sys.executable, "judge.py", "{file}"],
        "probability": "fake",
        "is": "fake",
        "timeout": 20,
    }
    (folder / "program.toml").write_text(toml({**settings, **changes}))
    return open_peer(f"command:{folder / 'program.toml'}")


@pytest.mark.parametrize(
    ("answer", "changes", "verdict", "probability"),
    [
        ({"fake": 0.75}, {}, Verdict.FAKE, 0.75),
        ({"fake": 0.5}, {}, Verdict.FAKE, 0.5),
        ({"fake": 0.25}, {}, Verdict.REAL, 0.25),
        ({"fake": 1}, {}, Verdict.FAKE, 1.0),
        ({"real": 0.75}, {"probability": "real", "is": "real"}, Verdict.REAL, 0.25),
        ({"a": {"b": 0.75}}, {"probability": "a.b"}, Verdict.FAKE, 0.75),
        ({"a": [0, {"p": 0.75}]}, {"probability": "a.1.p"}, Verdict.FAKE, 0.75),
        ({"a.b": 0.75, "a": {"b": 0}}, {"probability": "a.b"}, Verdict.FAKE, 0.75),
        ([0.75], {"probability": "0"}, Verdict.FAKE, 0.75),
    ],
)
def test_number_in_the_answer_becomes_p_fake(
    answer: object, changes: dict[str, object], verdict: Verdict, probability: float, tmp_path: Path
) -> None:
    peer = command_peer(tmp_path, f"print(json.dumps({answer!r}))", **changes)
    said = peer.judge(tmp_path / "judge.py")
    assert (peer.name, said.verdict, said.probability) == ("program", verdict, probability)
    assert said.faces == ()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("print('{}')", "there is no 'fake'"),
        ("print(json.dumps({'fake': float('nan')}))", "NaN"),
        ("print(json.dumps({'fake': float('inf')}))", "Infinity"),
        ("print(json.dumps({'fake': 97.0}))", r"97.0, which is not in \[0, 1\]"),
        ("print(json.dumps({'fake': -0.1}))", "not in"),
        ("print(json.dumps({'fake': '0.5'}))", "not a number"),
        ("print(json.dumps({'fake': True}))", "not a number"),
        ("print(json.dumps({'fake': None}))", "not a number"),
        ("print(json.dumps({'fake': [0.5]}))", "a list, not a number"),
        ("print('0.7 fake')", "not JSON"),
        ('print(\'{"fake": 0.7} {"fake": 0.1}\')', "not JSON"),
        ("print('[' * 100000)", "not JSON"),
        ("sys.stdout.buffer.write(bytes(range(128, 256)))", "not JSON"),
        ("pass", "not JSON"),
        ("print('{\"fake\": 1' + '0' * 10000 + '}')", "not"),
        ("print(json.dumps({'fake': 0.9})); sys.exit(3)", "exit code 3"),
        ("print(json.dumps({'fake': 0.9}), flush=True); os.kill(os.getpid(), 9)", "signal 9"),
        ("raise SystemExit('no \\x1b[31m GPU here')", r"exit code 1 \(it says: no \[31m GPU here\)"),
        ("print('x' * 3_000_000)", "printed more than"),
        ("sys.stderr.write('y' * 10_000_000); sys.exit(1)", "exit code 1"),
    ],
)
def test_answer_without_a_number_is_unreadable_with_the_reason(body: str, says: str, tmp_path: Path) -> None:
    said = command_peer(tmp_path, body).judge(tmp_path / "judge.py")
    assert (said.verdict, said.probability) == (Verdict.UNREADABLE, None)
    assert re.search(says, said.message), said.message
    assert len(said.message) < 600


@pytest.mark.parametrize(
    ("answer", "condition", "found"),
    [
        ({"faces": 0}, {"key": "faces", "is": 0}, False),
        ({"faces": []}, {"key": "faces", "is": []}, False),
        ({"r": {"error": "no face"}}, {"key": "r.error", "is": "no face"}, False),
        ({"fake": None}, {"key": "fake"}, False),
        ({"fake": 0.9, "faces": 2}, {"key": "faces", "is": 0}, True),
        ({"fake": 0.9, "faces": False}, {"key": "faces", "is": 0}, True),
        ({"fake": 0.9}, {"key": "faces", "is": 0}, True),
        ({"fake": 0.9}, {"key": "faces"}, True),
    ],
)
def test_no_face_is_said_where_its_condition_holds(
    answer: object, condition: dict[str, object], found: bool, tmp_path: Path
) -> None:
    peer = command_peer(tmp_path, f"print(json.dumps({answer!r}))", no_face=condition)
    said = peer.judge(tmp_path / "judge.py")
    assert said.verdict is (Verdict.FAKE if found else Verdict.NO_FACE)


@pytest.mark.parametrize("name", ["a b.png", "-rf", "$(touch gone)'\".png", "näme\n.png"])
def test_any_file_name_reaches_the_program_whole(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"1234")
    peer = command_peer(tmp_path, "print(json.dumps({'fake': os.path.getsize(file) / 8}))")
    assert peer.judge(tmp_path / name).probability == 0.5
    assert not (tmp_path / "gone").exists()


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


CHILD = """
import subprocess
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
open('child', 'w').write(str(child.pid))
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("after", "verdict"),
    [("time.sleep(60)", Verdict.TIMED_OUT), ("print(json.dumps({'fake': 0.9}))", Verdict.FAKE)],
    ids=["hangs", "leaves one behind"],
)
def test_nothing_that_the_program_started_outlives_it(after: str, verdict: Verdict, tmp_path: Path) -> None:
    began = time.monotonic()
    said = command_peer(tmp_path, CHILD + after, timeout=5).judge(tmp_path / "judge.py")
    assert said.verdict is verdict, said.message
    assert time.monotonic() - began < 15
    child = int((tmp_path / "child").read_text())
    for _ in range(50):
        if not is_running(child):
            return
        time.sleep(0.1)
    os.kill(child, 9)
    pytest.fail("it is still running")


def test_absent_file_is_unreadable_and_the_program_not_run(tmp_path: Path) -> None:
    said = command_peer(tmp_path, "open('ran', 'w')").judge(tmp_path / "absent.png")
    assert (said.verdict, said.probability) == (Verdict.UNREADABLE, None)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"command": ["judge"]}, r"(?s)where the file goes.*\{file\}"),
        ({"command": ["no-such-program", "{file}"]}, r"(?s)'no-such-program'.*hint"),
        ({"command": ["./judge.py", "{file}"]}, "may not be run"),
        ({"command": []}, "command"),
        ({"is": "likely"}, "is"),
        ({"is": None}, "`is`"),
        ({"timeout": 0}, "timeout"),
        (
            {"shell": True},
            r"(?s)unknown key 'shell'.*known: name, command, probability, is, timeout, no_face",
        ),
        ({"no_face": {"key": "a", "iz": 1}}, r"(?s)unknown key no_face.'iz'.*known: key, is"),
    ],
)
def test_wrong_description_of_a_program_is_an_error(
    changes: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=says):
        command_peer(tmp_path, "", **changes)


def test_description_that_is_no_toml_is_an_error(tmp_path: Path) -> None:
    for content in (b"name = ", b"\xff\xfe", b"a = " + b"[" * 50_000, b"#" * 100_000):
        (tmp_path / "p.toml").write_bytes(content)
        with pytest.raises(ModelError, match=r"p\.toml"):
            open_peer(f"command:{tmp_path / 'p.toml'}")


def test_program_beside_its_description_is_found(tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\necho '{\"fake\": 0.125}'\n")
    script.chmod(0o755)
    settings = CommandSettings("sh", ("./run.sh", "{file}"), "fake", "fake")
    assert CommandPeer(settings, tmp_path).judge(script).probability == 0.125


# Imported scores


def table(folder: Path, text: str, name: str = "scores.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_table_is_read_whatever_its_delimiter(delimiter: str, tmp_path: Path) -> None:
    text = '\ufefffile,label,score,source\n"a b/x.mp4",fake,0.75,s1\n./b\\y.mp4,real,-3e-1,\n'
    found = read_scores(table(tmp_path, text.replace(",", delimiter)), "csv")
    assert [(s.file, s.video, s.source, s.fake, s.score) for s in found] == [
        ("a b/x.mp4", "a b/x.mp4", "s1", True, 0.75),
        ("b/y.mp4", "b/y.mp4", "b/y.mp4", False, -0.3),
    ]


def test_files_of_one_name_in_two_data_sets_stay_apart(tmp_path: Path) -> None:
    text = "file,label,score,dataset,method\n000.mp4,fake,1,ffpp,faceswap\n000.mp4,real,0,celebdf2,\n"
    found = read_scores(table(tmp_path, text), "csv")
    assert [(s.video, s.source, s.dataset, s.method) for s in found] == [
        ("ffpp/000.mp4", "ffpp/000.mp4", "ffpp", "faceswap"),
        ("celebdf2/000.mp4", "celebdf2/000.mp4", "celebdf2", ""),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "lacks file, label, score"),
        ("file,label\n", "lacks score"),
        ("file,label,score\n", "holds no scores"),
        ("file,label,score,sorce\na,real,1,x\n", r"(?s)unknown column 'sorce'.*known"),
        ("file,label,score,score\na,real,1,1\n", "twice"),
        ("file,label,score\na,real,nan\n", "line 2: score 'nan'"),
        ("file,label,score\na,real,1\nb,fake,inf\n", "line 3: score 'inf'"),
        ("file;label;score\na;real;0,5\n", "line 2: score '0,5'"),
        ("file,label,score\na,real,\n", "line 2: score ''"),
        ("file,label,score\na,1,0.5\n", r"(?s)line 2: label '1'.*real or fake"),
        ("file,label,score\n,real,0.5\n", "line 2: no file"),
        ("file,label,score\na,real,1\nb,fake,1\n./a,real,0\n", "line 4: a is there already, in line 2"),
        ('file,label,score\n"a\nb",real,1\nc,fake,1,1\n', "line 4: 4 columns"),
        ('file,label,score\n"a,real,1\n', "cannot be read as a table"),
        ("file,label,score,video\na/1,real,1,a\na/2,fake,1,a\n", "a is both real and fake"),
    ],
)
def test_wrong_table_is_refused_by_line(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=says):
        read_scores(table(tmp_path, text), "csv")


def test_unknown_kind_of_scores_and_absent_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UnmaskError, match=r"(?s)no kind of score file.*csv, deepfakebench"):
        read_scores(table(tmp_path, ""), "xlsx")
    with pytest.raises(DataError, match="absent"):
        read_scores(tmp_path / "absent.csv", "csv")


FRAMES = [
    "./datasets/rgb/FaceForensics++/original_sequences/youtube/c23/frames/000/012.png",
    "./datasets/rgb/FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003/012.png",
    "./datasets/rgb/FaceForensics++/manipulated_sequences/Face2Face/c23/frames/000_003/012.png",
    "D:\\data\\Celeb-DF-v2\\Celeb-synthesis\\frames\\id0_id1_0000\\000.png",
    "FaceForensics++/manipulated_sequences/DeepFakeDetection/c23/frames/01_02__hugging__ABCDEFGH/1.png",
    "/mnt/own set/frames/clip/5.png",
]
LABELS = [0, 1, 1, 1, 4, 0]
PREDICTIONS = [0.1, 0.9, 0.8, 0.7, 0.6, 0.5]


def exported(folder: Path, ending: str, images: Sequence[object] = FRAMES) -> Path:
    path = folder / f"scores{ending}"
    if ending == ".npz":
        np.savez(path, image=np.array(images), label=np.array(LABELS), pred=np.array(PREDICTIONS)[:, None])
    elif ending == ".json":
        path.write_text(json.dumps({"image": images, "label": LABELS, "pred": PREDICTIONS}))
    else:
        rows = zip(images, LABELS, PREDICTIONS, strict=True)
        path.write_text("image,label,pred\n" + "".join(f"{i},{n},{p}\n" for i, n, p in rows))
    return path


@pytest.mark.parametrize("ending", [".npz", ".json", ".csv"])
def test_frames_of_deepfakebench_keep_their_video_source_and_method(ending: str, tmp_path: Path) -> None:
    found = read_scores(exported(tmp_path, ending), "deepfakebench")
    assert [(s.dataset, s.method, s.source, s.fake) for s in found] == [
        ("ffpp", "original", "ffpp:000", False),
        ("ffpp", "deepfakes", "ffpp:000", True),
        ("ffpp", "face2face", "ffpp:000", True),
        ("celebdf2", "celebdf2", "celebdf:id0_0000", True),
        ("dfd", "dfd", "dfd:01__hugging", True),
        ("", "original", "/mnt/own set/frames/clip", False),
    ]
    assert [s.score for s in found] == PREDICTIONS
    assert found[1].video == "FaceForensics++/manipulated_sequences/Deepfakes/c23/frames/000_003"
    assert found[3].file == "Celeb-DF-v2/Celeb-synthesis/frames/id0_id1_0000/000.png"
    assert len({s.video for s in found}) == len(found)


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_clips_of_deepfakebench_are_known_by_their_first_frame(ending: str, tmp_path: Path) -> None:
    clips = [[frame, frame.replace(".png", "b.png")] for frame in FRAMES]
    found = read_scores(exported(tmp_path, ending, clips), "deepfakebench")
    assert found == read_scores(exported(tmp_path, ".csv"), "deepfakebench")


def harmed(folder: Path, **changes: object) -> Path:
    path = folder / "scores.json"
    path.write_text(json.dumps({"image": FRAMES, "label": LABELS, "pred": PREDICTIONS, **changes}))
    return path


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pred": PREDICTIONS[:-1]}, "5 predictions"),
        ({"pred": [*PREDICTIONS[:-1], float("nan")]}, "row 5: pred nan"),
        ({"pred": [*PREDICTIONS[:-1], 1.5]}, r"row 5: pred 1.5 is not in \[0, 1\]"),
        ({"pred": [*PREDICTIONS[:-1], None]}, "row 5: pred None"),
        ({"label": [*LABELS[:-1], 0.5]}, "row 5: label 0.5"),
        ({"label": [*LABELS[:-1], -1]}, "row 5: label -1"),
        ({"image": [*FRAMES[:-1], FRAMES[0]]}, "row 5: .* already, in row 0"),
        ({"image": [*FRAMES[:-1], "012.png"]}, "row 5: .* no full path"),
        ({"image": [*FRAMES[:-1], 7]}, "row 5: image is neither"),
        ({"image": [*FRAMES[:-1], []]}, "row 5: image is neither"),
        ({"image": [*FRAMES[:-1], FRAMES[1].replace("012", "013")]}, "both real and fake"),
        ({"image": "x"}, "does not hold the lists"),
        ({"image": [], "label": [], "pred": []}, "holds no scores"),
    ],
)
def test_wrong_export_of_deepfakebench_is_refused_by_row(
    changes: dict[str, object], says: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=says):
        read_scores(harmed(tmp_path, **changes), "deepfakebench")


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_pickles_are_never_loaded(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = pickle.dumps(Trap(sprung))
    for name in ("data.pickle", "data.pkl", "data.npy", "data.npz", "data.json", "data.csv", "data"):
        (tmp_path / name).write_bytes(trap)
        with pytest.raises(DataError, match="hint"):
            read_scores(tmp_path / name, "deepfakebench")
    inside = np.array([Trap(sprung)], dtype=object)
    np.savez(tmp_path / "inside.npz", image=inside, label=inside, pred=inside)
    with pytest.raises(DataError, match="hint"):
        read_scores(tmp_path / "inside.npz", "deepfakebench")
    assert not sprung.exists()
    pickle.loads(trap)
    assert sprung.exists()


# The guide


def code_of(guide: str) -> Iterable[str]:
    return re.findall(r"```python\n(.*?)```", guide, re.DOTALL)


@pytest.mark.parametrize("clips", [False, True], ids=["frames", "clips"])
def test_the_guides_snippet_turns_their_pickles_into_what_is_read(
    clips: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [[frame, frame.replace(".png", "b.png")] for frame in FRAMES] if clips else FRAMES
    # The benchmark's lists are shuffled together and come out of `zip` as tuples.
    paths = {"image": tuple(images), "label": tuple(LABELS)}
    best = {"auc": 0.9, "pred": np.array(PREDICTIONS), "label": np.minimum(LABELS, 1)}
    (tmp_path / "data_dict_test.pickle").write_bytes(pickle.dumps(paths))
    (tmp_path / "metric_dict_best.pickle").write_bytes(pickle.dumps(best))
    monkeypatch.chdir(tmp_path)
    (snippet,) = code_of(GUIDE.read_text(encoding="utf-8"))
    exec(snippet, {})
    found = read_scores(tmp_path / "scores.npz", "deepfakebench")
    assert found == read_scores(exported(tmp_path, ".csv"), "deepfakebench")


@pytest.mark.parametrize("settings", [OnnxSettings, CommandSettings])
def test_the_guide_shows_every_key(settings: type[msgspec.Struct]) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    for field in msgspec.structs.fields(settings):
        assert re.search(rf"^    {field.encode_name} = ", guide, re.MULTILINE), field.encode_name
