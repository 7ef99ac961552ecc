"""Measure models as a protocol says: every set by one rule, into one folder whose files name it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from unmask.detector.history import UNKNOWN, History
from unmask.detector.model import load_model
from unmask.errors import DataError
from unmask.evaluation.degrade import SEVERITIES
from unmask.evaluation.entrants import measure_all
from unmask.evaluation.held_out import has_seen_table, seen_of
from unmask.evaluation.measure import Degraded, Progress
from unmask.evaluation.outcome import Outcome, outcome, write_files
from unmask.evaluation.parts import FOLDERS, Held, hold, place_of, recordings_of, sampled
from unmask.evaluation.peers import PEERS
from unmask.evaluation.protocol import BY_CARD, TEST, Part, Protocol, Role
from unmask.evaluation.scoring import rescored
from unmask.evaluation.table import Medium, Scores, Setting
from unmask.report.atomic import write
from unmask.version import __version__

PROTOCOL_FILE = "protocol.json"
"""What was followed, in the form that is hashed, beside the outcome."""

ALL_SEEN = -1
"""Stands for a number of recordings where the very table was seen, and nobody counted."""


@dataclass(frozen=True)
class Followed:
    """One set as it was measured, and the text that tells of it."""

    held: Held
    text: str


def follow(
    protocol: Protocol,
    models: Sequence[str],
    root: Path,
    out: Path,
    *,
    role: Role = TEST,
    sets: Sequence[str] = (),
    despite_seen: bool = False,
    workers: int | None = None,
    progress: Progress = lambda done, total: None,
) -> str:
    """Measure `models` (as `entrants.measure_all` takes them) on the protocol's sets of this `role`, or on
    those of them that `sets` names; gives the report's text.

    `out` gets the report, the protocol, and a folder per set with its scores, figures and reports; called
    again on the same folder it goes on.

    Raises:
        DataError: a set is missing, another one, empty or of one label; or a model has seen a test set, which
            `despite_seen` lets pass with a mark.
        UnmaskError: a model cannot be had, or a file not be written.
    """
    held = [hold(part, root) for part in chosen(protocol, role, sets)]
    media = {one.part.name: sampled(one, protocol.sampling) for one in held}
    _check_names(media)
    own = _own(models) if role == TEST else ()
    seen = {one.part.name: {who.sha256: _seen(protocol, who, one) for who in own} for one in held}
    if not despite_seen:
        _refuse_seen(protocol, own, held, seen)
    out.mkdir(parents=True, exist_ok=True)
    write(out / PROTOCOL_FILE, msgspec.json.format(msgspec.json.encode(_record(protocol)), indent=2))
    states = [
        Degraded(),
        *(Degraded(kind, severity) for kind in protocol.degradations for severity in SEVERITIES),
    ]
    total = sum(len(files) for files in media.values())
    followed: list[Followed] = []
    before = 0
    for one in held:
        files = media[one.part.name]

        def show(done: int, of: int, before: int = before, count: int = len(files)) -> None:
            progress(before + (done * count // of if of else count), total)

        scores = measure_all(
            models,
            files,
            out,
            protocol.options(()),
            degradations=states,
            workers=workers,
            progress=show,
        )
        before += len(files)
        joined = recordings_of(files) if one.part.recordings == FOLDERS else None
        setting = _setting(protocol, one, scores, own, seen[one.part.name])
        scores = rescored(scores, protocol.scoring, joined)
        followed.append(_written(protocol, one, scores, setting, out / one.part.name))
    text = report(protocol, followed)
    write(out / "report.md", text.encode())
    return text


def chosen(protocol: Protocol, role: Role, sets: Sequence[str] = ()) -> tuple[Part, ...]:
    """The sets of this role, or those of them that `sets` names.

    Raises:
        DataError: there is none.
    """
    parts = protocol.of(role)
    names = [part.name for part in parts]
    unknown = [name for name in sets if name not in names]
    if unknown or not parts:
        what = f"{unknown[0]!r} among the sets" if unknown else "set"
        raise DataError(
            f"the protocol {protocol.name} has no {what} with the role {role}",
            hint=f"there are: {', '.join(f'{part.name} ({part.role})' for part in protocol.data)}",
        )
    return tuple(part for part in parts if not sets or part.name in sets)


def report(protocol: Protocol, followed: Sequence[Followed]) -> str:
    """All sets in one text: what was followed, what there was, and the figures."""
    look, rule, draws = protocol.sampling, protocol.scoring, protocol.bootstrap
    frames = f"{look.frames} frames" if look.frames else f"one frame in {look.stride}"
    by = (
        "by each model's card"
        if rule.file == BY_CARD
        else f"{rule.file} over frames of the P(fake) of the {rule.frame} face"
    )
    parts = [
        f"# Protocol {protocol.name}",
        "",
        f"SHA-256 `{protocol.sha256}`, unmask {__version__}. Figures compare only with those of this hash.",
        "",
        f"Looked at: {frames} of a video, faces from {look.min_face} px by {look.detector}. Score of a file: "
        f"{by}; a program that judges files keeps its own. Intervals: {draws.draws} draws from seed "
        f"{draws.seed}.",
        "",
        "| set | role | files | real | fake | data |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for one in followed:
        labels = [medium.fake for medium in one.held.media]
        parts.append(
            f"| {one.held.part.name} | {one.held.part.role} | {len(labels)} | {labels.count(False)} "
            f"| {labels.count(True)} | `{one.held.data_sha256[:16]}` |"
        )
    parts.append("")
    if protocol.apart != "source":
        parts += ["Test sets may share recordings with what models learned from, but no files.", ""]
    for one in followed:
        parts += [f"## {one.held.part.name}", "", one.text]
    return "\n".join(parts).rstrip() + "\n"


def part_report(setting: Setting, told: Outcome) -> str:
    """The figures of one set, under what has to be known of its models."""
    parts = []
    for model in told.scores.models:
        count = setting.seen.get(model.name, 0)
        if count:
            parts.append(
                f"**{model.name} was trained on or chosen by {_words(count)}: its figures here say how well "
                "it remembers them.**"
            )
        elif model.name in setting.within:
            parts.append(f"{model.name} was trained on other media of the same data sets.")
        if model.name not in setting.trained_on:
            parts.append(
                f"What {model.name} was trained on its file does not say, or not all of it: it could not be "
                "compared with this set."
            )
    return "".join(f"{line}\n\n" for line in parts if setting.role == TEST) + told.text()


def _written(protocol: Protocol, held: Held, scores: Scores, setting: Setting, folder: Path) -> Followed:
    told = outcome(replace(scores, setting=setting), levels=protocol.levels, groups=protocol.groups)
    text = part_report(setting, told)
    folder.mkdir(parents=True, exist_ok=True)
    head = f"# {held.part.name}, protocol {protocol.name}\n\nSHA-256 `{protocol.sha256}`\n\n"
    write_files(told, folder, head + text)
    return Followed(held, text)


def _record(protocol: Protocol) -> dict[str, object]:
    return {"sha256": protocol.sha256, **protocol.canonical()}


@dataclass(frozen=True)
class _Own:
    """One of our own models: as it was asked for, its file's hash, and what it has seen."""

    name: str
    sha256: str
    history: History


