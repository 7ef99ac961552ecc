"""What a training run writes down as it goes: a CSV file, and the same for TensorBoard where it is there."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple

COLUMNS = ("step", "kind", "name", "value")


class Entry(NamedTuple):
    """One figure: `kind` is train or val."""

    step: int
    kind: str
    name: str
    value: float


class Journal:
    """The figures of the run in `folder`; only the process that `writes` does so."""

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self.path, self.writes = folder / "log.csv", writes
        self._board: Any = None
        if writes:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                return
            self._board = SummaryWriter(str(folder / "tensorboard"))

    def note(self, step: int, kind: str, figures: dict[str, float]) -> None:
        """Write figures down."""
        if not self.writes:
            return
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(COLUMNS)
            for name, value in figures.items():
                writer.writerow([step, kind, name, f"{value:.6f}"])
                if self._board is not None:
                    self._board.add_scalar(f"{kind}/{name}", value, step)
        if self._board is not None:
            self._board.flush()

    def forget_after(self, step: int) -> None:
        """Drop what was noted after `step`: a run that was killed goes on from there."""
        kept = [entry for entry in read_journal(self.path) if entry.step <= step]
        if not self.writes or not self.path.exists():
            return
        partial = self.path.with_suffix(".partial")
        with partial.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *kept])
        partial.replace(self.path)


def read_journal(path: Path) -> list[Entry]:
    """The entries of a log; an empty list where there is none."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if len(row) == len(COLUMNS) and row[0].isdigit()]
    return [Entry(int(step), kind, name, float(value)) for step, kind, name, value in rows]
