"""Maps and scatter plots of cells."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from cej_sim.comparison import format_difference, format_value, records, short
from cej_sim.parameters import Metric
from cej_sim.plots import INK, SOFT, better_words, fit, per_cent, write
from cej_sim.sweeps.analysis import NOT_COMPUTED
from cej_sim.sweeps.figures.frame import (
    FIRST,
    OTHER,
    SIZE,
    UNSURE,
    draw_key,
    framed,
    panel_head,
    panel_places,
    plain_frame,
)


def _tint(color: str, share: float) -> tuple[float, float, float]:
    """A color thinned with white; even the least difference that is sure keeps a visible tint."""
    strength = 0.22 + 0.78 * min(1.0, max(0.0, share))
    red, green, blue = to_rgb(color)
    return (1 - strength + strength * red, 1 - strength + strength * green, 1 - strength + strength * blue)


def side_of(verdict: str) -> str | None:
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
    figure = framed(heading, how, footer)
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
            axis.set_label_text(label, fontsize=SIZE, color=SOFT)
            axis.label.set_parse_math(False)
            _fit_turned(axis.label, label, room, axis is axes.yaxis)
        if one.title:
            title = write(
                axes,
                0.0,
                1.0 + 12.0 / box.height,
                one.title,
                fontsize=SIZE + 1,
                fontweight="bold",
                va="baseline",
                gid="map-title",
            )
            fit(title, box.width, 2)
        else:
            # The full color of each panel is its own: said where the better direction usually stands.
            hint = "; ".join(part for part in (better_words(one.metric), full_color(one, sides)) if part)
            panel_head(axes, one.metric, hint=hint)
    draw_key(figure, _map_key(maps, sides))
    return figure


def _fit_turned(text: Any, words: str, room: float, turned: bool) -> None:
    """Wrap an axis label into two rows along its axis, and shorten it where that is not enough."""
    for count in range(len(words), 3, -1):
        wrapped = textwrap.wrap(words, count, break_long_words=False)
        text.set_text("\n".join([*wrapped[:1], *(short(" ".join(wrapped[1:]), count) for _ in wrapped[1:2])]))
        box = text.get_window_extent()
        if (box.height if turned else box.width) <= room + 24.0:
            return


def full_color(one: Map, sides: tuple[str, str] | None) -> str:
    """Which difference has the full color, in words."""
    if sides is None or not one.largest > 0.0:
        return ""
    shown = format_difference({"difference": one.largest, "ci_low": np.nan, "ci_high": np.nan}, one.metric)[0]
    return f"darkest: {shown.lstrip('+')}{' points' if per_cent(one.metric) else ''}"


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
            color = side_of(str(row["verdict"]))
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
                fontsize=min(SIZE, 0.28 * cell[0], 0.5 * cell[1]),
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
        told = brief_levels(words)
        {"x": axes.set_xticks, "y": axes.set_yticks}[which](list(ticks), [told[t] for t in ticks])
    plain_frame(axes, "")
    axes.tick_params(length=0)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def brief(word: str, most: int = 14) -> str:
    """A word cut to so many letters."""
    word = word.replace("_", " ")
    return word if len(word) <= most else word[: most - 1].rstrip() + "…"


def brief_levels(words: Sequence[str]) -> list[str]:
    """Levels for an axis: numbers to three digits where that still tells them apart, words cut."""

    def rounded(word: str) -> str:
        try:
            number = float(word)
        except ValueError:
            return brief(word)
        return f"{number:.3g}" if abs(number) < 1000.0 else f"{number:.6g}"

    told = [rounded(word) for word in words]
    return told if len(set(told)) == len(set(words)) else [brief(word) for word in words]


def log_ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers within a range, for a logarithmic axis."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks: list[float] = []
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)):
        found = [float(f"{step}e{decade}") for decade in decades for step in steps]
        found = [tick for tick in found if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]
        ticks = found if len(found) <= 6 or not ticks else ticks
        if len(ticks) >= 3:
            break
    return ticks


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
        if seen & {"no difference", "no difference seen"}:
            key.append((Patch(facecolor="white", edgecolor="#b5b5b5"), "no difference in any run"))
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
    figure = framed(heading, how, footer)
    for (metric, frame, words, logs), place in zip(panels, panel_places(len(panels), 0.075), strict=True):
        x, y, wide, high = place
        axes = figure.add_axes((x + 0.005, y + 0.022, wide - 0.05, high - 0.022), label=f"scatter:{metric.name}")
        low, high_value = frame["value"].min(), frame["value"].max()
        axes.margins(0.08)
        larger = min(3.5, max(1.0, 350.0 / max(1, len(frame))))
        if sides is None:
            share = (frame["value"] - low) / (high_value - low) if high_value > low else frame["value"] * 0.0
            colors = [_tint(FIRST, 0.0 if math.isnan(one) else one) for one in share]
            axes.scatter(frame["x"], frame["y"], c=colors, s=38 * larger, edgecolors=SOFT, linewidths=0.4, zorder=3)
        else:
            for kind, mark in _SCATTER.items():
                here = frame[frame["verdict"].map(kind_of) == kind]
                if len(here):
                    look = {**mark, "s": larger * mark["s"]}
                    axes.scatter(here["x"], here["y"], gid=f"dots:{kind}", **look)
        for is_log, axis, setter in zip(
            logs, (axes.xaxis, axes.yaxis), (axes.set_xscale, axes.set_yscale), strict=True
        ):
            if is_log:
                setter("log")
                column = frame["y" if axis is axes.yaxis else "x"]
                axis.set_major_locator(FixedLocator(log_ticks(float(column.min()), float(column.max()))))
                axis.set_minor_locator(NullLocator())
                axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
                axis.set_minor_formatter(NullFormatter())
        plain_frame(axes, "both")
        box = axes.get_window_extent()
        for axis, label, room in ((axes.xaxis, words[0], box.width), (axes.yaxis, words[1], box.height)):
            axis.set_label_text(label, fontsize=SIZE, color=SOFT)
            axis.label.set_parse_math(False)
            _fit_turned(axis.label, label, room, axis is axes.yaxis)
            if not logs[axis is axes.yaxis]:
                axis.set_major_locator(MaxNLocator(4))
        panel_head(axes, metric)
    if sides is None:
        key: list[tuple[Any, str]] = [
            (Patch(facecolor=_tint(FIRST, 0.0)), "lowest"),
            (Patch(facecolor=_tint(FIRST, 1.0)), "highest"),
        ]
    else:
        seen = {kind_of(word) for _, frame, _, _ in panels for word in frame["verdict"]}
        words_for = {
            "first": f"{sides[0]}: further (or higher)",
            "other": f"{sides[1]}: further (or higher)",
            "unsure": "cannot tell, or no difference seen",
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
    draw_key(figure, key)
    return figure


_SCATTER: dict[str, dict[str, Any]] = {
    "unsure": {"marker": "o", "facecolors": "none", "edgecolors": UNSURE, "s": 30, "linewidths": 1.0, "zorder": 2},
    "first": {"marker": "o", "facecolors": FIRST, "edgecolors": "white", "s": 46, "linewidths": 0.5, "zorder": 3},
    "other": {"marker": "^", "facecolors": OTHER, "edgecolors": "white", "s": 52, "linewidths": 0.5, "zorder": 3},
    "absent": {"marker": "x", "color": INK, "s": 36, "linewidths": 1.6, "zorder": 4},
}


def kind_of(verdict: str) -> str:
    """Which mark a verdict has in a scatter plot."""
    color = side_of(verdict)
    if color is not None:
        return "first" if color == FIRST else "other"
    return "absent" if verdict == NOT_COMPUTED else "unsure"
