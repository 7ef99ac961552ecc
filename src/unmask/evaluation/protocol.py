"""A protocol: one YAML file with all that decides what a figure means, checked, and a hash over it.

Which sets there are, which of them may train, which may choose and which only measure; what is looked at in a
file; how faces make its score; and how intervals are drawn. Two outcomes can be compared if the hashes agree.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from unmask.errors import DataError, UnmaskError
from unmask.evaluation.figures import PERSON
from unmask.faces import FINDERS
from unmask.figures.sources import DRAWS
from unmask.keys import refuse_unknown_keys
from unmask.options import ScanOptions

FORMAT = "unmask-protocol/1"
"""Stands in what is hashed: to be raised when the same words come to mean something else."""

Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9._-]{0,59}$")]
"""Small letters, digits, dots and hyphens: names are folders of an outcome as well."""

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Role = Literal["train", "choose", "test"]
Level = Literal["file", "track", "frame", "crop"]
Group = Literal["dataset", "method", "size", "compression"]

TRAIN: Role = "train"
CHOOSE: Role = "choose"
TEST: Role = "test"

BY_CARD = "card"
"""How faces make a file's score where the model's card decides."""

NOT_HASHED = ("description", "root")
"""What a protocol says without changing any figure."""


@dataclass(frozen=True)
class Only:
    """Which rows of a table belong to the set: of each column the values named, all where none is.

    `method` concerns fakes; reals are taken whatever it says.
    """

    dataset: tuple[str, ...] = ()
    method: tuple[str, ...] = ()
    kind: tuple[Literal["image", "video"], ...] = ()
    compression: tuple[str, ...] = ()


@dataclass(frozen=True)
class Part:
    """One set of a protocol: a manifest, a CSV or a folder at `path` below the root, and what it may be used
    for.

    `train` and `choose` sets are what learning and choosing may use, `test` sets are for measuring alone.
    `split` takes one split's rows and `only` some of them. `sha256` pins the table. With `recordings: folder`
    pictures that lie in one folder are the frames of one recording.
    """

    name: Name
    role: Role
    path: str
    split: str = ""
    sha256: Sha256 | None = None
    only: Only = field(default_factory=Only)
    recordings: Literal["file", "folder"] = "file"


@dataclass(frozen=True)
class Look:
    """What is looked at: every `stride`-th frame of a video, or `frames` of them spread evenly; faces that
    `detector` finds and whose longer side has at least `min_face` pixels."""

    stride: Annotated[int, Meta(ge=1)] | None = None
    frames: Annotated[int, Meta(ge=1)] | None = None
    detector: str = ScanOptions().detector
    min_face: Annotated[int, Meta(ge=8)] = ScanOptions().min_face


@dataclass(frozen=True)
class Scoring:
    """How faces make a score. With `file: card` faces make a person's by the model's card, and the person
    most likely to be fake decides, as in a scan. Otherwise a frame has the P(fake) of one face, of its
    `largest` or of its `likeliest` to be fake, and a file the mean, median or maximum of its frames'."""

    file: Literal["card", "mean", "median", "max"] = "card"
    frame: Literal["likeliest", "largest"] = "likeliest"


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are drawn: so many resamplings of sources, from this seed."""

    draws: Annotated[int, Meta(ge=100, le=100_000)] = DRAWS
    seed: Annotated[int, Meta(ge=0)] = 0


@dataclass(frozen=True)
class Protocol:
    """All that decides what a figure means.

    `root` is where the sets lie, relative to the protocol's own file; the command line may say otherwise.
    `apart` says what test sets must not share with what learns or chooses: recordings (`source`), or only
    files (`file`), for published splits that do share recordings.
    """

    name: Name
    description: str
    data: tuple[Part, ...]
    root: str = ""
    levels: tuple[Level, ...] = ("file", "track", "frame")
    sampling: Look = field(default_factory=Look)
    scoring: Scoring = field(default_factory=Scoring)
    degradations: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    apart: Literal["source", "file"] = "source"

    @property
    def sha256(self) -> str:
        """The hash of everything in it that can change a figure, whatever its order, layout or defaults."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def canonical(self) -> dict[str, Any]:
        """What is hashed: all values, defaults too, in plain types; lists sorted where order is nothing."""
        # Not msgspec's own conversion: it leaves out what was not given, and that must make no difference.
        document = asdict(self)
        for name in NOT_HASHED:
            del document[name]
        for name in ("levels", "degradations", "groups"):
            document[name] = sorted(document[name])
        for part in document["data"]:
            part["path"] = PurePosixPath(part["path"]).as_posix()
            part["only"] = {key: sorted(values) for key, values in part["only"].items()}
        document["data"] = sorted(document["data"], key=lambda part: str(part["name"]))
        return {"format": FORMAT, **document}

    def of(self, *roles: Role) -> tuple[Part, ...]:
        """The sets with these roles, in their order."""
        return tuple(part for part in self.data if part.role in roles)

    def options(self, models: tuple[str, ...]) -> ScanOptions:
        """How media are scanned under it."""
        look = self.sampling
        return ScanOptions(
            model=models,
            stride=look.stride or ScanOptions().stride,
            frames=look.frames,
            detector=look.detector,
            min_face=look.min_face,
        )

    def folder(self, path: Path, given: Path | None) -> Path | None:
        """The root of its sets: the one `given`, or the one its file at `path` names; None without either."""
        if given is not None or not self.root:
            return given
        return path.parent / self.root


