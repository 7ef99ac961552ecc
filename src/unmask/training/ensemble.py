"""From several model files to one: score them on `val`, choose and fit a vote, merge, calibrate, write."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np
import platformdirs
from numpy.typing import NDArray

from unmask.data.manifest import read_samples
from unmask.data.sample import Sample
from unmask.detector.card import Calibration, ModelCard
from unmask.detector.model import SHIPPED, Model, load_model
from unmask.errors import DataError, ModelError
from unmask.evaluation.held_out import guard, history_of
from unmask.report.atomic import replacing, write
from unmask.training import calibrate
from unmask.training.ensemble_graph import resizes, shared_crop
from unmask.training.ensemble_scores import AS_IS, DEGRADED, Progress, ms_per_face, scores_of
from unmask.training.ensemble_search import Trial, subsets, try_all
from unmask.training.ensemble_vote import Method, Vote, fit_vote
from unmask.training.merge import Member, merge, refuse_parts_beside, with_card
from unmask.training.recalibrate import recalibrated, trained_methods
from unmask.types import Band
from unmask.version import __version__

FITTED_LIMIT = (
    "Members or weights were chosen on the validation data, so the figures there are a little too good."
)


@dataclass(frozen=True, slots=True, eq=False)
class Ensemble:
    """What was written: the file, the vote with the members' names, and all that was tried, best first."""

    path: Path
    members: tuple[str, ...]
    vote: Vote
    names: tuple[str, ...]
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Val:
    """The validation split with every member's raw scores (2, N)."""

    samples: tuple[Sample, ...]
    raw: tuple[NDArray[np.float64], ...]

    @property
    def fake(self) -> NDArray[np.bool_]:
        return np.array([sample.fake for sample in self.samples])

    @property
    def sources(self) -> list[str]:
        # What is not known to come from the same recording stands for itself.
        return [sample.source or str(sample.path) for sample in self.samples]


def ensemble(
    models: Sequence[str | Path],
    corpus: Path,
    out: Path,
    *,
    methods: Sequence[Method] = (Method.SOFT,),
    search: bool = False,
    pick: Sequence[str] = (),
    name: str | None = None,
    scores: Path | None = None,
    cache: Path | None = None,
    progress: Progress = lambda *_: None,
    say: Callable[[str], None] = print,
    protocol: Path | None = None,
    root: Path | None = None,
) -> Ensemble:
    """Combine `models` (names or paths) into the model file `out`, by the best of `methods` on `val`.

    With `search` every subset of two or more is tried and the best one taken, unless `pick` names members.
    `scores` is a Parquet file to write every sample's scores to; `cache` the folder that keeps them. A `val`
    that `protocol` calls test is refused; its sets lie below `root`.

    Raises:
        ModelError: a model cannot be had, is given twice, or the models cannot be merged.
        DataError: `corpus` cannot be read, its `val` lacks a label, sources or pictures, or the protocol
            does not let it choose.
        UnmaskError: a file cannot be written.
    """
    members = open_members(models, out)
    picked = _picked(members, pick)
    tried = subsets(len(members)) if search else [picked or tuple(range(len(members)))]
    if picked and picked not in tried:
        tried.append(picked)
    for path in (out, scores):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    folder = cache or platformdirs.user_cache_path("unmask") / "scores"
    samples = _val(corpus)
    guard([] if protocol is None else [protocol], root, samples, corpus, say)
    val = _Val(samples, tuple(scores_of([m.model for m in members], samples, folder, progress)))
    logits = np.stack([m.logits(raw) for m, raw in zip(members, val.raw, strict=True)], axis=2)
    times = [ms_per_face(load_model(model)) for model in models]
    trials = try_all(logits, val.fake, val.sources, methods, tried, times, progress)
    best = next(t for t in trials if t.method is not None and (not picked or t.members == picked))
    chosen = [members[n] for n in best.members]
    assert best.method is not None
    of_chosen = logits[:, :, list(best.members)]
    vote = fit_vote(best.method, of_chosen.reshape(-1, len(chosen)), np.tile(val.fake, 2))
    alone = next(t for t in trials if t.method is None)
    if alone.quality >= best.quality:
        only = members[alone.members[0]].name
        say(f"note: {only} alone does no worse, by mean AUC {alone.quality:.4f} against {best.quality:.4f}")
    say(f"{vote.method} vote of " + ", ".join(_weighted_names(chosen, vote)))
    network = merge(chosen, vote)
    blank = _blank_card(chosen, vote, name or out.stem, fitted=search or vote.method is not Method.SOFT)
    data = with_card(network, msgspec.json.encode(blank).decode(), blank.description)
    merged = Model(data, str(out), os.cpu_count() or 1)
    (raw,) = scores_of([merged], samples, folder, progress)
    expected = vote.log_odds(of_chosen.reshape(-1, len(chosen))).reshape(2, -1)
    _tell_difference(raw, expected, resized=resizes([m.spec for m in chosen]), say=say)
    card = recalibrated(blank, samples, raw, trained_methods(corpus), say)
    history = sum((member.model.history for member in chosen), history_of(samples, corpus))
    write(out, with_card(network, msgspec.json.encode(card).decode(), card.description, history))
    say(f"{ms_per_face(load_model(out)):.1f} ms per face on one thread")
    if scores is not None:
        _write_scores(scores, val, members, best, raw, card)
    names = tuple(member.name for member in members)
    return Ensemble(out, tuple(member.name for member in chosen), vote, names, tuple(trials))


