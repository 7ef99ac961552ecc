"""Donors: another source and person, the nearest landmarks, mirrored where that is nearer."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.data.sample import Sample
from unmask.errors import DataError
from unmask.forge.donors import Donors, describe
from unmask.forge.forged import Donor, Forged, mirrored
from unmask.forge.kinds import KINDS
from unmask.forge.pseudo import PseudoFakes
from unmask.types import Landmarks

FRONT: Landmarks = ((80.0, 80.0), (120.0, 80.0), (100.0, 104.0), (84.0, 124.0), (116.0, 124.0))
TURNED: Landmarks = ((80.0, 80.0), (120.0, 80.0), (114.0, 104.0), (88.0, 124.0), (118.0, 124.0))


def face(name: str, marks: Landmarks, source: str, identity: str = "") -> Sample:
    return Sample(Path(f"{name}.png"), False, "train", "original", "d", source, "photo", marks, identity)


def moved(marks: Landmarks, factor: float, x: float, y: float) -> Landmarks:
    first, second, third, fourth, fifth = ((px * factor + x, py * factor + y) for px, py in marks)
    return (first, second, third, fourth, fifth)


def test_size_and_place_do_not_matter_to_likeness() -> None:
    assert np.allclose(describe(moved(TURNED, 3.0, 40, -7)), describe(TURNED), atol=1e-5)
    assert not np.allclose(describe(TURNED), describe(FRONT), atol=0.05)


def test_the_nearest_landmarks_of_another_source_are_chosen() -> None:
    asked = face("asked", TURNED, "a")
    twin = face("own", TURNED, "a")
    like = face("like", moved(TURNED, 1.5, 9, 9), "b")
    donors = Donors([asked, twin, like, *(face(f"front{n}", FRONT, f"c{n}") for n in range(5))])
    for seed in range(20):
        found = donors.look_alike(asked, np.random.default_rng(seed))
        assert found is not None
        assert found.sample is like
        assert not found.mirrored
        assert found.distance == pytest.approx(0, abs=1e-5)


def test_a_face_turned_the_other_way_is_mirrored() -> None:
    asked = face("asked", TURNED, "a")
    across = face("across", mirrored(TURNED, 200), "b")
    found = Donors([asked, across, face("front", FRONT, "c")]).look_alike(asked, np.random.default_rng(0))
    assert found is not None
    assert found.sample is across
    assert found.mirrored
    assert found.distance == pytest.approx(0, abs=1e-5)


def test_the_same_person_of_another_source_lends_nothing() -> None:
    asked = face("asked", FRONT, "a", "ann")
    donors = Donors([asked, face("ann too", FRONT, "b", "ann"), face("bob", TURNED, "c", "bob")])
    for seed in range(10):
        found = donors.look_alike(asked, np.random.default_rng(seed))
        assert found is not None
        assert found.sample.identity == "bob"


def test_alone_nobody_lends() -> None:
    asked = face("asked", FRONT, "a")
    donors = Donors([asked, replace(asked, path=Path("later.png"))])
    assert donors.look_alike(asked, np.random.default_rng(0)) is None
    other = donors.other_moment(asked, np.random.default_rng(0))
    assert other is not None
    assert other.sample.path == Path("later.png")
    assert Donors([asked]).other_moment(asked, np.random.default_rng(0)) is None
    assert Donors([asked]).other_moment(face("x", FRONT, "z"), np.random.default_rng(0)) is None


def test_sources_lend_alike_however_many_crops_they_have() -> None:
    many = [face(f"m{n}", FRONT, "many") for n in range(200)]
    few = [face(f"f{n}", FRONT, f"few{n}") for n in range(4)]
    donors, asked = Donors([*many, *few]), face("asked", FRONT, "a")
    rng = np.random.default_rng(0)
    found = [donors.look_alike(asked, rng, among=1) for _ in range(500)]
    share = np.mean([one is not None and one.sample.source == "many" for one in found])
    assert share == pytest.approx(0.2, abs=0.06)


@pytest.fixture
def picture(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(photo[30:230, 120:320])


def test_fakes_are_drawn_by_weight_and_read_the_donor(picture: NDArray[np.uint8]) -> None:
    samples = [face(f"s{n}", FRONT, f"s{n}") for n in range(6)]
    read: list[Path] = []

    def reader(sample: Sample) -> NDArray[np.uint8]:
        read.append(sample.path)
        return picture if sample.path == samples[0].path else 255 - picture

    maker = PseudoFakes({"self_blend": 1.0, "swap": 3.0, "parts": 0.0}, samples, reader)
    kinds = [maker.make(samples[0], np.random.default_rng(seed)).done[0] for seed in range(80)]
    assert set(kinds) == {"self_blend", "swap"}
    assert np.mean([kind == "swap" for kind in kinds]) == pytest.approx(0.75, abs=0.15)
    donors_read = [path for path in read if path != samples[0].path]
    assert len(donors_read) == kinds.count("swap")


def test_generated_faces_lend_their_share(picture: NDArray[np.uint8]) -> None:
    reals = [face(f"s{n}", FRONT, f"s{n}") for n in range(4)]
    generated = [face(f"g{n}", FRONT, f"g{n}") for n in range(4)]
    read: list[str] = []

    def reader(sample: Sample) -> NDArray[np.uint8]:
        read.append(sample.path.name)
        return picture if sample.path == reals[0].path else 255 - picture

    def lenders(share: float) -> list[str]:
        read.clear()
        maker = PseudoFakes({"swap": 1.0}, reals, reader, generated, share)
        for seed in range(60):
            maker.make(reals[0], np.random.default_rng(seed))
        return [name for name in read if name != reals[0].path.name]

    assert np.mean([name.startswith("g") for name in lenders(0.3)]) == pytest.approx(0.3, abs=0.15)
    assert not any(name.startswith("g") for name in lenders(0.0))


def test_a_donor_that_is_nearer_in_the_mirror_is_given_mirrored(picture: NDArray[np.uint8]) -> None:
    asked, across = face("asked", TURNED, "a"), face("across", mirrored(TURNED, 200), "b")
    given: list[Donor | None] = []

    def swap(image: NDArray[np.uint8], _marks: Landmarks, _rng: object, donor: Donor | None) -> Forged:
        given.append(donor)
        return Forged(255 - image, np.ones(image.shape[:2], np.float32), ("swap",))

    maker = PseudoFakes({"swap": 1.0}, [asked, across], lambda _: picture)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(KINDS._entries, "swap", replace(KINDS["swap"], make=swap))
        maker.make(asked, np.random.default_rng(0))
    (donor,) = given
    assert donor is not None
    assert np.array_equal(donor.image, picture[:, ::-1])
    assert np.allclose(donor.landmarks, mirrored(across.landmarks, 200))


def still(_sample: Sample) -> NDArray[np.uint8]:
    return np.full((200, 200, 3), 120, np.uint8)


def test_a_fake_that_changes_nothing_becomes_a_self_blend() -> None:
    samples = [face(f"s{n}", FRONT, f"s{n}") for n in range(3)]
    maker = PseudoFakes({"decoder": 1.0}, samples, still)
    kinds = {maker.make(samples[0], np.random.default_rng(seed)).done[0] for seed in range(40)}
    assert "self_blend" in kinds


def test_a_maker_travels_to_other_processes() -> None:
    samples = [face(f"s{n}", FRONT, f"s{n}") for n in range(3)]
    maker = PseudoFakes({"swap": 0.5, "parts": 0.5}, samples, still)
    again = pickle.loads(pickle.dumps(maker))
    one, two = (m.make(samples[0], np.random.default_rng(4)).image for m in (maker, again))
    assert np.array_equal(one, two)


def test_unknown_kinds_and_no_weight_are_refused() -> None:
    with pytest.raises(DataError, match="swop") as raised:
        PseudoFakes({"swop": 1.0}, [], still)
    assert "swap" in raised.value.hint
    for weights in ({}, {"swap": 0.0}):
        with pytest.raises(DataError, match="weight"):
            PseudoFakes(weights, [], still)
