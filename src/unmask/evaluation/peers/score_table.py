"""What an imported score is, and the strict reading that all kinds of score files share."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from unmask.errors import DataError
from unmask.registry import Registry

MAX_BYTES = 2 * 1024**3
"""Larger score files are refused: ten million rows are well under it."""

DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class ImportedScore:
    """One score of others. `score` is any finite number that is higher for fakes; what is not known is empty.

    `file` is what was scored, a picture or a frame; `video` is the recording it belongs to, by its full path
    with the data set's name before it, or the file itself. `source` is the original recording, by which
    intervals are drawn.
    """

    file: str
    video: str
    source: str
    dataset: str
    method: str
    fake: bool
    score: float


SCORE_FILES: Registry[Callable[[Path], list[ImportedScore]]] = Registry("kind of score file")
"""Name of a format → what reads it."""


def read_table(
    path: Path, needed: Sequence[str], known: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row of a CSV file by its columns' names, with the number of the line on which it ends.

    Columns are told apart by comma, semicolon, tab or bar, as the first line shows.

    Raises:
        DataError: it is no table in UTF-8, a column in `needed` is missing, one is not in `known` or there
            twice, or a row has more or fewer values than the header.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            delimiter = max(DELIMITERS, key=lambda one: len(_names(first, one) & set(known)))
            header = [name.strip() for name in next(csv.reader([first], delimiter=delimiter), [])]
            _check_header(path, header, needed, known)
            rows = csv.reader(file, delimiter=delimiter, strict=True)
            for row in filter(None, rows):
                line = rows.line_num + 1
                if len(row) != len(header):
                    raise DataError(
                        f"{path}, line {line}: {len(row)} columns where the header has {len(header)}",
                        hint="put names that contain the delimiter into quotes",
                    )
                yield line, {name: value.strip() for name, value in zip(header, row, strict=True)}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as a table: {error}", hint="save it as CSV in UTF-8"
        ) from error


def _names(header: str, delimiter: str) -> set[str]:
    return {name.strip().strip('"') for name in header.split(delimiter)}


def _check_header(path: Path, header: Sequence[str], needed: Sequence[str], known: Sequence[str]) -> None:
    hint = f"known: {', '.join(known)}"
    lacking = [name for name in needed if name not in header]
    if lacking:
        raise DataError(f"{path}: the header lacks {', '.join(lacking)}", hint=hint)
    for place, name in enumerate(header):
        # Were a misspelt `source` passed over, intervals would silently be too narrow.
        if name not in known:
            raise DataError(f"{path}: unknown column {name!r}", hint=hint)
        if name in header[:place]:
            raise DataError(f"{path}: the column {name!r} is there twice", hint=hint)


def a_number(value: object, what: str, where: str) -> float:
    """The finite number that `value` is or spells; `what` it is and `where` it stands are named in errors.

    Raises:
        DataError: it is none.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"{where}: {what} {value!r} is not a number",
            hint="write numbers with a point; leave out what was not scored, and it counts as that",
        )
    return number


def plain_path(name: str) -> str:
    """`name` with forward slashes, without `.` and doubled slashes; empty stays empty."""
    path = str(PurePosixPath(name.replace("\\", "/")))
    return "" if path == "." else path


def refuse_twice(names: Iterable[tuple[int, tuple[str, ...]]], path: Path, what: str) -> None:
    """Refuse a name that is given twice, each with its number: `what` says of what, such as a line.

    Raises:
        DataError: one is.
    """
    first_at: dict[tuple[str, ...], int] = {}
    for number, name in names:
        first = first_at.setdefault(name, number)
        if first != number:
            raise DataError(
                f"{path}, {what} {number}: {name[-1]} is there already, in {what} {first}",
                hint="name files by their full path, and each only once",
            )
