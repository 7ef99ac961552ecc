"""The whole lab by its verbs: a folder of media becomes a model, two become an ensemble, and that scans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.data.trees import clip
from unmask.cli import main
from unmask.data.manifest import read_samples

RECIPE = """
name: {name}
network: {network}
description: a toy
licence: none
limits: [a toy]
start: none
seed: {seed}
crop: {{size: {size}, margin: 1.25}}
mix: {{balance: {balance}, self_blended: {blended}, strength: {strength}, precut: {precut}}}
schedule: {{epochs: 1, batch: 8, warm_up: 1, validate_every: 50, average: 0, bfloat16: false}}
"""


@pytest.fixture
def unmask(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Runs `unmask ARGUMENTS` in this process: (exit code, standard output)."""

    def call(*arguments: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        assert isinstance(exit_.value.code, int)
        return exit_.value.code, capsys.readouterr().out

    return call


@pytest.fixture
def media(tmp_path: Path, photo: NDArray[np.uint8]) -> Path:
    """Twelve clips of one person, real ones in several lights and fakes with a green face."""
    folder = tmp_path / "media"
    for number in range(6):
        light = np.clip(photo * (0.7 + 0.08 * number), 0, 255).astype(np.uint8)
        forged = light.copy()
        forged[60:190, 170:280, 1] = np.clip(forged[60:190, 170:280, 1].astype(int) + 60, 0, 255)
        clip(folder / f"real/r{number}.mp4", light)
        clip(folder / f"fake/tint/f{number}.mp4", forged)
    return folder


def test_a_folder_of_media_becomes_a_model_that_scans(
    unmask: Callable[..., tuple[int, str]], media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    manifest, faces = tmp_path / "media.parquet", tmp_path / "faces"
    assert unmask("data", "index", media, "--layout", "folders", "--out", manifest)[0] == 0
    assert unmask("data", "extract", manifest, faces, "--frames", 6, "--workers", 0, "--quiet")[0] == 0
    assert unmask("data", "split", faces / "manifest.parquet", "--val", 0.34, "--test", 0)[0] == 0
    samples = read_samples(faces / "manifest.parquet")
    assert {(s.split, s.fake) for s in samples} == {(s, f) for s in ("train", "val") for f in (True, False)}
    # One face in every light: near-duplicates lie on both sides of any split, and check must say so.
    code, said = unmask("data", "check", faces / "manifest.parquet")
    assert (code, "look the same" in said) == (1, True)
    settings = (
        {"network": "lenet", "size": 32, "balance": "none", "blended": 0, "strength": 0, "precut": "true"},
        {
            "network": "resnet18",
            "size": 64,
            "balance": "groups",
            "blended": 0.5,
            "strength": 0.3,
            "precut": "false",
        },
    )
    models = []
    for seed, setting in enumerate(settings):
        name = f"toy{seed}"
        recipe = tmp_path / f"{name}.yaml"
        recipe.write_text(RECIPE.format(name=name, seed=seed, **setting))
        out = tmp_path / "runs" / name
        arguments = ("--corpus", faces / "manifest.parquet", "--out", out, "--workers", 0)
        assert unmask("train", recipe, *arguments)[0] == 0
        models.append(out / f"{name}.onnx")
    code, table = unmask("compare", tmp_path / "runs")
    assert (code, "toy0" in table, "toy1" in table) == (0, True, True)
    both = tmp_path / "both.onnx"
    assert unmask("ensemble", *models, "--on", faces / "manifest.parquet", "--out", both)[0] == 0
    code, said = unmask("scan", media / "real" / "r0.mp4", "--model", both, "--json", "--workers", 0)
    assert code in (0, 1, 3)
    assert '"name":"both"' in said.replace(" ", "")
