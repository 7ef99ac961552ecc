"""Where `unmask scan` writes pages and annotated media: decided, and refused, before anything is scanned; and
what became of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from unmask.errors import UnmaskError
from unmask.types import Report

Save = Callable[[Report, Path], Path | None]
"""Writes what is to be written of a report to a path. Returns where it is, None where there is nothing."""

INDEX = "index.html"


class Targets:
    """One file for one input, else a folder with one file per input.

    `suffixes` are the endings a single file may have; in a folder `appended` is put behind each input's name.

    Raises:
        UnmaskError: the ending is not one of these, the folder cannot be written to, or a target is an input.
    """

    def __init__(
        self,
        path: Path | None,
        inputs: Sequence[Path],
        option: str,
        suffixes: Sequence[str],
        appended: str = "",
    ) -> None:
        self.path, self.inputs, self.option, self.appended = path, inputs, option, appended
        self.is_folder = path is not None and (path.is_dir() or len(inputs) > 1 or not path.suffix)
        self.written: list[tuple[Report, Path]] = []
        self.failed = 0
        self._notes: list[str] = []
        self._next = 0
        self._names: list[str] = []
        if path is None:
            return
        if self.is_folder:
            self._make_folder(path)
            self._names = _names(inputs, appended)
        elif path.suffix.lower() not in suffixes:
            raise UnmaskError(
                f"{option} cannot write to {path.name!r}", hint=f"end the name in {', '.join(suffixes)}"
            )
        else:
            _check_folder(path.parent, option)
        self._refuse_inputs([path / name for name in self._names] if self.is_folder else [path])

    def write(self, report: Report, save: Save) -> None:
        """Write what is wanted of the report on the next input, if anything; a failure costs only itself."""
        from unmask.report import words

        target = self._next_target()
        if target is None:
            return
        try:
            path = save(report, target)
        except UnmaskError as error:
            self.failed += 1
            self._notes.append(f"not written: {error}")
            return
        if path is None:
            self._notes.append(f"not written: {_shown(target)} ({words.HEADLINE[report.verdict].lower()})")
            return
        self.written.append((report, path))
        if path != target:
            kind = "a picture" if words.is_image(report.file) else "a video"
            ending = target.suffix or "a name without ending"
            self._notes.append(f"named {_shown(Path(path.name))}: {kind} cannot be written as {ending}")

    def told(self) -> Iterator[str]:
        """What was written and what was not, line by line."""
        from unmask.report import words

        yield from self._notes
        if self.path is not None and self.is_folder and self.written:
            yield f"wrote {_shown(self.path)}: {words.number(len(self.written), 'file')}"
        elif self.written:
            yield f"wrote {_shown(self.written[0][1])}"

    def _next_target(self) -> Path | None:
        number, self._next = self._next, self._next + 1
        if self.path is None or not self.is_folder:
            return self.path
        return self.path / self._names[number]

    def _make_folder(self, path: Path) -> None:
        if path.suffix and not path.is_dir():
            raise UnmaskError(
                f"{self.option} {path} names one file, but there are {len(self.inputs)}",
                hint=f"give a folder: {self.option} out/",
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnmaskError(
                f"the folder {path} cannot be made: {error.strerror}", hint=f"give another to {self.option}"
            ) from error
        _check_folder(path, self.option)

    def _refuse_inputs(self, targets: Sequence[Path]) -> None:
        inputs = {os.path.realpath(path) for path in self.inputs}
        for target in targets:
            if os.path.realpath(target) in inputs:
                raise UnmaskError(
                    f"{self.option} would overwrite the input {target}",
                    hint="give another name or folder: inputs are never overwritten",
                )


def _names(inputs: Sequence[Path], appended: str) -> list[str]:
    """A name for each input; equal ones get a number."""
    taken = {INDEX}
    names = []
    for source in inputs:
        name, number = source.name + appended, 2
        while name.lower() in taken:
            name = f"{source.stem}-{number}{source.suffix}{appended}"
            number += 1
        taken.add(name.lower())
        names.append(name)
    return names


def _shown(path: Path) -> str:
    from unmask.report.names import visible

    return visible(str(path))


def _check_folder(folder: Path, option: str) -> None:
    if not folder.is_dir():
        raise UnmaskError(f"there is no folder {folder}", hint=f"make it, or give another path to {option}")
    if not os.access(folder, os.W_OK):
        raise UnmaskError(f"the folder {folder} cannot be written to", hint=f"give another to {option}")