def open_members(models: Sequence[str | Path], out: Path) -> list[Member]:
    """The models, each with a name of its own.

    Raises:
        ModelError: a file is no model or only a part of one, fewer than two are given, one is given twice,
            or `out` is one of them.
    """
    if len(models) < 2:
        raise ModelError("an ensemble needs two models at least", hint="give names or .onnx files")
    members: list[Member] = []
    for given in models:
        path = Path(given)
        if str(given) not in SHIPPED and path.exists() and out.exists() and out.samefile(path):
            raise ModelError(f"{out} is one of the models to combine", hint="give another file with --out")
        shipped = resources.files("unmask.detector") / "models" / f"{given}.onnx"
        source = shipped if str(given) in SHIPPED else path
        data = source.read_bytes() if source.is_file() else b""
        refuse_parts_beside(data, str(given))
        model = load_model(given, threads=os.cpu_count() or 1)
        twin = next((m.name for m in members if m.model.sha256 == model.sha256), None)
        if twin:
            raise ModelError(f"{given} is the same model as {twin}", hint="give every model once")
        taken = {member.name for member in members}
        names = (model.card.name, path.stem, f"{model.card.name}-{model.sha256[:8]}")
        members.append(Member(next(name for name in names if name not in taken), data, model))
    return members


def _picked(members: Sequence[Member], pick: Sequence[str]) -> tuple[int, ...]:
    """The indices of the members named, in the members' order."""
    names = [member.name for member in members]
    unknown = [name for name in pick if name not in names]
    if unknown or len(set(pick)) == 1:
        raise ModelError(
            f"there is no member {unknown[0]!r}" if unknown else "an ensemble needs two members at least",
            hint=f"name two or more of: {', '.join(names)}",
        )
    return tuple(n for n, name in enumerate(names) if name in pick)


def _val(corpus: Path) -> tuple[Sample, ...]:
    samples = tuple(sample for sample in read_samples(corpus) if sample.split == "val")
    if len({sample.fake for sample in samples}) < 2:
        raise DataError(
            f"the split 'val' of {corpus} needs real and fake samples, and has {len(samples)} of one label "
            "or none",
            hint="a vote can be fitted and calibrated only with both",
        )
    return samples


def _weighted_names(members: Sequence[Member], vote: Vote) -> list[str]:
    return [f"{m.name} ({weight:.2f})" for m, weight in zip(members, vote.weights, strict=True)]


def _blank_card(members: Sequence[Member], vote: Vote, name: str, *, fitted: bool) -> ModelCard:
    """The card but for what is measured on the merged file."""
    cards = [member.model.card for member in members]
    limits = [limit for card in cards for limit in card.limits]
    if fitted:
        limits.append(FITTED_LIMIT)
    plan = [vote, [member.model.sha256 for member in members]]
    return ModelCard(
        name=name,
        version=__version__,
        architecture="ensemble of " + " + ".join(card.architecture for card in cards),
        description=f"{vote.method.capitalize()} vote of " + ", ".join(_weighted_names(members, vote)) + ".",
        crop=shared_crop([member.spec for member in members]),
        aggregation=calibrate.WITHOUT_RECORDINGS,
        calibration=Calibration(1.0, 0.0),
        band=Band(0.5, 0.5, 0.0, 0.0),
        operating_points=(),
        figures=(),
        training_data=" ".join(
            f"Member {m.name} {m.model.card.version} (sha256 {m.model.sha256}): {m.model.card.training_data}"
            for m in members
        ),
        limits=tuple(dict.fromkeys(limits)),
        licence=" ".join(dict.fromkeys(card.licence for card in cards)),
        seed=0,
        recipe_sha256=hashlib.sha256(msgspec.json.encode(plan)).hexdigest(),
    )


def _tell_difference(
    raw: NDArray[np.float64], expected: NDArray[np.float64], *, resized: bool, say: Callable[[str], None]
) -> None:
    off = np.abs(raw - expected)
    turned = float(((raw >= 0) != (expected >= 0)).mean())
    why = "resizes inside the network" if resized else "takes each member's crop as it is"
    say(
        f"the file {why}: log-odds differ from the members' own by {np.median(off):.2g} in the median, "
        f"{off.max():.2g} at most; {turned:.1%} of the crops change sides"
    )


def _write_scores(
    path: Path,
    val: _Val,
    members: Sequence[Member],
    best: Trial,
    raw: NDArray[np.float64],
    card: ModelCard,
) -> None:
    """One row per sample and condition: its facts, every model's raw score, and what the ensemble says."""
    import polars as pl

    parts = []
    for row, degraded in ((AS_IS, False), (DEGRADED, True)):
        columns: dict[str, object] = {
            "file": [str(sample.path) for sample in val.samples],
            "fake": val.fake,
            "method": [sample.method for sample in val.samples],
            "dataset": [sample.dataset for sample in val.samples],
            "source": val.sources,
            "kind": [sample.kind for sample in val.samples],
            "degraded": np.full(len(val.samples), degraded),
        }
        columns |= {f"score:{m.name}": table[row] for m, table in zip(members, val.raw, strict=True)}
        columns["out_of_fold"] = best.log_odds[row]
        columns["score"] = raw[row]
        columns["probability"] = calibrate.probabilities_of(raw[row], card.calibration)
        parts.append(pl.DataFrame(columns))
    with replacing(path) as temporary:
        pl.concat(parts).write_parquet(temporary)