def _own(models: Sequence[str]) -> tuple[_Own, ...]:
    """Our own among `models`; what peers have seen is not known."""
    loaded = ((name, load_model(name)) for name in models if name.partition(":")[0] not in PEERS)
    return tuple(_Own(name, model.sha256, model.history) for name, model in loaded)


def _setting(
    protocol: Protocol, held: Held, scores: Scores, own: Sequence[_Own], seen: Mapping[str, int]
) -> Setting:
    """What is to be known of these scores, with models by the names they have there."""
    names = {model.name: model.sha256 for model in scores.models}
    known = {who.sha256: who.history for who in own}
    told = {name: known.get(sha256, UNKNOWN) for name, sha256 in names.items()}
    datasets = {medium.dataset for medium in held.media}
    return Setting(
        protocol=protocol.name,
        sha256=protocol.sha256,
        part=held.part.name,
        role=held.part.role,
        data_sha256=held.data_sha256,
        draws=protocol.bootstrap.draws,
        seed=protocol.bootstrap.seed,
        trained_on={name: history.datasets("train") for name, history in told.items() if history.complete},
        seen={name: seen[sha256] for name, sha256 in names.items() if seen.get(sha256)},
        within=tuple(name for name, history in told.items() if datasets & set(history.datasets("train"))),
    )


def _seen(protocol: Protocol, who: _Own, held: Held) -> int:
    """How many recordings of the set a model has seen; `ALL_SEEN` where it was the very table."""
    count = seen_of(who.history, held) if protocol.apart == "source" else 0
    return count or (ALL_SEEN if has_seen_table(who.history, held) else 0)


def _refuse_seen(
    protocol: Protocol, own: Sequence[_Own], held: Sequence[Held], seen: Mapping[str, Mapping[str, int]]
) -> None:
    for one in held:
        for who in own:
            count = seen[one.part.name][who.sha256]
            if count:
                raise DataError(
                    f"{one.part.name!r} is a test set of the protocol {protocol.name}, and {who.name} was "
                    f"trained on or chosen by {_words(count)}",
                    hint="measure another model; --despite-seen measures it all the same and marks it",
                )


def _words(count: int) -> str:
    return "these very rows" if count == ALL_SEEN else f"{count} of its recordings"


def _check_names(media: Mapping[str, Sequence[Medium]]) -> None:
    """Scans are known by a file's name: in two sets of one protocol it must be the same file."""
    places: dict[str, tuple[str, str]] = {}
    for name, files in media.items():
        for medium in files:
            here = place_of(medium.path)
            there, other = places.setdefault(medium.id, (here, name))
            if there != here:
                raise DataError(
                    f"{medium.id} is another file in {name!r} than in {other!r}",
                    hint="give the data sets in the two tables names of their own",
                )
