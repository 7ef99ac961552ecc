"""MesoNet's weights give the authors' numbers, on our faces.

Keras's files and Keras's arithmetic, channels last, are written down anew here.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from unmask.detector.model import Model
from unmask.errors import ModelError
from unmask.evaluation.peers import keras, open_peer
from unmask.evaluation.peers import mesonet as mesonet_module
from unmask.options import ScanOptions
from unmask.scanner import Scanner
from unmask.types import Verdict

Array = NDArray[np.float64]
Arrays = dict[str, NDArray[np.float32]]


def sigmoid(logits: object) -> Array:
    return 1 / (1 + np.exp(-np.asarray(logits, np.float64)))


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
