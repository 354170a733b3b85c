"""Pictures of a sweep, each legible on a projector (1600 x 900).

Blue is the first scenario and vermilion the other one, as everywhere; what may be chance is gray and hollow, hatched
or small, so that no color claims more than its interval does. Maps show the cells that were computed and nothing
between them.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from cej_sim.comparison import (
    BY_NAME,
    FAMILIES,
    FEWEST_ALIKE,
    format_difference,
    format_value,
    label_of,
    records,
    short,
    when,
)
from cej_sim.parameters import Metric
from cej_sim.plots import FAINT, INK, SOFT, better_words, canvas, extent, fit, full_label, per_cent, write
from cej_sim.sweeps.analysis import (
    ALL_FACTORS,
    INFLUENCE,
    INTO_A,
    NET,
    NO_MONTH,
    NOT_COMPUTED,
    OUT_OF_B,
    Analysis,
    is_sure,
    levels,
    plain,
    probed,
)

#: Colors of the first scenario, the other one, and of what may be chance.
FIRST, OTHER, UNSURE = "#0072B2", "#D55E00", "#8a8a8a"

#: Colors of what moves an outcome in its better direction, and of what does not.
BETTER, WORSE = "#009E73", "#A04A7A"

#: Panels in a figure.
PANELS = 6

#: Rows in a panel.
ROWS = 16

#: Dots in a scatter plot; of more cells so many are drawn by lot.
DOTS = 2000

#: Formats in which figures are written.
FORMATS = ("png", "svg", "pdf")

_SIZE = 12.0


@dataclass(frozen=True)
class Wording:
    """What figures say of the sweep.

    Attributes:
        title: Title of the sweep.
        titles: Scenario name (as in the rows) -> title.
        footer: What every figure says of itself: illustration, cells, runs, seed, version.
    """

    title: str
    titles: Mapping[str, str]
    footer: str

    def response(self, response: str) -> str:
        """A response in plain words."""
        for b, title_b in self.titles.items():
            for a, title_a in self.titles.items():
                if response == f"{b} - {a}":
                    return f"{title_b} minus {title_a}"
        return self.titles.get(response, response)


@dataclass(eq=False)
class Picture:
    """A figure and what is said beside it.

    Attributes:
        name: Of its files.
        heading, caption, alt: Words; ``alt`` for those who do not see it.
        table: The table that holds its numbers.
        draw: Makes the figure.
    """

    name: str
    heading: str
    caption: str
    alt: str
    table: str
    draw: Callable[[], Figure] = field(repr=False)


def save(figure: Figure, kind: str, note: str) -> bytes:
    """A figure as the bytes of a file (``png``, ``svg`` or ``pdf``), the same each time, with a note in it."""
    stream = io.BytesIO()
    told: dict[str, dict[str, Any]] = {
        "png": {"Description": note},
        "svg": {"Description": note, "Date": None},
        "pdf": {"Subject": note, "CreationDate": None},
    }
    with matplotlib.rc_context({"svg.hashsalt": "cej_sim"}):
        figure.savefig(stream, format=kind, dpi=100, metadata=told[kind])
    return stream.getvalue()


# Frame


def _framed(heading: str, how: str, footer: str) -> Figure:
    """An empty figure with a heading, a line on how to read it, and the footer."""
    figure = canvas(16, 9)
    wide = figure.bbox.width
    fit(write(figure, 0.03, 0.975, heading, fontsize=22, fontweight="bold", va="top", gid="title"), 0.94 * wide)
    fit(write(figure, 0.03, 0.921, how, fontsize=13, color=SOFT, va="top", linespacing=1.3), 0.94 * wide, 2)
    fit(write(figure, 0.03, 0.014, footer, fontsize=12.5, color=INK, gid="footer"), 0.94 * wide)
    return figure


def _head(axes: Axes, metric: Metric, hint: str | None = None) -> None:
    """Family, label (in up to two rows) and better direction above a panel."""
    box = axes.get_window_extent()
    hint = better_words(metric) if hint is None else hint
    label = write(
        axes,
        0.0,
        1.0 + 10.0 / box.height,
        full_label(metric),
        fontsize=_SIZE + 1,
        fontweight="bold",
        va="baseline",
        linespacing=1.1,
        gid="panel-label",
    )
    rows = fit(label, box.width, 2).get_text().count("\n") + 1
    y = 1.0 + (11.0 + rows * 21.0) / box.height
    family = write(
        axes, 0.0, y, FAMILIES[metric.family].upper(), fontsize=_SIZE - 2, color=SOFT, va="baseline", fontweight="bold"
    )
    if hint:
        used = extent(family)[0] + 10.0
        text = write(
            axes, used / box.width, y, hint, fontsize=_SIZE - 1, color=SOFT, va="baseline", style="italic", gid="hint"
        )
        fit(text, box.width - used)


def _scaled(axes: Axes, metric: Metric, of_x: bool, difference: bool) -> None:
    """Ticks in the unit that people read; differences of shares in percentage points."""
    axis = axes.xaxis if of_x else axes.yaxis
    axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    if per_cent(metric):
        sign = "" if difference else "%"
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}{sign}".replace("-", "−")))
    else:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}".replace("-", "−")))
    if difference and of_x:
        unit = "percentage points" if per_cent(metric) else {"hours": "hours a month"}.get(metric.unit, "")
        axes.set_xlabel(unit, fontsize=_SIZE - 1, color=SOFT, labelpad=2)


def _plain_frame(axes: Axes, grid: str = "x") -> None:
    axes.tick_params(labelsize=_SIZE, colors=SOFT, length=3)
    if grid:
        axes.grid(axis=grid, color=FAINT, linewidth=0.7, zorder=0)  # type: ignore[arg-type]
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(SOFT)


def _key(figure: Figure, marks: Sequence[tuple[Any, str]], y: float = 0.058) -> None:
    """A key in one line above the footer."""
    legend = figure.legend(
        [mark for mark, _ in marks],
        [words for _, words in marks],
        loc="lower left",
        bbox_to_anchor=(0.022, y - 0.014),
        ncols=len(marks),
        frameon=False,
        fontsize=12.5,
        handletextpad=0.5,
        columnspacing=1.6,
        handlelength=1.6,
    )
    legend.set_gid("key")
    for text in legend.get_texts():
        text.set_parse_math(False)


def _places(number: int, left: float) -> list[tuple[float, float, float, float]]:
    """Where up to six panels stand, in fractions of the figure; ``left`` is the room for words left of each row."""
    columns = min(3, number) if number != 4 else 2
    rows = -(-number // columns)
    bottom, top, right = 0.115, 0.865, 0.985
    head, foot, gap = 0.085, 0.05, 0.03
    wide = (right - left - (columns - 1) * gap) / columns
    high = (top - bottom) / rows
    return [
        (
            left + (i % columns) * (wide + gap),
            bottom + (rows - 1 - i // columns) * high + foot,
            wide,
            high - head - foot + 0.012,
        )
        for i in range(number)
    ]


# Intervals in rows


@dataclass(frozen=True)
class Mark:
    """A number with its interval.

    Attributes:
        series: Which of the series it belongs to.
        value, low, high: NaN bounds where there is no interval.
        judged: Whether an interval that includes 0 means that nothing can be told.
        runs: How many are behind it, where that matters.
    """

    series: int
    value: float
    low: float
    high: float
    judged: bool = True
    runs: int = FEWEST_ALIKE

    @property
    def sure(self) -> bool:
        """Whether the interval excludes 0, and is not one without width from very few runs."""
        return is_sure({"ci_low": self.low, "ci_high": self.high, "runs": self.runs})


_SERIES = (("o", 9.0), ("D", 7.5))
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
    figure = _framed(heading, how, footer)
    labels = list(dict.fromkeys(label for rows in panels.values() for label in rows))
    left = 0.225
    for (name, rows), place in zip(panels.items(), _places(len(panels), left), strict=True):
        metric = declared[name]
        axes = figure.add_axes(place, label=f"rows:{name}")
        axes.axvline(0.0, color=INK, linewidth=1.2, zorder=1)
        marks = [(y, mark) for y, label in enumerate(labels) for mark in rows.get(label, ())]
        several = len(series) > 1 or any(mark.series for _, mark in marks)
        apart = 0.34 / max(1, len(series) - 1) if several else 0.0
        for y, mark in marks:
            at = y + (mark.series - 0.5) * apart if several else float(y)
            color = _color(mark, metric, colors, (FIRST, OTHER) if name in by_side else _SERIES_COLORS)
            if mark.judged:
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
                shape, size = _SERIES[mark.series]
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
        axes.set_xlim(low - room if low < 0.0 else -0.02 * high, high + room)
        _plain_frame(axes)
        axes.set_yticks(range(len(labels)), [""] * len(labels))
        axes.tick_params(axis="y", length=0)
        for y in range(len(labels)):
            axes.axhline(y + 0.5, color=FAINT, linewidth=0.5, zorder=0)
        if difference:
            _scaled(axes, metric, True, True)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
        if place[0] <= left + 1e-9:
            _row_labels(figure, axes, labels, 0.03)
        _head(axes, metric, hint=None if hints is None else hints.get(name, ""))
    _key(figure, _row_key(bars, series, judged, sides, seen) if key is None else key)
    return figure


def _row_labels(figure: Figure, axes: Axes, labels: Sequence[str], left: float) -> None:
    """Words for the rows, in the room left of the first panel."""
    box = axes.get_window_extent()
    room = box.x0 - left * figure.bbox.width - 10.0
    high = box.height / len(labels)
    size = _SIZE if high > 17.0 else _SIZE - 2.0
    for y, label in enumerate(labels):
        text = write(
            axes,
            -10.0 / box.width,
            y,
            label,
            fontsize=size,
            ha="right",
            va="center",
            transform=axes.get_yaxis_transform(),
            linespacing=1.0,
            gid="row-label",
        )
        fit(text, room, 2 if high > 34.0 else 1)


def _row_key(
    bars: bool, series: Sequence[str], judged: bool, sides: tuple[str, str] | None, seen: set[str]
) -> list[tuple[Any, str]]:
    def mark(color: str, face: str, place: int = 0) -> Any:
        if bars:
            return Patch(facecolor=face, edgecolor=color, hatch="///" * place or None, linewidth=1.6)
        shape, size = _SERIES[place]
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
        key += [(mark(INK, "white" if bars and place else INK, place), words) for place, words in enumerate(series)]
    return key


# Maps of cells


def _tint(color: str, share: float) -> tuple[float, float, float]:
    """A color thinned with white; even the least difference that is sure keeps a visible tint."""
    strength = 0.22 + 0.78 * min(1.0, max(0.0, share))
    red, green, blue = to_rgb(color)
    return (1 - strength + strength * red, 1 - strength + strength * green, 1 - strength + strength * blue)


def _side(verdict: str) -> str | None:
    """The color of a verdict; None where nobody is ahead."""
    return {"a better": FIRST, "b lower": FIRST, "b better": OTHER, "b higher": OTHER}.get(verdict)


@dataclass(frozen=True)
class Map:
    """One panel of a map: cells by level of two factors.

    Attributes:
        title: Of the panel, where it is not its metric; else "".
        metric: What is shown.
        frame: ``value ci_low ci_high runs verdict`` and ``x``, ``y``: positions of the levels.
        x_labels, y_labels: Words for the levels.
        largest: The difference that has the full color.
    """

    title: str
    metric: Metric
    frame: pd.DataFrame
    x_labels: Sequence[str]
    y_labels: Sequence[str]
    largest: float


def map_figure(
    heading: str,
    how: str,
    footer: str,
    maps: Sequence[Map],
    axes_labels: tuple[str, str],
    sides: tuple[str, str] | None,
) -> Figure:
    """Who gets further in which cell, or one scenario's values: a rectangle a cell, nothing in between.

    Args:
        heading, how, footer: Words above and below.
        maps: Up to twelve panels.
        axes_labels: Words for both factors.
        sides: Titles of the two scenarios; None shows values in shades of blue.
    """
    figure = _framed(heading, how, footer)
    columns = {1: 1, 2: 2, 3: 3, 4: 2}.get(len(maps), 3 if len(maps) <= 6 else 4)
    rows = -(-len(maps) // columns)
    bottom, top = 0.115, 0.865
    wide, high = (0.985 - 0.03) / columns, (top - bottom) / rows
    for i, one in enumerate(maps):
        row, column = divmod(i, columns)
        longest = max(len(word) for word in one.y_labels)
        left = 0.042 + min(0.075, 0.0055 * longest)
        foot, head = 0.075, 0.085 if not one.title else 0.045
        axes = figure.add_axes(
            (
                0.03 + column * wide + left - 0.012,
                bottom + (rows - 1 - row) * high + foot,
                wide - left - 0.01,
                high - foot - head,
            ),
            label=f"map:{one.metric.name}:{one.title}",
        )
        _draw_map(axes, one, sides)
        box = axes.get_window_extent()
        for axis, label, room in ((axes.xaxis, axes_labels[0], box.width), (axes.yaxis, axes_labels[1], box.height)):
            axis.set_label_text(label, fontsize=_SIZE, color=SOFT)
            axis.label.set_parse_math(False)
            _fit_turned(axis.label, label, room, axis is axes.yaxis)
        if one.title:
            title = write(
                axes,
                0.0,
                1.0 + 12.0 / box.height,
                one.title,
                fontsize=_SIZE + 1,
                fontweight="bold",
                va="baseline",
                gid="map-title",
            )
            fit(title, box.width, 2)
        else:
            # The full color of each panel is its own: said where the better direction usually stands.
            hint = "; ".join(part for part in (better_words(one.metric), _full_color(one, sides)) if part)
            _head(axes, one.metric, hint=hint)
    _key(figure, _map_key(maps, sides))
    return figure


def _fit_turned(text: Any, words: str, room: float, turned: bool) -> None:
    """Wrap an axis label into two rows along its axis, and shorten it where that is not enough."""
    for count in range(len(words), 3, -1):
        wrapped = textwrap.wrap(words, count, break_long_words=False)
        text.set_text("\n".join([*wrapped[:1], *(short(" ".join(wrapped[1:]), count) for _ in wrapped[1:2])]))
        box = text.get_window_extent()
        if (box.height if turned else box.width) <= room + 24.0:
            return


def _full_color(one: Map, sides: tuple[str, str] | None) -> str:
    if sides is None or not one.largest > 0.0:
        return ""
    shown = format_difference({"difference": one.largest, "ci_low": np.nan, "ci_high": np.nan}, one.metric)[0]
    return f"full color: {shown.lstrip('+')}{' points' if per_cent(one.metric) else ''}"


def _draw_map(axes: Axes, one: Map, sides: tuple[str, str] | None) -> None:
    columns, rows = len(one.x_labels), len(one.y_labels)
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(-0.5, rows - 0.5)
    box = axes.get_window_extent()
    cell = (box.width / columns, box.height / rows)
    numbers = cell[0] >= 44.0 and cell[1] >= 20.0
    low, high = one.frame["value"].min(), one.frame["value"].max()
    for row in records(one.frame[["x", "y", "value", "verdict"]]):
        value, across, up = float(row["value"]), float(row["x"]), float(row["y"])
        hatch, color = None, None
        if row["verdict"] == NOT_COMPUTED or (math.isnan(value) and not sides):
            face: Any = "#4d4d4d"
        elif sides is None:
            face = _tint(FIRST, (value - low) / (high - low) if high > low else 0.0)
        else:
            color = _side(str(row["verdict"]))
            face = "white" if color is None else _tint(color, abs(value) / one.largest if one.largest > 0.0 else 0.0)
            hatch = "////" if row["verdict"] == "cannot tell" else "...." if row["verdict"] == "has ended" else None
        axes.add_patch(
            Rectangle(
                (across - 0.5, up - 0.5),
                1.0,
                1.0,
                facecolor=face,
                edgecolor="#b5b5b5" if hatch else "white",
                hatch=hatch,
                linewidth=0.6,
                zorder=2,
                gid=f"cell:{row['verdict']}",
            )
        )
        if numbers and not math.isnan(value):
            shown = {"difference": value, "ci_low": np.nan, "ci_high": np.nan}
            text = format_difference(shown, one.metric)[0] if sides else format_value(value, one.metric).rstrip("%")
            dark = 0.299 * to_rgb(face)[0] + 0.587 * to_rgb(face)[1] + 0.114 * to_rgb(face)[2] < 0.5
            written = write(
                axes,
                across,
                up,
                text,
                fontsize=min(_SIZE, 0.28 * cell[0], 0.5 * cell[1]),
                ha="center",
                va="center",
                transform=axes.transData,
                color="white" if dark else SOFT if sides and color is None else INK,
                zorder=4,
                style="italic" if hatch else "normal",
            )
            if hatch:
                written.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.0})
    for which, words, room in (("x", one.x_labels, cell[0]), ("y", one.y_labels, cell[1])):
        longest = max(len(word) for word in words) * 7.5 if which == "x" else 16.0
        step = max(1, math.ceil(longest / room))
        ticks = range(0, len(words), step)
        {"x": axes.set_xticks, "y": axes.set_yticks}[which](list(ticks), [_brief(words[t]) for t in ticks])
    _plain_frame(axes, "")
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def _brief(word: str, most: int = 14) -> str:
    word = word.replace("_", " ")
    return word if len(word) <= most else word[: most - 1].rstrip() + "…"


def _map_key(maps: Sequence[Map], sides: tuple[str, str] | None) -> list[tuple[Any, str]]:
    seen = {str(word) for one in maps for word in one.frame["verdict"]}
    key: list[tuple[Any, str]] = []
    if sides is not None:
        directed = bool(seen & {"a better", "b better"}) or not seen & {"b higher", "b lower"}
        plain_ones = bool(seen & {"b higher", "b lower"})
        verb = {(True, False): "further", (False, True): "higher", (True, True): "further (or higher)"}[
            directed, plain_ones
        ]
        key += [
            (Patch(facecolor=color), f"{title}: {verb}") for color, title in zip((FIRST, OTHER), sides, strict=True)
        ]
        key.append((Patch(facecolor="white", edgecolor="#b5b5b5", hatch="////"), "cannot tell"))
        if "no difference" in seen:
            key.append((Patch(facecolor="white", edgecolor="#b5b5b5"), "no difference"))
        if "has ended" in seen:
            key.append((Patch(facecolor="white", edgecolor="#b5b5b5", hatch="...."), "coalitions have ended"))
    else:
        key.append((Patch(facecolor=_tint(FIRST, 0.0)), "lowest"))
        key.append((Patch(facecolor=_tint(FIRST, 1.0)), "highest"))
    if NOT_COMPUTED in seen:
        key.append((Patch(facecolor="#4d4d4d"), "not computed"))
    return key


def scatter_figure(
    heading: str,
    how: str,
    footer: str,
    panels: Sequence[tuple[Metric, pd.DataFrame, tuple[str, str], tuple[bool, bool]]],
    sides: tuple[str, str] | None,
) -> Figure:
    """Cells of a sampled design over two factors, each a mark that says who gets further there.

    Args:
        heading, how, footer: Words above and below.
        panels: Metric; ``x y value verdict`` per cell; words for both factors; whether their axes are logarithmic.
        sides: Titles of the two scenarios; None shows values in shades of blue.
    """
    figure = _framed(heading, how, footer)
    for (metric, frame, words, logs), place in zip(panels, _places(len(panels), 0.075), strict=True):
        x, y, wide, high = place
        axes = figure.add_axes((x + 0.005, y + 0.022, wide - 0.05, high - 0.022), label=f"scatter:{metric.name}")
        low, high_value = frame["value"].min(), frame["value"].max()
        if sides is None:
            share = (frame["value"] - low) / (high_value - low) if high_value > low else frame["value"] * 0.0
            colors = [_tint(FIRST, 0.0 if math.isnan(one) else one) for one in share]
            axes.scatter(frame["x"], frame["y"], c=colors, s=38, edgecolors=SOFT, linewidths=0.4, zorder=3)
        else:
            for kind, mark in _SCATTER.items():
                here = frame[frame["verdict"].map(_kind_of) == kind]
                if len(here):
                    axes.scatter(here["x"], here["y"], gid=f"dots:{kind}", **mark)
        for is_log, axis, setter in zip(
            logs, (axes.xaxis, axes.yaxis), (axes.set_xscale, axes.set_yscale), strict=True
        ):
            if is_log:
                setter("log")
                axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
                axis.set_minor_formatter(NullFormatter())
        _plain_frame(axes, "both")
        box = axes.get_window_extent()
        for axis, label, room in ((axes.xaxis, words[0], box.width), (axes.yaxis, words[1], box.height)):
            axis.set_label_text(label, fontsize=_SIZE, color=SOFT)
            axis.label.set_parse_math(False)
            _fit_turned(axis.label, label, room, axis is axes.yaxis)
            if not logs[axis is axes.yaxis]:
                axis.set_major_locator(MaxNLocator(4))
        _head(axes, metric)
    if sides is None:
        key: list[tuple[Any, str]] = [
            (Patch(facecolor=_tint(FIRST, 0.0)), "lowest"),
            (Patch(facecolor=_tint(FIRST, 1.0)), "highest"),
        ]
    else:
        seen = {_kind_of(word) for _, frame, _, _ in panels for word in frame["verdict"]}
        words_for = {
            "first": f"{sides[0]}: further (or higher)",
            "other": f"{sides[1]}: further (or higher)",
            "unsure": "cannot tell, or no difference",
            "absent": "not computed",
        }
        key = [
            (
                Line2D(
                    [],
                    [],
                    linestyle="",
                    marker=mark["marker"],
                    markersize=9,
                    markerfacecolor=mark.get("facecolors", INK),
                    markeredgecolor=mark.get("edgecolors", INK),
                    markeredgewidth=mark["linewidths"],
                ),
                words_for[kind],
            )
            for kind, mark in _SCATTER.items()
            if kind in seen or kind != "absent"
        ]
    _key(figure, key)
    return figure


_SCATTER: dict[str, dict[str, Any]] = {
    "unsure": {"marker": "o", "facecolors": "none", "edgecolors": UNSURE, "s": 22, "linewidths": 1.0, "zorder": 2},
    "first": {"marker": "o", "facecolors": FIRST, "edgecolors": "white", "s": 46, "linewidths": 0.5, "zorder": 3},
    "other": {"marker": "^", "facecolors": OTHER, "edgecolors": "white", "s": 52, "linewidths": 0.5, "zorder": 3},
    "absent": {"marker": "x", "color": INK, "s": 36, "linewidths": 1.6, "zorder": 4},
}


def _kind_of(verdict: str) -> str:
    color = _side(verdict)
    if color is not None:
        return "first" if color == FIRST else "other"
    return "absent" if verdict == NOT_COMPUTED else "unsure"


# Bars of shares


def shares_figure(
    heading: str,
    how: str,
    footer: str,
    bars: Mapping[str, Sequence[tuple[float, Any, str]]],
    notes: Mapping[str, str],
    key: Sequence[tuple[Any, str]],
) -> Figure:
    """Shares of all cells, a bar per metric.

    Args:
        heading, how, footer: Words above and below.
        bars: Metric -> pieces (share, how it is drawn as keywords, identifier), from left to right.
        notes: Metric -> words at the right of its bar.
        key: What the pieces mean.
    """
    figure = _framed(heading, how, footer)
    axes = figure.add_axes((0.3, 0.16, 0.52 if notes else 0.67, 0.71), label="shares")
    names = list(bars)
    for y, name in enumerate(names):
        left = 0.0
        for share, look, gid in bars[name]:
            if share <= 0.0:
                continue
            axes.barh(y, share, left=left, height=0.66, linewidth=0.8, zorder=2, gid=gid, **look)
            if share >= 0.06:
                text = write(
                    axes,
                    left + share / 2.0,
                    y,
                    f"{100 * share:.0f}%",
                    fontsize=_SIZE,
                    ha="center",
                    va="center",
                    transform=axes.transData,
                    fontweight="bold",
                    zorder=4,
                )
                text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85})
            left += share
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(len(names) - 0.4, -0.6)
    _plain_frame(axes)
    axes.set_yticks(range(len(names)), [""] * len(names))
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}%"))
    axes.set_xlabel("share of all cells of the design", fontsize=_SIZE, color=SOFT)
    _row_labels(figure, axes, [full_label(BY_NAME[name]) for name in names], 0.03)
    for y, name in enumerate(names):
        if name in notes:
            text = write(axes, 1.012, y, notes[name], fontsize=_SIZE, va="center", transform=axes.get_yaxis_transform())
            fit(text, 0.165 * figure.bbox.width, 2)
    _key(figure, key)
    return figure


# Which pictures a sweep has


def pictures(found: Analysis, wording: Wording, asked: bool = False) -> Iterator[Picture]:
    """The pictures that this design allows, of the last month analyzed; drawn when they are asked for.

    Args:
        found: What was found.
        wording: What to say of the sweep.
        asked: The metrics were chosen by the user: all are drawn, else a selection of every family.
    """
    month = found.months[-1]
    metrics = _drawn(found, asked)
    for response in found.study.main_responses:
        place = found.study.main_responses.index(response) + 1 if len(found.study.main_responses) > 1 else 0
        tail = f"_{place}" if place else ""
        if found.study.pairs:
            yield from _verdict_pictures(found, wording, response, month, tail)
        yield from _map_pictures(found, wording, response, month, metrics, tail)
        for table in _ROW_PICTURES:
            if table in found.tables:
                yield from _row_pictures(found, wording, table, response, month, metrics, tail)
        yield from _precision_pictures(found, wording, response, month, tail)
    yield from _probe_pictures(found, wording, metrics)


def _drawn(found: Analysis, asked: bool) -> list[Metric]:
    if asked:
        return list(found.metrics)
    usual = (
        "burden",
        "disparity_ratio",
        "agenda_origin",
        "affected_attendance",
        "coordination",
        "alive",
        "policy_wins",
        "trust",
        "decision_speed",
    )
    chosen = [metric for metric in found.metrics if metric.name in usual]
    rest = [metric for metric in found.metrics if metric.name not in usual]
    chosen = [*chosen, *rest][:PANELS]
    return [metric for metric in found.metrics if metric in chosen]


def _in_parts(things: Sequence[Any], size: int) -> Iterator[tuple[str, Sequence[Any]]]:
    """Parts of so many, each with the ending of its file's name."""
    for i in range(0, len(things), size):
        yield (f"_{i // size + 1}" if len(things) > size else ""), things[i : i + size]


