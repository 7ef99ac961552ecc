"""The plain sentences of a report: every word a reader sees that is not a number is written here."""

from __future__ import annotations

import math
from typing import Final

from unmask.report.change import Change, change_of
from unmask.types import Band, Coverage, FileFacts, ModelFacts, Report, Span, TrackReport, Verdict

SYMBOL: Final = {
    Verdict.REAL: "✓",
    Verdict.FAKE: "✗",
    Verdict.UNSURE: "?",
    Verdict.NO_FACE: "–",
    Verdict.FACE_TOO_SMALL: "–",
    Verdict.UNREADABLE: "!",
    Verdict.UNSUPPORTED: "!",
    Verdict.TIMED_OUT: "!",
}
"""A sign beside the word, so that a verdict never hangs on colour alone."""

ASCII_SYMBOL: Final = {"✓": "+", "✗": "x", "?": "?", "–": "-", "!": "!"}
"""The same signs for a terminal that only knows ASCII."""

HEADLINE: Final = {
    Verdict.REAL: "Real",
    Verdict.FAKE: "Fake",
    Verdict.UNSURE: "Unsure",
    Verdict.NO_FACE: "No face",
    Verdict.FACE_TOO_SMALL: "Face too small",
    Verdict.UNREADABLE: "Not readable",
    Verdict.UNSUPPORTED: "Not supported",
    Verdict.TIMED_OUT: "Out of time",
}
"""The verdict as a word for people."""

MEANING: Final = {
    Verdict.REAL: (
        "The faces look like unaltered recordings. This is not proof of authenticity: a kind of forgery "
        "the model has never seen can look real to it."
    ),
    Verdict.FAKE: (
        "The faces show traces that manipulated faces have. This is not proof of forgery: a share of real "
        "recordings is called fake too, and on material unlike the validation data that share can be several "
        "times the one stated below."
    ),
    Verdict.UNSURE: (
        "The faces give no clear sign either way. Treat the file as not judged, and look for a better copy "
        "or for other evidence."
    ),
    Verdict.NO_FACE: "Only faces are judged, so this says nothing about whether the file is real.",
    Verdict.FACE_TOO_SMALL: (
        "The faces have too few pixels to judge, so this says nothing about whether they are real."
    ),
    Verdict.UNREADABLE: "Nothing was judged. Damage says nothing about whether the content is real.",
    Verdict.UNSUPPORTED: "Nothing was judged, so this says nothing about whether the content is real.",
    Verdict.TIMED_OUT: "The scan did not finish, so this says nothing about whether the file is real.",
}
"""What a verdict does and does not say."""

UNSURE_BUT_CHANGED: Final = (
    "The file as a whole gives no clear sign either way, but P(fake) changes within it: look at the moment "
    "told below, and look for a better copy or for other evidence."
)
"""The same where a person abstained on is seen to change."""


def meaning(report: Report) -> str:
    """What the verdict on this file does and does not say."""
    if report.verdict is Verdict.UNSURE and any(change_of(track) for track in report.tracks):
        return UNSURE_BUT_CHANGED
    return MEANING[report.verdict]


LIMITS: Final = (
    "A probability is not proof. Weigh it together with where the file comes from and what else is known.",
    "Only faces are judged: not the voice, the background, any text, or the story told with the file.",
    (
        "The error rates hold for material like that on which they were measured. New forgery methods, "
        "strong compression, filters, make-up, masks and very small or turned faces make errors more likely."
    ),
)
"""What holds for every report, whatever the model."""

LIMIT_OF_SAMPLING: Final = "What lies between the frames looked at was not seen."

SCALE: Final = "P(fake) is the probability, from 0 to 1, that a face is manipulated."
"""What the number means."""

HEATMAP: Final = (
    "The network looks at the face in a coarse grid. Red areas spoke for a fake, blue areas for a real "
    "face; the stronger the colour, the more they counted for this score. It does not show where a picture "
    "was altered, and is weak evidence by itself."
)
"""How to read the coloured faces."""

ACCURATE_MAY_TELL_MORE: Final = (
    "--model accurate may tell more, right and wrong: it ranks unknown media somewhat better, and takes a "
    "dozen to forty times as long, by processor (once: unmask models --fetch accurate)"
)
"""The price of the larger model, where the one that scans by default abstains."""

UNITS: Final = ("bytes", "kB", "MB", "GB")
"""Powers of 1000 of a byte."""


def probability(value: float | None, limits: Band | None = None) -> str:
    """P(fake) with two digits, "–" for None; never "1.00" or "0.00", which no model can promise.

    Close to one of `limits` it gets the digits that show on which side it lies.
    """
    if value is None:
        return "–"
    if value > 0.99:
        return ">0.99"
    if value < 0.01:
        return "<0.01"
    close = limits is not None and min(abs(value - limits.real_below), abs(value - limits.fake_above)) < 0.01
    return f"{value:.4f}" if close else f"{value:.2f}"


