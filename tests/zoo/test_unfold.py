"""Going on from an exported model: the network says what the file says, and can be trained."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from unmask.errors import ModelError
from unmask.training.samples import normalise
from unmask.zoo.build import build
from unmask.zoo.network import NETWORKS
from unmask.zoo.own_start import OwnStart
from unmask.zoo.own_weights import own_path
from unmask.zoo.unfold import unfold


def exported(name: str, path: Path) -> None:
    torch.manual_seed(1)
    network = build(name, size=64).train()
    with torch.no_grad():
        for _ in range(2):  # so that normalisation has something to fold
            network(torch.randn(8, 3, 64, 64) + 0.3)
        network.classifier.weight.normal_(std=0.3)  # type: ignore[operator, union-attr]
    torch.onnx.export(
        network.eval(),
        (torch.zeros(1, 3, 64, 64),),
        str(path),
        dynamo=False,
        dynamic_axes={"x": {0: "n"}},
        input_names=["x"],
    )


@pytest.mark.parametrize("name", ["mobilenetv2", "efficientnet_lite0"])
def test_the_network_says_what_the_file_says_and_normalises_its_own_batches(
    name: str, tmp_path: Path
) -> None:
    import onnxruntime as ort

    exported(name, tmp_path / "model.onnx")
    network, info = build(name, size=64), NETWORKS[name]
    generator = torch.Generator().manual_seed(0)
    crops = torch.randint(0, 256, (64, 3, 64, 64), dtype=torch.uint8, generator=generator)
    images = normalise(crops, info.mean, info.std)
    unfold(network, tmp_path / "model.onnx", images)
    session = ort.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    (theirs, *_) = session.run(None, {"x": images.numpy()})
    with torch.no_grad():
        assert torch.allclose(network.eval()(images)[0], torch.from_numpy(theirs), atol=1e-3)
        # Measured on these very images, so that a batch of them normalises as the file does.
        trained = network.train().features(images) if name == "mobilenetv2" else network.eval()(images)[0]
    assert torch.isfinite(trained).all()


def test_files_of_other_networks_are_refused(tmp_path: Path) -> None:
    exported("mobilenetv2", tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"model\.onnx cannot be trained further"):
        unfold(build("efficientnet_lite0", size=64), tmp_path / "model.onnx", torch.zeros(2, 3, 64, 64))
    with pytest.raises(ModelError, match="cannot be trained further"):
        unfold(build("lenet", size=64), tmp_path / "model.onnx", torch.zeros(2, 3, 64, 64))


def test_another_file_than_the_recipe_names_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"a model")
    digest = hashlib.sha256(b"a model").hexdigest()
    assert own_path(OwnStart(str(path), digest)) == path
    path.write_bytes(b"another")
    with pytest.raises(ModelError, match="SHA-256"):
        own_path(OwnStart(str(path), digest))
