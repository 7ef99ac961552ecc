"""Every sentence that says what was found, for the page and the terminal."""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator, Sequence
from typing import Final

from unmask.evaluation.explain.check import MOVED_COPIES, RANDOM_ORDERS, Check, Rival, Several, Way
from unmask.evaluation.explain.curves import STEPS
from unmask.evaluation.explain.file import FaceExplained, FileExplained
from unmask.evaluation.explain.judge import Fill
from unmask.evaluation.explain.maps import MASKS
from unmask.evaluation.explain.means import LEAST_SOURCES, GroupCheck
from unmask.evaluation.explain.media import Group, MediaExplained
from unmask.figures.estimate import Estimate
from unmask.report.words import clock, number, probability

LEAST_FALL = 0.1
"""Where P(what was decided) falls by less than this when all of the face is taken out, the fill is no face
without traces to this model."""


class Trust(enum.StrEnum):
    """How many of a map's checks hold."""

    ALL = "holds"
    SOME = "holds in part"
    NONE = "does not hold"
    UNKNOWN = "not known"


SIGN: Final = {Trust.ALL: "✓", Trust.SOME: "~", Trust.NONE: "✗", Trust.UNKNOWN: "–"}
"""A sign beside the word, so that it never hangs on colour alone."""

TITLES: Final = {
    "evidence": "Evidence",
    "occlusion": "Occlusion",
    "rise": "RISE",
}

WHAT_MAPS_ARE: Final = {
    "evidence": "The model’s own map, calibrated: its mean is the log-odds from which P(fake) follows.",
    "occlusion": (
        "How far the log-odds fall when the patch around a place is blurred. It asks the model nothing but "
        "its score."
    ),
    "rise": f"How far the log-odds rise with each place that is kept, over {MASKS} random masks.",
}

FILLED: Final = {Fill.BLUR: "blurred", Fill.MEAN: "mean colour"}

EMPTIED: Final = {Fill.BLUR: "blurred", Fill.MEAN: "painted in its mean colour"}

RIVALS: Final = {
    Rival.RANDOM: "cells at random",
    Rival.MOVED: "the same map moved elsewhere",
    Rival.CENTRED: "the middle of the face first",
    Rival.REVERSED: "its own order reversed",
}

BRIEFLY: Final = {
    Rival.RANDOM: "random",
    Rival.MOVED: "moved",
    Rival.CENTRED: "middle first",
    Rival.REVERSED: "reversed",
}

HOW_TO_READ: Final = (
    "Red speaks for a fake, blue for a real face. A map is believed as far as taking the face apart in its "
    "order changes the score faster than orders that know nothing of the face: that is what the checks are."
)

HOW_CHECKED: Final = (
    f"The face is taken away in {STEPS} steps, what the map marks most first, and P of the verdict is "
    "followed: the faster it falls, the smaller the area under its curve (deletion). Then it is put back in "
    "the same order: the faster P comes back, the larger the area (insertion). What is taken away is blurred "
    "in one round and painted in the face’s mean colour in another, since neither is a picture that a model "
    "knows.",
    "Areas are held against cells in random order, the same map moved elsewhere, the middle of the face "
    "first, and the map’s own order reversed. Cells at random take a little of everything at once and leave "
    "many edges; the map moved elsewhere is as smooth as the map and only in the wrong place.",
)

HOLDS_FOR_FACE: Final = (
    f"A check holds where the map is better than all of them: than every one of {RANDOM_ORDERS} random "
    f"orders and {MOVED_COPIES} moved copies. Brackets are the least and the greatest of these."
)

HOLDS_FOR_GROUP: Final = (
    "A check holds where the map is better than each of them on average, by more than chance: the 95 % "
    "interval of its lead, over recordings, lies above 0."
)

LIMITS: Final = (
    "A map shows what moves this model’s score, not where a picture was altered. It is no proof of forgery.",
    "A face with parts blurred or painted over is nothing the model was made for: such scores can mislead.",
    "Maps are coarse: a patch of a fifth of the crop, or the few cells that the network has.",
    (
        "Occlusion is made with the same blur that one round of checks uses; the mean colour is the stricter "
        "test of it."
    ),
)