def limit(value: float) -> str:
    """An end of the band of UNSURE: exact, since verdicts hang on it."""
    return f"{value:.4f}".rstrip("0").ljust(4, "0")


def share(rate: float) -> str:
    """A rate in [0, 1] as a percentage: `5 %`, `0.3 %`."""
    percent = 100 * rate
    return f"{percent:.0f} %" if percent >= 10 or percent == round(percent) else f"{percent:.1f} %"


def clock(seconds: float) -> str:
    """Seconds as `m:ss.t`, with hours in front where there are any."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{minutes:02d}:{rest // 10:02d}" if hours else f"{minutes}:{rest // 10:02d}"
    return f"{hours}:{tail}.{rest % 10}" if hours else f"{tail}.{rest % 10}"


def number(count: int, one: str, many: str = "") -> str:
    """`1 face`, `3 faces`, `1,800 frames`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 11th …"""
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def size(count: int) -> str:
    """Bytes for people: `740 bytes`, `3.4 MB` (powers of 1000)."""
    if count < 1000:
        return number(count, "byte")
    power = 1 if count < 999_500 else 2 if count < 999_500_000 else 3
    value = count / 1000**power
    return f"{value:.0f} {UNITS[power]}" if value >= 10 else f"{value:.1f} {UNITS[power]}"


def person(track: TrackReport) -> str:
    """What a track is called on every page and in every video."""
    return f"Person {track.id}"


def span(stretch: Span) -> str:
    """`0:12.4 to 0:18.0, P(fake) 0.93`."""
    return f"{clock(stretch.start)} to {clock(stretch.end)}, P(fake) {probability(stretch.probability)}"


def change(found: Change) -> str:
    """`P(fake) rises from about 0.13 to 0.46 at 0:04.0: look there for a cut.`"""
    moves = "rises" if found.after > found.before else "falls"
    return (
        f"P(fake) {moves} from about {probability(found.before)} to {probability(found.after)} at "
        f"{clock(found.time)} and stays there: look at that moment."
    )


def changes(report: Report) -> tuple[str, ...]:
    """Where P(fake) changes for good, a sentence for each person of whom that can be told."""
    told = [(track, found) for track in report.tracks if (found := change_of(track)) is not None]
    if len(report.tracks) == 1:
        return tuple(change(found) for _, found in told)
    return tuple(f"{person(track)}: {change(found)}" for track, found in told)


def band(limits: Band) -> tuple[str, ...]:
    """Where the verdicts begin, and how often they were wrong where it was measured."""
    return (
        (
            f"Real up to {limit(limits.real_below)}, fake from {limit(limits.fake_above)}, "
            "unsure between the two."
        ),
        (
            f"With these limits, {share(limits.false_alarm_rate)} of the real inputs in the validation data "
            f"were called fake, and {share(limits.miss_rate)} of the fake ones were called real. On media of "
            "other origin expect more of both: the model card has what was measured there."
        ),
    )


def coverage(counts: Coverage, file: FileFacts | None) -> tuple[str, ...]:
    """What was looked at and what was not, sentence by sentence."""
    if counts.frames_sampled == counts.frames_failed == 0:
        return ("Nothing was looked at.", *counts.notes)
    return (_frames(counts, is_image(file)), _faces(counts), *_damage(counts), *counts.notes)


def missed(counts: Coverage) -> tuple[str, ...]:
    """What a verdict does not rest on though the file has it, sentence by sentence."""
    found, small = counts.faces_found, counts.faces_too_small
    beyond = found - counts.faces_judged - small
    reasons = ((small, "too small"), (beyond, "beyond what is judged of one frame"))
    faces = (f"{count:,} of {number(found, 'face')} not judged: {why}." for count, why in reasons if count)
    return (*_damage(counts), *faces, *map(sentence, counts.notes))


def is_image(file: FileFacts | None) -> bool:
    """True for a still picture, as far as the report knows."""
    return file is not None and file.kind == "image"


def facts(file: FileFacts) -> tuple[tuple[str, str], ...]:
    """The file's facts as (name, value) pairs, without those the file does not state."""
    rate = f"{file.frame_rate:.3f}".rstrip("0").rstrip(".") if file.frame_rate else ""
    if rate:
        rate += " frames per second" + (", variable" if file.variable_frame_rate else "")
    exact = f" ({file.size_bytes:,} bytes)" if file.size_bytes >= 1000 else ""
    moving = file.kind == "video" or file.duration is not None
    pairs = (
        ("File name", file.name),
        ("SHA-256", file.sha256),
        ("Size", f"{size(file.size_bytes)}{exact}"),
        ("Kind", file.kind),
        ("Container", file.container),
        ("Codec", ", ".join(part for part in (file.codec, file.pixel_format) if part)),
        ("Resolution", f"{file.width} × {file.height} pixels" if file.width and file.height else ""),
        ("Rotation", f"{file.rotation}°, applied" if file.rotation else ""),
        ("Frame rate", rate),
        ("Duration", clock(file.duration) if file.duration is not None else ""),
        ("Frames", f"{file.frame_count:,}" if moving and file.frame_count is not None else ""),
        ("Sound", ("yes (not judged)" if file.has_audio else "none") if moving else ""),
    )
    return tuple(pair for pair in (*pairs, *file.tags) if pair[1])


