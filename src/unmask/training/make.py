"""From a recipe to a model file: fit, choose, calibrate, export, in one call."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

from unmask.data.corpus import Sample
from unmask.data.manifest import read_samples
from unmask.detector.card import Figure, ModelCard
from unmask.detector.model import load_model
from unmask.errors import DataError, ModelError
from unmask.evaluation.held_out import guard, history_of
from unmask.training import calibrate
from unmask.training.distil import Distil, has_lessons, prepare_lessons, room_for
from unmask.training.export import export
from unmask.training.fit import VALIDATION_STRENGTH, Fit, Progress, Scored, goes_on, score
from unmask.training.journal import read_journal
from unmask.training.pictures import draw_run
from unmask.training.precut import Precut
from unmask.training.recipe import Recipe, read_recipe
from unmask.training.result import RunResult, SplitFigures, figures_of
from unmask.training.samples import TrainingDraws
from unmask.training.split import RANDOM_FRAMES_LIMIT, apply_protocol
from unmask.training.words import classification_report
from unmask.version import __version__
from unmask.zoo.network import NETWORKS, count_macs, count_parameters
from unmask.zoo.own_start import OwnStart
from unmask.zoo.own_weights import load_own, own_path

LEAST_ROOM = 1 << 30
"""Bytes that must be free before a training begins."""

TIMED_RUNS = 20

KEPT = "kept.pt"
"""Where the exported weights are kept, where they are not the chosen ones."""


def make(
    recipe_path: Path,
    corpus: Path,
    folder: Path,
    *,
    progress: Progress = lambda *_: None,
    say: Callable[[str], None] = print,
    workers: int = 2,
    protocol: Path | None = None,
    root: Path | None = None,
) -> Path:
    """Train what the recipe describes on a corpus or manifest and write `folder/<name>.onnx`.

    Called again on the same folder it goes on where it was. Beside the model lie `result.json` (see
    `unmask compare`), `log.csv`, `val-scores.csv`, `result.png` and TensorBoard's files. What `protocol`, or
    the recipe's own, calls test is refused; its sets lie below `root`.

    Raises:
        DataError: the recipe or the corpus is not usable, or holds what a protocol calls test.
        ModelError: the start weights are missing, or the exported file is not faithful.
    """
    began = datetime.now(UTC)
    recipe = read_recipe(recipe_path)
    protocols = protocols_of(recipe, recipe_path, protocol)
    fit = prepare(
        recipe, corpus, folder, say=say, progress=progress, workers=workers, protocols=protocols, root=root
    )
    clock = time.monotonic()
    fit.run(progress, workers=0 if recipe.mix.precut else workers)
    path = folder / f"{recipe.name}.onnx"
    if fit.accelerator.is_main_process:
        _finish(fit, recipe_path, corpus, path, say, began, time.monotonic() - clock, workers)
    return path


def protocols_of(recipe: Recipe, recipe_path: Path, given: Path | None) -> tuple[Path, ...]:
    """The protocols that a training keeps to: the recipe's own, and one `given` besides."""
    own = (recipe_path.parent / recipe.protocol.file,) if recipe.protocol.file else ()
    return own if given is None else (*own, given)


