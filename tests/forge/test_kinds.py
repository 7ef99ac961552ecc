"""Every kind of pseudo-fake: in range, nothing changed outside the mask, the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.forge.faces import another, cut_from, hard_faces

from unmask.forge.decoder import GRIDS, TEXTURES
from unmask.forge.forged import Donor, Forged
from unmask.forge.kinds import KINDS
from unmask.forge.retouch import RETOUCHES, retouch

NEW = [name for name in KINDS.names() if name != "self_blend"]
DRAWS = 12


def made(kind: str, photo: NDArray[np.uint8], seed: int, name: str = "usual") -> Forged:
    image, marks = hard_faces(photo)[name]
    return KINDS[kind].make(image, marks, np.random.default_rng(seed), another(photo))


@pytest.mark.parametrize("kind", KINDS.names())
def test_same_seed_same_fake_and_what_is_given_is_left_alone(kind: str, photo: NDArray[np.uint8]) -> None:
    image, marks = hard_faces(photo)["usual"]
    donor = another(photo)
    before, lent = image.copy(), donor.image.copy()
    first = KINDS[kind].make(image, marks, np.random.default_rng(5), donor)
    again = KINDS[kind].make(image, marks, np.random.default_rng(5), donor)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.mask, again.mask)
    assert first.done == again.done
    assert first.done[0] == kind
    assert np.array_equal(image, before)
    assert np.array_equal(donor.image, lent)
    assert not np.array_equal(first.image, made(kind, photo, 6).image)


@pytest.mark.parametrize("kind", KINDS.names())
@pytest.mark.parametrize(
    "name", ["tiny", "large", "at the left border", "at the upper border", "odd sides", "one point"]
)
def test_faces_of_any_size_and_place_are_forged(kind: str, name: str, photo: NDArray[np.uint8]) -> None:
    image, marks = hard_faces(photo)[name]
    for seed in range(4 if name == "large" else DRAWS):
        forged = KINDS[kind].make(image, marks, np.random.default_rng(seed), another(photo))
        assert forged.image.shape == image.shape
        assert forged.image.dtype == np.uint8
        assert forged.mask.shape == image.shape[:2]
        assert forged.mask.dtype == np.float32
        assert forged.mask.min() >= 0
        assert forged.mask.max() <= 1


@pytest.mark.parametrize("kind", NEW)
def test_nothing_changes_outside_the_mask_and_something_does_inside(
    kind: str, photo: NDArray[np.uint8]
) -> None:
    for name in ("usual", "tiny", "at the left border"):
        image = hard_faces(photo)[name][0]
        for seed in range(DRAWS):
            forged = made(kind, photo, seed, name)
            outside = forged.mask == 0
            assert np.array_equal(forged.image[outside], image[outside])
            if name == "usual":
                assert not np.array_equal(forged.image, image)


@pytest.mark.parametrize("kind", KINDS.names())
def test_without_a_donor_there_is_still_a_fake(kind: str, photo: NDArray[np.uint8]) -> None:
    image, marks = hard_faces(photo)["usual"]
    for seed in range(DRAWS):
        forged = KINDS[kind].make(image, marks, np.random.default_rng(seed), None)
        assert not np.array_equal(forged.image, image)


def test_a_swap_shows_the_donor_within_the_mask(photo: NDArray[np.uint8]) -> None:
    image, marks = hard_faces(photo)["usual"]
    donor = another(photo)
    blank = type(donor)(np.full_like(donor.image, 90), donor.landmarks)
    seen = 0
    for seed in range(30):
        shown, flat = (
            KINDS["swap"].make(image, marks, np.random.default_rng(seed), lent) for lent in (donor, blank)
        )
        full = flat.mask == 1
        if flat.done[-1] == "alpha" and full.sum() > 100:
            seen += 1
            assert flat.image[full].std(axis=0).max() < 1
            assert shown.image[full].std(axis=0).min() > 10
    assert seen > 3


def test_a_swap_ends_where_the_donors_picture_does(photo: NDArray[np.uint8]) -> None:
    image, marks = hard_faces(photo)["usual"]
    half = Donor(*cut_from(photo, 215, 30, 200, 200))
    for seed in range(DRAWS):
        assert KINDS["swap"].make(image, marks, np.random.default_rng(seed), half).mask[:, :85].max() == 0


def test_a_larger_share_of_the_face_is_drawn_anew_by_decoders_than_by_parts(
    photo: NDArray[np.uint8],
) -> None:
    def area(kind: str) -> float:
        return float(np.median([(made(kind, photo, seed).mask > 0.1).mean() for seed in range(40)]))

    assert area("decoder") > 1.5 * area("parts")


@pytest.mark.parametrize("kind", KINDS.names())
def test_twins_are_changed_all_over(kind: str, photo: NDArray[np.uint8]) -> None:
    for name in ("usual", "tiny", "at the left border", "one point"):
        image, marks = hard_faces(photo)[name]
        before = image.copy()
        for seed in range(DRAWS):
            twin = KINDS[kind].twin(image, marks, np.random.default_rng(seed))
            assert twin.shape == image.shape
            assert twin.dtype == np.uint8
            assert np.array_equal(twin, KINDS[kind].twin(image, marks, np.random.default_rng(seed)))
            assert np.array_equal(image, before)
    image, marks = cut_from(photo, 120, 30, 200, 200)
    changed = [
        (KINDS[kind].twin(image, marks, np.random.default_rng(seed)) != image).any(axis=2)
        for seed in range(DRAWS)
    ]
    corners = [np.mean([c[:40, :40].mean(), c[-40:, -40:].mean()]) for c in changed]
    assert np.median(corners) > 0.3


@pytest.mark.parametrize("name", list(RETOUCHES))
def test_retouching_changes_a_picture_and_is_seeded(name: str, photo: NDArray[np.uint8]) -> None:
    found = 0
    for face in ("usual", "tiny", "large", "at the left border", "one point"):
        image, marks = hard_faces(photo)[face]
        before = image.copy()
        for seed in range(20):
            done, names = retouch(image, marks, np.random.default_rng(seed))
            assert done.shape == image.shape
            assert done.dtype == np.uint8
            if names == (name,) and face == "usual":
                found += 1
                assert not np.array_equal(done, image)
                assert np.array_equal(done, retouch(image, marks, np.random.default_rng(seed))[0])
        assert np.array_equal(image, before)
    assert found


@pytest.mark.parametrize("kind", ["drawn_swap", "drawn_parts"])
def test_what_a_decoder_drew_says_which_traces_it_left_and_is_no_ghost(
    kind: str, photo: NDArray[np.uint8]
) -> None:
    for seed in range(DRAWS):
        done = made(kind, photo, seed).done
        assert "ghost" not in done
        assert set(done) & {*TEXTURES, *GRIDS} - {"none"}


def test_a_drawn_swap_without_a_donor_is_the_own_face_drawn_anew(photo: NDArray[np.uint8]) -> None:
    image, marks = hard_faces(photo)["usual"]
    assert KINDS["drawn_swap"].make(image, marks, np.random.default_rng(1), None).done[0] == "decoder"
