"""What was not judged is counted with its reason, and a set of which too little was judged is marked."""

from __future__ import annotations

from tests.evaluation.made import judge, made, row

from unmask.evaluation.coverage import ALL_MODELS, Held, coverage, coverage_table, held, reasons_of
from unmask.evaluation.judged import judged_files
from unmask.evaluation.table import Scores, table


def uneven() -> Scores:
    """Model `a` judges all of 4 reals and 3 of 4 fakes; `b` does not find a face in one real, and was not
    asked about two fakes, one of which it could not read."""
    rows = [row("a", f"d/real {n}", False, 0.1) for n in range(4)]
    rows += [row("a", f"d/fake {n}", True, 0.9 if n else None) for n in range(4)]
    rows += [row("b", f"d/real {n}", False, 0.1 if n else None) for n in range(4)]
    rows += [row("b", "d/fake 1", True, 0.8), row("b", "d/fake 2", True, None, verdict="UNREADABLE")]
    return table(rows, [judge("a"), judge("b")])


def test_reasons_are_counted_by_data_set_and_label() -> None:
    told = coverage(judged_files(uneven()))
    assert [(row.fake, row.models, row.files, row.judged, row.reasons) for row in told] == [
        (False, ("a",), 4, 4, ()),
        (False, ("b",), 4, 3, (("NO_FACE", 1),)),
        (True, ("a",), 4, 3, (("NO_FACE", 1),)),
        (True, ("b",), 2, 1, (("UNREADABLE", 1),)),
    ]
    assert [row.is_full for row in told] == [True, False, False, False]
    assert reasons_of(told) == ["NO_FACE", "UNREADABLE"]


def test_models_that_fare_alike_share_a_row() -> None:
    told = coverage(judged_files(made(["a", "b", "c"], lost=lambda number: number == 0)))
    assert {row.models for row in told} == {(ALL_MODELS,)}
    assert [(row.dataset, row.fake, row.judged) for row in told] == [
        ("set 0", False, 11),
        ("set 0", True, 12),
        ("set 1", False, 12),
        ("set 1", True, 12),
    ]
    (alone,) = {row.models for row in coverage(judged_files(made(["a"])))}
    assert alone == ("a",)


def test_ninety_nine_of_a_hundred_are_enough() -> None:
    for lost, full in ((1, True), (2, False)):
        scores = made(
            ["a"], reals=200, fakes=0, lost=lambda number, lost=lost: number in range(0, 2 * lost, 2)
        )
        told = {row.dataset: row for row in coverage(judged_files(scores))}
        assert (told["set 0"].judged, told["set 0"].is_full) == (100 - lost, full)
        assert told["set 1"].is_full
        assert ("!" in coverage_table(list(told.values()))) is not full


def test_the_table_has_a_column_per_reason_and_shows_names_as_they_are() -> None:
    rows = [row("a|b", "d\u202e/1", False, None, verdict="TOO_DARK"), row("a|b", "d\u202e/2", False, 0.1)]
    text = coverage_table(coverage(judged_files(table(rows, [judge("a|b")]))))
    assert "| media | label | models | files | judged | TOO_DARK |" in text
    assert r"| images: d\\u202e | real | a\|b | 2 | 1 ! | 1 |" in text
    assert "Less than 99%" in text


def test_what_a_data_set_holds_is_told() -> None:
    scores = made(["a", "b"], reals=8, fakes=4, lost=lambda number: number > 2)
    assert held(judged_files(scores)) == [
        Held("image", "set 0", 4, 2, 4, 2, ("swap",)),
        Held("image", "set 1", 4, 2, 4, 2, ("swap",)),
    ]
    assert held([]) == []
