"""Any detector that is a program which prints JSON about a file, described by a TOML file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from unmask.errors import ModelError
from unmask.evaluation.peers.peer import PEERS, Judged, verdict_of
from unmask.evaluation.peers.process import MAX_OUTPUT, Why, run
from unmask.evaluation.peers.settings import read_settings
from unmask.options import ScanOptions
from unmask.types import Verdict

FILE = "{file}"
"""Stands in a command for the path of the file to judge."""

LONGEST = 300
"""Characters of a program's own complaint that a message repeats."""

Scalar = str | int | float | bool


class NoFace(msgspec.Struct, frozen=True):
    """When an answer means that there is no face: the value at `key` is `value`, or null where that is left
    out."""

    key: str
    value: Scalar | list[Scalar] | None = msgspec.field(default=None, name="is")


class CommandSettings(msgspec.Struct, frozen=True):
    """A program as its TOML file describes it; docs/peers.md says what each key means. `timeout` is in
    seconds."""

    name: Annotated[str, Meta(min_length=1)]
    command: Annotated[tuple[str, ...], Meta(min_length=1)]
    probability: Annotated[str, Meta(min_length=1)]
    means: Literal["fake", "real"] = msgspec.field(name="is")
    timeout: Annotated[float, Meta(gt=0, le=86400)] = 600.0
    no_face: NoFace | None = None


class _NoAnswerError(Exception):
    """Why a program's answer gives no number."""


class CommandPeer:
    """A program of others, run anew for each file.

    `settings` describe it; it is run in `folder`, and a program given by a relative path with a slash is
    taken from there.

    Raises:
        ModelError: the command does not name the file, or its program is not there.
    """

    def __init__(self, settings: CommandSettings, folder: Path) -> None:
        self.settings, self.folder = settings, folder.resolve()
        if not any(FILE in part for part in settings.command):
            raise ModelError(
                f"the command of {settings.name!r} does not say where the file goes",
                hint=f"write {FILE} there",
            )
        first = settings.command[0]
        program = shutil.which(str(self.folder / first) if "/" in first else first)
        if program is None:
            raise ModelError(
                f"the program {first!r} of {settings.name!r} is not there, or may not be run",
                hint=f"install it, or write its path from {self.folder} with a slash in it",
            )
        self._command = (program, *settings.command[1:])

    @property
    def name(self) -> str:
        """See `Peer`."""
        return self.settings.name

    @property
    def identity(self) -> str:
        """See `Peer`. Of the settings, the program, and every file that the command names."""
        digest = hashlib.sha256(msgspec.json.encode(self.settings))
        for part in self._command:
            file = self.folder / part
            if FILE not in part and file.is_file():
                with contextlib.suppress(OSError), file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
        return digest.hexdigest()

    def judge(self, path: Path) -> Judged:
        """See `Peer`. An answer without a number in [0, 1] makes the file UNREADABLE, with the reason.

        Raises:
            UnmaskError: the program cannot be started any more.
        """
        if not path.is_file():
            return Judged(Verdict.UNREADABLE, None, message="there is no such file")
        # Absolute, so it begins with a slash: a file called `-rf` is no option.
        command = [part.replace(FILE, str(path.resolve())) for part in self._command]
        ended = run(command, self.folder, self.settings.timeout)
        if ended.why is Why.TIMED_OUT:
            message = f"not finished after {self.settings.timeout:g} s"
            return Judged(Verdict.TIMED_OUT, None, message=message)
        try:
            if ended.why is Why.PRINTED_TOO_MUCH:
                raise _NoAnswerError(f"it printed more than {MAX_OUTPUT} bytes")
            if ended.code:
                how = f"exit code {ended.code}" if ended.code > 0 else f"signal {-ended.code}"
                raise _NoAnswerError(f"it ended with {how}")
            answer = _parsed(ended.output)
            if self._says_no_face(answer):
                return Judged(Verdict.NO_FACE, None, message="it found no face")
            probability = _probability(answer, self.settings.probability)
        except _NoAnswerError as reason:
            return Judged(Verdict.UNREADABLE, None, message=f"{reason}{_complaint(ended.errors)}")
        fake = probability if self.settings.means == "fake" else 1 - probability
        return Judged(verdict_of(fake), fake, message=f"P({self.settings.means}) {probability:g}, as it says")

    def _says_no_face(self, answer: object) -> bool:
        condition = self.settings.no_face
        if condition is None:
            return False
        try:
            value = _at(answer, condition.key)
        except _NoAnswerError:
            return False
        # In Python, true is 1; in JSON it is not.
        return value == condition.value and isinstance(value, bool) == isinstance(condition.value, bool)


@PEERS.register("command")
def open_command(path: Path, options: ScanOptions) -> CommandPeer:
    """The peer that the TOML file at `path` describes. It looks at files in its own way, whatever `options`
    say.

    Raises:
        ModelError: as `read_settings` and `CommandPeer`.
    """
    return CommandPeer(read_settings(path, CommandSettings), path.parent)


def _parsed(output: bytes) -> object:
    try:
        return json.loads(output)
    except (ValueError, RecursionError) as error:
        raise _NoAnswerError(f"what it printed is not JSON: {error}") from error


def _probability(answer: object, path: str) -> float:
    value = _at(answer, path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _NoAnswerError(f"{path!r} is {_shown(value)}, not a number")
    if not 0 <= value <= 1:
        raise _NoAnswerError(f"{path!r} is {_shown(value)}, which is not in [0, 1]")
    return float(value)


def _at(answer: object, path: str) -> object:
    """The value at `path`: a key as it is, or keys and places in lists with dots between."""
    if isinstance(answer, dict) and path in answer:
        return answer[path]
    value: Any = answer
    for part in path.split("."):
        inside: dict[str, Any] = value if isinstance(value, dict) else {}
        if isinstance(value, list) and part.isdecimal():
            inside = {str(place): entry for place, entry in enumerate(value)}
        if part not in inside:
            raise _NoAnswerError(f"there is no {path!r} in what it printed")
        value = inside[part]
    return value


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "…"


def _complaint(errors: bytes) -> str:
    """The end of what it said on its standard error, on one line; terminals must not obey what is in it."""
    text = " ".join(errors.decode(errors="replace").split())
    text = "".join(letter for letter in text if letter.isprintable())
    return f" (it says: {'…' if len(text) > LONGEST else ''}{text[-LONGEST:]})" if text else ""
