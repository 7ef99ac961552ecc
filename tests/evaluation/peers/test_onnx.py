"""Any ONNX network behind a description: the numbers its description means, or a clear error."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tests.evaluation.peers.toml import toml

from unmask.detector.model import Model
from unmask.errors import ModelError, UnmaskError
from unmask.evaluation.peers import onnx as onnx_module
from unmask.evaluation.peers import open_peer
from unmask.types import Verdict

Array = NDArray[np.float64]

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
