"""How the large data sets name their clips, and what a name says of who and which recordings are in it.

The same recording gets the same source whichever collection it comes in, so that DF40, DeepfakeBench and
DeeperForensics stay tied to the FaceForensics++ or Celeb-DF clips they were made from.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

FFPP_SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Ties:
    """Whom and what a clip comes from; empty where its name does not say."""

    source: str
    identity: str = ""
    partner_source: str = ""
    partner: str = ""


def ffpp(name: str) -> Ties:
    """FaceForensics++: `000` is a recording of one person, `000_003` target and donor (Rössler et al., 2019).

    A donor that is an actor of DeeperForensics (`000_M101`) is a person without a recording of ours.
    """
    target, _, donor = name.partition("_")
    source = f"ffpp:{target}"
    if not donor:
        return Ties(source, source)
    if donor.isdigit():
        return Ties(source, source, f"ffpp:{donor}", f"ffpp:{donor}")
    return Ties(source, source, "", f"deeperforensics:{donor}")


def dfd(name: str) -> Ties:
    """Deep Fake Detection: `01__scene` is actor 01, `01_02__scene__HASH` is 01 with the face of 02."""
    swap = re.fullmatch(r"(\d+)_(\d+)__(.+)__[A-Z0-9]{8}", name) or re.fullmatch(r"(\d+)_(\d+)__(.+)", name)
    if swap:
        target, donor, scene = swap.groups()
        return Ties(f"dfd:{target}__{scene}", f"dfd:{target}", "", f"dfd:{donor}")
    real = re.fullmatch(r"(\d+)__(.+)", name)
    return Ties(f"dfd:{name}", f"dfd:{real[1]}" if real else "")


def celebdf(name: str) -> Ties:
    """Celeb-DF: `id0_0000` is person 0, `id0_id1_0000` the same clip with the face of person 1 (Li, 2020)."""
    swap = re.fullmatch(r"(id\d+)_(id\d+)_(\d+)", name)
    if swap:
        target, donor, number = swap.groups()
        return Ties(f"celebdf:{target}_{number}", f"celebdf:{target}", "", f"celebdf:{donor}")
    real = re.fullmatch(r"(id\d+)_(\d+)", name)
    if real:
        return Ties(f"celebdf:{name}", f"celebdf:{real[1]}")
    return Ties(f"celebdf:youtube/{name}")


def uadfv(name: str) -> Ties:
    """UADFV: `0000` and the swap made from it, `0000_fake`."""
    return Ties(f"uadfv:{name.removesuffix('_fake')}")


TIES: dict[str, Callable[[str], Ties]] = {
    "ffpp": ffpp,
    "dfd": dfd,
    "celebdf1": celebdf,
    "celebdf2": celebdf,
    "uadfv": uadfv,
}
"""Data set → the reader of its names."""


def ties_of(dataset: str, name: str) -> Ties:
    """What `name` says in `dataset`; in one whose names say nothing, the clip is its own source."""
    reader = TIES.get(dataset)
    return reader(name) if reader else Ties(f"{dataset}:{name}")