def model_facts(facts: ModelFacts) -> tuple[tuple[str, str], ...]:
    """What the model's card says of it, as (name, value) pairs."""
    pairs = (
        ("Architecture", facts.architecture),
        ("Trained on", facts.training_data),
        *(("Measured", figure) for figure in facts.figures),
        ("Licence", facts.licence),
        ("SHA-256", facts.sha256),
    )
    return tuple(pair for pair in pairs if pair[1])


def scan_facts(report: Report) -> tuple[tuple[str, str], ...]:
    """With what the scan was made: versions and options, as (name, value) pairs."""
    pairs = (
        ("unmask", report.unmask_version),
        ("Report format", report.schema_version),
        ("Face detector", report.detector),
        ("Aggregation", report.aggregation),
        ("Scanned", report.scanned.replace("T", " ").replace("+00:00", " UTC")),
        ("Time taken", f"{report.seconds:.1f} s"),
        *report.options,
    )
    return tuple(pair for pair in pairs if pair[1])


def model(facts: ModelFacts) -> str:
    """A model's name as a reader can quote it."""
    return f"{facts.name} {facts.version}".strip()


def how_sure(report: Report) -> str:
    """How the one number came about: which scores were combined, over how many faces."""
    judged = report.coverage.faces_judged
    if report.probability is None or not judged:
        return ""
    people = sum(track.probability is not None for track in report.tracks)
    combined = (
        f" The scores of one person's faces were combined by “{report.aggregation}”."
        if report.aggregation and judged > people
        else ""
    )
    most = (
        " The person most likely fake decides on the file; who was seen in fewer than three frames can make "
        "it unsure at most."
        if people > 1
        else ""
    )
    ensemble = f" by {len(report.models)} models together" if len(report.models) > 1 else ""
    return (
        f"{_capital(number(judged, 'face'))} of {number(people, 'person', 'people')} "
        f"{'was' if judged == 1 else 'were'} judged{ensemble}.{combined}{most} Scores were turned into "
        "probabilities on validation data in which half of the inputs are fakes: there, about 80 of 100 "
        "inputs given 0.80 are fakes. Where fakes are rarer, fewer of them are."
    )


def limits(report: Report) -> tuple[str, ...]:
    """What the report cannot tell: in general, and by the cards of its models."""
    counts = report.coverage
    skipped = counts.frames_total is None or counts.frames_sampled < counts.frames_total
    of_sampling = () if is_image(report.file) or not skipped else (LIMIT_OF_SAMPLING,)
    of_models = dict.fromkeys(sentence(line) for model in report.models for line in model.limits)
    return (*LIMITS, *of_sampling, *of_models)


def sentence(text: str) -> str:
    """A message that may be half a sentence as a whole one: capital letter and full stop."""
    text = text.strip()
    return _capital(text) + ("" if not text or text[-1] in ".!?…" else ".")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _damage(counts: Coverage) -> tuple[str, ...]:
    failed, verb = counts.frames_failed, "was" if counts.frames_failed == 1 else "were"
    return (
        *((f"{number(failed, 'frame')} {verb} damaged and could not be looked at.",) if failed else ()),
        *(("The file is not complete: it ends before it says it does.",) if counts.truncated else ()),
    )


def _frames(counts: Coverage, image: bool) -> str:
    sampled, total = counts.frames_sampled, counts.frames_total
    if image or total == 1:
        return "The whole picture was looked at."
    if total is None:
        return f"{number(sampled, 'frame')} were looked at; how many the file has is not known."
    tried = sampled + counts.frames_failed
    if tried >= total:
        return (
            f"All {number(sampled, 'readable frame')} were looked at."
            if counts.frames_failed
            else (f"All {number(total, 'frame')} were looked at.")
        )
    stride = round(total / tried)
    exact = math.ceil(total / stride) == tried and tried > 1
    spread = ", spread evenly" if tried > 1 else ""
    every = f", every {ordinal(stride)}" if exact and stride > 1 else spread
    every = "" if counts.truncated else every
    return f"{sampled:,} of {number(total, 'frame')} were looked at{every}."


def _faces(counts: Coverage) -> str:
    found, small = counts.faces_found, counts.faces_too_small
    if not found:
        return "No face was found in them." if counts.frames_sampled > 1 else "No face was found."
    where = (
        f" in {number(counts.frames_with_faces, 'frame')}"
        if counts.frames_sampled > 1 and counts.frames_with_faces
        else ""
    )
    judged = "all judged" if counts.faces_judged == found else f"{counts.faces_judged:,} judged"
    too_small = f", {small:,} too small to judge" if small else ""
    beyond = found - counts.faces_judged - small
    left_out = f", {beyond:,} beyond what is judged of one frame" if beyond else ""
    return f"{number(found, 'face')} found{where}: {judged}{too_small}{left_out}."