def prepare(
    recipe: Recipe,
    corpus: Path,
    folder: Path,
    *,
    say: Callable[[str], None] = print,
    progress: Progress = lambda *_: None,
    workers: int = 2,
    accelerator: Accelerator | None = None,
    protocols: Sequence[Path] = (),
    root: Path | None = None,
) -> Fit:
    """The run that a recipe describes, ready to go (on); all that can be wrong is found here.

    Raises:
        DataError: pictures are missing, the disk is full, the recipe does not fit the corpus, or one of the
            `protocols` calls some of it test.
        ModelError: the start weights cannot be had.
    """
    recipe.mix.check()
    for model in _models_before(recipe):
        if model is not None:
            load_model(model)  # to know by now whether it can be read
    if recipe.distil and recipe.mix.mixup:
        raise DataError(
            "a teacher judges views one by one, and mix.mixup blends them", hint="leave out one of the two"
        )
    samples = apply_protocol(read_samples(corpus), recipe.protocol, recipe.seed)
    guard(protocols, root, samples, corpus, say)
    missing = [s.path for s in samples if not s.path.is_file()]
    if missing:
        raise DataError(
            f"{len(missing)} of {len(samples)} pictures are missing, the first is {missing[0]}",
            hint="extract them again, or give the corpus that the manifest belongs to",
        )
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_full_disk(folder, LEAST_ROOM)
    source = None
    if recipe.mix.precut:
        say(f"cutting {len(samples)} crops once")
        source = Precut(samples, recipe.crop, folder.parent / "crops")
    fit = Fit(recipe, samples, folder, source=source, accelerator=accelerator)
    _others(fit.average, recipe)  # to know by now whether they can be had
    if recipe.distil and not fit.finished:
        _prepare_lessons(fit, recipe.distil, say, progress, workers)
    fakes = sum(s.fake for s in fit.train)
    say(
        f"{recipe.name}: {len(fit.train)} crops to train on ({fakes} fake), {len(fit.val)} to choose by; "
        f"{fit.steps} steps on {fit.accelerator.device}" + (f", at step {fit.step}" if fit.step else "")
    )
    return fit


def _models_before(recipe: Recipe) -> list[Path | None]:
    """The models whose pictures count as seen by what the recipe makes; None for weights of one's own that
    have seen what nobody wrote down.

    Raises:
        ModelError: one that the recipe starts from cannot be had.
    """
    given: list[Path | str] = []
    if isinstance(recipe.start, OwnStart):
        given.append(own_path(recipe.start) if goes_on(recipe) else recipe.start.model)
    given += [start.model for start in recipe.soup]
    if recipe.distil:
        given += [recipe.distil.weights.model, *(own_path(start) for start in recipe.distil.beside)]
    return [Path(model) if model else None for model in given]


def _refuse_full_disk(folder: Path, room: int) -> None:
    if shutil.disk_usage(folder).free < room:
        raise DataError(
            f"less than {room / (1 << 30):.0f} GiB is free for {folder}", hint="free some, or use --out"
        )


