"""Run the study's networks again, under its protocol and under an honest one.

    python scripts/study.py train CORPUS     # all networks, both protocols; goes on where it was
    python scripts/study.py dev CORPUS       # scan media of other origin with what was made by sources
    python scripts/study.py density CORPUS   # LeNet under random frames, with ever fewer frames to train on
    python scripts/study.py tables           # results as CSV, tables and a picture in docs/study/

Each recipe in recipes/study/<protocol>/<name>.yaml becomes a run in runs/study/<protocol>/<name>. Finished
runs are left as they are; `--only frames/lenet sources/lenet` takes just these.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from unmask.cli.bar import steps
from unmask.evaluation.labelled import read_media
from unmask.options import ScanOptions
from unmask.scanner import Scanner
from unmask.training.make import make
from unmask.training.result import RESULT_FILE, RunResult, SplitFigures, figures_of, read_result

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ROOT / "recipes" / "study"
RUNS = ROOT / "runs" / "study"
DOCS = ROOT / "docs" / "study"
PROTOCOLS = ("frames", "sources")

STUDY = {
    "lenet": 98.43,
    "lenet-tuned": 99.0,
    "minivggnet": 93.93,
    "resnet": 83.79,
    "meso4": 93.37,
    "alexnet": 67.74,
    "vgg16": 94.44,
    "vgg19": 97.05,
}
"""Accuracy in % that the study reports; in the order in which they are trained, the cheapest first."""

ENSEMBLES = {
    ("lenet", "resnet"): 95.0,
    ("minivggnet", "resnet"): 97.0,
    ("minivggnet", "lenet"): 96.0,
    ("minivggnet", "lenet", "resnet"): 98.0,
}

JUDGED = (0.2, 0.5, 0.8, 0.9)
"""Shares of all frames that are judged, and so not trained on; the first is the study's."""

EVEN = 0.5


@dataclass(frozen=True)
class Row:
    """One line of the tables: who, measured on what, how."""

    protocol: str
    name: str
    on: str
    study: float | None
    coverage: str
    figures: SplitFigures
    run: RunResult | None


def train(corpus: Path, only: Sequence[str]) -> None:
    """Make every run that is not finished."""
    for name in STUDY:
        for protocol in PROTOCOLS:
            run = f"{protocol}/{name}"
            folder = RUNS / run
            if (only and run not in only) or (folder / RESULT_FILE).is_file():
                continue
            began = time.monotonic()
            _say(f"== {run}")
            with steps(run) as show:
                make(RECIPES / f"{run}.yaml", corpus, folder, progress=show, say=_say)
            _say(f"== {run}: {time.monotonic() - began:.0f} s")


def density(corpus: Path) -> None:
    """Train LeNet under random frames on a half, a fifth and a tenth of the frames instead of four fifths."""
    import yaml

    folder = RUNS / "density"
    folder.mkdir(parents=True, exist_ok=True)
    recipe = yaml.safe_load((RECIPES / "frames" / "lenet.yaml").read_text(encoding="utf-8"))
    for judged in JUDGED:
        run = folder / f"lenet-{judged:g}"
        if judged == recipe["protocol"]["share"] or (run / RESULT_FILE).is_file():
            continue
        recipe["protocol"]["share"] = judged
        path = folder / f"lenet-{judged:g}.yaml"
        path.write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
        with steps(run.name) as show:
            make(path, corpus, run, progress=show, say=_say)


def _density_table() -> None:
    """Print how accuracy follows the number of frames a recording gives to train on."""
    print("| frames a recording trained on | accuracy [95 %] | balanced | AUC [95 %] |")
    print("| ---: | ---: | ---: | ---: |")
    kept = ["frames_a_recording,n,accuracy,accuracy_low,accuracy_high,balanced_accuracy,auc,auc_low,auc_high"]
    for judged in JUDGED:
        first = RUNS / "frames" / "lenet"
        path = RUNS / "density" / f"lenet-{judged:g}" / RESULT_FILE
        path = path if path.is_file() else first / RESULT_FILE
        result = read_result(path)
        f = result.on("val")
        if f is None:
            continue
        with (path.parent / "val-scores.csv").open(encoding="utf-8") as lines:
            sources = len({row["source"] for row in csv.DictReader(lines)})
        print(
            f"| {result.train_size / sources:.1f} | {f.accuracy:.1%} [{f.accuracy_low:.1%}, "
            f"{f.accuracy_high:.1%}] | {f.balanced_accuracy:.1%} "
            f"| {f.auc:.3f} [{f.auc_low:.3f}, {f.auc_high:.3f}] |"
        )
        shares = (
            f.accuracy,
            f.accuracy_low,
            f.accuracy_high,
            f.balanced_accuracy,
            f.auc,
            f.auc_low,
            f.auc_high,
        )
        kept.append(
            f"{result.train_size / sources:.2f},{f.n}," + ",".join(f"{value:.4f}" for value in shares)
        )
    (DOCS / "density.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")


