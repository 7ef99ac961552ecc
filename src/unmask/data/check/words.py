"""The verdict on a manifest, in sentences a researcher can act on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unmask.data.check.shortcuts import ALL, EVERYWHERE, Shortcut

if TYPE_CHECKING:
    from unmask.data.check.check import Checked

SHORTCUT_FROM = 0.60
"""Lower end of the AUC's interval from which file facts count as a shortcut."""

FEWEST = 0.20
"""Share of the rarer label below which its scarcity is worth a word."""

MOST_NAMED = 4

ADVICE = {
    "file format": "store all files in one format and colour mode",
    "file size": "store all files in one format at one quality",
    "picture size": "bring all pictures to one size, or draw their size at random in training",
    "bytes per pixel": "compress all files alike, or recompress at random in training",
    "JPEG quality": "recompress both labels with the same random qualities",
    "face size": "draw the crop's scale at random, and drop faces that only one label has so small or large",
    "colours": "vary brightness, contrast and colour in training",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence. A `problem` should be mended before figures are believed; others only be known."""

    problem: bool
    text: str


def findings(checked: Checked) -> Iterator[Finding]:
    """All there is to say, problems first."""
    found = [
        *_broken(checked),
        *_leaks(checked),
        *_twins(checked),
        *_shortcuts(checked),
        *_balance(checked),
    ]
    yield from sorted(found, key=lambda finding: not finding.problem)


def verdict(checked: Checked) -> str:
    """One sentence on the whole."""
    problems = sum(finding.problem for finding in checked.findings)
    if not problems:
        return "No problems found."
    return f"{_count(problems, 'problem')} to mend before figures on this data mean what they say."


def _broken(checked: Checked) -> Iterator[Finding]:
    missing = [entry.path for entry in checked.broken if entry.problem == "missing"]
    unreadable = [entry.path for entry in checked.broken if entry.problem != "missing"]
    if missing:
        yield Finding(True, f"{_count(len(missing), 'file')} missing: {_named(missing)}.")
    if unreadable:
        yield Finding(True, f"{_count(len(unreadable), 'file')} unreadable: {_named(unreadable)}.")


def _leaks(checked: Checked) -> Iterator[Finding]:
    for kind, what in (("source", "recording"), ("identity", "person")):
        leaks = [leak for leak in checked.leaks if leak.kind == kind]
        if leaks:
            rows = sum(leak.rows for leak in leaks)
            plural = what if len(leaks) == 1 else {"recording": "recordings", "person": "persons"}[what]
            yield Finding(
                True,
                f"{len(leaks)} {plural} with {rows} rows on several sides of the split "
                f"({_named([leak.value for leak in leaks])}): split again with unmask data split "
                f"--by {'source' if kind == 'source' else 'identity,source'}.",
            )


def _twins(checked: Checked) -> Iterator[Finding]:
    if checked.twins:
        tied = {tuple(sorted((twin.first_source, twin.second_source))) for twin in checked.twins}
        named = [f"{first} ~ {second}" for first, second in sorted(tied)]
        yield Finding(
            True,
            f"{_count(len(checked.twins), 'pair')} of files look the same on two sides of the split, of "
            f"{_count(len(tied), 'pair')} of sources ({_named(named)}): look at them with --html, give those "
            "that are the same one source and split again.",
        )


def _shortcuts(checked: Checked) -> Iterator[Finding]:
    strong = [s for s in checked.shortcuts if s.worst.low >= SHORTCUT_FROM]
    whole = next((s for s in strong if s.dataset == EVERYWHERE and s.family == ALL), None)
    families = sorted(
        (s for s in strong if s.dataset == EVERYWHERE and s.family != ALL),
        key=lambda s: -s.worst.value,
    )
    if whole or families:
        best = whole or families[0]
        yield Finding(
            True,
            f"File facts alone tell fake from real with AUC {best.worst}, without a look at the face. "
            + " ".join(f"{_of(s)}: {ADVICE[s.family]}." for s in families),
        )
    elif any(s.dataset == EVERYWHERE for s in checked.shortcuts):
        best = max((s for s in checked.shortcuts if s.dataset == EVERYWHERE), key=lambda s: s.worst.value)
        yield Finding(False, f"File facts do not give the label away (at most AUC {best.worst}).")
    else:
        yield Finding(False, "Too few sources of each label to tell whether file facts give the label away.")
    within = sorted((s for s in strong if s.dataset != EVERYWHERE), key=lambda s: -s.worst.value)
    if within:
        named = [f"{s.dataset} {s.worst.value:.2f}" for s in within]
        yield Finding(
            True, f"Within a dataset, too, file facts give the label away: {_named(named, 8)} (AUC)."
        )


def _balance(checked: Checked) -> Iterator[Finding]:
    rows = {"real": 0, "fake": 0}
    for count in checked.counts:
        rows[count.label] += count.rows
    rarer = min(rows, key=lambda label: rows[label])
    if not rows[rarer]:
        yield Finding(True, f"There is no {rarer} row: nothing can be learnt or measured.")
    elif rows[rarer] < FEWEST * checked.rows:
        yield Finding(
            False, f"Only {rows[rarer] / checked.rows:.0%} of the rows are {rarer}: balance draws by label."
        )
    if checked.one_label:
        datasets = {count.dataset for count in checked.counts}
        yield Finding(
            False,
            f"{len(checked.one_label)} of {len(datasets)} datasets hold one label only "
            f"({_named(list(checked.one_label))}): a network can learn the dataset instead of the forgery.",
        )
    if not any(count.split for count in checked.counts):
        yield Finding(False, "No row has a split yet: unmask data split makes one.")
    if checked.looked_at < checked.rows:
        yield Finding(False, f"{checked.looked_at} of {checked.rows} files were looked at.")


def _of(shortcut: Shortcut) -> str:
    return f"{shortcut.family[0].upper()}{shortcut.family[1:]} {shortcut.worst.value:.2f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _named(names: list[str], most: int = MOST_NAMED) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