def read_protocol(path: Path) -> Protocol:
    """The protocol in a YAML file.

    Raises:
        DataError: not readable, not YAML, an unknown key, a value of the wrong type or range, or sets that
            contradict each other.
    """
    try:
        document = msgspec.yaml.decode(path.read_bytes())
        refuse_unknown_keys(document, Protocol)
        return checked(msgspec.convert(document, Protocol))
    except OSError as error:
        raise DataError(
            f"protocol {path} cannot be read: {error.strerror or error}", hint="give one of protocols/"
        ) from error
    except msgspec.MsgspecError as error:
        raise DataError(f"protocol {path}: {error}", hint="protocols/ holds working examples") from error
    except UnmaskError as error:
        raise DataError(f"protocol {path}: {error.message}", hint=error.hint) from error


def checked(protocol: Protocol) -> Protocol:
    """`protocol` with its sampling spelt out, if it makes sense.

    Raises:
        DataError: it has no test set; a set is there twice, lies nowhere below the root, or may be chosen by
            and is a test set at once; or settings exclude each other.
        UnmaskError: a detector or degradation is not known.
    """
    if not protocol.of(TEST):
        raise DataError("there is no set with the role test", hint="a protocol says what is measured on")
    names: set[str] = set()
    for part in protocol.data:
        _check_path(part)
        if part.name in names:
            raise DataError(f"two sets are called {part.name!r}", hint="give each a name of its own")
        names.add(part.name)
    for test in protocol.of(TEST):
        for other in protocol.of(TRAIN, CHOOSE):
            if _overlap(test, other):
                raise DataError(
                    f"{test.name!r} is a test set, and {other.name!r} may {other.role} by the same rows",
                    hint="name different splits, or different values in `only`",
                )
    _check_scoring(protocol)
    _ = FINDERS[protocol.sampling.detector]
    if protocol.degradations:
        from unmask.evaluation.degrade import DEGRADATIONS

        for kind in protocol.degradations:
            _ = DEGRADATIONS[kind]
    for name in ("levels", "degradations", "groups"):
        values = getattr(protocol, name)
        if len(set(values)) < len(values):
            raise DataError(f"{name} names something twice", hint="name each once")
    look = protocol.sampling
    if look.stride is not None and look.frames is not None:
        raise DataError("sampling has both stride and frames", hint="frames spreads them evenly: choose one")
    if look.stride is None and look.frames is None:
        protocol = replace(protocol, sampling=replace(look, stride=ScanOptions().stride))
    return protocol


def _check_path(part: Part) -> None:
    place = PurePosixPath(part.path.replace("\\", "/"))
    if not part.path or place.is_absolute() or ".." in place.parts or Path(part.path).is_absolute():
        raise DataError(
            f"the path of {part.name!r} is {part.path!r}",
            hint="give it relative to the root, so that the protocol holds wherever the data lie",
        )


def _check_scoring(protocol: Protocol) -> None:
    if not protocol.levels:
        raise DataError("levels names none", hint="such as [file, frame]")
    if protocol.scoring.file == BY_CARD:
        if protocol.scoring.frame != Scoring().frame:
            raise DataError(
                f"scoring.frame {protocol.scoring.frame} goes with scoring.file mean, median or max",
                hint="by a model's card every person in a file is judged, not one face per frame",
            )
        for part in protocol.data:
            if part.recordings != "file":
                raise DataError(
                    f"{part.name!r} makes recordings of single pictures, which no card has a rule for",
                    hint="set scoring.file to mean, median or max",
                )
    elif PERSON in protocol.levels:
        raise DataError(
            f"the level track goes with scoring.file card, not with {protocol.scoring.file}",
            hint="leave it out of levels",
        )


def _overlap(one: Part, other: Part) -> bool:
    """Whether the same rows may be in both, by what the protocol says of them."""
    if PurePosixPath(one.path) != PurePosixPath(other.path):
        return False
    if one.split and other.split and one.split != other.split:
        return False
    # Reals are taken whatever `method` says, so that other methods do not set them apart.
    for entry in fields(Only):
        mine, theirs = set(getattr(one.only, entry.name)), set(getattr(other.only, entry.name))
        if entry.name != "method" and mine and theirs and not mine & theirs:
            return False
    return True
