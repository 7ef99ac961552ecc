"""What is already done, so that work stopped at any moment goes on where it was.

One line of JSON per finished medium, appended by one process. A line that a kill cut short is dropped, and
its medium is done again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from unmask.data.extract.medium import Result
from unmask.errors import DataError


class Journal:
    """The results of earlier calls on the same folder, and those of this one as they come.

    Raises:
        DataError: on opening, when the folder was filled with other settings.
    """

    def __init__(self, path: Path, settings: str) -> None:
        self.path = path
        self.done: dict[str, Result] = {}
        whole = 0
        if path.exists():
            whole = self._read(settings)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = path.open("ab")
        self._file.truncate(whole)
        if not whole:
            self._write(msgspec.json.encode(settings))

    def add(self, result: Result) -> None:
        """Note a finished medium; a later note of the same one counts."""
        self.done[result.path] = result
        self._write(msgspec.json.encode(result))

    def is_done(self, path: str) -> bool:
        """Whether the medium gave a result; one that failed is worth another try."""
        return path in self.done and not self.done[path].failure

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, line: bytes) -> None:
        self._file.write(line + b"\n")
        self._file.flush()

    def _read(self, settings: str) -> int:
        """Bytes of whole lines; fills `done`."""
        lines = list(_whole_lines(self.path.read_bytes()))
        if not lines:
            return 0
        try:
            if msgspec.json.decode(lines[0], type=str) != settings:
                raise DataError(
                    f"{self.path.parent} holds faces cut with other settings",
                    hint="give the same options as before, or another folder",
                )
            for line in lines[1:]:
                result = msgspec.json.decode(line, type=Result)
                self.done[result.path] = result
        except msgspec.MsgspecError as error:
            raise DataError(
                f"{self.path} is not a journal of ours: {error}", hint="give another folder"
            ) from error
        return sum(len(line) + 1 for line in lines)


def _whole_lines(data: bytes) -> Iterator[bytes]:
    yield from data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]
