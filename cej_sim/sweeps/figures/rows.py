"""Numbers with their intervals in rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from cej_sim.comparison import BY_NAME, FEWEST_ALIKE
from cej_sim.parameters import Metric
from cej_sim.plots import FAINT, INK
from cej_sim.sweeps.analysis import is_sure
from cej_sim.sweeps.figures.frame import (
    BETTER,
    FIRST,
    OTHER,
    UNSURE,
    WORSE,
    draw_key,
    framed,
    panel_head,
    panel_places,
    plain_frame,
    row_labels,
    scale_axis,
)


@dataclass(frozen=True)
class Mark:
    """A number with its interval.

    Attributes:
        series: Which of the series it belongs to.
        value, low, high: NaN bounds where there is no interval.
        judged: Whether an interval that includes 0 means that nothing can be told.
        runs: How many are behind it, where that matters.
        nothing: Whether it is 0 in every run.
    """

    series: int
    value: float
    low: float
    high: float
    judged: bool = True
    runs: int = FEWEST_ALIKE
    nothing: bool = False

    @property
    def sure(self) -> bool:
        """Whether the interval excludes 0, and is not one without width from very few runs."""
        return is_sure({"ci_low": self.low, "ci_high": self.high, "runs": self.runs})


SERIES = (("o", 9.0), ("D", 7.5))

#: Shapes in the key, in a color that no mark has.
_SHAPE = "#c4c4c4"

_SERIES_COLORS = ("#4d4d4d", "#009E73")


def _color(mark: Mark, metric: Metric, colors: tuple[str, str], series: Sequence[str]) -> str:
    """The color of a mark; ``colors`` are those of what goes down and up where up is better."""
    if not mark.judged:
        return series[mark.series]
    if not mark.sure:
        return UNSURE
    if metric.better == "neither":
        return INK
    return colors[(mark.value > 0.0) == (metric.better == "up")]


def rows_figure(
    heading: str,
    how: str,
    footer: str,
    panels: Mapping[str, Mapping[str, Sequence[Mark]]],
    *,
    bars: bool = False,
    series: Sequence[str] = (),
    judged: bool = True,
    difference: bool = True,
    hints: Mapping[str, str] | None = None,
    sides: tuple[str, str] | None = None,
    declared: Mapping[str, Metric] | None = None,
    by_side: Collection[str] = (),
    key: Sequence[tuple[Any, str]] | None = None,
) -> Figure:
    """Numbers with their intervals in rows, a panel per metric, the same rows in each.

    Args:
        heading, how, footer: Words above and below.
        panels: Metric -> label of the row -> marks.
        bars: Bars rather than dots.
        series: Words for the series, where there are several.
        judged: Colors tell which way a row moves a metric; else they tell the series apart.
        difference: Numbers are differences in the metric's unit; else they are pure numbers.
        hints: Metric -> words in the place of its better direction.
        sides: Titles of the two scenarios, where rows are differences between them.
        declared: Panel -> what it shows, where panels are not metrics by name.
        by_side: Panels whose two series are the two scenarios themselves, in their colors, hollow where the interval
            includes 0.
        key: What the marks mean, in the place of the usual words.
    """
    declared = declared or {name: BY_NAME[name] for name in panels}
    colors = (WORSE, BETTER) if sides is None else (FIRST, OTHER)
    seen = set()
    nothing = False
    figure = framed(heading, how, footer)
    labels = list(dict.fromkeys(label for rows in panels.values() for label in rows))
    left = 0.225
    for (name, rows), place in zip(panels.items(), panel_places(len(panels), left), strict=True):
        metric = declared[name]
        axes = figure.add_axes(place, label=f"rows:{name}")
        axes.axvline(0.0, color=INK, linewidth=1.2, zorder=1)
        marks = [(y, mark) for y, label in enumerate(labels) for mark in rows.get(label, ())]
        several = len(series) > 1 or any(mark.series for _, mark in marks)
        apart = 0.34 / max(1, len(series) - 1) if several else 0.0
        for y, mark in marks:
            at = y + (mark.series - 0.5) * apart if several else float(y)
            color = _color(mark, metric, colors, (FIRST, OTHER) if name in by_side else _SERIES_COLORS)
            if mark.judged and not (mark.nothing and not bars):
                seen.add(color)
            hollow = (mark.judged or name in by_side) and not mark.sure
            face = "white" if hollow else color
            if bars:
                axes.barh(
                    at,
                    mark.value,
                    height=0.62 / max(1, len(series)),
                    facecolor=face if mark.series == 0 else "white",
                    edgecolor=color,
                    hatch="///" if mark.series == 1 else None,
                    linewidth=1.6,
                    zorder=2,
                    gid="bar",
                )
            if not math.isnan(mark.low):
                axes.plot(
                    [mark.low, mark.high],
                    [at, at],
                    color=INK if bars else color,
                    linewidth=2.0,
                    zorder=3,
                    gid="whisker",
                )
            if not bars and not math.isnan(mark.value):
                shape, size = ("x", 9.0) if mark.nothing else SERIES[mark.series]
                nothing |= mark.nothing
                axes.plot(
                    [mark.value],
                    [at],
                    marker=shape,
                    markersize=size,
                    markerfacecolor=face,
                    markeredgecolor=color,
                    markeredgewidth=1.8,
                    linestyle="",
                    zorder=4,
                    gid="mark",
                )
        axes.set_ylim(len(labels) - 0.4, -0.6)
        numbers = [v for _, mark in marks for v in (mark.value, mark.low, mark.high) if math.isfinite(v)] or [0.0]
        low, high = min(0.0, *numbers), max(0.0, *numbers)
        room = 0.06 * (high - low) or 0.05
        if low == high:  # nothing but zeros: they stand in the middle
            axes.set_xlim(-room, room)
        else:
            axes.set_xlim(low - room if low < 0.0 else -0.02 * high, high + room)
        plain_frame(axes)
        axes.set_yticks(range(len(labels)), [""] * len(labels))
        axes.tick_params(axis="y", length=0)
        for y in range(len(labels)):
            axes.axhline(y + 0.5, color=FAINT, linewidth=0.5, zorder=0)
        if difference:
            scale_axis(axes, metric, True, True)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        if low == high:
            axes.set_xticks([0.0])
        if place[0] <= left + 1e-9:
            row_labels(figure, axes, labels, 0.03)
        panel_head(axes, metric, hint=None if hints is None else hints.get(name, ""))
    key = list(_row_key(bars, series, judged, sides, seen) if key is None else key)
    if nothing:
        still = Line2D([], [], marker="x", color=UNSURE, markersize=9.0, markeredgewidth=1.8, linestyle="")
        key.append((still, "the same in every run"))
    draw_key(figure, key)
    return figure


def _row_key(
    bars: bool, series: Sequence[str], judged: bool, sides: tuple[str, str] | None, seen: set[str]
) -> list[tuple[Any, str]]:
    def mark(color: str, face: str, place: int = 0) -> Any:
        if bars:
            return Patch(facecolor=face, edgecolor=color, hatch="///" * place or None, linewidth=1.6)
        shape, size = SERIES[place]
        return Line2D(
            [], [], marker=shape, color=color, markerfacecolor=face, markersize=size, markeredgewidth=1.8, linewidth=2.0
        )

    if not judged:
        return [
            (mark(color, "white" if bars and place else color, place), words)
            for place, (words, color) in enumerate(zip(series, _SERIES_COLORS, strict=False))
        ]
    directions = (
        ((BETTER, "for the better"), (WORSE, "for the worse"))
        if sides is None
        else ((FIRST, f"in favor of {sides[0]}"), (OTHER, f"in favor of {sides[1]}"))
    )
    key = [(mark(color, color), words) for color, words in (*directions, (INK, "no better direction")) if color in seen]
    key.append((mark(UNSURE, "white"), "cannot tell (the interval includes 0)"))
    if len(series) > 1:
        # Colors say which way it goes; the shape alone says which series it is.
        key += [
            (mark(_SHAPE, "white" if bars and place else _SHAPE, place), words) for place, words in enumerate(series)
        ]
    return key
