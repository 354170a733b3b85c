"""Figures: what happened month by month, and the residents' staircase from seats to ideas.

Figures are made on their own canvas, never through pyplot, so that many can be made at once and none
is left behind. Colors are those of Okabe and Ito (2008), told apart under the common kinds of color
blindness, and every scenario has its own line style as well.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from cej_sim.comparison import BY_NAME, FAMILIES, label_of, last_month, scenario_names, short, while_it_exists, worded
from cej_sim.parameters import Metric

#: The outcomes of a figure with six panels: at least one of every family, the strengths of either side among them.
PANELS: tuple[str, ...] = (
    "burden",
    "disparity_ratio",
    "agenda_origin",
    "affected_attendance",
    "coordination",
    "funded",
)

#: The residents' staircase: metric -> plain word. The first two are set, the others happen.
STAIRCASE: dict[str, str] = {
    "seat_share": "seats",
    "vote_share": "votes",
    "decision_share": "say",
    "agenda_origin": "ideas",
}

#: The month of the staircase, or the last.
STAIRCASE_MONTH = 60

#: Percentiles over runs that bound a band.
BAND = (10, 90)

#: Okabe and Ito's colors, those with most contrast on white first.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9")

_DASHES: tuple[Any, ...] = (
    "-",
    (0, (6, 2)),
    (0, (1.2, 1.4)),
    (0, (7, 2, 1.2, 2)),
    (0, (3, 1.2)),
    (0, (9, 2, 1.2, 2, 1.2, 2)),
)
# The lighter ones, darkened for words.
WORD_COLORS = {
    "#CC79A7": "#A04A7A",
    "#E69F00": "#946400",
    "#56B4E9": "#2377A8",
    "#009E73": "#007A59",
    "#D55E00": "#B84F00",
}
INK, SOFT, FAINT = "#1a1a1a", "#595959", "#d0d0d0"
_REFERENCE = {"disparity_ratio": (1.0, "equal burden"), "seat_gap": (0.0, "seats = ideas")}
_FEW = 3  # up to so many scenarios are labeled at their lines; more need a key


@dataclass(frozen=True, slots=True)
class _Look:
    """How a scenario is drawn."""

    name: str
    title: str
    color: str
    dashes: Any

    @property
    def word_color(self) -> str:
        """Its color, dark enough for words."""
        return WORD_COLORS.get(self.color, self.color)


def _looks(monthly: pd.DataFrame, titles: Mapping[str, str]) -> list[_Look]:
    present = scenario_names(monthly)
    if not titles:
        raise ValueError("a figure needs at least one scenario")
    for name in titles:
        if name not in present:
            raise ValueError(f"no scenario {name!r} in this table; it holds: {', '.join(present)}")
    return [
        # Seven colors and six kinds of dashes: pairs repeat only after 42 scenarios.
        _Look(name, " ".join(title.split()) or name, COLORS[i % len(COLORS)], _DASHES[i % len(_DASHES)])
        for i, (name, title) in enumerate(titles.items())
    ]


def style(place: int) -> tuple[str, tuple[float, ...]]:
    """Color and dashes (in line widths; none for a solid line) of the scenario in a place, counted from 0."""
    dashes = _DASHES[place % len(_DASHES)]
    return COLORS[place % len(COLORS)], () if dashes == "-" else dashes[1]


def _metric(monthly: pd.DataFrame, name: str) -> Metric:
    if name not in BY_NAME:
        raise ValueError(f"there is no metric {name!r}")
    if name not in monthly.columns:
        raise ValueError(f"this table has no column {name!r}")
    return BY_NAME[name]


# What is drawn


@dataclass(frozen=True, slots=True)
class Course:
    """How outcomes went, worked out once for every picture that is made of the same table.

    Attributes:
        bands: (Scenario, metric) -> what ``band`` returns.
        runs: Scenario -> number of its runs.
        last: The last month that every scenario reaches.
    """

    bands: dict[tuple[str, str], pd.DataFrame]
    runs: dict[str, int]
    last: int


def course(monthly: pd.DataFrame, scenarios: Iterable[str], metrics: Iterable[str]) -> Course:
    """How some outcomes of some scenarios went.

    Args:
        monthly: A row per scenario, run and month.
        scenarios: Names of scenarios.
        metrics: Names of outcomes.

    Raises:
        ValueError: If a metric is unknown or not in the table.
    """
    scenarios, metrics = list(scenarios), [_metric(monthly, name).name for name in metrics]
    needed = {"scenario", "run", "month", "alive", *metrics}
    rows = monthly.loc[monthly["scenario"].isin(scenarios), [name for name in monthly.columns if name in needed]]
    by_month = while_it_exists(rows).groupby(["scenario", "month"], observed=True)[metrics]
    parts = {"mean": by_month.mean()}
    parts |= {word: by_month.quantile(share / 100.0) for word, share in zip(("low", "high"), BAND, strict=True)}
    return Course(
        {
            (scenario, metric): pd.DataFrame({word: table.loc[scenario, metric] for word, table in parts.items()})
            for scenario in scenarios
            for metric in metrics
        },
        {str(name): int(runs) for name, runs in rows.groupby("scenario", observed=True)["run"].nunique().items()},
        last_month(rows),
    )


def band(monthly: pd.DataFrame, scenario: str, metric: str) -> pd.DataFrame:
    """Mean and 10th and 90th percentile over runs, by month: index ``month``, columns ``mean low high``.

    What says nothing without a coalition is taken over the runs in which it still exists.
    """
    return course(monthly, [scenario], [metric]).bands[scenario, metric]


def usual_panels(monthly: pd.DataFrame) -> tuple[str, ...]:
    """``PANELS``, the last one showing how many coalitions exist where some have ended."""
    ended = "alive" in monthly.columns and bool((monthly["alive"] == 0.0).any())
    return (*PANELS[:-1], "alive") if ended else PANELS


def grant_ends(monthly: pd.DataFrame) -> dict[str, int]:
    """Scenario -> first month in which fewer than half of the runs are funded, after a month in which half were.

    A scenario whose grant does not end within the horizon is left out.
    """
    ends: dict[str, int] = {}
    if "funded" not in monthly.columns:
        return ends
    for name in scenario_names(monthly):
        funded = monthly[monthly["scenario"] == name].groupby("month")["funded"].mean().sort_index()
        ended = funded.index[(funded < 0.5) & (funded >= 0.5).cummax()]
        if len(ended):
            ends[name] = int(ended[0])
    return ends


def staircase(monthly: pd.DataFrame, scenario: str, month: int | None = None) -> pd.DataFrame:
    """The residents' staircase of a scenario: index ``seats votes say ideas``, columns ``mean low high nature``.

    Args:
        monthly: A row per scenario, run and month.
        scenario: Its name.
        month: Which month; None takes ``STAIRCASE_MONTH``, or the last month where that is earlier.
    """
    month = staircase_month(monthly, month)
    rows = while_it_exists(monthly[(monthly["scenario"] == scenario) & (monthly["month"] == month)])
    if rows.empty:
        raise ValueError(f"scenario {scenario!r} has no month {month} in this table")
    record = {}
    for name, word in STAIRCASE.items():
        values = rows[_metric(monthly, name).name].dropna().to_numpy(float)
        values = values if values.size else np.zeros(1)  # nobody holds anything where no coalition is left
        low, high = np.percentile(values, BAND)
        record[word] = {"mean": values.mean(), "low": low, "high": high, "nature": BY_NAME[name].nature}
    return pd.DataFrame.from_dict(record, orient="index")


def staircase_month(monthly: pd.DataFrame, month: int | None = None) -> int:
    """The month of the staircase: the one asked for (by default ``STAIRCASE_MONTH``), or the last."""
    return min(STAIRCASE_MONTH if month is None else month, last_month(monthly))


# Text that fits


def write(where: Figure | Axes, x: float, y: float, text: str, **style: Any) -> Text:
    """Text that is never read as a formula; on axes in fractions of them."""
    style = {"color": INK, "parse_math": False, **style}
    if isinstance(where, Axes):
        style.setdefault("transform", where.transAxes)
    return where.text(x, y, text, **style)


def extent(text: Text) -> tuple[float, float]:
    """Width and height of a text in pixels."""
    box = text.get_window_extent()
    return float(box.width), float(box.height)


def fit(text: Text, width: float, rows: int = 1) -> Text:
    """Wrap and, where that is not enough, make smaller and then shorten a text to a width in pixels and some rows."""
    words, figure = " ".join(text.get_text().split()), text.get_figure(root=True)
    style = text.get_fontsize(), text.get_fontweight(), text.get_fontstyle()
    fitting, size = _fitting(words, width, rows, *style, 100.0 if figure is None else figure.dpi)
    text.set_text(fitting)
    text.set_fontsize(size)
    return text


@lru_cache(maxsize=1000)
def _fitting(
    words: str, width: float, rows: int, size: float, weight: str | int, style: str, dpi: float
) -> tuple[str, float]:
    """What ``fit`` makes of some words in a font: the rows, and the size of the font."""
    text = write(canvas(1.0, 1.0, dpi), 0.0, 0.0, words, fontsize=size, fontweight=weight, fontstyle=style)
    smaller = size
    for share in (1.0, 0.92, 0.84, 0.76):
        smaller = share * size
        text.set_fontsize(smaller)
        for columns in range(len(words), 2, -1):
            wrapped = textwrap.wrap(words, columns, break_long_words=False, break_on_hyphens=False)
            if len(wrapped) > rows:
                break
            text.set_text("\n".join(wrapped))
            if extent(text)[0] <= width:
                return text.get_text(), smaller
    for columns in range(len(words), 2, -1):
        wrapped = textwrap.wrap(words, columns, break_long_words=False, break_on_hyphens=False) if rows > 1 else [words]
        if len(wrapped) > rows:
            wrapped = [*wrapped[: rows - 1], " ".join(wrapped[rows - 1 :])]
        text.set_text("\n".join(short(row, columns) for row in wrapped))
        if extent(text)[0] <= width:
            break
    return text.get_text(), smaller


# One panel of trajectories


def per_cent(metric: Metric) -> bool:
    """Whether a metric is shown in per cent."""
    return metric.unit in ("share", "yes/no")


def _limits(metric: Metric, low: float, high: float) -> tuple[float, float]:
    """Limits of the vertical axis: from 0 where the unit has one, with room above."""
    if metric.unit == "ratio":
        level = _REFERENCE.get(metric.name, (low, ""))[0]
        low, high = min(low, level), max(high, level)
        room = 0.08 * (high - low) or 0.1
        return low - 2.0 * room, high + room
    if metric.unit == "yes/no":
        return 0.0, 1.08
    if metric.unit == "band":
        return 0.9, 3.1
    room = 1.1 * high if high > 0.0 else 1.0
    return min(0.0, 1.1 * low), max(high, min(room, 1.05)) if metric.unit in ("share", "mean") else room


def _years(axes: Axes, last: int, label: bool) -> float:
    """Set up the horizontal axis in years, or in months below two years; returns months per unit of the axis."""
    unit = 12.0 if last >= 24 else 1.0
    end = max(last, 1) / unit
    step = max(1, int(np.ceil(end / 6)))
    axes.set_xlim(0.0, end)
    axes.set_xticks(np.arange(0, np.floor(end) + 1, step))
    if label:
        axes.set_xlabel("years" if unit == 12.0 else "months", color=SOFT, labelpad=1)
    return unit


def _spread_out(centers: Sequence[float], heights: Sequence[float], bottom: float, top: float) -> list[float]:
    """Move label centers apart so that none overlaps, keeping their order, within [bottom, top] as far as they fit."""
    order = sorted(range(len(centers)), key=lambda i: (centers[i], -i))
    placed = [float(center) for center in centers]
    floor = bottom
    for i in order:
        placed[i] = max(placed[i], floor + heights[i] / 2.0)
        floor = placed[i] + heights[i] / 2.0
    ceiling = top
    for i in order[::-1]:
        placed[i] = min(placed[i], ceiling - heights[i] / 2.0)
        ceiling = placed[i] - heights[i] / 2.0
    return placed


def _label_lines(axes: Axes, ends: Sequence[tuple[_Look, float]], size: float, room: float) -> None:
    """Write each scenario's title at the end of its line, in its color, without overlaps."""
    texts = []
    for look, _ in ends:
        text = write(
            axes,
            1.0,
            0.0,
            look.title,
            color=look.word_color,
            fontsize=size - 1,
            fontweight="bold",
            va="center",
            linespacing=1.0,
            gid="line-label",
        )
        texts.append(fit(text, room - 10.0, 3 if len(ends) < _FEW else 2))
    for text in texts:
        text.set_fontsize(min(float(one.get_fontsize()) for one in texts))
    box = axes.get_window_extent()
    low, high = axes.get_ylim()
    centers = [box.height * (value - low) / (high - low) for _, value in ends]
    heights = [extent(text)[1] + 3.0 for text in texts]
    offset = 8.0 / box.width
    for text, center in zip(texts, _spread_out(centers, heights, 0.0, float(box.height)), strict=True):
        text.set_position((1.0 + offset, center / box.height))