def dev(corpus: Path) -> None:
    """Write P(fake) of every file of `dev` by every model made by sources to runs/study/dev-scores.csv."""
    names = [n for n in STUDY if (RUNS / "sources" / n / RESULT_FILE).is_file()]
    models = tuple(str(RUNS / "sources" / n / f"{n}.onnx") for n in names)
    scanner = Scanner(ScanOptions(model=models, evidence=0))
    media = read_media(corpus / "dev.csv")
    with (RUNS / "dev-scores.csv").open("w", newline="", encoding="utf-8") as file, steps("dev") as show:
        writer = csv.writer(file)
        writer.writerow(["file", "label", "kind", "dataset", *names])
        for number, entry in enumerate(media):
            reports = scanner.scan_alone(entry.path)
            shown = ["" if r.probability is None else f"{r.probability:.6f}" for r in reports]
            label = "fake" if entry.fake else "real"
            writer.writerow([entry.path.name, label, entry.kind, entry.dataset, *shown])
            show(number + 1, len(media), "")


def tables() -> None:
    """Write docs/study/results.csv and a picture, and print the tables of docs/study.md."""
    rows = [row for protocol in PROTOCOLS for row in (*_single(protocol), *_ensembles(protocol))]
    rows += _on_dev()
    DOCS.mkdir(parents=True, exist_ok=True)
    _write_csv(rows, DOCS / "results.csv")
    _draw(rows, DOCS / "protocols.png")
    for protocol, on in (
        ("frames", "val"),
        ("sources", "val"),
        ("sources", "dev videos"),
        ("sources", "dev images"),
    ):
        print(f"\n{protocol}, {on}\n")
        _print_table([row for row in rows if (row.protocol, row.on) == (protocol, on)])
    print("\nLeNet, random frames, by how many frames it was trained on\n")
    _density_table()


def _single(protocol: str) -> Iterable[Row]:
    for name, study in STUDY.items():
        path = RUNS / protocol / name / RESULT_FILE
        if path.is_file():
            result = read_result(path)
            figures = result.on("val")
            assert figures is not None
            yield Row(protocol, name, "val", study, "", figures, result)


def _ensembles(protocol: str) -> Iterable[Row]:
    """Soft votes: the mean of the members' probabilities on the same crops."""
    for members, study in ENSEMBLES.items():
        tables_ = [RUNS / protocol / name / "val-scores.csv" for name in members]
        if not all(path.is_file() for path in tables_):
            continue
        columns = [_read(path) for path in tables_]
        files = [row["file"] for row in columns[0]]
        assert all([row["file"] for row in column] == files for column in columns)
        scores = np.array([[float(row["score"]) for row in column] for column in columns])
        mean = (1 / (1 + np.exp(-scores))).mean(axis=0)
        labels = [row["label"] == "fake" for row in columns[0]]
        sources = [row["source"] for row in columns[0]]
        figures = figures_of("val", labels, mean, sources)
        yield Row(protocol, " + ".join(members), "val", study, "", figures, None)


