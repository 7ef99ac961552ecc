"""The sets of a protocol on disk: their media, found, checked and sampled as the protocol says."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from unmask.data.layouts.found import frame_number
from unmask.detector.history import fingerprint
from unmask.errors import DataError
from unmask.evaluation.labelled import read_media
from unmask.evaluation.protocol import Look, Only, Part
from unmask.evaluation.table import Medium
from unmask.media.sampling import Sampling

FOLDERS = "folder"
"""`recordings` of a set whose pictures are frames, one folder a recording."""


@dataclass(frozen=True)
class Held:
    """A set as it lies on disk: the file that names its media ("" of `sha256` where that is a folder), and
    the media."""

    part: Part
    table: Path
    sha256: str
    media: tuple[Medium, ...]

    @cached_property
    def places(self) -> frozenset[str]:
        """Where its files lie, links followed."""
        return frozenset(place_of(medium.path) for medium in self.media)

    @cached_property
    def recordings(self) -> frozenset[str]:
        """The recordings that its media are made of, by name."""
        return frozenset(name for medium in self.media for name in medium.recordings)

    @cached_property
    def prints(self) -> frozenset[bytes]:
        """The fingerprints of its recordings."""
        return frozenset(fingerprint(name) for name in self.recordings)

    @cached_property
    def data_sha256(self) -> str:
        """A hash over which files there are, with their labels."""
        return hash_of_files((medium.id, medium.fake) for medium in self.media)


def hash_of_files(files: Iterable[tuple[str, bool]]) -> str:
    """SHA-256 over names and labels, whatever their order."""
    digest = hashlib.sha256()
    for name, fake in sorted(files):
        digest.update(f"{name}\0{int(fake)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def hold(part: Part, root: Path) -> Held:
    """The set `part` below `root`.

    Raises:
        DataError: it is missing, another one than the protocol was written for, holds no rows of its split
            and `only`, or a recording of frames has two labels.
    """
    table = root / part.path
    if not table.exists():
        raise DataError(
            f"the set {part.name!r} is missing: there is no {table}",
            hint="give the folder that its path starts from with --root, or measure others alone with --set",
        )
    sha256 = table_sha256(table)
    if part.sha256 is not None and sha256 != part.sha256:
        what = f"has the SHA-256 {sha256[:16]}…" if sha256 else "is a folder"
        raise DataError(
            f"{table} {what}, and the protocol's set {part.name!r} is the file {part.sha256[:16]}…",
            hint="it is not the same set: get that one, or write a protocol of your own",
        )
    try:
        media = [medium for medium in read_media(table, split=part.split) if _belongs(medium, part.only)]
    except DataError as error:
        raise DataError(f"the set {part.name!r}: {error.message}", hint=error.hint) from error
    if not media:
        raise DataError(f"the set {part.name!r} is empty: no row of {table} is {_words(part.only)}")
    if part.recordings == FOLDERS:
        _check_recordings(part, media)
    return Held(part, table, sha256, tuple(media))


def sampled(held: Held, look: Look) -> list[Medium]:
    """The media that are looked at: all of them, but of recordings in folders only the frames wanted.

    Raises:
        DataError: there is nothing to compare, or no file is there.
    """
    media = list(held.media)
    if len({medium.fake for medium in media}) < 2:
        label = "fakes" if media[0].fake else "reals"
        raise DataError(
            f"the set {held.part.name!r} holds only {label}",
            hint="figures need both labels: widen `split` or `only`, or join the set with another",
        )
    if held.part.recordings == FOLDERS:
        sampling = Sampling(look.stride or 1, look.frames)
        media = [
            frames[rank]
            for frames in recordings_of(media).values()
            for rank in sampling.ranks(len(frames)).tolist()
        ]
    if not any(medium.path.is_file() for medium in media):
        raise DataError(
            f"none of the {len(media)} files of the set {held.part.name!r} is there, such as {media[0].path}",
            hint="give the folder that the table's paths start from with --root",
        )
    return media


def recordings_of(media: Sequence[Medium]) -> dict[str, list[Medium]]:
    """Pictures by the folder they lie in, each with its frames in their order."""
    found: dict[str, list[Medium]] = defaultdict(list)
    for medium in media:
        found[medium.id.rpartition("/")[0]].append(medium)
    for frames in found.values():
        frames.sort(key=lambda medium: (frame_number(medium.path), medium.id))
    return dict(found)


def table_sha256(table: Path) -> str:
    """The hash of a manifest or CSV; "" of a folder.

    Raises:
        DataError: it cannot be read.
    """
    if table.is_dir():
        return ""
    try:
        with table.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{table} cannot be read: {error.strerror or error}") from error


def place_of(path: Path) -> str:
    """Where a file lies, links followed; folders are looked up once."""
    if path.is_symlink():
        return str(path.resolve())
    return f"{_folder(path.parent)}/{path.name}"


@lru_cache(maxsize=65536)
def _folder(path: Path) -> str:
    return str(path.resolve())


def _belongs(medium: Medium, only: Only) -> bool:
    if medium.fake and only.method and medium.method not in only.method:
        return False
    return all(
        not wanted or value in wanted
        for wanted, value in (
            (only.dataset, medium.dataset),
            (only.kind, medium.kind),
            (only.compression, medium.compression),
        )
    )


def _words(only: Only) -> str:
    named = (("dataset", only.dataset), ("method", only.method), ("kind", only.kind))
    told = [f"{name} {' or '.join(v)}" for name, v in (*named, ("compression", only.compression)) if v]
    return ", ".join(told)


def _check_recordings(part: Part, media: Sequence[Medium]) -> None:
    for name, frames in recordings_of(media).items():
        if any(frame.kind != "image" for frame in frames):
            raise DataError(
                f"the set {part.name!r} has videos in {name}, and recordings: folder is for pictures",
                hint="take the pictures alone with only: {kind: [image]}",
            )
        if len({frame.fake for frame in frames}) > 1:
            raise DataError(
                f"the set {part.name!r} has real and fake pictures in one folder, {name}",
                hint="frames of one recording share a folder and a label; else leave recordings out",
            )