def _put_free(
    axes: Axes, text: Text, spots: Sequence[tuple[float, float, str, str]], lines: Sequence[str] = ("mean:",)
) -> None:
    """Move a text to the first of some spots (x, y, ha, va) that crosses no line of some kinds and no other such text.

    If every spot crosses one, it goes to the spot that crosses the least.
    """
    curves = []
    for line in axes.lines:
        if str(line.get_gid()).startswith(tuple(lines)):
            points = line.get_transform().transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
            points = points[np.isfinite(points).all(axis=1)]
            if len(points):
                at = np.linspace(0, len(points) - 1, 600)
                curves.append(np.column_stack([np.interp(at, np.arange(len(points)), points[:, i]) for i in (0, 1)]))
    others = [other.get_window_extent() for other in axes.texts if other is not text and other.get_gid() == "mark"]
    text.set_gid("mark")
    frame = axes.get_window_extent()
    best, least = spots[0], np.inf
    for spot in spots:
        x, y, ha, va = spot
        text.set(position=(x, y), ha=ha, va=va)
        box = text.get_window_extent().expanded(1.02, 1.25)
        crossed = sum(
            int(((c[:, 0] > box.x0) & (c[:, 0] < box.x1) & (c[:, 1] > box.y0) & (c[:, 1] < box.y1)).sum())
            for c in curves
        )
        crossed += 600 * sum(box.overlaps(other) for other in others)
        crossed += 10_000 * (box.x0 < frame.x0 - 2 or box.x1 > frame.x1 + 2 or box.y1 > frame.y1 + 4)
        if crossed < least:
            best, least = spot, crossed
        if not crossed:
            break
    x, y, ha, va = best
    text.set(position=(x, y), ha=ha, va=va)


