"""The sentences of the page: what a reader has to know to read its figures."""

from __future__ import annotations

from collections.abc import Sequence

from unmask.evaluation.figures import FULL
from unmask.evaluation.page.looks import MOST_LOOKS
from unmask.evaluation.table import JudgedBy, Setting
from unmask.report.words import number

KINDS = {"image": "Images", "video": "Videos"}

HEAD_OF_KIND = "Whole files, each by who in it is most likely fake."

ROC = (
    "Markers stand where each model’s card says FAKE. The logarithmic axis begins at the power of ten under "
    "one false alarm. Shaded: 95 % at each rate of false alarms, by drawing sources, where there are five of "
    "each label."
)
ROC_WITHOUT_BANDS = (
    "Markers stand where each model’s card says FAKE. The logarithmic axis begins at the power of ten under "
    "one false alarm. Bands are in each model’s own drawing below."
)
PRECISION = (
    "Precision depends on how many fakes there are: dotted is always saying fake, here. The area under the "
    "steps is the average precision."
)
RISK = (
    "Files in order of the distance of P(fake) from 0.5, decided at 0.5; sure ones first. Markers are what "
    "the card’s own band for UNSURE decides, and how much of that is wrong."
)
PROBABILITIES = (
    "Reliability: bins of equal mass; strokes are 95 % intervals of the share of fakes, files of one source "
    "counted as all alike; at the foot how many files there are. Reals and fakes: how P(fake) of reals "
    "(upward) and of fakes (downward) is spread; shaded is where the card says UNSURE."
)
DEGRADED = (
    "What was not judged counts as a coin toss: a pair of a real and a fake of which one has no probability "
    f"is right half of the time. Hollow markers: less than {FULL:.0%} of the files were judged. Kinds and "
    "severities are told in docs/robustness.md of unmask."
)
RELATIVE = "Mean AUC over the severities, as a share of the AUC without degradation."
MATRIX = (
    "AUC of the row’s model minus that of the column’s, on the files that both have judged. "
    "▲ above and ▼ below beyond chance: p < 0.05 by DeLong’s test with sources as clusters, corrected for "
    "the number of pairs (Holm)."
)
FORESTS = (
    "Strokes are 95 % intervals by drawing sources; there is none where there are too few, or where every "
    "draw is alike. Dotted: chance."
)

NOTHING_JUDGED = "No file was judged: there are no figures."

HOW = (
    "Scores lie in scores.parquet beside this page, figures in full in figures.csv, differences in "
    "paired.csv; unmask.evaluation.outcome.write_outcome makes all of this again from the scores.",
    "AUC, AP, EER and TPR are of rank, ties count half. Accuracy, balanced accuracy and false alarms are at "
    "the P(fake) from which the model’s card says FAKE; beside them the accuracy of always saying the more "
    "frequent label.",
    "Intervals are of 95 %, by drawing sources (recordings) again and again. With fewer than five sources of "
    "a label there is none. Sets of more than 10,000 units are drawn in a random part, and the interval is "
    "narrowed to the size of the set.",
    "What was not judged has no probability: it is in no figure, and counts in coverage.",
)


def kind(name: str) -> str:
    """A kind of media as a title."""
    return KINDS.get(name, f"{name}s".capitalize())


def kinds(name: str) -> str:
    """The same within a sentence."""
    return f"{name}s"


def title(models: Sequence[JudgedBy], files: int) -> str:
    """What the page is about."""
    who = models[0].name if len(models) == 1 else f"{len(models)} models"
    return f"{who} on {number(files, 'file')}"


def setting(told: Setting) -> str:
    """Under which protocol the scores were made."""
    return f"Protocol {told.protocol}, set {told.part} ({told.role})."


def hashes(told: Setting) -> str:
    """What figures of other pages must share to be compared with these."""
    return (
        f"SHA-256 of the protocol {told.sha256[:16]}…, of files and labels {told.data_sha256[:16]}…: figures "
        "compare only with those of the same."
    )


def training(told: Setting, model: str) -> str:
    """What a reader has to know of the model's training; empty where nothing speaks against its figures."""
    count = told.seen.get(model, 0)
    if count:
        what = f"{count:,} of the set’s recordings" if count > 0 else "these very rows"
        return f"‡ Trained on or chosen by {what}: its figures say how well it remembers them."
    if model in told.within:
        return "Trained on other media of the same data sets."
    if model in told.trained_on:
        return ""
    return "Its file does not say what it was trained on, or not all of it."


def grey(count: int) -> str:
    """Why some models have no colour."""
    return (
        f"{MOST_LOOKS} models have a look of their own: the first named, and those of the highest mean AUC "
        f"on files. {number(count, 'more is', 'more are')} drawn grey, and in all tables."
    )


def one_label(fake: bool) -> str:
    """Why there are no curves."""
    label, other = ("fakes", "reals") if fake else ("reals", "fakes")
    return (
        f"Only {label} were judged: without {other} there is no ROC, no precision and no comparison. What "
        "can be said is how their probabilities lie."
    )