def _prepare_lessons(
    fit: Fit, distil: Distil, say: Callable[[str], None], progress: Progress, workers: int
) -> None:
    """Have the teacher judge what `fit` will learn from."""
    if fit.accelerator.num_processes > 1:
        raise DataError("a teacher's lessons are learned on one device", hint="leave --devices out")
    recipe = fit.recipe
    draws = TrainingDraws(fit.train, recipe.crop, recipe.mix, distil.views, recipe.seed, fit.source)
    beside, device = fit.folder.parent, fit.accelerator.device.type
    if not has_lessons(distil, draws, beside):
        _refuse_full_disk(beside, LEAST_ROOM + room_for(distil, recipe.crop.size))
        say(f"{distil.network} judges {distil.views} views to learn from")
    fit.teach(prepare_lessons(distil, draws, beside, progress=progress, workers=workers, device=device))


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the chosen weights say of `val`, as it is and degraded."""

    clean: Scored
    degraded: Scored | None

    @property
    def both(self) -> list[calibrate.Unit]:
        rest = calibrate.units_of(self.degraded) if self.degraded else []
        return [*calibrate.units_of(self.clean), *rest]


def _finish(
    fit: Fit,
    recipe_path: Path,
    corpus: Path,
    path: Path,
    say: Callable[[str], None],
    began: datetime,
    seconds: float,
    workers: int,
) -> None:
    recipe = fit.recipe
    fit.average.load_state_dict(torch.load(fit.best_weights, map_location="cpu", weights_only=True))
    fit.average.to("cpu")
    if recipe.keep or recipe.soup:
        _blend(fit.average, recipe)
        torch.save(fit.average.state_dict(), fit.folder / KEPT)
    else:
        (fit.folder / KEPT).unlink(missing_ok=True)
    judged = _Judged(
        score(fit.average, fit.val, recipe, 0.0, workers=0 if fit.source else workers, source=fit.source),
        score(fit.average, fit.val, recipe, VALIDATION_STRENGTH, workers=workers)
        if recipe.mix.strength
        else None,
    )
    card = _card(fit, judged, hashlib.sha256(recipe_path.read_bytes()).hexdigest(), say)
    info = NETWORKS[recipe.network]
    before = _models_before(recipe)
    history = history_of([*fit.train, *fit.val], corpus, complete=None not in before)
    for model in before:
        if model is not None:
            history = load_model(model).history + history
    export(fit.average, card, path, info.mean, info.std, history)
    figures = [_split_figures("val", judged.clean, card)]
    if judged.degraded:
        figures.append(_split_figures("val, degraded", judged.degraded, card))
    result = RunResult(
        name=recipe.name,
        network=recipe.network,
        protocol="source-disjoint" if recipe.protocol.split == "given" else recipe.protocol.split,
        started=began.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 1),
        steps=fit.step,
        epochs=round(fit.step * recipe.schedule.batch / len(fit.train), 2),
        seed=recipe.seed,
        parameters=count_parameters(fit.average),
        macs=count_macs(fit.average, recipe.crop.size),
        ms_per_face=_ms_per_face(path),
        train_size=len(fit.train),
        train_majority=_majority(fit.train),
        val_size=len(fit.val),
        val_majority=_majority(fit.val),
        figures=tuple(figures),
        log=fit.journal.path.name,
        recipe_sha256=card.recipe_sha256,
        model_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    _write(fit.folder / "result.json", msgspec.json.format(msgspec.json.encode(result)))
    _write(fit.folder / "val-scores.csv", _scores_table(judged.clean, card).encode())
    draw_run(
        fit.folder / "result.png",
        f"{recipe.name} ({result.protocol})",
        read_journal(fit.journal.path),
        figures[0],
        [s.fake for s in judged.clean.samples],
        _probabilities(judged.clean, card),
    )
    for part in figures:
        say(classification_report(part))


@torch.no_grad()
def _blend(network: nn.Module, recipe: Recipe) -> None:
    """Move all weights towards those that the recipe starts from, by the share it keeps of them, and then to
    the mean with those in its soup."""
    others = _others(network, recipe)
    shares = [recipe.keep] * bool(recipe.keep) + [1 / (2 + place) for place in range(len(recipe.soup))]
    for share, other in zip(shares, others, strict=True):
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                value.lerp_(other[name].to(value.dtype), share)


def _others(network: nn.Module, recipe: Recipe) -> list[dict[str, torch.Tensor]]:
    """The weights that the recipe starts from, if it keeps some of them, and those in its soup.

    Raises:
        DataError: they are none that can be kept.
        ModelError: they cannot be had, or are not all of the network's.
    """
    named = list(recipe.soup)
    if recipe.keep:
        if not isinstance(recipe.start, OwnStart) or goes_on(recipe):
            raise DataError("only weights from a file of them can be kept in part", hint="set keep to 0")
        named.insert(0, recipe.start)
    return [_whole(network, start) for start in named]


def _whole(network: nn.Module, start: OwnStart) -> dict[str, torch.Tensor]:
    weights = load_own(network, start)
    for name, value in network.state_dict().items():
        if name not in weights or weights[name].shape != value.shape:
            raise ModelError(
                f"{start.file} lacks {name}", hint="only all weights of a network can be averaged"
            )
    return weights


def _card(fit: Fit, judged: _Judged, recipe_sha256: str, say: Callable[[str], None]) -> ModelCard:
    recipe, both = fit.recipe, judged.both
    trials = calibrate.try_aggregations(both)
    for trial in trials:
        say(f"aggregation {trial.name:8} AUC whole {trial.whole:.4f}  partly forged {trial.partly:.4f}")
    aggregation = trials[0].name if trials else calibrate.WITHOUT_RECORDINGS
    strange = calibrate.unseen(both, {sample.method for sample in fit.train if sample.fake})
    scores = calibrate.aggregated(strange, aggregation)
    calibration = calibrate.fit_calibration(strange, scores)
    probabilities = calibrate.probabilities_of(scores, calibration)
    figures: list[Figure] = []
    for name, scored in (("val", judged.clean), ("val, degraded", judged.degraded)):
        if scored:
            units = calibrate.units_of(scored)
            figures += calibrate.figures_of(units, calibrate.aggregated(units, aggregation), name)
    for figure in figures:
        say(f"{figure.on} {figure.level}s: AUC {figure.auc:.3f} [{figure.low:.3f}, {figure.high:.3f}]")
    limits = recipe.limits
    if recipe.protocol.split == "random-frames":
        limits = (RANDOM_FRAMES_LIMIT, *limits)
    return ModelCard(
        name=recipe.name,
        version=__version__,
        architecture=recipe.network,
        description=recipe.description.strip(),
        crop=recipe.crop,
        aggregation=aggregation,
        calibration=calibration,
        band=calibrate.fit_band(strange, probabilities),
        operating_points=calibrate.operating_points(strange, probabilities),
        figures=tuple(figures),
        training_data=_training_data(fit.train, recipe),
        limits=limits,
        licence=recipe.licence,
        seed=recipe.seed,
        recipe_sha256=recipe_sha256,
    )


def _training_data(samples: Sequence[Sample], recipe: Recipe) -> str:
    real = [s for s in samples if not s.fake]
    fake = [s for s in samples if s.fake]
    methods = len({s.method for s in fake})
    datasets = len({s.dataset for s in samples})
    text = f"{len(real)} real and {len(fake)} fake face crops of {methods} methods from {datasets} data sets"
    if recipe.mix.self_blended:
        share = f"{recipe.mix.self_blended:.0%}"
        text += f"; {share} of the fakes drawn in training were pseudo-fakes, made of real ones"
    if recipe.distil:
        text += f"; a {recipe.distil.network} trained before told what it thinks of each"
    return text + "."


def _probabilities(scored: Scored, card: ModelCard) -> np.ndarray:
    """P(fake) of each crop by itself."""
    return calibrate.probabilities_of(np.array(scored.logits), card.calibration)


def _split_figures(split: str, scored: Scored, card: ModelCard) -> SplitFigures:
    # Accuracy is measured where the network itself draws the line (a raw score of 0), as studies do: the
    # calibration was fitted on these very crops.
    probabilities = 1 / (1 + np.exp(-np.array(scored.logits)))
    labels = [s.fake for s in scored.samples]
    return figures_of(split, labels, probabilities, [s.source for s in scored.samples])


def _scores_table(scored: Scored, card: ModelCard) -> str:
    probabilities = _probabilities(scored, card)
    lines = ["file,label,method,dataset,source,score,probability"]
    for sample, logit, probability in zip(scored.samples, scored.logits, probabilities, strict=True):
        label = "fake" if sample.fake else "real"
        cells = (sample.path.name, label, sample.method, sample.dataset, sample.source)
        quoted = [f'"{cell}"' if "," in cell else cell for cell in cells]
        lines.append(",".join([*quoted, f"{logit:.6f}", f"{probability:.6f}"]))
    return "\n".join(lines) + "\n"


def _majority(samples: Sequence[Sample]) -> float:
    share = sum(s.fake for s in samples) / len(samples)
    return round(max(share, 1 - share), 4)


def _ms_per_face(path: Path) -> float:
    """Milliseconds per face on one thread, batches of four: the median of some runs."""
    model = load_model(path, threads=1)
    size = model.card.crop.size
    crops = np.random.default_rng(0).integers(0, 256, (4, size, size, 3), dtype=np.uint8)
    times = []
    for _ in range(TIMED_RUNS):
        began = time.perf_counter()
        model.score(crops)
        times.append((time.perf_counter() - began) / len(crops) * 1000)
    return round(float(np.median(times)), 3)


def _write(path: Path, data: bytes) -> None:
    partial = path.with_suffix(".partial")
    partial.write_bytes(data)
    partial.replace(path)