def _sides(found: Analysis, wording: Wording, response: str) -> tuple[str, str] | None:
    for a, b in found.study.pairs:
        if response == f"{b} - {a}":
            return wording.titles.get(a, a), wording.titles.get(b, b)
    return None


def _verdict_pictures(found: Analysis, wording: Wording, response: str, month: int, tail: str) -> Iterator[Picture]:
    a, b = found.study.pairs[found.study.main_responses.index(response)]
    sides = wording.titles.get(a, a), wording.titles.get(b, b)
    table = found.tables["regions"]
    table = table[(table["month"] == month) & (table["scenario_a"] == a) & (table["scenario_b"] == b)]
    looks: dict[str, dict[str, Any]] = {
        "first": {"facecolor": FIRST, "edgecolor": "white"},
        "unsure": {"facecolor": "white", "edgecolor": "#b5b5b5", "hatch": "////"},
        "absent": {"facecolor": "#4d4d4d", "edgecolor": "white"},
        "other": {"facecolor": OTHER, "edgecolor": "white"},
    }
    bars, told = {}, []
    for metric in found.metrics:
        rows = table[table["metric"] == metric.name]
        shares = {kind: float(rows.loc[rows["verdict"].map(_kind_of) == kind, "share"].sum()) for kind in looks}
        bars[metric.name] = [(shares[kind], look, f"share:{kind}") for kind, look in looks.items()]
        told.append(
            f"{label_of(metric)}: {sides[0]} {100 * shares['first']:.0f}%, {sides[1]} {100 * shares['other']:.0f}%, "
            f"cannot tell {100 * shares['unsure']:.0f}%"
        )
    notes = {m.name: "(no better direction)" for m in found.metrics if m.better == "neither"}
    key = [
        (Patch(facecolor=FIRST), f"{sides[0]}: further (or higher)"),
        (Patch(facecolor="white", edgecolor="#b5b5b5", hatch="////"), "cannot tell, or no difference"),
        (Patch(facecolor=OTHER), f"{sides[1]}: further (or higher)"),
    ]
    if (table["verdict"] == NOT_COMPUTED).any():
        key.append((Patch(facecolor="#4d4d4d"), "not computed"))
    heading = f"In how many cells each gets further, {when(month)}"
    caption = (
        f"Of the {len(found.cells)} cells of the design, in how many the interval of the paired difference says who is "
        "ahead. Shares of cells are shares of the design, not of the world: they change with the ranges chosen."
    )
    yield Picture(
        f"verdicts{tail}",
        heading,
        caption,
        ". ".join(told) + ".",
        "regions",
        lambda: shares_figure(
            heading,
            f"{sides[0]} against {sides[1]}: share of the {len(found.cells)} cells of this design in which each "
            "is ahead by more than chance.",
            wording.footer,
            bars,
            notes,
            key,
        ),
    )


