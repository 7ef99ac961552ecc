"""Draws pseudo-fakes of several kinds, finds them their donors, and draws their honest twins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from unmask.data.sample import Sample
from unmask.errors import DataError
from unmask.forge.donors import Donors, LookAlike
from unmask.forge.forged import Donor, Forged, Image, Mask
from unmask.forge.kinds import KINDS, Lender
from unmask.forge.selfblend import self_blend

SELF_BLEND = "self_blend"

LEAST_CHANGE = 0.8
"""Mean change within the mask, in levels of 255, below which a fake is not told from a real by anyone."""

TRIES = 3
"""How often a fake that changed less is made again before it becomes a self-blend."""

OWN_MOMENT = 0.5
"""Where anybody may lend a part, the share taken from the same recording at another moment."""


def check_kinds(weights: Mapping[str, float]) -> None:
    """Raises `DataError` for a kind that is not known, or where none has a weight."""
    unknown = [name for name in weights if name not in KINDS.names()]
    if unknown:
        raise DataError(
            f"there is no kind of pseudo-fake called {unknown[0]!r}",
            hint=f"choose from: {', '.join(KINDS.names())}",
        )
    if not sum(weights.values()) > 0:
        raise DataError("no kind of pseudo-fake has a weight", hint="give one of mix.pseudo a weight above 0")


class PseudoFakes:
    """Makes pseudo-fakes of the kinds in `weights` (name → weight, any sum) from real samples.

    Donors come from `reals` and, in a `share` of the draws where another's face is borrowed, from
    `generated`; `read` gives a sample's picture, RGB uint8 (H, W, 3).

    Raises:
        DataError: a kind is not known, or none has a weight.
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        reals: Sequence[Sample],
        read: Callable[[Sample], Image],
        generated: Sequence[Sample] = (),
        share: float = 0.0,
    ) -> None:
        check_kinds(weights)
        self.read = read
        self.names = [name for name, weight in weights.items() if weight > 0]
        kept = np.array([weights[name] for name in self.names], np.float64)
        self.shares = kept / kept.sum()
        borrow = any(KINDS[name].lender != "nobody" for name in self.names)
        self.donors = Donors(reals) if borrow and reals else None
        self.generated = Donors(generated) if borrow and generated and share else None
        self.share_generated = share

    def make(self, sample: Sample, rng: np.random.Generator) -> Forged:
        """A pseudo-fake of this real face; the same `rng` state gives the same one."""
        image, name = self.read(sample), self._draw(rng)
        kind = KINDS[name]
        if name == SELF_BLEND:
            return self_blend(image, sample.landmarks, rng)
        for _ in range(TRIES):
            donor = self._donor(sample, kind.lender, rng)
            forged = kind.make(image, sample.landmarks, rng, donor)
            if _change(image, forged.image, forged.mask) >= LEAST_CHANGE:
                return forged
        return self_blend(image, sample.landmarks, rng)

    def twin(self, sample: Sample, rng: np.random.Generator) -> Image:
        """The honest twin of a kind drawn with the same weights, made of this real face."""
        return KINDS[self._draw(rng)].twin(self.read(sample), sample.landmarks, rng)

    def _draw(self, rng: np.random.Generator) -> str:
        # With one kind nothing is drawn, so that recipes from before there were several mean the same.
        return self.names[0] if len(self.names) == 1 else str(rng.choice(self.names, p=self.shares))

    def _donor(self, sample: Sample, lender: Lender, rng: np.random.Generator) -> Donor | None:
        if self.donors is None or lender == "nobody":
            return None
        found: LookAlike | None = None
        own = lender == "anybody" and rng.random() < OWN_MOMENT
        if own:
            found = self.donors.other_moment(sample, rng)
        own = found is not None
        if found is None:
            strangers = self.donors
            if self.generated is not None and rng.random() < self.share_generated:
                strangers = self.generated
            found = strangers.look_alike(sample, rng)
        if found is None:
            return None
        donor = Donor(self.read(found.sample), found.sample.landmarks, own)
        return donor.mirrored() if found.mirrored else donor


def _change(before: Image, after: Image, mask: Mask) -> float:
    """Mean absolute change in levels where the mask has at least half its height; 0 without a mask."""
    most = float(mask.max())
    if most == 0:
        return 0.0
    inside = mask >= 0.5 * most
    return float(np.abs(after[inside].astype(np.int16) - before[inside]).mean())