def _on_dev() -> Iterable[Row]:
    path = RUNS / "dev-scores.csv"
    if not path.is_file():
        return
    rows = _read(path)
    names = [name for name in STUDY if name in rows[0]]
    for members in [(name,) for name in names] + [m for m in ENSEMBLES if set(m) <= set(names)]:
        for kind in ("video", "image"):
            of_kind = [row for row in rows if row["kind"] == kind]
            judged = [row for row in of_kind if row[members[0]]]
            p = np.array([[float(row[name]) for name in members] for row in judged]).mean(axis=1)
            figures = figures_of(
                "dev", [r["label"] == "fake" for r in judged], p, [r["file"] for r in judged]
            )
            name = " + ".join(members)
            yield Row(
                "sources", name, f"dev {kind}s", None, f"{len(judged)} of {len(of_kind)}", figures, None
            )


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _write_csv(rows: Sequence[Row], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(
            (
                *("protocol", "on", "name", "n", "study_accuracy", "majority"),
                *("accuracy", "accuracy_low", "accuracy_high", "balanced_accuracy"),
                *("auc", "auc_low", "auc_high", "eer"),
                *("parameters", "macs", "ms_per_face", "seconds", "seed"),
            )
        )
        for row in rows:
            f, run = row.figures, row.run
            shares = (f.majority, f.accuracy, f.accuracy_low, f.accuracy_high, f.balanced_accuracy, f.auc)
            shares += (f.auc_low, f.auc_high, f.eer)
            told = ("", "", "", "", "")
            if run is not None:
                told = tuple(map(str, (run.parameters, run.macs, run.ms_per_face, run.seconds, run.seed)))
            study = "" if row.study is None else row.study / 100
            writer.writerow(
                [row.protocol, row.on, row.name, f.n, study, *(f"{v:.4f}" for v in shares), *told]
            )


def _print_table(rows: Sequence[Row]) -> None:
    if not rows:
        return
    f = rows[0].figures
    print(f"{f.n} judged, always the larger class: {f.majority:.1%}. {rows[0].coverage}\n")
    print(
        "| network | the study | accuracy [95 %] | balanced | AUC [95 %] | EER "
        "| parameters | multiply-adds | ms/face |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        f, run = row.figures, row.run
        study = "" if row.study is None else f"{row.study:.2f} %"
        size = ("", "", "")
        if run is not None:
            size = (
                f"{run.parameters / 1e6:.2f} M",
                f"{(run.macs or 0) / 1e6:,.0f} M",
                f"{run.ms_per_face:.2f}",
            )
        print(
            f"| {row.name} | {study} | {f.accuracy:.1%} [{f.accuracy_low:.1%}, {f.accuracy_high:.1%}] "
            f"| {f.balanced_accuracy:.1%} | {f.auc:.3f} [{f.auc_low:.3f}, {f.auc_high:.3f}] | {f.eer:.1%} "
            f"| {' | '.join(size)} |"
        )


def _draw(rows: Sequence[Row], path: Path) -> None:
    """Balanced accuracy of each network under the protocols, side by side: what the split hides."""
    shown = (
        ("frames", "val", "random frames"),
        ("sources", "val", "new recordings"),
        ("sources", "dev videos", "other media"),
    )
    names = [row.name for row in rows if (row.protocol, row.on) == ("frames", "val")]
    figure = Figure(figsize=(9, 0.5 * len(names) + 1.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for (protocol, on, label), colour in zip(shown, ("#2a6f97", "#c8553d", "#8a8a8a"), strict=True):
        points = {
            row.name: row.figures.balanced_accuracy
            for row in rows
            if (row.protocol, row.on) == (protocol, on)
        }
        have = [name for name in names if name in points]
        axes.scatter(
            [points[n] for n in have], [names.index(n) for n in have], color=colour, s=60, label=label
        )
    axes.axvline(EVEN, color="grey", linewidth=1, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.9)
    axes.set(xlabel="balanced accuracy (0.5 is guessing)", xlim=(0.3, 1.0))
    axes.grid(axis="y", linewidth=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=3)
    figure.savefig(path, dpi=110)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("what", choices=["train", "dev", "density", "tables"])
    options.add_argument("corpus", type=Path, nargs="?")
    options.add_argument("--only", nargs="*", default=[])
    chosen = options.parse_args()
    if chosen.what == "tables":
        tables()
        return
    if chosen.corpus is None:
        options.error("name the CORPUS folder")
    if chosen.what == "train":
        train(chosen.corpus, chosen.only)
    elif chosen.what == "density":
        density(chosen.corpus)
    else:
        dev(chosen.corpus)


if __name__ == "__main__":
    main()
