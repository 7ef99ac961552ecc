"""Where things stand in a drawing: paths and marks in percent, x to the right and y downward.

A drawing fills any width without its text being stretched, because only shapes are scaled: templates draw
what is here and decide nothing. Colours, dashes and markers are classes of the style sheet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.evaluation.page.looks import REST

Array = NDArray[np.float64]

CLOSE = 0.1
"""How far, in percent of the drawing, a drawn line may lie from the measured one: half a pixel."""

LOOSE = 0.3
"""The same for lines that are only there to be compared with."""

GRID = 0.02
"""Places are rounded to this: what differs by less is one place."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at a place on an axis."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis means, and its ticks."""

    label: str
    ticks: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """An SVG path in a box of 100 by 100, with its classes."""

    style: str
    path: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A marker: the id of its outline, its classes, where it stands, and what it means."""

    outline: str
    style: str
    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Key:
    """An entry of the legend: the model's style and marker ("" for none), its name, and a figure."""

    style: str
    outline: str
    name: str
    figure: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """One drawing; `summary` says in words what is to be seen. `format` is a class that sets its height."""

    title: str
    x: Axis
    y: Axis
    shapes: tuple[Shape, ...]
    marks: tuple[Mark, ...] = ()
    keys: tuple[Key, ...] = ()
    summary: str = ""
    format: str = "square"


def percent_axis(label: str, top: float = 1.0, *, count: int = 5) -> Axis:
    """An axis of shares from 0 to `top`."""
    return Axis(
        label,
        tuple(Tick(100 * n / count, f"{round(100 * top * n / count, 1):g} %") for n in range(count + 1)),
    )


def upward(axis: Axis) -> Axis:
    """The axis for heights: its ticks count from below."""
    return Axis(axis.label, tuple(Tick(round(100 - tick.at, 3), tick.label) for tick in axis.ticks))


def line(style: str, x: ArrayLike, y: ArrayLike) -> Shape:
    """A line through points in shares of the drawing (K,), y upward, without those that nobody would see."""
    return Shape(style, _path(_places(x, y, LOOSE if style == REST.style else CLOSE)))


def band(style: str, x: ArrayLike, low: ArrayLike, high: ArrayLike) -> Shape:
    """What lies between two lines over the same `x`."""
    there, back = _places(x, high), _places(x, low)[::-1]
    return Shape(style, _path(np.concatenate([there, back])) + "Z")


def bars(style: str, edges: ArrayLike, low: ArrayLike, high: ArrayLike) -> Shape:
    """Bars between `edges` (K + 1,) from `low` to `high` (K,); those without height are left out."""
    at, bottom, top = (np.asarray(values, dtype=np.float64) for values in (edges, low, high))
    parts = []
    for left, right, under, over in zip(at[:-1], at[1:], bottom, top, strict=True):
        if over - under > GRID / 100:
            parts.append(
                f"M{_text(100 * left)} {_text(100 - 100 * under)}V{_text(100 - 100 * over)}"
                f"H{_text(100 * right)}V{_text(100 - 100 * under)}Z"
            )
    return Shape(style, "".join(parts))


def whiskers(style: str, x: ArrayLike, low: ArrayLike, high: ArrayLike) -> Shape:
    """Upright strokes from `low` to `high` at `x` (K,)."""
    parts = (
        f"M{_text(100 * at)} {_text(100 - 100 * under)}V{_text(100 - 100 * over)}"
        for at, under, over in zip(*(np.asarray(v, dtype=np.float64) for v in (x, low, high)), strict=True)
    )
    return Shape(style, "".join(parts))


def stretch(style: str, start: float, end: float) -> Shape:
    """A stretch of x over the whole height."""
    return Shape(style, f"M{_text(100 * start)} 0H{_text(100 * end)}V100H{_text(100 * start)}Z")


def mark(outline: str, style: str, x: float, y: float, title: str) -> Mark:
    """A marker at a place in shares of the drawing, y upward."""
    return Mark(outline, style, round(100 * x, 2), round(100 - 100 * y, 2), title)


def thinned(points: Array, close: float = CLOSE) -> Array:
    """The points (K, 2) of a line that are needed to draw it (Douglas & Peucker, 1973): the rest lie within
    `close` of the straight lines between those."""
    if len(points) < 3:
        return points
    kept = np.zeros(len(points), dtype=bool)
    kept[[0, -1]] = True
    waiting = [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        if last - first < 2:
            continue
        between = points[first + 1 : last]
        way = points[last] - points[first]
        off = between - points[first]
        along = np.clip(off @ way / max(float(way @ way), 1e-12), 0, 1)
        distance = np.hypot(*(off - along[:, None] * way).T)
        worst = int(np.argmax(distance))
        if distance[worst] > close:
            middle = first + 1 + worst
            kept[middle] = True
            waiting += [(first, middle), (middle, last)]
    return points[kept]


def _places(x: ArrayLike, y: ArrayLike, close: float = CLOSE) -> Array:
    """Points in percent, y downward, thinned. First those of one column of the drawing are brought to the
    first, the lowest, the highest and the last: a million points are thinned as fast as a thousand."""
    across = 100 * np.asarray(x, dtype=np.float64)
    down = 100 - 100 * np.asarray(y, dtype=np.float64)
    points = np.stack([across, down], axis=1)
    column = np.round(across / GRID).astype(np.int64)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(column) != 0]))
    if len(points) > 4 * len(starts):
        ends = np.append(starts[1:], len(points))
        kept = np.concatenate(
            [
                np.unique([a, a + int(np.argmin(down[a:b])), a + int(np.argmax(down[a:b])), b - 1])
                for a, b in zip(starts, ends, strict=True)
            ]
        )
        points = points[kept]
    return thinned(points, close)


def _path(points: Iterable[Sequence[float]]) -> str:
    return "M" + "L".join(f"{_text(x)} {_text(y)}" for x, y in points)


def _text(value: float) -> str:
    """A place in hundredths of a percent."""
    return f"{round(float(value), 2):g}"
