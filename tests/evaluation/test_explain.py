"""Maps of a face and their checks, on networks that are known to look at one patch and nowhere else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tests.conftest import card
from tests.report.reports import face, track, video_report

from unmask.detector.card import CARD_KEY, Calibration
from unmask.detector.model import load_model
from unmask.errors import ModelError
from unmask.evaluation.explain.check import Check, Rival, Several, Way, check
from unmask.evaluation.explain.curves import STEPS, centred, moved, order_of
from unmask.evaluation.explain.file import MOST_GENUINE, MOST_SUSPICIOUS, telling_faces
from unmask.evaluation.explain.judge import GRID, Fill, Judge, filling, without
from unmask.evaluation.explain.maps import EVIDENCE, MAPS, OCCLUSION, agreement, on_grid
from unmask.evaluation.explain.means import OneFace, map_against, mean_estimate, mean_map
from unmask.evaluation.explain.media import REAL, chosen_media, group_of, spread_faces
from unmask.evaluation.explain.words import Trust, sentence, trust
from unmask.evaluation.table import Medium
from unmask.faces.crop import CropSpec
from unmask.training.ensemble import open_members
from unmask.training.ensemble_vote import Method, Vote
from unmask.training.merge import merge, with_card

SIDE = 56
PATCH = slice(8, 20)
"""Rows and columns of the patch: cells 2 to 4 of the grid's 14, four pixels each."""

Make = Callable[..., Path]


def pattern() -> NDArray[np.float32]:
    """A chequered patch in a crop of nothing: it is gone where it is blurred or painted over."""
    rows, columns = np.mgrid[:SIDE, :SIDE]
    chequered = np.where((rows + columns) % 2, 1.0, -1.0)
    inside = np.zeros((SIDE, SIDE))
    inside[PATCH, PATCH] = 1
    return (chequered * inside).astype(np.float32)


