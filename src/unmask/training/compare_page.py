"""The table over training runs as one self-contained page with bars, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, StrictUndefined

from unmask.training.compare import CHOSEN_BY, TEXT_COLUMNS, Run, headings, interval, row, splits_of

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Training runs</title>
<style>
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #5d6672; --line: #d9dee4; --page: #fff;
  --bar: #9cc4dd; --track: #eef1f4; --mark: #b5311a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ed; --soft: #9aa4b0; --line: #343b44;
  --page: #14171b; --bar: #2c5f80; --track: #23282f; --mark: #ff9d85; } }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 90rem; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; } p, .soft { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { font-weight: 600; color: var(--soft); } .text { text-align: left; }
.bars { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr max-content; gap: .35rem .8rem;
  align-items: center; }
.bars .name { overflow-wrap: anywhere; }
.bars svg { width: 100%; height: 1.1rem; display: block; }
.track { fill: var(--track); } .bar { fill: var(--bar); }
.range { stroke: var(--ink); stroke-width: 2; vector-effect: non-scaling-stroke; }
.mark { stroke: var(--mark); stroke-width: 2; stroke-dasharray: 3 2; vector-effect: non-scaling-stroke; }
.key { color: var(--mark); }
details { border-bottom: 1px solid var(--line); padding: .5rem 0; } summary { cursor: pointer; }
details table { margin: .6rem 0 1rem; }
@media (max-width: 40rem) { .bars { grid-template-columns: 1fr; gap: .1rem; }
  .bars .name { margin-top: .6rem; } }
</style>
</head>
<body>
<h1>Training runs</h1>
<p>{{ runs|length }} run{{ "" if runs|length == 1 else "s" }}, best AUC on {{ split }} first. Brackets and
thin lines are 95 % intervals by bootstrap over sources.</p>
{% for chart in charts %}
<h2>{{ chart.title }}</h2>
<div class="bars" role="table" aria-label="{{ chart.title }}">
{% for bar in chart.bars %}<div class="name">{{ bar.name }}</div>
<svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{{ bar.name }}: {{ bar.text }}">
<rect class="track" width="100" height="10"/><rect class="bar" width="{{ bar.size }}" height="10"/>
<line class="range" x1="{{ bar.low }}" x2="{{ bar.high }}" y1="5" y2="5"/>
<line class="mark" x1="{{ bar.mark }}" x2="{{ bar.mark }}" y1="0" y2="10"/></svg>
<div>{{ bar.text }}</div>
{% endfor %}</div>
<p><span class="key">Dashed:</span> {{ chart.mark }}.</p>
{% endfor %}
<h2>All figures</h2>
<div class="scroll"><table>
<thead><tr>{% for name in headings %}<th{% if loop.index <= words %} class="text"{% endif %}>{{ name }}</th>
{%- endfor %}</tr></thead>
<tbody>
{% for cells in rows %}<tr>{% for cell in cells %}<td{% if loop.index <= words %} class="text"{% endif %}>
{{- cell }}</td>{% endfor %}</tr>
{% endfor %}</tbody>
</table></div>
<h2>By run</h2>
{% for run in runs %}{% set r = run.result %}<details><summary>{{ r.name }}
<span class="soft">{{ run.folder }}</span></summary>
<p>Seed {{ r.seed }}, {{ r.started }} to {{ r.finished }}; recipe {{ r.recipe_sha256[:12] }}, model
{{ r.model_sha256[:12] }}, curves {{ r.log }}.</p>
{% for f in r.figures %}<div class="scroll"><table>
<thead><tr><th class="text">{{ f.split }}</th><th>precision</th><th>recall</th><th>F1</th><th>support</th>
<th>called real</th><th>called fake</th></tr></thead>
<tbody>
{% for label, part, left, right in [("real", f.real, f.confusion[0], f.confusion[1]),
  ("fake", f.fake, f.confusion[2], f.confusion[3])] %}<tr><td class="text">{{ label }}</td>
<td>{{ "%.4f"|format(part.precision) }}</td><td>{{ "%.4f"|format(part.recall) }}</td>
<td>{{ "%.4f"|format(part.f1) }}</td><td>{{ part.support }}</td><td>{{ left }}</td><td>{{ right }}</td></tr>
{% endfor %}</tbody>
</table></div>
<p>Log loss {{ "%.4f"|format(f.log_loss) }}, Brier {{ "%.4f"|format(f.brier) }}, EER
{{ "%.4f"|format(f.eer) }}.</p>
{% endfor %}</details>
{% endfor %}
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, all but the words in percent of the width; `mark` is what it is to be held against."""

    name: str
    text: str
    size: float
    low: float
    high: float
    mark: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars of one figure on one split, and what their marks are."""

    title: str
    bars: tuple[Bar, ...]
    mark: str


def page(runs: Sequence[Run]) -> str:
    """The page; it loads nothing."""
    others = splits_of(runs)
    charts = [_chart(runs, split, kind) for split in (CHOSEN_BY, *others) for kind in ("AUC", "accuracy")]
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(PAGE)
    return template.render(
        runs=runs,
        split=CHOSEN_BY,
        charts=[chart for chart in charts if chart.bars],
        headings=headings(runs),
        rows=[row(run, others) for run in runs],
        words=TEXT_COLUMNS,
    )


def _chart(runs: Sequence[Run], split: str, kind: str) -> Chart:
    bars = []
    for run in runs:
        f = run.result.on(split)
        if f is None:
            continue
        value, low, high, mark = (
            (f.auc, f.auc_low, f.auc_high, 0.5)
            if kind == "AUC"
            else (f.accuracy, f.accuracy_low, f.accuracy_high, f.majority)
        )
        places = (round(100 * x, 2) for x in (value, low, high, mark))
        bars.append(Bar(run.result.name, interval(value, low, high), *places))
    mark_name = "no better than chance" if kind == "AUC" else "always naming the larger class"
    return Chart(f"{kind[0].upper()}{kind[1:]} on {split}", tuple(bars), mark_name)