PRIVACY: Final = (
    "The training faces most like a face are not looked for and not shown, on purpose: they are pictures of "
    "people who did not agree to be shown to whoever has the model."
)

NO_AVERAGES: Final = (
    "They lie over a drawn outline and not over an average face: many recordings may be of few people, and "
    "the average of one person’s pictures is a portrait."
)

NO_EVIDENCE: Final = (
    "This model gives no map of its own, so there is nothing to say on where it claims to look: only maps "
    "that are made from its score alone."
)


def called(map_: str) -> str:
    """A map's title within a sentence."""
    title = TITLES.get(map_, map_)
    return title if title.isupper() else title.lower()


def trust(checks: Sequence[Check] | Sequence[GroupCheck]) -> Trust:
    """What the checks of one map say together; not known for a group too small for intervals."""
    if any(isinstance(check, GroupCheck) and math.isnan(check.area.low) for check in checks):
        return Trust.UNKNOWN
    held = sum(check.holds for check in checks)
    return Trust.ALL if held == len(checks) else Trust.SOME if held else Trust.NONE


def held(checks: Sequence[Check] | Sequence[GroupCheck]) -> str:
    """`3 of 4 checks hold`."""
    return f"{sum(check.holds for check in checks)} of {number(len(checks), 'check')} hold"


def sentence(check: Check) -> str:
    """What one check of one face's map found, first against cells at random."""
    said = _pace(check.area, check.random, check.way)
    figures = f"({check.area:.2f} against {check.random})"
    if check.way is Way.DELETION:
        marked = f"Removing what the {called(check.map)} map marks"
        told = f"{marked} changes the score {said} removing at random {figures}"
    else:
        told = f"Putting it back brings the score back {said} putting back at random {figures}"
    lost = [
        f"{RIVALS[rival]} ({_figure(getattr(check, rival))})"
        for rival in _unbeaten(check)
        if rival is not Rival.RANDOM
    ]
    but = "but" if Rival.RANDOM in check.beaten else "and"
    return f"{told}, {but} no better than {_listed(lost)}." if lost else f"{told}."


def summary(face: FaceExplained, map_: str) -> str:
    """What the checks of one map of a face found: those with a blur in full, the others in brief."""
    checks = [check for check in face.checks if check.map == map_]
    told = [sentence(check) for check in checks if check.fill is Fill.BLUR]
    lost = [
        f"{check.way} does not hold (against {_listed([BRIEFLY[rival] for rival in _unbeaten(check)])})"
        for check in checks
        if check.fill is Fill.MEAN and not check.holds
    ]
    told.append(f"With the mean colour instead of a blur, {_listed(lost) if lost else 'both checks hold'}.")
    return " ".join(told)


def followed(face: FaceExplained) -> str:
    """What the curves of a face show: `P(fake)` or `P(real)`."""
    return "P(fake)" if face.fake else "P(real)"


def blanks(face: FaceExplained) -> tuple[str, ...]:
    """Where taking out all of a face hardly changes what is said of it."""
    whole = face.probability if face.fake else 1 - face.probability
    told = []
    for fill, value in face.blank.items():
        empty = value if face.fake else 1 - value
        if empty > whole - LEAST_FALL:
            told.append(
                f"With all of the face {EMPTIED[fill]}, {followed(face)} is still {empty:.2f} (whole face "
                f"{whole:.2f}), so that areas with this fill say less."
            )
    return tuple(told)


def agreeing(face: FaceExplained) -> str:
    """How far the first two maps agree."""
    if face.agreement is None:
        return ""
    first, second = (map_.name for map_ in face.maps[:2])
    return f"Rank correlation of {first} and {second}: {face.agreement:.2f}."


def headline(told: FileExplained) -> str:
    """What the maps of a file's faces are worth, in one sentence."""
    parts = []
    for name in dict.fromkeys(map_.name for face in told.faces for map_ in face.maps):
        checks = [check for face in told.faces for check in face.checks if check.map == name]
        parts.append(f"{name} {held(checks).removesuffix(' hold')}")
    return f"Checks that hold over {number(len(told.faces), 'face')}: {_listed(parts)}."


