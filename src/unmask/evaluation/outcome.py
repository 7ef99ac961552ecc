"""An outcome on disk: the scores, and the figures as a reader wants them and as a program does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from unmask.evaluation.coverage import coverage, coverage_table
from unmask.evaluation.figures import GROUPS, LEVELS, Line
from unmask.evaluation.figures import lines as lines_of
from unmask.evaluation.judged import JudgedFiles, judged_files
from unmask.evaluation.outcome_text import to_csv, to_markdown
from unmask.evaluation.page import render
from unmask.evaluation.pairs import Pair, pairs, pairs_csv, pairs_table
from unmask.evaluation.robustness import Robustness, robustness, robustness_table
from unmask.evaluation.table import Scores, write_scores
from unmask.figures.sources import DRAWS
from unmask.report.atomic import write


@dataclass(frozen=True)
class Outcome:
    """Scores with everything that is told of them; `draws` and `seed` are those of the intervals."""

    scores: Scores
    lines: tuple[Line, ...]
    judged: tuple[JudgedFiles, ...]
    pairs: tuple[Pair, ...]
    degraded: tuple[Robustness, ...]
    draws: int
    seed: int

    def text(self) -> str:
        """The tables as Markdown: figures, coverage, differences between models, degradations."""
        parts = [to_markdown(self.lines)]
        if self.judged:
            parts.append(coverage_table(coverage(self.judged)))
        if self.pairs:
            parts.append(pairs_table(self.pairs))
        if self.degraded:
            parts.append(robustness_table(self.degraded))
        return "\n".join(parts)

    def page(self) -> str:
        """The same with drawings, as one page that needs nothing but itself."""
        return render(
            self.scores,
            self.lines,
            self.judged,
            self.pairs,
            self.degraded,
            draws=self.draws,
            seed=self.seed,
        )


def outcome(scores: Scores, *, levels: Sequence[str] = LEVELS, groups: Sequence[str] = GROUPS) -> Outcome:
    """Everything that can be told of `scores`; drawn as their setting says, where they have one."""
    draws, seed = (scores.setting.draws, scores.setting.seed) if scores.setting else (DRAWS, 0)
    judged = judged_files(scores)
    return Outcome(
        scores=scores,
        lines=tuple(lines_of(scores, levels=levels, groups=groups, draws=draws, seed=seed)),
        judged=tuple(judged),
        pairs=tuple(pairs(judged, draws=draws, seed=seed)),
        degraded=tuple(robustness(scores)),
        draws=draws,
        seed=seed,
    )


def write_outcome(scores: Scores, folder: Path) -> str:
    """Write scores.parquet, figures.csv, paired.csv, report.md and report.html to `folder`; the text of
    report.md.

    Raises:
        UnmaskError: they cannot be written.
    """
    told = outcome(scores)
    text = told.text()
    write_files(told, folder, text)
    return text


def write_files(told: Outcome, folder: Path, text: str) -> None:
    """The same of what was made before, with `text` for report.md.

    Raises:
        UnmaskError: they cannot be written.
    """
    page = told.page()
    write_scores(told.scores, folder / "scores.parquet")
    write(folder / "figures.csv", to_csv(told.lines).encode())
    write(folder / "paired.csv", pairs_csv(told.pairs).encode())
    write(folder / "report.md", text.encode())
    write(folder / "report.html", page.encode())
