"""What another people's detector must be able to do to be measured: judge a file, or say why it cannot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from unmask.errors import UnmaskError
from unmask.options import ScanOptions
from unmask.registry import Registry
from unmask.types import Verdict

THRESHOLD = 0.5
"""P(fake) from which a peer's verdict is FAKE: what their authors use. Nobody has fitted it to our media."""


@dataclass(frozen=True, slots=True)
class JudgedFace:
    """One face in one frame: `frame` counts from 0, `time` is in seconds, `track` is the person's number,
    `size` the longer side in pixels. `probability` is P(fake), None where the face was not judged."""

    frame: int
    time: float
    track: int
    size: float
    probability: float | None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a peer says of one file. `probability` is P(fake) in [0, 1], None where `verdict` is a reason.

    `faces` is empty where the peer does not tell of faces. `message` says in one sentence why.

    Raises:
        ValueError: a reason with a probability, a judgement without one, or one outside [0, 1].
    """

    verdict: Verdict
    probability: float | None
    faces: tuple[JudgedFace, ...] = ()
    message: str = ""

    def __post_init__(self) -> None:
        if self.verdict.is_judgement != (self.probability is not None):
            raise ValueError(f"verdict {self.verdict} with P(fake) {self.probability}")
        if self.probability is not None and not 0 <= self.probability <= 1:
            raise ValueError(f"P(fake) {self.probability} is not in [0, 1]")


class Peer(Protocol):
    """A detector that is measured beside ours. `name` is how tables call it; `identity` is a SHA-256 over
    what its answers depend on, as far as that can be known."""

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> str: ...

    def judge(self, path: Path) -> Judged:
        """What it says of the image or video at `path`. A file that cannot be judged is no error but a
        reason."""
        ...


PEERS: Registry[Callable[[Path, ScanOptions], Peer]] = Registry("kind of peer")
"""Name of an adapter → what opens a peer from its file. The options say which frames and faces are looked
at; adapters that do not scan ignore them."""


def open_peer(spec: str, options: ScanOptions | None = None) -> Peer:
    """The peer that `spec` names as `KIND:PATH`, such as `mesonet:Meso4_DF.h5` or `command:other.toml`.

    `options` are those of the scan it is compared with; its `model` is not looked at.

    Raises:
        UnmaskError: there is no such kind, or the file is not what the kind needs.
    """
    kind, _, path = spec.partition(":")
    if not path:
        raise UnmaskError(
            f"{spec!r} does not name a peer",
            hint=f"write KIND:PATH, where KIND is one of: {', '.join(PEERS)}",
        )
    return PEERS[kind](Path(path), options or ScanOptions())


def verdict_of(probability: float) -> Verdict:
    """FAKE or REAL for a peer's P(fake) in [0, 1]."""
    return Verdict.FAKE if probability >= THRESHOLD else Verdict.REAL
