"""Which packets have to be decoded so that the wanted frames come out exactly: no I/O, only arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unmask.media.index import CORRUPT, ENTRY, NO_PTS, RESET

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from unmask.media.index import PacketIndex

_ENTERABLE = frozenset(("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4", "vp8", "vp9", "av1", "libdav1d"))
"""Codecs whose keyframes are known to be exact points of entry. Others are decoded from the start."""

_SKIPPABLE = frozenset(("h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"))
"""Codecs where leaving out pictures that nothing refers to is exact and saves time.

VP8, VP9 and AV1 mark hardly any picture so, and their decoders save nothing.
"""

MIN_GAP = 12
"""Packets between two runs that are worth emptying the decoder for, which idles its threads; fewer are
decoded through, unless the decoder can go on from the second run as it is."""


@dataclass(frozen=True, slots=True)
class Run:
    """Packets `start` to `stop` (inclusive), decoded in one go from an entry point."""

    start: int
    stop: int
    emptied: bool
    """The decoder has to give up all pictures of the run before, and forget them."""


@dataclass(frozen=True, eq=False)
class Plan:
    """What to decode, in file order."""

    runs: tuple[Run, ...]
    wanted: NDArray[np.bool_]
    """(P,) packets whose frames are to be given."""
    only_wanted: bool
    """Every frame stands alone (all-intra codec): unwanted packets are not sent at all."""
    skips_unreferenced: bool
    """Unwanted packets may be sent with skip_frame NONREF."""
    rank_by_pts: dict[int, int]
    """Presentation index of each wanted frame by its presentation time in ticks."""


def make_plan(
    index: PacketIndex, ranks: NDArray[np.int64], *, codec: str, intra_only: bool, temporal_layers: int
) -> Plan:
    """Plan for the frames with presentation indices `ranks` (K,), of an index that `has_order`.

    `temporal_layers` matters to HEVC only: with several, a picture unreferenced in its own layer may be
    referred to from another, and with 0 (unknown) the same is feared.
    """
    chosen = index.shown[ranks]
    whole = (index.flags[chosen] & CORRUPT) == 0
    ranks, chosen = ranks[whole], chosen[whole]
    wanted = np.zeros(len(index.pts), dtype=np.bool_)
    wanted[chosen] = True
    targets = np.flatnonzero(wanted)
    alone = intra_only or (codec in _ENTERABLE and bool((index.flags & RESET).all()))
    if alone:
        starts = targets
    elif codec in _ENTERABLE:
        starts = _starts(index, targets)
    else:
        starts = np.zeros_like(targets)
    return Plan(
        runs=_runs(starts, targets, index.flags),
        wanted=wanted,
        only_wanted=alone,
        skips_unreferenced=codec in _SKIPPABLE and (codec != "hevc" or temporal_layers == 1),
        rank_by_pts=dict(zip(index.pts[chosen].tolist(), ranks.tolist(), strict=True)),
    )


def _starts(index: PacketIndex, targets: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each target the last entry point before it that is not shown after it.

    A picture that follows a keyframe in the file but is shown before it (a leading picture of an open
    group) refers to the group before: it needs the entry point before that keyframe.
    """
    entries = np.flatnonzero(index.flags & ENTRY)
    entries = entries[index.pts[entries] != NO_PTS]
    if len(entries) == 0:
        return np.zeros_like(targets)
    at = np.searchsorted(entries, targets, side="right") - 1
    leading = (at > 0) & (index.pts[entries[at]] > index.pts[targets])
    while leading.any():
        at[leading] -= 1
        leading = (at > 0) & (index.pts[entries[at]] > index.pts[targets])
    starts: NDArray[np.int64] = np.where(at >= 0, entries[np.maximum(at, 0)], 0)
    return starts


def _runs(starts: NDArray[np.int64], targets: NDArray[np.int64], flags: NDArray[np.uint8]) -> tuple[Run, ...]:
    """Join [start, target] ranges that overlap, or lie so close that parting them costs more."""
    runs: list[Run] = []
    for start, stop in zip(starts.tolist(), targets.tolist(), strict=True):
        # A leading picture reaches back behind the keyframe it follows, over a run that began there.
        while runs and runs[-1].start > start:
            runs.pop()
        gap = start - runs[-1].stop - 1 if runs else 0
        if not runs or gap > MIN_GAP:
            runs.append(Run(start, stop, emptied=bool(runs)))
        elif gap > 0 and flags[start] & RESET:
            runs.append(Run(start, stop, emptied=False))
        else:
            runs[-1] = Run(runs[-1].start, stop, runs[-1].emptied)
    return tuple(runs)