@pytest.fixture
def make_patched(tmp_path: Path) -> Make:
    """Writes a model that scores how chequered the patch is. Its evidence says so truly; `upside_down` it
    points at the opposite corner, and it may be left out."""

    def make(*, evidence: bool = True, upside_down: bool = False, sign: int = 1, **changes: object) -> Path:
        weights = sign * pattern()[None, ..., None] * SIDE**2 / (12**2 * 3)
        constants = [
            numpy_helper.from_array(np.float32(128), "grey"),
            numpy_helper.from_array(np.float32(16), "width"),
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(np.array([3]), "channels"),
            numpy_helper.from_array(np.array([1]), "planes"),
            numpy_helper.from_array(np.array([1, 2]), "places"),
            numpy_helper.from_array(np.array([-1, -1]), "starts"),
            numpy_helper.from_array(np.array([-SIDE, -SIDE]), "ends"),
            numpy_helper.from_array(np.array([-1, -1]), "steps"),
        ]
        nodes = [
            helper.make_node("Cast", ["crops"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Sub", ["floats", "grey"], ["moved"]),
            helper.make_node("Div", ["moved", "width"], ["scaled"]),
            helper.make_node("Mul", ["scaled", "weights"], ["weighted"]),
            helper.make_node("ReduceSum", ["weighted", "channels"], ["summed"], keepdims=1),
            helper.make_node("Transpose", ["summed"], ["plane"], perm=[0, 3, 1, 2]),
            helper.make_node("AveragePool", ["plane"], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
            helper.make_node("ReduceMean", ["pooled", "planes"], ["map"], keepdims=0),
            helper.make_node("ReduceMean", ["map", "places"], ["score"], keepdims=0),
            helper.make_node("Slice", ["map", "starts", "ends", "places", "steps"], ["turned"]),
            helper.make_node("Identity", ["turned" if upside_down else "map"], ["evidence"]),
        ]
        outputs = [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])]
        if evidence:
            outputs.append(helper.make_tensor_value_info("evidence", TensorProto.FLOAT, ["n", 7, 7]))
        else:
            nodes = nodes[:-2]
        crops = helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", SIDE, SIDE, 3])
        graph = helper.make_graph(nodes, "patched", [crops], outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        entry = model.metadata_props.add()
        calibration = Calibration(scale=1.0, offset=-3.0 * sign)
        its_card = card(calibration=calibration, **changes)
        entry.key, entry.value = CARD_KEY, msgspec.json.encode(its_card).decode()
        onnx.save(model, path := tmp_path / f"patched{evidence}{upside_down}{sign}.onnx")
        return path

    return make


@pytest.fixture
def crop() -> NDArray[np.uint8]:
    """A crop with the pattern in it, and noise that the model does not look at."""
    noise = np.random.default_rng(0).normal(0, 20, (SIDE, SIDE, 3))
    noise[PATCH, PATCH] = 0
    return np.clip(128 + 100 * pattern()[..., None] + noise, 0, 255).astype(np.uint8)


def judged(path: Path, crop: NDArray[np.uint8]) -> tuple[Judge, float, NDArray[np.float64] | None]:
    judge = Judge(load_model(path))
    return judge, *judge.whole(crop)


# Maps


@pytest.mark.parametrize("name", [EVIDENCE, OCCLUSION, "rise"])
def test_maps_peak_at_the_patch_that_the_score_depends_on(
    name: str, make_patched: Make, crop: NDArray[np.uint8]
) -> None:
    judge, odds, own = judged(make_patched(), crop)
    found = MAPS[name](judge, crop, odds, own)
    assert found is not None
    peak = np.unravel_index(np.argmax(on_grid(found)), (GRID, GRID))
    assert all(2 <= place <= 4 for place in peak)


def test_mean_of_the_evidence_map_is_the_log_odds(make_patched: Make, crop: NDArray[np.uint8]) -> None:
    _, odds, own = judged(make_patched(), crop)
    assert own is not None
    assert own.mean() == pytest.approx(odds, abs=1e-4)


def test_occlusion_is_nothing_where_the_model_does_not_look(
    make_patched: Make, crop: NDArray[np.uint8]
) -> None:
    judge, odds, own = judged(make_patched(), crop)
    found = MAPS[OCCLUSION](judge, crop, odds, own)
    assert found is not None
    assert np.abs(found[7:]).max() < 1e-4
    assert found[3, 3] > 0.9 * (odds + 3)


def test_model_without_evidence_has_no_such_map(make_patched: Make, crop: NDArray[np.uint8]) -> None:
    judge, odds, own = judged(make_patched(evidence=False), crop)
    assert own is None
    assert MAPS[EVIDENCE](judge, crop, odds, own) is None


def test_ensembles_map_is_its_members_weighted_as_they_vote(
    make_patched: Make, crop: NDArray[np.uint8], tmp_path: Path
) -> None:
    spec = CropSpec(SIDE, 1.25)
    paths = [make_patched(crop=spec), make_patched(crop=spec, upside_down=True)]
    path = tmp_path / "both.onnx"
    members = open_members(paths, path)
    text = msgspec.json.encode(card(name="both", crop=spec)).decode()
    path.write_bytes(with_card(merge(members, Vote(Method.WEIGHTED, (0.75, 0.25))), text, ""))
    _, odds, own = judged(path, crop)
    assert own is not None
    assert own.mean() == pytest.approx(odds, abs=1e-4)
    right, wrong, elsewhere = own[1, 1], own[5, 5], own[3, 3]
    assert (right - elsewhere) / (wrong - elsewhere) == pytest.approx(3, abs=0.01)
    assert trust(checks_of(path, crop)[OCCLUSION]) is Trust.ALL


def test_agreement_is_of_ranks_and_none_where_a_map_says_nothing() -> None:
    grid = np.random.default_rng(0).normal(size=(GRID, GRID))
    assert agreement(grid, np.exp(grid)) == pytest.approx(1)
    assert agreement(grid, -grid) == pytest.approx(-1)
    assert agreement(grid, np.zeros((GRID, GRID))) is None


# Taking parts out


@pytest.mark.parametrize("fill", Fill)
def test_nothing_taken_out_is_the_crop_and_all_is_the_fill(fill: Fill, crop: NDArray[np.uint8]) -> None:
    filled = filling(crop, fill)
    assert np.array_equal(without(crop, filled, np.zeros((GRID, GRID))), crop)
    everything = without(crop, filled, np.ones((GRID, GRID)))
    assert np.abs(everything - filled).max() <= 0.5 + 1e-3


def test_orders_hold_every_cell_once_and_a_flat_map_has_no_order() -> None:
    flat = np.zeros((7, 7))
    first, second = (order_of(flat, np.random.default_rng(seed)) for seed in (0, 1))
    assert sorted(first) == list(range(GRID * GRID))
    assert not np.array_equal(first, second)
    assert order_of(centred(), np.random.default_rng(0))[0] in [6 * GRID + 6, 6 * GRID + 7, 7 * GRID + 6, 105]


def test_moved_map_has_the_same_values_in_other_places() -> None:
    grid = np.random.default_rng(0).normal(size=(GRID, GRID))
    for seed in range(20):
        wrong = moved(grid, np.random.default_rng(seed))
        assert np.allclose(np.sort(wrong, axis=None), np.sort(grid, axis=None))
        assert np.mean(wrong == grid) < 0.1


# Checks


def checks_of(path: Path, crop: NDArray[np.uint8], fake: bool = True) -> dict[str, list[Check]]:
    judge, odds, own = judged(path, crop)
    maps = {name: MAPS[name](judge, crop, odds, own) for name in (EVIDENCE, OCCLUSION)}
    there = {name: grid for name, grid in maps.items() if grid is not None}
    found = check(judge, crop, there, odds=odds, fake=fake).checks
    return {name: [one for one in found if one.map == name] for name in there}


def test_maps_of_the_right_patch_beat_every_rival(make_patched: Make, crop: NDArray[np.uint8]) -> None:
    found = checks_of(make_patched(), crop)
    for checks in found.values():
        assert len(checks) == len(Fill) * len(Way)
        assert trust(checks) is Trust.ALL
        deletion = next(one for one in checks if one.way is Way.DELETION)
        assert deletion.area < deletion.random.least
        assert "faster than removing at random" in sentence(deletion)
    insertion = found[EVIDENCE][1]
    assert insertion.way is Way.INSERTION
    assert insertion.area > insertion.random.greatest


def test_checks_of_a_genuine_face_follow_its_own_side(make_patched: Make, crop: NDArray[np.uint8]) -> None:
    # With the sign turned, the pattern is what speaks for a real face.
    checks = checks_of(make_patched(sign=-1), crop, fake=False)
    assert trust(checks[OCCLUSION]) is Trust.ALL
    assert trust(checks[EVIDENCE]) is Trust.ALL


def test_map_of_the_wrong_place_is_not_believed_and_the_words_say_so(
    make_patched: Make, crop: NDArray[np.uint8]
) -> None:
    found = checks_of(make_patched(upside_down=True), crop)
    assert trust(found[EVIDENCE]) is Trust.NONE
    assert trust(found[OCCLUSION]) is Trust.ALL
    said = sentence(found[EVIDENCE][0])
    assert "no faster than removing at random" in said
    assert "and no better than" in said


def test_shuffled_map_gives_no_advantage_and_the_words_say_so(
    make_patched: Make, crop: NDArray[np.uint8]
) -> None:
    judge, odds, own = judged(make_patched(), crop)
    right = MAPS[OCCLUSION](judge, crop, odds, own)
    assert right is not None
    held = 0
    for seed in range(4):
        shuffled = np.random.default_rng(seed).permutation(right.ravel()).reshape(GRID, GRID)
        checks = check(judge, crop, {"shuffled": shuffled}, odds=odds, fake=True, seed=seed).checks
        held += sum(one.holds for one in checks)
        if Rival.RANDOM not in checks[0].beaten:
            assert "no faster than removing" in sentence(checks[0]) or "slower than" in sentence(checks[0])
    assert held <= 1


def test_curves_start_and_end_where_the_whole_and_the_empty_face_are(
    make_patched: Make, crop: NDArray[np.uint8]
) -> None:
    judge, odds, own = judged(make_patched(), crop)
    assert own is not None
    found = check(judge, crop, {EVIDENCE: own}, odds=odds, fake=True)
    whole = 1 / (1 + np.exp(-odds))
    for curve in found.curves:
        assert len(curve.values) == STEPS + 1
        ends = (whole, found.blank[curve.fill])
        assert (curve.values[0], curve.values[-1]) == pytest.approx(
            ends if curve.way is Way.DELETION else ends[::-1], abs=1e-3
        )
    areas = {(one.fill, one.way): one for one in found.checks}
    for fill in Fill:
        there, back = areas[fill, Way.DELETION], areas[fill, Way.INSERTION]
        assert (there.reversed, back.reversed) == (back.area, there.area)


def test_checks_are_the_same_every_time(make_patched: Make, crop: NDArray[np.uint8]) -> None:
    path = make_patched()
    assert checks_of(path, crop) == checks_of(path, crop)


def test_score_that_never_changes_believes_no_map(make_patched: Make, crop: NDArray[np.uint8]) -> None:
    judge = Judge(load_model(make_patched()))
    blank = np.full_like(crop, 128)
    odds, own = judge.whole(blank)
    assert own is not None
    found = check(judge, blank, {EVIDENCE: own}, odds=odds, fake=False).checks
    assert not any(one.beaten for one in found)


def test_model_that_gives_no_number_is_an_error_and_no_figure(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["crops"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "places"], ["mean"], keepdims=0),
        helper.make_node("Log", ["mean"], ["log"]),
        helper.make_node("Identity", ["log"], ["score"]),
    ]
    graph = helper.make_graph(
        nodes,
        "none",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", 32, 32, 3])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.array([1, 2, 3]), "places")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    entry = model.metadata_props.add()
    entry.key, entry.value = CARD_KEY, msgspec.json.encode(card(name="silent")).decode()
    onnx.save(model, tmp_path / "silent.onnx")
    judge = Judge(load_model(tmp_path / "silent.onnx"))
    assert judge.whole(np.full((32, 32, 3), 100, np.uint8))[1] is None
    with pytest.raises(ModelError, match="silent gives no number"):
        judge.whole(np.zeros((32, 32, 3), np.uint8))


# Words


def checked(area: float, way: Way, random: Several, moved_: Several) -> Check:
    return Check("evidence", Fill.BLUR, way, area, random, moved_, 0.5, 0.6 if way is Way.DELETION else 0.2)


def test_sentences_give_the_figures_and_what_was_not_beaten() -> None:
    around = Several(0.55, 0.5, 0.6)
    assert sentence(checked(0.31, Way.DELETION, around, around)) == (
        "Removing what the evidence map marks changes the score faster than removing at random "
        "(0.31 against 0.55 [0.50, 0.60])."
    )
    wide = Several(0.4, 0.2, 0.7)
    assert sentence(checked(0.31, Way.DELETION, around, wide)).endswith(
        ", but no better than the same map moved elsewhere (0.40 [0.20, 0.70])."
    )
    assert "no faster than removing at random" in sentence(checked(0.55, Way.DELETION, around, around))
    assert "slower than removing at random" in sentence(checked(0.7, Way.DELETION, around, around))
    assert "back faster than" in sentence(checked(0.7, Way.INSERTION, around, around))
    assert "back slower than" in sentence(checked(0.3, Way.INSERTION, around, around))


# Whom to explain


def test_most_suspicious_face_of_each_person_and_the_most_genuine_of_all_are_explained() -> None:
    people = (
        track(1, [face(0, 0.2), face(1, 0.05), face(2, 0.1)], 0.1),
        track(2, [face(0, 0.6), face(1, 0.7), face(2, 0.9)], 0.8),
        # Glimpsed only: more suspicious, but it does not decide.
        track(3, [face(0, 0.95)], 0.95),
        track(4, [face(0, None)], None),
    )
    report = dataclasses.replace(video_report(), tracks=people)

    def chosen(count: int) -> list[tuple[int, str, float | None]]:
        return [(who.id, why, found.probability) for who, why, found in telling_faces(report, count)]

    all_ = [
        (2, MOST_SUSPICIOUS, 0.9),
        (3, MOST_SUSPICIOUS, 0.95),
        (1, MOST_SUSPICIOUS, 0.2),
        (1, MOST_GENUINE, 0.05),
    ]
    assert chosen(9) == chosen(4) == all_
    assert chosen(2) == [all_[0], all_[3]]
    assert chosen(1) == all_[:1]
    alone = dataclasses.replace(report, tracks=people[2:])
    assert [found.probability for _, _, found in telling_faces(alone, 4)] == [0.95]


def test_faces_for_means_are_spread_over_time_and_not_the_most_telling() -> None:
    faces = [face(n, 0.9 if n == 0 else 0.1) for n in range(8)]
    report = dataclasses.replace(video_report(), tracks=(track(1, faces, 0.2),))
    assert [found.time for found in spread_faces(report, 2)] == [2, 6]
    assert len(spread_faces(report, 20)) == 8
    assert spread_faces(dataclasses.replace(report, tracks=()), 2) == []


def test_limit_takes_many_recordings_and_data_sets_and_keeps_the_order() -> None:
    media = [
        Medium(
            Path("x"), f"{dataset}/{recording}/{n}", False, "image", dataset, source=f"{dataset}/{recording}"
        )
        for dataset, recordings in (("large", 6), ("small", 2))
        for recording in range(recordings)
        for n in range(3)
    ]
    fakes = [Medium(Path("x"), f"f/{n}", True, "image", "f", method="swap") for n in range(3)]
    chosen = chosen_media([*media, *fakes], 4)
    reals = [medium for medium in chosen if group_of(medium) == REAL]
    assert len(reals) == 4
    assert [medium.dataset for medium in reals].count("small") == 2
    assert len({(medium.dataset, medium.source) for medium in reals}) == 4
    assert [medium for medium in chosen if medium.fake] == fakes
    assert [*media, *fakes].index(chosen[0]) < [*media, *fakes].index(chosen[1])
    assert chosen_media([*media, *fakes], 4) == chosen


# Means


def one(source: str, value: float, place: int = 0) -> OneFace:
    grid = np.zeros((2, 2))
    grid.flat[place] = value
    return OneFace(source, 0.0, True, {"evidence": grid}, {})


def test_a_recording_counts_once_however_many_faces_it_has() -> None:
    faces = [one("a", 9), one("a", 9), one("a", 9), one("b", 1)]
    assert mean_map(faces, "evidence")[0, 0] == 5
    assert mean_estimate(np.array([9.0, 9, 9, 1]), list("aaab")).value == 5


def test_interval_of_a_mean_covers_the_truth_and_few_recordings_have_none() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        means = random.normal(size=30)
        found = mean_estimate(np.repeat(means, 3), [str(n // 3) for n in range(90)])
        covered += found.low <= 0 <= found.high
    assert 175 <= covered <= 198
    few = mean_estimate(np.arange(8.0), list("aabbccdd"))
    assert np.isnan([few.low, few.high]).all()


def test_distance_from_the_reals_is_in_their_standard_deviations() -> None:
    reals = [one(str(n), value) for n, value in enumerate((1, 2, 3, 4, 5))]
    fakes = [one("f", 6), one("g", 6)]
    against = map_against(fakes, reals, "evidence")
    assert against is not None
    assert against[0, 0] == pytest.approx((6 - 3) / np.std([1, 2, 3, 4, 5], ddof=1))
    assert against[1, 1] == 0
    assert map_against(fakes, reals[:4], "evidence") is None
