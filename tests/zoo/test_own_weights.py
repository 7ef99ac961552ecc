"""Weights of one's own: known by their digest, placed by name or by order, refused in words."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import huggingface_hub
import msgspec
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from unmask.errors import DataError, ModelError
from unmask.training.recipe import parse_recipe
from unmask.zoo.build import build
from unmask.zoo.own_start import OwnStart


def known(path: Path) -> OwnStart:
    return OwnStart(str(path), hashlib.sha256(path.read_bytes()).hexdigest())


def saved(state: object, path: Path) -> OwnStart:
    torch.save(state, path)
    return known(path)


def same_features(first: nn.Module, second: nn.Module) -> bool:
    others = second.state_dict()
    return all(
        torch.equal(value, others[name])
        for name, value in first.state_dict().items()
        if not name.startswith("classifier.")
    )


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(1)
    return build("meso4")


def test_weights_are_read_from_a_state_dict(network: nn.Module, tmp_path: Path) -> None:
    start = saved(network.state_dict(), tmp_path / "own.pth")
    made = build("meso4", start=start)
    assert same_features(made, network)
    assert not torch.equal(
        made.get_parameter("classifier.5.weight"), network.get_parameter("classifier.5.weight")
    )


def test_weights_are_read_from_safetensors(network: nn.Module, tmp_path: Path) -> None:
    save_file(network.state_dict(), tmp_path / "own.safetensors")
    assert same_features(build("meso4", start=known(tmp_path / "own.safetensors")), network)


def test_what_training_programs_wrap_around_weights_is_taken_off(network: nn.Module, tmp_path: Path) -> None:
    wrapped = {"state_dict": {f"module.{name}": value for name, value in network.state_dict().items()}}
    assert same_features(build("meso4", start=saved(wrapped, tmp_path / "own.pth")), network)


class Block(nn.Module):
    """A residual block under the names that published ResNets have."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: Tensor) -> Tensor:
        short = self.downsample(x) if hasattr(self, "downsample") else x
        x = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (x + short).relu()


class Published(nn.Module):
    """ResNet-18 as published weights know it, up to its last map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        width_in = 64
        for number, width in enumerate((64, 128, 256, 512), start=1):
            blocks = (Block(width_in, width, 1 + (number > 1)), Block(width, width, 1))
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
            width_in = width
        self.fc = nn.Linear(512, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(self.bn1(self.conv1(x)).relu(), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))


def test_published_resnet_weights_do_here_what_they_do_there(tmp_path: Path) -> None:
    torch.manual_seed(2)
    published = Published().eval()
    for parameter in published.parameters():
        nn.init.normal_(parameter, std=0.05)
    made = build("resnet18", start=saved(published.state_dict(), tmp_path / "resnet18.pth")).eval()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(made.get_submodule("features")(x), published(x), atol=1e-4)


def test_another_file_is_refused(network: nn.Module, tmp_path: Path) -> None:
    start = saved(network.state_dict(), tmp_path / "own.pth")
    Path(start.file).write_bytes(b"another")
    with pytest.raises(ModelError, match="has SHA-256"):
        build("meso4", start=start)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"gone\.pth cannot be read"):
        build("meso4", start=OwnStart(str(tmp_path / "gone.pth"), "0" * 64))


def test_weights_of_another_network_are_refused(network: nn.Module, tmp_path: Path) -> None:
    start = saved(network.state_dict(), tmp_path / "own.pth")
    for other in ("lenet", "mobilenetv2", "clip_vit_b16"):
        with pytest.raises(ModelError, match=f"not for {other}"):
            build(other, start=start)


class Harmful:
    """Would write a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return (Path.write_text, (self.path, "run"))


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_no_code_in_a_file_is_run(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"harmful.{ending}"
    path.write_bytes(pickle.dumps({"weight": Harmful(tmp_path / "was run")}))
    with pytest.raises(ModelError, match="no plain weights"):
        build("meso4", start=known(path))
    assert not (tmp_path / "was run").exists()


def test_a_file_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no state dict"):
        build("meso4", start=saved([1, 2], tmp_path / "list.pth"))


def test_weights_come_from_a_hub(network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start = saved(network.state_dict(), tmp_path / "own.pth")
    asked: list[tuple[str, str, str]] = []

    def download(repository: str, file: str, *, revision: str) -> str:
        asked.append((repository, file, revision))
        return start.file

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert same_features(build("meso4", start=OwnStart("own.pth", start.sha256, "some/one", "v1")), network)
    assert asked == [("some/one", "own.pth", "v1")]


def test_no_hub_at_hand_is_told_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*_: object, **__: object) -> str:
        raise OSError("no connection")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(ModelError, match="from some/one: no connection") as caught:
        build("meso4", start=OwnStart("own.pth", "0" * 64, "some/one"))
    assert "start.file" in str(caught.value.hint)


PLAIN = {"name": "a", "network": "meso4", "description": "", "licence": "", "limits": []}


def test_a_recipe_names_weights() -> None:
    told = {"file": "own.pth", "sha256": "0" * 64}
    assert parse_recipe(PLAIN | {"start": told}).start == OwnStart("own.pth", "0" * 64)
    assert parse_recipe(PLAIN | {"start": "none"}).start == "none"


@pytest.mark.parametrize("told", [{"file": "own.pth"}, {"file": "own.pth", "sha256": "123"}])
def test_a_recipe_must_give_the_digest(told: dict[str, str]) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"sha256|regex"):
        parse_recipe(PLAIN | {"start": told})


def test_a_misspelt_key_of_a_start_is_told() -> None:
    with pytest.raises(DataError, match=r"start\.'fill'"):
        parse_recipe(PLAIN | {"start": {"fill": "own.pth", "sha256": "0" * 64}})
