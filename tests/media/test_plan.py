"""The plan: which packets are sent to the decoder, told on small made-up indices."""

from __future__ import annotations

import numpy as np

from unmask.media.index import ENTRY, KEY, RESET, PacketIndex
from unmask.media.plan import Plan, Run, make_plan


def index(pts: list[int], keys: dict[int, int]) -> PacketIndex:
    """An index with these presentation times in packet order; `keys` gives flags to some packets."""
    flags = np.zeros(len(pts), np.uint8)
    for packet, bits in keys.items():
        flags[packet] = KEY | bits
    return PacketIndex(
        pts=np.array(pts, np.int64),
        pos=np.arange(len(pts), dtype=np.int64),
        size=np.ones(len(pts), np.int32),
        flags=flags,
        tick=0.04,
        last_duration=1,
        has_order=True,
        read_errors=0,
    )


def plan(of: PacketIndex, ranks: list[int], codec: str = "h264") -> Plan:
    return make_plan(of, np.array(ranks, np.int64), codec=codec, intra_only=False, temporal_layers=0)


IN_ORDER = index(list(range(120)), dict.fromkeys(range(0, 120, 40), ENTRY | RESET))


def test_decoding_begins_at_the_keyframe_before_and_ends_with_the_last_wanted_frame() -> None:
    assert plan(IN_ORDER, [85]).runs == (Run(80, 85, emptied=False),)


def test_distant_frames_are_runs_of_their_own() -> None:
    assert plan(IN_ORDER, [5, 85]).runs == (Run(0, 5, emptied=False), Run(80, 85, emptied=True))


def test_short_gap_before_a_resetting_keyframe_is_left_out_without_emptying_the_decoder() -> None:
    assert plan(IN_ORDER, [35, 42]).runs == (Run(0, 35, emptied=False), Run(40, 42, emptied=False))


def test_short_gap_before_another_keyframe_is_decoded_through() -> None:
    open_groups = index(list(range(80)), {0: ENTRY | RESET, 40: ENTRY})
    assert plan(open_groups, [35, 42]).runs == (Run(0, 42, emptied=False),)


def test_leading_picture_is_reached_from_the_group_before() -> None:
    # Packets 40 (keyframe), 41 and 42 in the file; 41 and 42 are shown before 40.
    pts = [*range(40), 42, 40, 41, *range(43, 80)]
    leading = index(pts, {0: ENTRY | RESET, 40: ENTRY})
    assert plan(leading, [40]).runs == (Run(0, 41, emptied=False),)
    assert plan(leading, [2, 40, 42]).runs == (Run(0, 41, emptied=False),)
    assert plan(leading, [42]).runs == (Run(40, 40, emptied=False),)


def test_keyframe_that_is_no_entry_is_not_begun_at() -> None:
    refresh = index(list(range(80)), {0: ENTRY | RESET, 40: 0})
    assert plan(refresh, [50]).runs == (Run(0, 50, emptied=False),)


def test_unknown_codecs_are_decoded_from_the_start() -> None:
    assert plan(IN_ORDER, [85], codec="theora").runs == (Run(0, 85, emptied=False),)
    assert not plan(IN_ORDER, [85], codec="theora").skips_unreferenced


def test_hevc_in_layers_is_decoded_whole() -> None:
    ranks = np.array([3])
    for layers, skips in ((0, False), (1, True), (3, False)):
        made = make_plan(IN_ORDER, ranks, codec="hevc", intra_only=False, temporal_layers=layers)
        assert made.skips_unreferenced is skips
