"""What the terminal shows, on terminals of all kinds."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console
from tests.report.reports import HOSTILE, face, image_report, reason_report, track, video_report

from unmask.report.names import elide, visible
from unmask.report.terminal import render
from unmask.types import Coverage, Report, Verdict

MANY = [video_report(), video_report("a/" * 100 + "end.mp4"), image_report(), reason_report()]


def shown(reports: list[Report], width: int = 80, encoding: str = "utf-8") -> str:
    buffer = io.BytesIO()
    stream = io.TextIOWrapper(buffer, encoding=encoding, write_through=True)
    render(reports, Console(file=stream, width=width))
    return buffer.getvalue().decode(encoding)


@pytest.mark.parametrize("reports", [MANY, MANY[:1], MANY[2:3], MANY[3:], []])
def test_piped_output_has_no_terminal_codes(reports: list[Report]) -> None:
    assert "\x1b" not in shown(reports)


def test_every_file_has_its_verdict_as_a_word_at_80_columns() -> None:
    lines = shown(MANY).splitlines()
    assert max(map(len, lines)) <= 80
    for report, line in zip(MANY, lines[1:], strict=False):
        assert str(report.verdict) in line


def test_long_name_keeps_its_end() -> None:
    assert "end.mp4" in shown(MANY)


@pytest.mark.parametrize("count", [1, 2])
def test_hostile_name_is_shown_as_it_is_and_does_nothing(count: int) -> None:
    out = shown([video_report(HOSTILE)] * count, width=200)
    assert "[red]x[/red] \\x1b[31m\\u202egpj.\\n" in out
    assert not {"\x1b", "\u202e"} & set(out)


def test_ascii_terminal_gets_ascii() -> None:
    out = shown([video_report("straße.mp4"), reason_report()], encoding="ascii")
    assert "stra\\xdfe.mp4" in out
    shown([video_report("straße.mp4")], encoding="ascii")


def test_single_video_tells_who_when_and_how_sure() -> None:
    out = shown([video_report()])
    for said in ("FAKE", "0.93", "0:20.0 to 0:30.0", "180 of 1,800 frames", "every 10th", "5 %", "fast 1.0"):
        assert said in out


@pytest.mark.parametrize("verdict", [v for v in Verdict if not v.is_judgement])
def test_reason_is_told_with_its_hint(verdict: Verdict) -> None:
    for reports in ([reason_report(verdict)], [reason_report(verdict), video_report()]):
        out = shown(reports)
        assert str(verdict) in out
        assert "there is nothing to judge" in out
        assert "hint: try another file" in out


def test_a_verdict_that_does_not_rest_on_all_there_is_has_a_sign_and_why() -> None:
    whole = replace(video_report("whole.mp4"), coverage=Coverage(9, 9, 0, 9, 9, 9))
    cut = replace(whole, path="cut.mp4", coverage=replace(whole.coverage, frames_failed=2, truncated=True))
    crowd = replace(
        whole, path="crowd.mp4", coverage=replace(whole.coverage, faces_judged=7, notes=("pixels are odd",))
    )
    empty = replace(reason_report(path="empty.mp4"), coverage=Coverage(9, 9, truncated=True))
    out = shown([whole, cut, crowd, empty, image_report()])
    table, below = out.split("\n\n")[0].splitlines()[1:], out.split("\n\n", 1)[1]
    assert [" *" in line for line in table] == [False, True, True, True, True]
    assert "whole.mp4" not in below
    for said in (
        "2 frames were damaged",
        "The file is not complete",
        "2 of 9 faces not judged",
        "Pixels are odd.",
        "1 of 3 faces not judged: too small.",
    ):
        assert said in below


def test_change_within_a_video_is_told() -> None:
    scores = [(n / 3, 0.1 if n < 12 else 0.64) for n in range(24)]
    person = track(1, [face(time, p) for time, p in scores], 0.45)
    alone = replace(video_report(), tracks=(person,))
    said = "P(fake) rises from about 0.10 to 0.64 at 0:04.0"
    assert said in shown([alone], width=120)
    both = replace(alone, tracks=(replace(person, id=2), track(1, [face(0.0, 0.1)], 0.1)))
    assert f"Person 2: {said}" in shown([both], width=120)
    assert "rises" not in shown([image_report()])


def test_elided_name_has_the_width_asked_for() -> None:
    for width in range(12):
        assert len(elide("abcdefghijkl", width)) == width
    assert elide("abcdefghijkl", 7) == "abc…jkl"


def test_ordinary_names_of_all_scripts_stay_as_they_are() -> None:
    for name in ("a b.mp4", "写真.png", "עברית.mp4", "می‌خواهم.mov", "👩‍🚀.jpg"):
        assert visible(name) == name
