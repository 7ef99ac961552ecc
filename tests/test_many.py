"""Many files at once: order kept, and a file that crashes or hangs its worker costs only itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
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


class Faulty:
    """Stands in for a scanner with a fault of ours."""

    def __init__(self, _: ScanOptions) -> None:
        pass

    def scan(self, path: str, progress: object = None) -> Report:
        """Fails as nothing should on files so named."""
        if "fault" in path:
            raise RuntimeError("oh")
        if "model" in path:
            raise ModelError("no detector")
        return Report(path, Verdict.REAL, 0.1, "fine")


def open_faulty(options: ScanOptions) -> None:
    """Stands in for the start of a worker."""
    many._scanner = Faulty(options)  # type: ignore[assignment]


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


@pytest.mark.parametrize("workers", [0, 2])
def test_a_fault_of_ours_costs_only_the_file_it_happens_on(
    options: ScanOptions, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(many, "Scanner", Faulty)
    monkeypatch.setattr(many, "_open_scanner", open_faulty)
    reports = list(many.scan_many(["a", "fault", "b"], options, workers=workers))
    assert [report.path for report in reports] == ["a", "fault", "b"]
    assert [report.verdict for report in reports] == [Verdict.REAL, Verdict.UNREADABLE, Verdict.REAL]
    assert "RuntimeError: oh" in reports[1].message
    assert reports[1].hint
    with pytest.raises(ModelError):
        list(many.scan_many(["a", "model", "b"], options, workers=workers))


def test_a_fault_of_ours_on_a_file_alone_is_raised(
    options: ScanOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many, "Scanner", Faulty)
    with pytest.raises(RuntimeError, match="oh"):
        list(many.scan_many(["fault"], options))


@pytest.mark.parametrize(("files", "workers"), [(1, None), (2, 2), (5, 5), (40, 16)])
def test_there_are_no_more_workers_than_files(
    options: ScanOptions, monkeypatch: pytest.MonkeyPatch, files: int, workers: int | None
) -> None:
    asked: list[int] = []

    def in_processes(waiting: Iterator[str], _: ScanOptions, count: int) -> Iterator[Report]:
        asked.append(count)
        return (Report(path, Verdict.REAL, 0.1, "fine") for path in waiting)

    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(many, "Scanner", Faulty)
    monkeypatch.setattr(many, "_in_processes", in_processes)
    given = [str(number) for number in range(files)]
    assert [report.path for report in many.scan_many(given, options)] == given
    assert asked == ([] if workers is None else [workers])
