"""Many files at once: order kept, and a file that crashes or hangs its worker costs only itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest
from pebble.pool.process import PoolManager

from unmask import isolated, many
from unmask.errors import ModelError
from unmask.options import ScanOptions
from unmask.types import Report, Verdict


def misbehave(path: str) -> Report:
    """Stands in for a scan inside a worker: some files crash the process, some hang it."""
    if "crash" in path:
        os._exit(11)
    if "hang" in path:
        time.sleep(60)
    return Report(path, Verdict.REAL, 0.1, "fine")


@pytest.fixture
def options(make_model: Callable[..., Path]) -> ScanOptions:
    return ScanOptions(model=(str(make_model()),))


def test_reports_come_in_the_order_of_the_files(
    options: ScanOptions, photo_path: Path, video_path: Path, tmp_path: Path
) -> None:
    files = [video_path, photo_path, tmp_path / "absent.jpg", photo_path]
    reports = list(many.scan_many(files, options, workers=2))
    assert [report.path for report in reports] == [str(path) for path in files]
    assert [report.verdict.is_judgement for report in reports] == [True, True, False, True]
    alone = list(many.scan_many(files[:2], options, workers=0))
    assert [r.probability for r in alone] == pytest.approx([r.probability for r in reports[:2]], abs=1e-4)


def test_crash_and_hang_cost_nobody_else_anything(
    options: ScanOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "_scan_one", misbehave)
    monkeypatch.setattr(isolated, "GRACE", 0.0)
    options = ScanOptions(model=options.model, timeout=6.0)
    files = ["a", "crash", "b", "hang", "c", "d", "e", "f"]
    reports = list(many.scan_many(files, options, workers=2))
    verdicts = [report.verdict for report in reports]
    assert verdicts[1] is Verdict.UNREADABLE
    assert verdicts[3] is Verdict.TIMED_OUT
    assert [v for i, v in enumerate(verdicts) if i not in (1, 3)] == [Verdict.REAL] * 6
    assert "crashed" in reports[1].message


def test_a_process_that_ends_before_the_pool_knows_its_work_takes_nobody_with_it(
    options: ScanOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "_scan_one", misbehave)
    told = PoolManager.find_expired_task
    lost = iter([True, True])

    def forgetful(manager: PoolManager, worker: int) -> object:
        if next(lost, False):
            raise BrokenProcessPool("All workers expired")
        return told(manager, worker)

    monkeypatch.setattr(PoolManager, "find_expired_task", forgetful)
    files = ["a", "b", "crash", "c", "d", *(f"{n}" for n in range(12))]
    reports = list(many.scan_many(files, options, workers=2))
    assert [report.path for report in reports] == files
    assert [r.path for r in reports if r.verdict is not Verdict.REAL] == ["crash"]


def test_a_pool_that_breaks_again_and_again_is_an_error(
    options: ScanOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_manager: PoolManager, _worker: int) -> object:
        raise BrokenProcessPool("All workers expired")

    monkeypatch.setattr(many, "_scan_one", misbehave)
    monkeypatch.setattr(PoolManager, "find_expired_task", never)
    with pytest.raises(BrokenProcessPool):
        list(many.scan_many(["crash", "a", "b"], options, workers=2))


def test_wrong_model_is_told_before_any_work() -> None:
    with pytest.raises(ModelError):
        next(many.scan_many(["a", "b"], ScanOptions(model=("nonesuch",))))


def test_no_files_no_reports(options: ScanOptions) -> None:
    assert list(many.scan_many([], options)) == []