def face_title(face: FaceExplained, told: FileExplained) -> str:
    """Which face this is."""
    if told.people > 1:
        return f"Person {face.person}, {face.why}"
    return f"{face.why[0].upper()}{face.why[1:]}" if len(told.faces) > 1 else "The face"


def seen(face: FaceExplained, told: FileExplained) -> str:
    """When it was seen, and how large it is: `at 0:07.2, frame 180, 189 px`."""
    size = f"{face.size:.0f} px"
    return size if told.kind == "image" else f"at {clock(face.time)}, frame {face.frame}, {size}"


def group_counts(group: Group) -> str:
    """Of what a group's means are."""
    lost = (
        "" if group.judged == group.media else f"; {group.media - group.judged} of {group.media} not judged"
    )
    return f"{number(group.faces, 'face')} of {number(group.recordings, 'recording')}{lost}"


def group_sentence(group: Group, map_: str) -> str:
    """What the checks of a map over a group found."""
    checks = [check for check in group.checks if check.map == map_]
    if group.recordings < LEAST_SOURCES:
        return f"too few recordings for intervals ({group.recordings} of at least {LEAST_SOURCES})"
    lost = list(
        dict.fromkeys(RIVALS[rival] for check in checks for rival in Rival if rival not in check.beaten)
    )
    return held(checks) + (f"; not better throughout than {_listed(lost)}" if lost else "")


def group_figures(group: Group, map_: str) -> Iterator[str]:
    """The areas of a map over a group, a line for each check, against random orders and moved copies."""
    for check in group.checks:
        if check.map == map_:
            yield (
                f"{check.way}, {FILLED[check.fill]}: {estimate(check.area)}; better than random by "
                f"{lead(check.lead[Rival.RANDOM])}, than moved by {lead(check.lead[Rival.MOVED])}"
            )


def unjudged(told: MediaExplained) -> str:
    """What was not looked at, and why; empty where everything was."""
    lines = [f"{count} gave no face to look at ({reason})" for reason, count in told.unjudged.items()]
    if told.left_out:
        lines.append(f"{told.left_out} were beyond the limit per group")
    return f"Of the media given, {_listed(lines)}." if lines else ""


def lacking(names: Sequence[str]) -> str:
    """Maps that the model does not give."""
    return NO_EVIDENCE if names else ""


def estimate(value: Estimate) -> str:
    """`0.31 [0.27, 0.35]`, without brackets where there is no interval."""
    if math.isnan(value.low):
        return f"{value.value:.2f}"
    return f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"


def lead(value: Estimate) -> str:
    """`+0.12 [+0.08, +0.16]`."""
    if math.isnan(value.low):
        return signed(value.value)
    return f"{signed(value.value)} [{signed(value.low)}, {signed(value.high)}]"


def ends(scale: float) -> tuple[str, str]:
    """The ends of a map's colour scale."""
    return f"real −{scale:.1f}", f"fake +{scale:.1f} log-odds"


def ends_against(scale: float) -> tuple[str, str]:
    """The ends of the colour scale of distances from the reals."""
    return f"more real −{scale:.1f}", f"more fake +{scale:.1f} s.d."


def verdict_line(told: FileExplained) -> str:
    """`UNSURE, P(fake) 0.38, by fast 0.1.0`."""
    return (
        f"{told.verdict}, P(fake) {probability(told.probability)}, by {told.model.name} {told.model.version}"
    )


def _unbeaten(check: Check) -> list[Rival]:
    return [rival for rival in Rival if rival not in check.beaten]


def _pace(area: float, rival: Several, way: Way) -> str:
    better = area < rival.least if way is Way.DELETION else area > rival.greatest
    worse = area > rival.greatest if way is Way.DELETION else area < rival.least
    return "faster than" if better else "slower than" if worse else "no faster than"


def _figure(rival: Several | float) -> str:
    return str(rival) if isinstance(rival, Several) else f"{rival:.2f}"


def signed(value: float) -> str:
    """`+0.12`, `−0.12`."""
    return f"{value:+.2f}".replace("-", "−")


def _listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