def _map_pictures(
    found: Analysis, wording: Wording, response: str, month: int, metrics: Sequence[Metric], tail: str
) -> Iterator[Picture]:
    kind = found.study.kind
    factors = found.study.factors
    if kind in ("grid", "full_factorial") and len(factors) == 1:
        yield from _line_pictures(found, wording, response, month, metrics, tail)
    elif kind in ("grid", "full_factorial") and len(factors) > 1:
        yield from _grid_pictures(found, wording, response, month, metrics, tail)
    elif kind in ("latin_hypercube", "sobol", "morris") and len(factors) > 1:
        yield from _scatter_pictures(found, wording, response, month, metrics, tail)
    elif kind == "list":
        yield from _line_pictures(found, wording, response, month, metrics, tail)


def _what(wording: Wording, sides: tuple[str, str] | None, response: str) -> str:
    return f"{sides[0]} or {sides[1]}: who gets further" if sides else wording.response(response)


_MAP_ALT = "A map; every cell's difference, interval and verdict stand in the table."


def _grid_pictures(
    found: Analysis, wording: Wording, response: str, month: int, metrics: Sequence[Metric], tail: str
) -> Iterator[Picture]:
    factors = found.study.factors
    sides = _sides(found, wording, response)
    by_name = {factor.name: factor for factor in factors}
    ends = found.study.kind == "full_factorial"
    coded = {factor.name: levels(factor, found.cells[factor.name], ends) for factor in factors}

    def panel(metric: Metric, frame: pd.DataFrame, x: str, y: str, title: str, largest: float) -> Map:
        places = frame.index.to_numpy()
        frame = frame.assign(x=coded[x][0][places], y=coded[y][0][places])
        return Map(title, metric, frame, coded[x][1], coded[y][1], largest)

    def sure(frame: pd.DataFrame) -> float:
        values = frame.loc[frame["verdict"].map(_side).notna(), "value"].abs()
        return float(values.max()) if len(values) else 0.0

    intro = "One rectangle is one cell of the design" + (
        "; numbers are differences (percentage points for shares). Hatched: the interval includes 0, cannot tell."
        if sides
        else "; numbers are means over runs."
    )
    what = _what(wording, sides, response)
    table = "differences" if sides else "outcomes"
    if len(factors) == 2:
        # The factor with more levels lies along the wider side.
        x, y = sorted((factor.name for factor in factors), key=lambda name: -len(coded[name][1]))
        for part, chosen in _in_parts(metrics, PANELS):

            def draw(chosen: Sequence[Metric] = chosen) -> Figure:
                frames = {metric.name: found.at(response, metric.name, month) for metric in chosen}
                maps = [panel(m, frames[m.name], x, y, "", sure(frames[m.name])) for m in chosen]
                return map_figure(
                    f"{what}, {when(month)}", intro, wording.footer, maps, (by_name[x].label, by_name[y].label), sides
                )

            yield Picture(f"map{tail}{part}", f"{what}, {when(month)}", intro, _MAP_ALT, table, draw)
        return
    for metric in metrics:
        names = list(found.importance(response, metric.name, month).index)
        shown = names[:2]
        across: list[str] = []
        panels = 1
        for name in names[2:]:
            if panels * len(coded[name][1]) > 12:
                break
            panels *= len(coded[name][1])
            across.append(name)
        held = [name for name in names[2:] if name not in across]
        fixed = {name: (len(coded[name][1]) - 1) // 2 for name in held}
        words = "".join(f" Here {by_name[n].label} is {coded[n][1][level]}." for n, level in fixed.items())

        def draw_metric(
            metric: Metric = metric,
            shown: Sequence[str] = shown,
            across: Sequence[str] = across,
            fixed: Mapping[str, int] = fixed,
            words: str = words,
        ) -> Figure:
            frame = found.at(response, metric.name, month)
            keep = np.ones(len(frame), dtype=bool)
            for name, level in fixed.items():
                keep &= coded[name][0] == level
            frame = frame[keep]
            largest = sure(frame)
            codes = np.stack([coded[name][0][keep] for name in across], axis=1)
            maps = []
            for combination in sorted({tuple(code) for code in codes}):
                title = ", ".join(
                    f"{by_name[name].label}: {_brief(coded[name][1][level])}"
                    for name, level in zip(across, combination, strict=True)
                )
                maps.append(
                    panel(metric, frame[(codes == combination).all(axis=1)], shown[0], shown[1], title, largest)
                )
            full = _full_color(maps[0], sides)
            return map_figure(
                f"{label_of(metric)}, {when(month)}",
                f"{what}? {intro}{words} {full[:1].upper()}{full[1:]}{'.' if full else ''}",
                wording.footer,
                maps,
                (by_name[shown[0]].label, by_name[shown[1]].label),
                sides,
            )

        yield Picture(
            f"map_{metric.name}{tail}", f"{label_of(metric)}: {what}", intro + words, _MAP_ALT, table, draw_metric
        )


def _scatter_pictures(
    found: Analysis, wording: Wording, response: str, month: int, metrics: Sequence[Metric], tail: str
) -> Iterator[Picture]:
    sides = _sides(found, wording, response)
    by_name = {factor.name: factor for factor in found.study.factors}
    numeric = [f.name for f in found.study.factors if pd.api.types.is_numeric_dtype(found.cells[f.name])]
    if len(numeric) < 2:
        return
    what = _what(wording, sides, response)
    rng = np.random.default_rng(1)
    total = len(found.cells)
    drawn = np.sort(rng.choice(total, DOTS, replace=False)) if total > DOTS else np.arange(total)
    intro = (
        "Each mark is one cell; the axes are the two factors that matter most for that outcome, the others vary too."
        + drawn_words(len(drawn), total, "chosen by lot", "differences" if sides else "outcomes")
    )
    for part, chosen in _in_parts(metrics, PANELS):

        def draw(chosen: Sequence[Metric] = chosen) -> Figure:
            panels = []
            for metric in chosen:
                order = [n for n in found.importance(response, metric.name, month).index if n in numeric]
                x, y = order[:2]
                frame = found.at(response, metric.name, month).iloc[drawn]
                frame = pd.DataFrame(
                    {"x": frame[x], "y": frame[y], "value": frame["value"], "verdict": frame["verdict"]}
                )
                panels.append((metric, frame, (by_name[x].label, by_name[y].label), (by_name[x].log, by_name[y].log)))
            return scatter_figure(f"{what}, {when(month)}", intro, wording.footer, panels, sides)

        alt = "Marks over two factors; every cell's difference, interval and verdict stand in the table."
        yield Picture(
            f"cells{tail}{part}", f"{what}, {when(month)}", intro, alt, "differences" if sides else "outcomes", draw
        )


def spread_by_rank(values: Sequence[float], most: int) -> list[int]:
    """So many positions of values, evenly spread over their ranks, from the lowest to the highest.

    Those without a value come into it only where all fit; then everything stays in its order.
    """
    if len(values) <= most:
        return list(range(len(values)))
    known = [
        place for place in np.argsort(np.asarray(values, dtype=float), kind="stable") if not np.isnan(values[place])
    ]
    steps = np.linspace(0, len(known) - 1, min(most, len(known))).round().astype(np.int64)
    return [int(known[step]) for step in steps]


def drawn_words(drawn: int, total: int, by: str, file: str) -> str:
    """Which cells a picture leaves out, by what rule, and where they are; "" if it leaves out none."""
    if drawn == total:
        return ""
    return f" {drawn:,} of {total:,} cells are drawn, {by}; all are in {file}.csv."


def _cell_words(cells: pd.DataFrame, labels: Sequence[str] | None = None) -> list[str]:
    """A label for every cell; those that share one also get their numbers."""
    words = [str(label) for label in cells["label"]] if labels is None else list(labels)
    often = Counter(words)
    return [
        word if often[word] == 1 else f"{word} (cell {cell})" for word, cell in zip(words, cells["cell"], strict=True)
    ]


def _line_pictures(
    found: Analysis, wording: Wording, response: str, month: int, metrics: Sequence[Metric], tail: str
) -> Iterator[Picture]:
    """Cells in rows: of one factor, or of a list. Of many, some: levels evenly spaced, or cells spread by rank."""
    sides = _sides(found, wording, response)
    cells, table = found.cells, "differences" if sides else "outcomes"
    one = found.study.factors[0] if found.study.kind != "list" else None
    words = _cell_words(cells, None if one is None else [f"{one.label}: {plain(value)}" for value in cells[one.name]])
    intro = "Each row is one cell: mean over runs" + (
        f" of the paired difference, with its 95% interval; left of 0 {sides[0]} is higher, right of it {sides[1]}."
        if sides
        else ", with its 95% interval."
    )
    judged = sides is not None
    for part, chosen in _in_parts(metrics, PANELS if len(words) <= 10 else 3):
        if one is not None:
            step = max(1, math.ceil(len(words) / 24))
            rows, by = list(range(0, len(words), step)), f"every {step}th level"
        else:
            rows = spread_by_rank(found.at(response, chosen[0].name, month)["value"].tolist(), ROWS)
            amount = "difference" if sides else "value"
            by = f"evenly spread by rank of their {amount} in “{label_of(chosen[0])}”, from the lowest to the highest"
        said = intro + drawn_words(len(rows), len(words), by, table)

        def draw(chosen: Sequence[Metric] = chosen, rows: Sequence[int] = rows, said: str = said) -> Figure:
            panels = {}
            for metric in chosen:
                numbers = records(found.at(response, metric.name, month)[["value", "ci_low", "ci_high", "runs"]])
                panels[metric.name] = {
                    words[row]: [
                        Mark(
                            0,
                            numbers[row]["value"],
                            numbers[row]["ci_low"],
                            numbers[row]["ci_high"],
                            judged,
                            int(numbers[row]["runs"]),
                        )
                    ]
                    for row in rows
                }
            return rows_figure(
                f"{wording.response(response)}, {when(month)}",
                said,
                wording.footer,
                panels,
                judged=judged,
                series=() if judged else ("mean over runs, 95% interval",),
                sides=sides,
            )

        yield Picture(
            f"cells{tail}{part}",
            f"{wording.response(response)}, cell by cell, {when(month)}",
            said,
            "Rows with intervals."
            + (drawn_words(len(rows), len(words), by, table) or " The numbers stand in the table."),
            table,
            draw,
        )


@dataclass(frozen=True)
class _Rows:
    """How a table is drawn in rows."""

    heading: str
    how: str
    bars: bool = False
    series: tuple[str, ...] = ()
    judged: bool = True
    difference: bool = True


_ROW_PICTURES: dict[str, _Rows] = {
    "shapley": _Rows(
        "Which parts matter: Shapley values",
        "Each part's fair share of the whole difference, averaged over every order in which the parts could be put "
        "in; together they make up the whole. Lines: 95% intervals over runs.",
        bars=True,
    ),
    "swaps": _Rows(
        "Each part swapped by itself, both ways",
        "What a part brings when it is put in alone, and what is lost when it alone is taken out. Where they differ, "
        "parts work together.",
        series=("put in alone", "taken out alone"),
    ),
    "main_effects": _Rows(
        "Main effects",
        "Highest level minus lowest (for choices: each against the average of all), averaged over all other factors. "
        "Lines: 95% intervals over runs.",
    ),
    "interactions": _Rows(
        "Interactions of two factors",
        "Half the difference of differences: how the effect of one factor depends on the other. "
        "Lines: 95% intervals over runs.",
    ),
    "against_baseline": _Rows(
        "One change at a time",
        "Each row is one cell, minus the cell in which nothing was changed. Lines: 95% intervals over runs.",
    ),
    "morris": _Rows(
        "Screening after Morris",
        "mu*: mean size of the effect over the factor's whole range. sigma: how much that effect depends on where the "
        "other factors stand. Factors with a small mu* matter little.",
        series=("mu* (with 95% interval)", "sigma"),
        judged=False,
    ),
    "sobol": _Rows(
        "Shares of variance: Sobol indices",
        "Part of the variance over all cells that goes back to a factor: alone (S1), and with all its interactions "
        "(ST). Lines: 95% intervals by bootstrap.",
        bars=True,
        series=("S1: alone", "ST: with interactions"),
        judged=False,
        difference=False,
    ),
    "correlations": _Rows(
        "Which factors go with the outcome: rank correlations",
        "Rank correlation over all cells, from −1 to 1: a trend, not a bend. Lines: 95% intervals over cells.",
        difference=False,
    ),
}


def _row_pictures(
    found: Analysis,
    wording: Wording,
    table: str,
    response: str,
    month: int,
    metrics: Sequence[Metric],
    tail: str,
) -> Iterator[Picture]:
    spec = _ROW_PICTURES[table]
    if table == "against_baseline" and found.study.kind != "one_at_a_time":
        return
    rows = {metric.name: marks_of(found, table, response, metric.name, month) for metric in metrics}
    rows = {name: marks for name, marks in rows.items() if marks}
    if not rows:
        return
    sizes: dict[str, float] = {}
    for marks in rows.values():
        largest = max((abs(m.value) for ms in marks.values() for m in ms if math.isfinite(m.value)), default=0.0)
        for label, ms in marks.items():
            size = max((abs(m.value) for m in ms if math.isfinite(m.value)), default=0.0)
            sizes[label] = sizes.get(label, 0.0) + (size / largest if largest > 0.0 else 0.0)
    if table == "against_baseline":
        order = list(sizes)
        if len(order) > ROWS:
            keep = set(sorted(order, key=lambda label: -sizes[label])[:ROWS])
            order = [label for label in order if label in keep]
    else:
        order = sorted(sizes, key=lambda label: -sizes[label])[:ROWS]
    left_out = len(sizes) - len(order)
    how = spec.how + (
        f" The {len(order)} largest of {len(sizes)} are drawn; all are in {table}.csv." if left_out else ""
    )
    heading = f"{spec.heading}, {when(month)}"
    subject = wording.response(response)
    hints = dict.fromkeys(rows, "share of variance") if table == "sobol" else None
    sides = _sides(found, wording, response)
    for part, names in _in_parts(list(rows), PANELS if len(order) <= 10 else 3):

        def draw(names: Sequence[str] = names) -> Figure:
            panels = {name: {label: rows[name].get(label, ()) for label in order} for name in names}
            return rows_figure(
                heading,
                f"{subject}. {how}",
                wording.footer,
                panels,
                bars=spec.bars,
                series=spec.series,
                judged=spec.judged,
                difference=spec.difference,
                hints=hints,
                sides=sides,
            )

        yield Picture(f"{table}{tail}{part}", f"{heading}: {subject}", how, _rows_alt(rows, names, order), table, draw)


def _rows_alt(rows: Mapping[str, Mapping[str, Sequence[Mark]]], names: Sequence[str], order: Sequence[str]) -> str:
    """The largest rows of each panel in words."""
    told = []
    for name in names:
        first = next((label for label in order if rows[name].get(label)), None)
        if first is not None:
            largest = max(rows[name].items(), key=lambda pair: max((abs(m.value) for m in pair[1]), default=0.0))[0]
            told.append(f"{label_of(BY_NAME[name])}: largest for {largest}")
    return "; ".join(told) + ". The numbers stand in the table."


def labels_of(found: Analysis) -> dict[str, str]:
    """A label for every factor; those that share one also get their names."""
    plain_labels = [factor.label for factor in found.study.factors]
    return {
        factor.name: factor.label if plain_labels.count(factor.label) == 1 else f"{factor.label} ({factor.name})"
        for factor in found.study.factors
    }


def marks_of(found: Analysis, table: str, response: str, metric: str, month: int) -> dict[str, list[Mark]]:
    """Label of a row -> its marks, for one of the tables that are drawn in rows."""
    if table == "against_baseline":
        return _baseline_marks(found, response, metric, month)
    frame = found.tables[table]
    frame = frame[(frame["response"] == response) & (frame["metric"] == metric) & (frame["month"] == month)]
    marks: dict[str, list[Mark]] = {}
    labels = labels_of(found)
    ordered: set[str] = set()
    if table == "main_effects":
        ordered = set(frame.loc[frame["level"] == "high - low", "factor"])
    for row in records(frame):
        label = labels.get(row.get("factor", ""), "")
        if table == "sobol":
            marks[label] = [
                Mark(i, row[name], row[f"{name}_low"], row[f"{name}_high"], False)
                for i, name in enumerate(("S1", "ST"))
            ]
        elif table == "morris":
            star, half = row["mu_star"], row["mu_star_conf"]
            marks[label] = [
                Mark(0, star, max(0.0, star - half), star + half, False),
                Mark(1, row["sigma"], math.nan, math.nan, False),
            ]
        elif table == "swaps":
            if row["factor"] != ALL_FACTORS:
                mark = _mark(row, "effect", {INTO_A: 0, OUT_OF_B: 1}[row["direction"]])
                marks.setdefault(label, []).append(mark)
        elif table == "main_effects":
            if row["factor"] in ordered and row["level"] != "high - low":
                continue
            level = "" if row["factor"] in ordered else f": {row['level'].replace('_', ' ')}"
            marks[f"{label}{level}"] = [_mark(row, "effect")]
        elif table == "interactions":
            pair = " × ".join(short(labels[row[one]], 28) for one in ("factor_a", "factor_b"))
            pair = f"{pair} (aliased)" if row["aliases"] else pair
            marks[f"{row['factor_a']} × {row['factor_b']}" if pair in marks else pair] = [_mark(row, "effect")]
        else:
            marks[label] = [_mark(row, {"shapley": "value", "correlations": "correlation"}[table])]
    return marks


def _mark(row: Mapping[str, Any], column: str, series: int = 0) -> Mark:
    return Mark(series, row[column], row["ci_low"], row["ci_high"], True, int(row.get("runs", FEWEST_ALIKE)))


def _baseline_marks(found: Analysis, response: str, metric: str, month: int) -> dict[str, list[Mark]]:
    frame = found.tables.get("against_baseline")
    if frame is None:
        return {}
    frame = frame[(frame["scenario"] == response) & (frame["metric"] == metric) & (frame["month"] == month)]
    label = dict(zip(found.cells["cell"], found.cells["label"], strict=True))
    return {str(label[row["cell"]]): [_mark(row, "difference")] for row in records(frame)}


def _precision_pictures(found: Analysis, wording: Wording, response: str, month: int, tail: str) -> Iterator[Picture]:
    table = found.tables.get("precision_summary")
    if table is None:
        return
    table = table[(table["response"] == response) & (table["month"] == month)]
    rows = {row["metric"]: row for row in records(table)}
    names = [metric.name for metric in found.metrics if metric.name in rows]
    bars, notes, told = {}, {}, []
    for name in names:
        row, metric = rows[name], BY_NAME[name]
        known = row["cells"] / len(found.cells)
        good = row["cells_precise"] / len(found.cells)
        bars[name] = [
            (good, {"facecolor": "#009E73", "edgecolor": "white"}, "share:precise"),
            (known - good, {"facecolor": "white", "edgecolor": WORSE, "hatch": "////"}, "share:wide"),
            (1.0 - known, {"facecolor": "#4d4d4d", "edgecolor": "white"}, "share:absent"),
        ]
        aim = format_difference({"difference": row["target"], "ci_low": np.nan, "ci_high": np.nan}, metric)[0]
        if not math.isnan(row["runs_needed_90"]):
            needed = f"{row['runs_needed_90']:.0f} runs for 9 of 10 cells"
            points = " points" if per_cent(metric) else ""
            notes[name] = f"±{aim.lstrip('+')}{points}: {row['runs_needed_90']:.0f} runs"
            told.append(f"{label_of(metric)}: {100 * good:.0f}% of cells precise enough; {needed}")
    caption = (
        "A cell is precise enough where its 95% interval reaches at most the target (±) to either side. Beside each "
        "bar: the target, and how many runs would be enough for nine cells of ten."
    )
    key = [
        (Patch(facecolor="#009E73"), "precise enough"),
        (Patch(facecolor="white", edgecolor=WORSE, hatch="////"), "interval wider than the target"),
    ]
    if any(row["cells"] < len(found.cells) for row in rows.values()):
        key.append((Patch(facecolor="#4d4d4d"), "not computed, or no coalition left"))
    heading = f"Are there enough runs? {when(month).capitalize()}"
    yield Picture(
        f"precision{tail}",
        heading,
        caption,
        ". ".join(told) + ".",
        "precision_summary",
        lambda: shares_figure(heading, f"{wording.response(response)}. {caption}", wording.footer, bars, notes, key),
    )


# Probes


def probe_questions(found: Analysis, table: str) -> list[tuple[str, str, int]]:
    """What is shown of a table of probes: influence in the last month, and what irreversibility leaves behind."""
    frame = found.tables[table]
    asked = frame[["probe", "metric", "month"]].drop_duplicates().itertuples(index=False, name=None)
    last: dict[tuple[str, str], int] = {}
    for probe, metric, month in asked:
        if probe in (INFLUENCE, NET):
            last[probe, metric] = max(month, last.get((probe, metric), NO_MONTH))
    return [(probe, metric, month) for (probe, metric), month in last.items()]


def answers(found: Analysis, table: str, question: tuple[str, str, int]) -> pd.DataFrame:
    """The rows of a table of probes that answer one question."""
    frame = found.tables[table]
    probe, metric, month = question
    return frame[(frame["probe"] == probe) & (frame["metric"] == metric) & (frame["month"] == month)]


def probe_label(question: tuple[str, str, int]) -> str:
    """A question in plain words."""
    probe, metric, month = question
    return label_of(probed(probe, metric)) + (f", {when(month)}" if month != NO_MONTH else "")


_PROBE_INTRO = {
    INFLUENCE: "How far the agenda moves for each unit by which convictions are shuffled over issues; 0: not at all.",
    NET: "Gap between the way there and the way back, less that of a twin whose rule stays; below 0: it stays higher.",
}


def _probe_pictures(found: Analysis, wording: Wording, metrics: Sequence[Metric]) -> Iterator[Picture]:
    """Probes cell by cell: each scenario's answer and their paired difference; of an ablation, what each part does."""
    if "probes" not in found.tables:
        return
    names = [metric.name for metric in metrics]
    questions = probe_questions(found, "probes")
    several = [question for question in questions if question[0] == NET]
    chosen = [question for question in several if question[1] in names] or several
    questions = [question for question in questions if question[0] == INFLUENCE] + chosen[:PANELS]
    for kind in (INFLUENCE, NET):
        here = [question for question in questions if question[0] == kind]
        if not here:
            continue
        name = f"probes_{'influence' if kind == INFLUENCE else 'irreversibility'}"
        if "probe_swaps" in found.tables:
            yield from _probe_swap_pictures(found, wording, here, name)
            continue
        for place, (a, b) in enumerate(found.study.pairs or ((found.study.names[0], ""),), 1):
            tail = f"_{place}" if len(found.study.pairs) > 1 else ""
            yield from _probe_cell_pictures(found, wording, here, (a, b), f"{name}{tail}")


def _probe_heading(question: tuple[str, str, int]) -> str:
    if question[0] == NET:
        return "Can it be changed back? What stays behind"
    bloc = label_of(probed(*question[:2]))
    return bloc + (f", {when(question[2])}" if question[2] != NO_MONTH else "")


def _dot(color: str, face: str, place: int = 0) -> Line2D:
    """A mark of a key."""
    shape, size = _SERIES[place]
    return Line2D(
        [], [], marker=shape, color=color, markerfacecolor=face, markersize=size, markeredgewidth=1.8, linewidth=2.0
    )


def _probe_cell_pictures(
    found: Analysis, wording: Wording, questions: Sequence[tuple[str, str, int]], pair: tuple[str, str], name: str
) -> Iterator[Picture]:
    """A panel of both scenarios' answers for each question, and below or beside it their paired difference."""
    a, b = pair
    words = dict(zip(found.cells["cell"], _cell_words(found.cells), strict=True))
    table = "probe_differences" if b else "probes"
    most = ROWS if len(questions) == 1 else 6
    sides = [wording.titles.get(one, one) for one in pair if one]
    for part, chosen in _in_parts(questions, 3):
        first = answers(found, table, chosen[0])
        if b:
            first = first[(first["scenario_a"] == a) & (first["scenario_b"] == b)]
        cells = first["cell"].to_numpy()
        amount = "difference" if b else "mean"
        order = cells[spread_by_rank(first[amount].tolist(), most)]
        measure = label_of(probed(chosen[0][0], chosen[0][1]))
        by = f"evenly spread by rank of their {amount} in “{measure}”, from the lowest to the highest"
        said = drawn_words(len(order), len(cells), by, table)
        intro = f"Each row is one cell. {_PROBE_INTRO[chosen[0][0]]} Lines: 95% intervals over runs.{said}"

        def draw(chosen: Sequence[tuple[str, str, int]] = chosen, order: Any = order, intro: str = intro) -> Figure:
            panels: dict[str, dict[str, list[Mark]]] = {}
            declared: dict[str, Metric] = {}
            for question in chosen:
                metric = probed(question[0], question[1])
                declared[metric.name] = metric
                rows = panels.setdefault(metric.name, {words[cell]: [] for cell in order})
                levels_of = answers(found, "probes", question)
                for series, one in enumerate(pair):
                    for row in records(levels_of[(levels_of["scenario"] == one) & levels_of["cell"].isin(order)]):
                        rows[words[row["cell"]]].append(
                            Mark(series, row["mean"], row["ci_low"], row["ci_high"], False, row["runs"])
                        )
            for question in chosen if b else ():
                metric = probed(question[0], question[1])
                told = f"{metric.name}:difference"
                declared[told] = replace(metric, label=f"{metric.label}, difference")
                here = answers(found, "probe_differences", question)
                here = here[(here["scenario_a"] == a) & (here["scenario_b"] == b) & here["cell"].isin(order)]
                panels[told] = {words[cell]: [] for cell in order}
                for row in records(here):
                    panels[told][words[row["cell"]]].append(_mark(row, "difference"))

            key: list[tuple[Any, str]] = [
                (_dot(color, color, place), side)
                for place, (side, color) in enumerate(zip(sides, (FIRST, OTHER), strict=False))
            ]
            if b:
                key.append((_dot(INK, INK), f"{sides[1]} minus {sides[0]}, paired"))
            key.append((_dot(UNSURE, "white"), "hollow: the interval includes 0"))
            return rows_figure(
                _probe_heading(chosen[0]),
                intro,
                wording.footer,
                panels,
                declared=declared,
                by_side=[one for one in panels if not one.endswith(":difference")],
                hints={one: f"right of 0: {sides[-1]} is higher" for one in panels if one.endswith(":difference")},
                key=key,
            )

        yield Picture(
            f"{name}{part}",
            f"{_probe_heading(chosen[0])}{part.replace('_', ', ')}",
            intro,
            f"Rows with intervals.{said or ' The numbers stand in the table.'}",
            table,
            draw,
        )


def _probe_swap_pictures(
    found: Analysis, wording: Wording, questions: Sequence[tuple[str, str, int]], name: str
) -> Iterator[Picture]:
    labels = labels_of(found)
    for part, chosen in _in_parts(questions, 3):
        panels: dict[str, dict[str, list[Mark]]] = {}
        declared: dict[str, Metric] = {}
        sizes: dict[str, float] = {}
        for question in chosen:
            metric = probed(question[0], question[1])
            declared[metric.name] = metric
            panels[metric.name] = {}
            here = answers(found, "probe_swaps", question)
            here = here[here["factor"] != ALL_FACTORS]
            largest = here["effect"].abs().max()
            for row in records(here):
                label = labels[row["factor"]]
                mark = _mark(row, "effect", {INTO_A: 0, OUT_OF_B: 1}[row["direction"]])
                panels[metric.name].setdefault(label, []).append(mark)
                size = abs(row["effect"]) / largest if largest > 0.0 else 0.0
                sizes[label] = max(sizes.get(label, 0.0), 0.0 if math.isnan(size) else size)
        order = sorted(sizes, key=lambda label: -sizes[label])[:ROWS]
        said = f" The {len(order)} largest of {len(sizes)} are drawn; all are in probe_swaps.csv."
        said = said if len(order) < len(sizes) else ""
        intro = (
            "What each part brings when it alone is put in, and what is lost when it alone is taken out. "
            f"{_PROBE_INTRO[chosen[0][0]]} Lines: 95% intervals over runs.{said}"
        )
        shown = {one: {label: rows.get(label, []) for label in order} for one, rows in panels.items()}

        def draw(
            shown: Mapping[str, Mapping[str, Sequence[Mark]]] = shown,
            declared: Mapping[str, Metric] = declared,
            intro: str = intro,
            heading: str = f"{_probe_heading(chosen[0])}: {' and '.join(wording.titles.values())}",
        ) -> Figure:
            return rows_figure(
                heading,
                intro,
                wording.footer,
                shown,
                series=("put in alone", "taken out alone"),
                declared=declared,
                key=[
                    (_dot(INK, INK, 0), "put in alone"),
                    (_dot(INK, INK, 1), "taken out alone"),
                    (_dot(UNSURE, "white"), "cannot tell (the interval includes 0)"),
                ],
            )

        yield Picture(
            f"{name}{part}",
            f"{_probe_heading(chosen[0])}{part.replace('_', ', ')}",
            intro,
            f"Rows with intervals.{said or ' The numbers stand in the table.'}",
            "probe_swaps",
            draw,
        )
