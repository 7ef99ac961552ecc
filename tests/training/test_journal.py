"""The log of a run: what was noted after the last kept state is dropped when it goes on."""

from __future__ import annotations

from pathlib import Path

from unmask.training.journal import Entry, Journal, read_journal


def test_notes_are_kept_and_forgotten_from_a_step_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in (50, 100, 150):
        journal.note(step, "train", {"loss": 1 / step})
    journal.forget_after(100)
    assert [entry.step for entry in read_journal(journal.path)] == [50, 100]
    Journal(tmp_path).note(120, "val", {"auc": 0.75})
    assert read_journal(journal.path)[-1] == Entry(120, "val", "auc", 0.75)
    assert list((tmp_path / "tensorboard").iterdir())


def test_only_one_process_writes(tmp_path: Path) -> None:
    Journal(tmp_path, writes=False).note(1, "train", {"loss": 1.0})
    assert read_journal(tmp_path / "log.csv") == []