def _mark_grant_ends(
    axes: Axes, looks: Sequence[_Look], ends: Mapping[str, int], unit: float, size: float, words: bool
) -> None:
    """A dotted vertical line where each scenario's grant ends; one gray line where it ends for all at once."""
    by_month: dict[int, list[_Look]] = {}
    right = axes.get_xlim()[1]
    for look in looks:
        if look.name in ends and 0 < ends[look.name] / unit <= right:
            by_month.setdefault(int(ends[look.name]), []).append(look)
    for row, (month, group) in enumerate(sorted(by_month.items())):
        color = group[0].word_color if len(group) == 1 and len(looks) > 1 else SOFT
        x = month / unit
        axes.axvline(x, color=color, linestyle=(0, (1, 2)), linewidth=1.6, zorder=1.5, gid="grant-end")
        if words and row < 3:
            left = x > 0.5 * right
            text = write(
                axes,
                x,
                0.03,
                "grant ends " if left else " grant ends",
                color=color,
                fontsize=size,
                ha="right" if left else "left",
                va="bottom",
                zorder=4,
                transform=axes.get_xaxis_transform(),
            )
            text.set_bbox({"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5})
            levels = (0.03, 0.9, 0.12, 0.8, 0.22, 0.7, 0.32, 0.6, 0.45)
            sides = (True, False) if left else (False, True)
            spots = [(x, y, "right" if side else "left", "bottom") for y in levels for side in sides]
            text.set_text(" grant ends ")
            _put_free(axes, text, spots)


def better_words(metric: Metric) -> str:
    """Which direction is better, or ""."""
    return {"up": "higher is better", "down": "lower is better", "neither": ""}[metric.better]


def full_label(metric: Metric) -> str:
    """The plain label, with the unit where the axis does not tell it."""
    unit = {"yes/no": "share of runs", "hours": "hours a month"}.get(metric.unit)
    return f"{label_of(metric)} ({unit})" if unit else label_of(metric)


def _draw_panel(
    axes: Axes,
    monthly: pd.DataFrame,
    went: Course,
    looks: Sequence[_Look],
    metric: Metric,
    ends: Mapping[str, int],
    *,
    size: float,
    room: float,
    grant_words: bool,
    x_label: bool,
    single_runs: int = 0,
) -> None:
    """One outcome of all scenarios: mean, band, grant ends, labels. ``room`` is the pixels for labels at the right."""
    unit = _years(axes, went.last, x_label)
    seen: list[float] = []
    line_ends = []
    for look in looks:
        values = went.bands[look.name, metric.name]
        values = values[values.index / unit <= axes.get_xlim()[1]]
        x = values.index.to_numpy() / unit
        seen += [*values["mean"]]
        if metric.unit != "yes/no" and went.runs[look.name] > 1:
            seen += [*values["low"], *values["high"]]
            axes.fill_between(
                x,
                values["low"],
                values["high"],
                color=look.color,
                linewidth=0,
                zorder=2,
                alpha=0.2 if len(looks) <= _FEW else 0.1,
                gid=f"band:{look.name}",
            )
        if single_runs and metric.unit != "yes/no":
            chosen = monthly[monthly["scenario"] == look.name]
            for run in sorted(chosen["run"].unique())[:single_runs]:
                one = chosen[chosen["run"] == run].sort_values("month")
                seen += [*one[metric.name]]
                axes.plot(
                    one["month"] / unit,
                    one[metric.name],
                    color=look.color,
                    linewidth=0.6,
                    alpha=0.35,
                    zorder=2.5,
                    gid="run",
                )
        axes.plot(
            x,
            values["mean"],
            color=look.color,
            linestyle=look.dashes,
            linewidth=2.8,
            zorder=3,
            clip_on=False,
            marker="o" if len(x) < 3 else "",
            markersize=8,
            gid=f"mean:{look.name}",
        )
        line_ends.append((look, float(values["mean"].iloc[-1])))
    finite = [value for value in seen if np.isfinite(value)] or [0.0]
    axes.set_ylim(*_limits(metric, min(finite), max(finite)))
    if metric.name in _REFERENCE:
        axes.axhline(_REFERENCE[metric.name][0], color=SOFT, linewidth=1, zorder=1)
    _dress(axes, metric, size)
    _mark_grant_ends(axes, looks, ends, unit, size, grant_words)
    if metric.name in _REFERENCE:
        level, words = _REFERENCE[metric.name]
        text = write(axes, 0.02, level, words, fontsize=size, color=SOFT, transform=axes.get_yaxis_transform())
        _put_free(
            axes,
            text,
            [
                (x, level, ha, va)
                for va in ("bottom", "top")
                for x, ha in ((0.02, "left"), (0.98, "right"), (0.5, "center"))
            ],
            ("mean:", "grant-end"),
        )
    if room and all(np.isfinite(value) for _, value in line_ends):
        _label_lines(axes, line_ends, size, room)


def _dress(axes: Axes, metric: Metric, size: float) -> None:
    """Ticks, grid and frame."""
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10], integer=metric.unit in ("count", "band")))
    if per_cent(metric):
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.4g}%"))
    axes.tick_params(labelsize=size, colors=SOFT, length=3)
    axes.xaxis.label.set_fontsize(size)
    axes.grid(axis="y", color=FAINT, linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(SOFT)


def _head_panel(axes: Axes, metric: Metric, *, size: float, left: float, room: float) -> None:
    """Family, plain label and better direction above a panel; ``left`` and ``room`` in pixels beyond the axes."""
    box = axes.get_window_extent()
    x, width = -left / box.width, box.width + left + room
    hint = better_words(metric)
    y = 1.0 + 12.0 / box.height
    label = write(
        axes,
        x,
        y,
        full_label(metric),
        fontsize=size + 2,
        fontweight="bold",
        va="baseline",
        linespacing=1.15,
        gid="panel-label",
    )
    rows = fit(label, width, 2).get_text().count("\n") + 1
    y += (2.0 + rows * 1.85 * size) / box.height
    family = write(
        axes,
        x,
        y,
        FAMILIES[metric.family].upper(),
        fontsize=size - 1,
        color=SOFT,
        va="baseline",
        fontweight="bold",
        gid="panel-family",
    )
    if hint:
        text = write(
            axes,
            x + (extent(family)[0] + 10.0) / box.width,
            y,
            hint,
            fontsize=size - 1,
            color=SOFT,
            va="baseline",
            style="italic",
        )
        fit(text, width - extent(family)[0] - 10.0)


# One staircase


def _draw_staircase(
    axes: Axes, steps: pd.DataFrame, look: _Look, top: float, size: float, *, heading_rows: int = 1
) -> None:
    """Four bars from seats to ideas: hatched outlines for what is set, solid for what happened."""
    for x, (_, step) in enumerate(steps.iterrows()):
        is_set = step["nature"] == "set"
        axes.bar(
            x,
            step["mean"],
            width=0.82,
            facecolor="white" if is_set else look.color,
            edgecolor=look.color,
            hatch="///" if is_set else None,
            linewidth=1.8,
            zorder=2,
            gid=f"step:{step['nature']}",
        )
        height = step["mean"]
        if step["high"] - step["low"] > 1e-9:
            height = max(height, step["high"])
            axes.plot([x, x], [step["low"], step["high"]], color="white", linewidth=3.6, zorder=3)
            axes.plot([x, x], [step["low"], step["high"]], color=INK, linewidth=1.6, zorder=3, gid="whisker")
        text = write(
            axes,
            x,
            height + 0.02 * top,
            f"{100 * step['mean']:.0f}%",
            fontsize=size,
            fontweight="bold",
            ha="center",
            va="bottom",
            transform=axes.transData,
            zorder=4,
            gid="step-value",
        )
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.5})
    axes.set_xlim(-0.55, len(steps) - 0.45)
    axes.set_ylim(0.0, top * 1.16)
    axes.set_xticks(range(len(steps)), [str(word) for word in steps.index], fontsize=size + 1)
    axes.tick_params(axis="x", length=0, colors=INK, pad=4)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.tick_params(axis="y", length=0, labelleft=False)
    axes.grid(axis="y", color=FAINT, linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    if heading_rows:
        box = axes.get_window_extent()
        text = write(
            axes,
            0.0,
            1.0 + 4.0 / box.height,
            look.title,
            fontsize=size + 1,
            fontweight="bold",
            color=look.word_color,
            va="bottom",
            linespacing=1.05,
            gid="staircase-title",
        )
        fit(text, box.width, heading_rows)


def _staircases(monthly: pd.DataFrame, looks: Sequence[_Look], month: int) -> tuple[list[pd.DataFrame], float]:
    """The staircases of all scenarios and the largest share among them, at least 0.1."""
    steps = [staircase(monthly, look.name, month) for look in looks]
    return steps, max(0.1, *(float(step[["mean", "high"]].max().max()) for step in steps))


# Whole figures


def canvas(width: float, height: float, dpi: float = 100.0) -> Figure:
    """An empty figure of a size in inches, on a canvas of its own."""
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def footer(runs: int, paired: bool, seed: int | None, version: str | None) -> str:
    """What every figure says of itself: illustration, runs, seed, version."""
    words = [f"{runs} {'paired ' if paired else ''}{'run' if runs == 1 else 'runs'}{' per scenario' if paired else ''}"]
    if seed is not None:
        words.append(f"seed {seed}")
    if version is not None:
        words.append(f"cej_sim {version}")
    return "Illustration, not prediction.  " + ", ".join(words) + "."


def _after(month: int) -> str:
    """How long after the start, in words."""
    if month and month % 12 == 0:
        return "after a year" if month == 12 else f"after {month // 12} years"
    return f"in month {month}"


def _how_to_read(runs: int, single_runs: int, marked: bool) -> str:
    if runs > 1:
        thin = "Thin lines: single runs. " if single_runs else ""
        text = f"Lines: mean of {runs} runs. Bands: the middle 80% of runs (10th to 90th percentile). {thin}"
    else:
        text = "One run: one possible course of things, without a band. "
    return text + ("Dotted upright line: the grant ends." if marked else "")


def _key_columns(looks: Sequence[_Look]) -> int:
    return 2 if len(looks) == 4 else 3


def _key(figure: Figure, looks: Sequence[_Look], y: float) -> None:
    """A key in rows below the title: for more scenarios than can be labeled at their lines."""
    columns = _key_columns(looks)
    width = 0.95 / columns
    for i, look in enumerate(looks):
        x, level = 0.03 + width * (i % columns), y - 0.03 * (i // columns)
        figure.add_artist(
            Line2D(
                [x, x + 0.045],
                [level, level],
                color=look.color,
                linestyle=look.dashes,
                linewidth=3.2,
                transform=figure.transFigure,
            )
        )
        text = write(
            figure, x + 0.051, level, look.title, fontsize=13, fontweight="bold", va="center_baseline", gid="key"
        )
        fit(text, (width - 0.065) * figure.bbox.width)


def _compose(
    monthly: pd.DataFrame,
    titles: Mapping[str, str],
    grant_end: Mapping[str, int] | None,
    month: int | None,
    panels: Sequence[str] | None,
    heading: str,
    seed: int | None,
    version: str | None,
    single_runs: int,
) -> Figure:
    looks = _looks(monthly, titles)
    chosen = monthly[monthly["scenario"].isin(list(titles))]
    metrics = [_metric(monthly, name) for name in (usual_panels(chosen) if panels is None else panels)]
    month = staircase_month(chosen, month)
    ends = grant_ends(chosen) if grant_end is None else grant_end
    went = course(chosen, titles, [metric.name for metric in metrics])
    runs = max(went.runs.values())
    size, few = 12.0, len(looks) <= _FEW
    figure = canvas(16, 9)
    wide, high = figure.bbox.width, figure.bbox.height

    fit(write(figure, 0.03, 0.975, heading, fontsize=22, fontweight="bold", va="top", gid="title"), 0.94 * wide)
    write(figure, 0.03, 0.921, _how_to_read(runs, single_runs, bool(ends)), fontsize=13, color=SOFT, va="top")
    key_rows = 0 if few else -(-len(looks) // _key_columns(looks))
    if key_rows:
        _key(figure, looks, 0.875)
    ceiling = 0.89 - 0.03 * key_rows - (0.015 if key_rows else 0.0)

    # Trajectories on the left: three columns, as many rows as they need.
    columns = min(3, len(metrics))
    rows = -(-len(metrics) // columns)
    right_edge = 0.735 if few else 0.69
    head, foot, left, room = 76.0, 46.0, 56.0, 134.0 if few and len(looks) > 1 else 14.0
    cell_wide = (right_edge - 0.02) * wide / columns
    cell_high = (ceiling - 0.045) * high / rows
    for i, metric in enumerate(metrics):
        row, column = divmod(i, columns)
        axes = figure.add_axes(
            (
                0.02 + (column * cell_wide + left) / wide,
                0.045 + ((rows - 1 - row) * cell_high + foot) / high,
                (cell_wide - left - room - 8.0) / wide,
                (cell_high - head - foot) / high,
            ),
            label=f"panel:{metric.name}",
        )
        _draw_panel(
            axes,
            chosen,
            went,
            looks,
            metric,
            ends,
            size=size,
            room=room if few and len(looks) > 1 else 0.0,
            grant_words=i == 0,
            x_label=i + columns >= len(metrics),
            single_runs=single_runs,
        )
        _head_panel(axes, metric, size=size, left=left - 14.0, room=room)

    # The staircases on the right.
    x0 = right_edge + 0.025
    write(
        figure,
        x0,
        ceiling - 0.009,
        worded("the residents' staircase").upper(),
        fontsize=size - 1,
        color=SOFT,
        va="top",
        fontweight="bold",
    )
    fit(
        write(
            figure,
            x0,
            ceiling - 0.032,
            f"Seats to ideas {_after(month)}",
            fontsize=size + 2,
            fontweight="bold",
            va="top",
            gid="staircase-heading",
        ),
        (0.985 - x0) * wide,
    )
    legend = "Hatched: set by the rules. Solid: what happened."
    if runs > 1:
        legend += " Black lines: middle 80% of runs."
    text = fit(
        write(figure, x0, ceiling - 0.066, legend, fontsize=size - 1, color=SOFT, va="top"), (0.985 - x0) * wide, 3
    )
    stairs_top = ceiling - 0.066 - extent(text)[1] / high - 0.01
    stair_columns = 1 if len(looks) <= _FEW else 2
    stair_rows = max(2, -(-len(looks) // stair_columns))
    stair_wide = (0.985 - x0) / stair_columns
    stair_high = (stairs_top - 0.05) / stair_rows
    all_steps, top = _staircases(chosen, looks, month)
    for i, (look, steps) in enumerate(zip(looks, all_steps, strict=True)):
        row, column = divmod(i, stair_columns)
        title_room = (30.0 if stair_columns == 1 else 48.0) / high
        axes = figure.add_axes(
            (
                x0 + column * stair_wide,
                0.05 + (stair_rows - 1 - row) * stair_high + 32.0 / high,
                stair_wide - (0.0 if stair_columns == 1 else 0.012),
                stair_high - 32.0 / high - title_room,
            ),
            label=f"staircase:{look.name}",
        )
        _draw_staircase(axes, steps, look, top, size + 1.5 - 1.5 * stair_columns, heading_rows=stair_columns)

    write(figure, 0.03, 0.014, footer(runs, len(looks) > 1, seed, version), fontsize=12.5, color=INK, gid="footer")
    return figure


def comparison_figure(
    monthly: pd.DataFrame,
    titles: Mapping[str, str],
    grant_end: Mapping[str, int] | None = None,
    *,
    month: int | None = None,
    panels: Sequence[str] | None = None,
    seed: int | None = None,
    version: str | None = None,
) -> Figure:
    """Scenarios side by side, for a talk (1600 x 900): trajectories, and each one's staircase from seats to ideas.

    Args:
        monthly: A row per scenario, run and month; columns ``scenario run month`` and metrics.
        titles: Scenario name -> title, in the order in which they are drawn; one or more, six at most to be legible.
        grant_end: Scenario name -> month in which its grant ends; None reads it from ``funded`` (see ``grant_ends``).
        month: Month of the staircases; 60 by default, or the last where that is earlier.
        panels: The metrics drawn, one a panel, six at most to be legible; by default ``usual_panels``.
        seed, version: For the footer.

    Returns:
        A figure with axes labeled ``panel:<metric>`` and ``staircase:<scenario>``. Lines are means over runs, bands
        the 10th to 90th percentile; yes/no metrics are drawn as the share of runs, without a band.

    Raises:
        ValueError: If a scenario or metric is not in the table.
    """
    names = list(titles.values())
    heading = " and ".join(names) if len(names) <= 2 else f"{len(names)} scenarios side by side"
    return _compose(monthly, titles, grant_end, month, panels, heading, seed, version, 0)


def run_figure(
    monthly: pd.DataFrame,
    title: str,
    grant_end: Mapping[str, int] | None = None,
    *,
    month: int | None = None,
    panels: Sequence[str] | None = None,
    seed: int | None = None,
    version: str | None = None,
) -> Figure:
    """One scenario by itself: as ``comparison_figure``, with up to 20 single runs as thin lines.

    Args:
        monthly: Rows of one scenario only.
        title: Its title.
        grant_end, month, panels, seed, version: As for ``comparison_figure``.

    Raises:
        ValueError: If the table holds several scenarios.
    """
    names = scenario_names(monthly)
    if len(names) != 1:
        raise ValueError(f"this figure shows one scenario; the table holds: {', '.join(names) or 'none'}")
    many = int(monthly["run"].nunique()) > 1
    return _compose(monthly, {names[0]: title}, grant_end, month, panels, title, seed, version, 20 if many else 0)


def panel_figure(
    monthly: pd.DataFrame,
    titles: Mapping[str, str],
    metric: str,
    grant_end: Mapping[str, int] | None = None,
    went: Course | None = None,
) -> Figure:
    """One outcome by itself, small enough for a phone: lines, bands and their labels, no heading.

    Args:
        monthly, titles, grant_end: As for ``comparison_figure``.
        metric: The outcome.
        went: How it went, where ``course`` was asked already.

    Raises:
        ValueError: If a scenario or the metric is not in the table.
    """
    looks = _looks(monthly, titles)
    declared = _metric(monthly, metric)
    ends = grant_ends(monthly[monthly["scenario"].isin(list(titles))]) if grant_end is None else grant_end
    went = went or course(monthly, titles, [metric])
    labeled = 1 < len(looks) <= _FEW
    figure = canvas(5.4, 3.4)
    room = 132.0 if labeled else 12.0
    axes = figure.add_axes((0.12, 0.16, 0.87 - room / figure.bbox.width, 0.78), label=f"panel:{metric}")
    _draw_panel(
        axes,
        monthly,
        went,
        looks,
        declared,
        ends,
        size=12.0,
        room=room if labeled else 0.0,
        grant_words=True,
        x_label=True,
    )
    return figure


def staircase_figure(
    monthly: pd.DataFrame, titles: Mapping[str, str], scenario: str, month: int | None = None
) -> Figure:
    """One scenario's staircase by itself, on a scale common to all scenarios in ``titles``.

    Raises:
        ValueError: If a scenario is not in the table.
    """
    looks = _looks(monthly, titles)
    chosen = monthly[monthly["scenario"].isin(list(titles))]
    all_steps, top = _staircases(chosen, looks, staircase_month(chosen, month))
    figure = canvas(4.4, 2.9)
    axes = figure.add_axes((0.02, 0.12, 0.96, 0.86), label=f"staircase:{scenario}")
    for look, steps in zip(looks, all_steps, strict=True):
        if look.name == scenario:
            _draw_staircase(axes, steps, look, top, 12.0, heading_rows=0)
            return figure
    raise ValueError(f"no scenario {scenario!r} among the titles")


def png(figure: Figure, dpi: float = 100.0, note: str = "") -> bytes:
    """A figure as a PNG file's bytes, with a note that goes with it."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=dpi, metadata={"Description": note} if note else None)
    return stream.getvalue()


#: What XML cannot hold, and comments, in which matplotlib repeats every word.
_NOT_XML = re.compile("<!--.*?-->\\n?|[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", re.DOTALL)


def svg(figure: Figure) -> bytes:
    """A figure as an SVG file's bytes, the same each time; words are drawn, so that every reader sees the same."""
    if matplotlib.rcParams["svg.hashsalt"] is None:
        matplotlib.rcParams["svg.hashsalt"] = "cej_sim"
    stream = io.StringIO()
    nobody = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(stream, format="svg", metadata=nobody)
    return _NOT_XML.sub("", stream.getvalue()).encode()
