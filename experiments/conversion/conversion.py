"""Can a coalition that began from the top be converted later, where, and how late?

Collective Impact is given the rules of the community-led scenario, all at once, at several months: by order (a
mandate) or by a motion that its members vote on. Some years later residents' say, the share of the agenda that began as
their ideas and their causal influence are set against those of a coalition that was community-led from the start, in
the same context, with the same people, money and luck. Then all rules, and votes alone, are moved there and back, and
it is asked how much organizing it takes until the way back retraces the way there. An illustration, not a prediction.

Run ``python experiments/conversion/conversion.py --help``; README.md beside this file says what came out.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import studying
from studying import CI, COLUMN, LED, Values

from cej_sim import reading
from cej_sim.metrics import NAMES
from cej_sim.plots import INK, SOFT, fit, write
from cej_sim.runs import Loop, there_and_back
from cej_sim.scenario import PARAMETERS, Scenario
from cej_sim.sweeps.figures import BETTER, FIRST, OTHER, WORSE

#: The months in which coalitions are converted.
MONTHS = (12, 36, 60, 84)
WAYS = {"mandate": "by order", "motion": "by motion"}
SCENARIO_OF = {"mandate": "converted_by_mandate", "motion": "converted_by_motion"}

#: The contexts: every combination of these levels. Levels are assumed, from low to high.
LEVELS: dict[str, tuple[float, ...]] = {
    "community.institution_openness": (0.15, 0.35, 0.55, 0.75),
    "governance.organize.outside": (0.0, 0.15, 0.4, 1.0),
    "community.resident_trust": (0.25, 0.65),
    "coefficients.opposition": (2.5, 12.0),
}
#: The same with two levels each, for a quick look.
FEW = {path: (levels[0], levels[-1]) for path, levels in LEVELS.items()}

#: Money lasts throughout, so that what comes late is the conversion and not the end of the grant.
LASTING = {"funder.grant_end": 132}

#: What a conversion has to reach. The last is the probe of that name.
REACHED = {
    "decision_share": "residents' say",
    "agenda_origin": "agenda that began as residents' ideas",
    "causal_influence": "residents' causal influence",
}
SUCCEEDS, FAILS, UNSURE = "succeeds", "fails", "cannot tell"

#: Metrics whose loop is drawn.
LOOPS = ("decision_share", "agenda_origin", "resident_attendance", "resident_agency", "backbone_control")
VOTES = "governance.decide.votes.residents"
#: Organizing from outside that is tried, staff-months a month per 100 residents.
ORGANIZING = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
#: The largest area that is called closed, as ``smallest`` for such shares among the declared hypotheses.
CLOSED_WITHIN = 0.02


# The region


def contexts(levels: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    """Every combination of levels."""
    return [dict(zip(levels, values, strict=True)) for values in itertools.product(*levels.values())]


def converted(way: str, month: int, context: Mapping[str, float]) -> Scenario:
    """Collective Impact in a context, converted at a month."""
    scenario = reading.load(SCENARIO_OF[way]).with_values({**context, **LASTING})
    return replace(scenario, events=tuple(replace(event, month=month) for event in scenario.events))


def year_before(values: Values) -> Values:
    """Means over the last axis but one of what residents hold, (runs, metrics of REACHED); 0 where it has ended."""
    columns = [COLUMN.get(name, len(NAMES)) for name in REACHED]
    return np.stack([studying.of_residents(values, column).mean(axis=1) for column in columns], axis=1)


def judge(found: Values, full: Values, part: float) -> tuple[Values, Values, Values, list[str]]:
    """What a conversion reaches of the full value: ratio of means, the interval's ends, and a verdict for each metric.

    Args:
        found: (runs, metrics) after conversion.
        full: (runs, metrics) where community-led from the start, with the same luck.
        part: The part of the full value that has to be reached.

    The verdict is about the paired difference to that part of the full value: it succeeds (fails) where the 95 %
    interval lies wholly above (below) 0. The ends are that interval as a part of the full value's mean.
    """
    mean, low, high = studying.interval(found - part * full)
    whole = studying.interval(np.where(np.isnan(found), np.nan, full))[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [part + end / whole for end in (mean, low, high)]
    words = [SUCCEEDS if a > 0.0 else FAILS if b < 0.0 else UNSURE for a, b in zip(low, high, strict=True)]
    return ends[0], ends[1], ends[2], words


def together(words: Sequence[str]) -> str:
    """Of several verdicts one: fails if any does, succeeds if all do."""
    return FAILS if FAILS in words else SUCCEEDS if set(words) == {SUCCEEDS} else UNSURE


def in_context(
    context: Mapping[str, float], given: argparse.Namespace, months: Sequence[int], part: float
) -> list[dict[str, Any]]:
    """A row for each way, month of conversion and metric, and one for all metrics together."""
    rows = []
    windows = {month: range(month + given.after - 11, month + given.after + 1) for month in months}
    every = sorted({month for window in windows.values() for month in window})
    led = reading.load(LED).with_values({**context, **LASTING})
    horizon = max(every)
    studying.refuse_unequal({LED: led, "converted": converted("mandate", months[0], context)}, horizon)
    started = studying.samples(led, given.runs, given.seed, every, given.sets, "resident")
    for way, month in itertools.product(WAYS, months):
        window = list(windows[month])
        places = [every.index(one) for one in window]
        later = studying.samples(converted(way, month, context), given.runs, given.seed, window, given.sets, "resident")
        there = started[:, places, COLUMN["alive"]][:, -1] > 0.0  # a twin that has ended can be no measure
        found = np.where(there[:, None], year_before(later), np.nan)
        full = np.where(there[:, None], year_before(started[:, places]), np.nan)
        ratio, low, high, words = judge(found, full, part)
        common = {**context, "way": way, "month": month, "pairs": int(there.sum())}
        for name, *numbers, word in zip(REACHED, ratio, low, high, words, strict=True):
            rows.append(
                {**common, "metric": name, **dict(zip(("ratio", "low", "high"), numbers, strict=True)), "verdict": word}
            )
        rows.append(
            {**common, "metric": "all", "ratio": np.nan, "low": np.nan, "high": np.nan, "verdict": together(words)}
        )
    return rows


# There and back


def rule_stages(steps: int) -> list[dict[str, Any]]:
    """From the rules of Collective Impact to those of the community-led scenario in steps."""
    ci, led = reading.load(CI), reading.load(LED)
    event = reading.load(SCENARIO_OF["mandate"]).events[0]
    paths = [path for path, _ in event.set]
    return [studying.between(ci, led, float(share), paths) for share in np.linspace(0.0, 1.0, steps)]


def vote_stages(steps: int) -> list[dict[str, Any]]:
    """The same for votes alone."""
    paths = [path for path in PARAMETERS if path.startswith("governance.decide.votes.")]
    ci, led = reading.load(CI), reading.load(LED)
    return [studying.between(ci, led, float(share), paths) for share in np.linspace(0.0, 1.0, steps)]


STAGES = {"votes alone": vote_stages, "all rules": rule_stages}


def loop(which: str, organizing: float, given: argparse.Namespace, steps: int = 5) -> Loop:
    """Rules moved there and back, with money for as long as that takes."""
    stages = STAGES[which](steps)
    lasting = {"governance.organize.outside": organizing, "funder.grant_end": given.hold * (2 * steps - 1)}
    return there_and_back(
        reading.load(CI).with_values(lasting),
        stages,
        hold=given.hold,
        runs=given.loop_runs,
        seed=given.seed,
        threads=given.threads,
        ensemble=given.sets,
    )


def areas(found: Loop) -> pd.DataFrame:
    """A row per metric: the loop's area less that of its twin without any change, its interval, and "
    "whether it closes."""
    rows = []
    for name, runs in found.per_run.groupby("metric", sort=False):
        beyond = (runs["area"] - runs["drift"]).to_numpy(float)
        mean, low, high = (float(value) for value in studying.interval(beyond))
        open_ = low > 0.0 or high < 0.0
        inside = low >= -CLOSED_WITHIN and high <= CLOSED_WITHIN
        verdict = "closed" if inside else "open" if open_ else UNSURE
        rows.append((name, runs["area"].mean(), runs["drift"].mean(), mean, low, high, verdict))
    return pd.DataFrame(rows, columns=["metric", "area", "drift", "beyond_drift", "low", "high", "verdict"])


def least_organizing(table: pd.DataFrame) -> pd.DataFrame:
    """For each loop and metric the least organizing from which on the loop stays closed at every level tried."""
    rows = []
    for (which, metric), part in table.groupby(["rules", "metric"], sort=False):
        least: float | None = None
        for row in part.sort_values("organizing", ascending=False).itertuples():
            if row.verdict != "closed":
                break
            least = float(row.organizing)
        rows.append((which, metric, np.nan if least is None else least, bool((part["verdict"] == "open").any())))
    return pd.DataFrame(rows, columns=["rules", "metric", "least", "open_somewhere"])


# Pictures

_LOOK: dict[str, dict[str, Any]] = {
    SUCCEEDS: {"facecolor": BETTER, "edgecolor": "white", "linewidth": 0.6},
    FAILS: {"facecolor": WORSE, "edgecolor": "white", "linewidth": 0.6},
    UNSURE: studying.HATCHED,
}


def regions_figure(table: pd.DataFrame, given: argparse.Namespace, note: str) -> Figure:
    """A panel for each way and month; a box for openness and organizing, in it a square for trust and opposition."""
    paths = list(LEVELS)
    levels = [sorted(table[path].unique()) for path in paths]
    months = sorted(table["month"].unique())
    every = table[table["metric"] == "all"]
    figure = studying.sheet(
        "Can it be converted later?",
        f"Collective Impact takes on all community-led rules at once. It succeeds where {given.after} "
        "months later residents' "
        ""
        f"say, the agenda's origin and their causal influence all reach {100 * given.part:.0f} % of what a "
        "coalition that "
        "was community-led from the start has there.",
        note,
    )
    wide, high, left, bottom = 0.205, 0.265, 0.085, 0.155
    for row, way in enumerate(WAYS):
        for column, month in enumerate(months):
            axes = figure.add_axes((left + column * (wide + 0.02), bottom + (1 - row) * (high + 0.085), wide, high))
            here = every[(every["way"] == way) & (every["month"] == month)]
            for one in here.to_dict("records"):
                across, up, right, above = (levels[i].index(one[path]) for i, path in enumerate(paths))
                size = (0.9 / len(levels[2]), 0.9 / len(levels[3]))
                place = across - 0.45 + right * size[0], up - 0.45 + above * size[1]
                axes.add_patch(Rectangle(place, *size, **_LOOK[one["verdict"]]))
            axes.set_xlim(-0.5, len(levels[0]) - 0.5)
            axes.set_ylim(-0.5, len(levels[1]) - 0.5)
            studying.plain_axes(axes)
            axes.tick_params(length=0, labelsize=12.5)
            for side in axes.spines.values():
                side.set_visible(False)
            axes.set_xticks(range(len(levels[0])), [f"{value:g}" for value in levels[0]] if row else [])
            axes.set_yticks(range(len(levels[1])), [f"{value:g}" for value in levels[1]] if column == 0 else [])
            share = {word: float((here["verdict"] == word).mean()) for word in _LOOK}
            words = " / ".join(f"{100 * share[word]:.0f}" for word in (SUCCEEDS, UNSURE, FAILS))
            write(axes, 0.02, 1.02, f"month {month}", fontsize=14, fontweight="bold", va="bottom")
            write(axes, 0.98, 1.02, f"{words} %", fontsize=13, color=SOFT, ha="right", va="bottom")
        place = bottom + (1 - row) * (high + 0.085) + high + 0.034
        write(figure, left, place, WAYS[way][:1].upper() + WAYS[way][1:], fontsize=16, fontweight="bold", va="bottom")
    write(figure, left + 2 * wide + 0.03, 0.112, "openness of institutions  →", fontsize=14, ha="center", color=SOFT)
    write(
        figure,
        0.028,
        bottom + high + 0.03,
        "organizing outside (staff-months per 100 residents)  →",
        fontsize=14,
        ha="center",
        va="center",
        rotation=90,
        color=SOFT,
    )
    marks = [(Patch(**_LOOK[word]), word) for word in (SUCCEEDS, UNSURE, FAILS)]
    studying.key(figure, marks)
    _inset(figure, len(levels[2]), len(levels[3]))
    write(
        figure,
        0.62,
        0.062,
        "per cent of contexts: succeeds / cannot tell / fails",
        fontsize=13,
        color=SOFT,
        va="center",
    )
    return figure


def _inset(figure: Figure, across: int, up: int) -> None:
    """How to read a box."""
    axes = figure.add_axes((0.33, 0.045, 0.03, 0.05))
    for i, j in itertools.product(range(across), range(up)):
        axes.add_patch(Rectangle((i, j), 1, 1, facecolor="#e6e6e6", edgecolor="white"))
    axes.set_xlim(0, across)
    axes.set_ylim(0, up)
    axes.axis("off")
    write(
        figure,
        0.367,
        0.07,
        "in each box: residents' trust → across,\nopposition ↑ upward",
        fontsize=13,
        color=SOFT,
        va="center",
    )


def lateness_figure(table: pd.DataFrame, given: argparse.Namespace, note: str) -> Figure:
    """What conversion reaches of the full value, by month: the median context, and the middle eight "
    "tenths of them."""
    figure = studying.sheet(
        "What later conversion reaches of what was there from the start",
        f"{given.after} months after the change, as a part of the same coalition's value if community-led "
        "from the start. "
        "Line: the median context; band: from the tenth to the ninetieth percentile of contexts.",
        note,
    )
    for place, (name, words) in enumerate(REACHED.items()):
        axes = figure.add_axes((0.06 + place * 0.315, 0.135, 0.275, 0.65))
        part = table[table["metric"] == name]
        axes.axhline(1.0, color=SOFT, linewidth=1.0)
        axes.axhline(given.part, color=SOFT, linewidth=1.2, linestyle=(0, (4, 3)))
        for way, color, dashes in (("mandate", FIRST, "-"), ("motion", OTHER, (0, (6, 2)))):
            ratios = part[part["way"] == way].groupby("month")["ratio"]
            months = sorted(part["month"].unique())
            low, middle, high = (ratios.quantile(q).reindex(months) for q in (0.1, 0.5, 0.9))
            axes.fill_between(months, low, high, color=color, alpha=0.16, linewidth=0)
            axes.plot(
                months,
                middle,
                color=color,
                linestyle=dashes,
                linewidth=2.6,
                marker="o" if way == "mandate" else "^",
                markersize=8,
            )
            label_up = way == "mandate"
            axes.annotate(
                WAYS[way], (months[0], middle.iloc[0]), (4, 12 if label_up else -20), textcoords="offset points",
                fontsize=14, fontweight="bold", color=color,
            )  # fmt: skip
        studying.plain_axes(axes, "y")
        axes.set_xticks(sorted(part["month"].unique()))
        axes.set_xlabel("month of conversion", fontsize=13.5, color=SOFT)
        axes.set_ylim(0.0, max(1.25, axes.get_ylim()[1]))
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        title = write(axes, 0.0, 1.03, words[:1].upper() + words[1:], fontsize=16, fontweight="bold", va="bottom")
        fit(title, axes.get_window_extent().width, 2)
        if place == 0:
            write(
                axes,
                0.99,
                given.part,
                f"{100 * given.part:.0f} %: counts as success",
                fontsize=12.5,
                color=SOFT,
                va="bottom",
                ha="right",
                transform=axes.get_yaxis_transform(),
            )
            write(
                axes,
                0.99,
                1.0,
                "as from the start",
                fontsize=12.5,
                color=SOFT,
                va="bottom",
                ha="right",
                transform=axes.get_yaxis_transform(),
            )
    return figure


def loops_figure(loops: Mapping[str, tuple[Loop, pd.DataFrame]], given: argparse.Namespace, note: str) -> Figure:
    """The way there and the way back, a row for each set of rules and a panel for each "
    "metric."""
    figure = studying.sheet(
        "There and back again: does the way back retrace the way there?",
        f"From Collective Impact's rules to community-led ones and back by order, {given.hold} months at "
        "each step; means over "
        ""
        f"{given.loop_runs} runs, the second half of each stay. Below: the loop's area less the drift that "
        "passing time alone "
        "makes, with its 95 % interval.",
        note,
    )
    columns = len(LOOPS)
    wide = 0.905 / columns
    for row, (which, (found, table)) in enumerate(loops.items()):
        for column, name in enumerate(LOOPS):
            axes = figure.add_axes((0.065 + column * wide, 0.55 - row * 0.378, wide - 0.035, 0.2))
            way = {branch: found.branches[found.branches["branch"] == branch] for branch in ("up", "down", "stay")}
            x = way["up"]["value"].to_numpy(float)
            up, down = (way[branch].sort_values("value")[name].to_numpy(float) for branch in ("up", "down"))
            verdict = table.set_index("metric").loc[name]
            axes.fill_between(x, up, down, color="#8a8a8a", alpha=0.18, linewidth=0)
            axes.plot(x, up, color=FIRST, linewidth=2.4, marker="o", markersize=6)
            axes.plot(x, down, color=OTHER, linewidth=2.4, marker="^", markersize=7, linestyle=(0, (6, 2)))
            stay = way["stay"][name].to_numpy(float)
            axes.plot(np.zeros(len(stay)) - 0.06, stay, color=SOFT, marker="_", markersize=9, linewidth=1.0)
            studying.plain_axes(axes, "y")
            axes.set_xticks([0.0, 0.5, 1.0], ["CI", "half", "led"])
            low, high = axes.get_ylim()
            room = max(high - low, 0.06)
            axes.set_ylim(low - 0.1 * room, low + 1.1 * room)
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
            axes.yaxis.set_major_locator(_few_ticks())
            label = write(axes, 0.0, 1.05, studying.METRIC[name].label, fontsize=13.5, fontweight="bold", va="bottom")
            fit(label, axes.get_window_extent().width * 1.08, 2)
            said = f"{_signed(verdict['beyond_drift'])} [{_signed(verdict['low'])}, {_signed(verdict['high'])}]"
            color = {"open": INK, "closed": BETTER, UNSURE: SOFT}[verdict["verdict"]]
            write(axes, 0.0, -0.18, f"{verdict['verdict']}: {said}", fontsize=13, color=color, va="top")
        write(
            figure, 0.03, 0.853 - row * 0.378, which[:1].upper() + which[1:], fontsize=16, fontweight="bold", va="top"
        )
    marks: list[tuple[Any, str]] = [
        (Line2D([], [], color=FIRST, marker="o", linewidth=2.4), "the way there"),
        (Line2D([], [], color=OTHER, marker="^", linewidth=2.4, linestyle=(0, (6, 2))), "the way back"),
        (Line2D([], [], color=SOFT, marker="_", linewidth=1.0), "never changed (drift)"),
        (Patch(facecolor="#8a8a8a", alpha=0.3), f"loop; closed: within ±{100 * CLOSED_WITHIN:g} points"),
    ]
    studying.key(figure, marks)
    return figure


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4, steps=[1, 2, 2.5, 5, 10])


def _signed(value: float) -> str:
    return f"{100 * value:+.1f}".replace("-", "−")


def organizing_figure(table: pd.DataFrame, least: pd.DataFrame, given: argparse.Namespace, note: str) -> Figure:
    """The loop's area by organizing from outside, with intervals, and from where on it stays "
    ""
    ""
    ""
    ""
    ""
    "closed."""
    figure = studying.sheet(
        "How much organizing closes the loop?",
        "Area of the loop less drift, by organizing outside the coalition; dots: mean, lines: 95 % interval. Filled: "
        "open; hollow: cannot tell; green squares: closed, the whole interval within "
        f"±{100 * CLOSED_WITHIN:g} points (the gray band).",
        note,
    )
    wide = 0.905 / len(LOOPS)
    order = {level: place for place, level in enumerate(sorted(table["organizing"].unique()))}
    for row, which in enumerate(STAGES):
        for column, name in enumerate(LOOPS):
            axes = figure.add_axes((0.065 + column * wide, 0.555 - row * 0.38, wide - 0.035, 0.195))
            axes.axhspan(-CLOSED_WITHIN, CLOSED_WITHIN, color="#ececec", zorder=0)
            axes.axhline(0.0, color=SOFT, linewidth=0.9)
            part = table[(table["rules"] == which) & (table["metric"] == name)]
            for one in part.to_dict("records"):
                _dot(axes, order[one["organizing"]], one)
            studying.plain_axes(axes, "y")
            axes.set_xticks(range(len(order)), [f"{level:g}".removeprefix("0") or "0" for level in order])
            axes.set_xlim(-0.5, len(order) - 0.5)
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g}".replace("-", "−"))
            axes.yaxis.set_major_locator(_few_ticks())
            label = write(axes, 0.0, 1.05, studying.METRIC[name].label, fontsize=13.5, fontweight="bold", va="bottom")
            fit(label, axes.get_window_extent().width * 1.08, 2)
            row_of = least[(least["rules"] == which) & (least["metric"] == name)].iloc[0]
            words = (
                "never closed here"
                if np.isnan(row_of["least"])
                else "always closed"
                if row_of["least"] == min(order)
                else f"closed from {row_of['least']:g} on"
            )
            write(
                axes,
                0.0,
                -0.2,
                words,
                fontsize=13,
                va="top",
                color=SOFT if np.isnan(row_of["least"]) else BETTER,
                fontweight="bold",
            )
        write(
            figure,
            0.03,
            0.853 - row * 0.38,
            f"{which[:1].upper() + which[1:]} (points)",
            fontsize=16,
            fontweight="bold",
            va="top",
        )
    write(
        figure,
        0.5,
        0.06,
        "organizing outside, staff-months a month per 100 residents  →",
        fontsize=14,
        ha="center",
        color=SOFT,
    )
    return figure


def _dot(axes: Axes, x: float, one: Mapping[str, Any]) -> None:
    color = {"open": INK, "closed": BETTER, UNSURE: "#8a8a8a"}[one["verdict"]]
    face = "white" if one["verdict"] == UNSURE else color
    axes.plot([x, x], [one["low"], one["high"]], color=color, linewidth=1.8)
    marker = "s" if one["verdict"] == "closed" else "o"
    axes.plot([x], [one["beyond_drift"]], marker=marker, markersize=8, color=color, markerfacecolor=face)


# The study


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """How often conversion succeeds, by way, month and metric."""
    rows = []
    for (way, month, metric), part in table.groupby(["way", "month", "metric"], sort=False):
        found = {word: float((part["verdict"] == word).mean()) for word in (SUCCEEDS, UNSURE, FAILS)}
        rows.append(
            {
                "way": way,
                "month": month,
                "metric": metric,
                **found,
                "median_ratio": part["ratio"].median(),
                "contexts": len(part),
            }
        )
    return pd.DataFrame(rows)


def what_matters(table: pd.DataFrame) -> pd.DataFrame:
    """How often conversion succeeds, cannot be told or fails at each level of each quantity."""
    rows = []
    every = table[table["metric"] == "all"]
    for path, way in itertools.product(LEVELS, WAYS):
        for level, part in every[every["way"] == way].groupby(path):
            rows.append(
                {
                    "way": way,
                    "quantity": path,
                    "level": level,
                    **{word: float((part["verdict"] == word).mean()) for word in (SUCCEEDS, UNSURE, FAILS)},
                }
            )
    return pd.DataFrame(rows)


def show(summary: pd.DataFrame, matters: pd.DataFrame, least: pd.DataFrame, console: Console) -> None:
    """Print what came out."""
    table = Table(title="Contexts in which conversion succeeds / cannot be told / fails, %", title_justify="left")
    months = sorted(summary["month"].unique())
    for heading in ("", "reaches", *(f"month {month}" for month in months)):
        table.add_column(heading, justify="right" if heading.startswith("month") else "left")
    for way in WAYS:
        for metric in ("all", *REACHED):
            rows = summary[(summary["way"] == way) & (summary["metric"] == metric)].set_index("month")
            cells = [
                " / ".join(f"{100 * rows.loc[month, word]:.0f}" for word in (SUCCEEDS, UNSURE, FAILS))
                for month in months
            ]
            table.add_row(WAYS[way] if metric == "all" else "", REACHED.get(metric, "all three"), *cells)
        table.add_section()
    console.print(table)
    table = Table(title="All three, by level of each quantity, all months, %", title_justify="left")
    for heading in ("quantity", "level", *WAYS.values()):
        table.add_column(heading)
    for (path, level), part in matters.groupby(["quantity", "level"], sort=False):
        by = part.set_index("way")
        cells = [" / ".join(f"{100 * by.loc[way, word]:.0f}" for word in (SUCCEEDS, UNSURE, FAILS)) for way in WAYS]
        table.add_row(PARAMETERS[str(path)].label, f"{level:g}", *cells)
    console.print(table)
    table = Table(title="Least organizing from outside that keeps the loop closed", title_justify="left")
    for heading in ("rules", "metric", "staff-months per 100 residents"):
        table.add_column(heading)
    for row in least[least["metric"].isin(LOOPS)].itertuples():
        words = "none of those tried" if np.isnan(row.least) else f"{row.least:g}"
        table.add_row(str(row.rules), studying.METRIC[str(row.metric)].label, words)
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study; 0 when done, 2 where the request is wrong."""
    parser = studying.options("Where late conversion to community-led rules succeeds, and what closes the loop.", 24)
    parser.add_argument("--few", action="store_true", help="only the lowest and highest level of each quantity")
    parser.add_argument("--after", type=int, default=36, help="months after conversion (default 36, at least 12)")
    parser.add_argument("--part", type=float, default=0.8, help="part of the full value to be reached (default 0.8)")
    parser.add_argument("--loop-runs", type=int, default=40, help="runs there and back (default 40, at least 2)")
    parser.add_argument("--hold", type=int, default=24, help="months at each step of a loop (default 24, at least 2)")
    given = studying.read_options(parser, arguments, {"after": 12, "loop_runs": 2, "hold": 2})
    if not 0.0 < given.part <= 1.0:
        parser.error(f"--part {given.part}: write a number above 0, at most 1")
    console = Console()
    studying.prepare(console)
    months = [month for month in MONTHS if month + given.after <= 120]
    if not months:
        parser.error(
            f"--after {given.after}: no conversion is so long before month 120; write at most {120 - MONTHS[0]}"
        )
    places = contexts(FEW if given.few else LEVELS)

    def work(place: int) -> list[dict[str, Any]]:
        return in_context(places[place], given, months, given.part)

    rows = studying.everywhere(work, len(places), given.threads, "conversions in each context", console)
    table = pd.DataFrame([row for some in rows for row in some])
    tried = [ORGANIZING[0], ORGANIZING[-1]] if given.few else list(ORGANIZING)
    tasks = list(itertools.product(STAGES, tried))

    def around(place: int) -> Loop:
        return loop(*tasks[place], given)

    found = studying.everywhere(around, len(tasks), 1, "there and back", console)
    measured = pd.concat(
        [areas(one).assign(rules=which, organizing=level) for one, (which, level) in zip(found, tasks, strict=True)],
        ignore_index=True,
    )
    loops = {which: (one, areas(one)) for one, (which, level) in zip(found, tasks, strict=True) if level == tried[0]}
    branches = pd.concat(
        [one.branches.assign(rules=which, organizing=level) for one, (which, level) in zip(found, tasks, strict=True)],
        ignore_index=True,
    )
    summary, matters, least = shares(table), what_matters(table), least_organizing(measured)
    show(summary, matters, least, console)
    command = studying.command_line("experiments/conversion/conversion.py", arguments)
    note = studying.note_of(given, f"{len(places)} contexts, {given.runs} paired runs in each")
    loop_note = studying.note_of(given, f"{given.loop_runs} runs, each with a twin", given.loop_runs)
    console.print(f"[dim]{note}[/]")
    scenarios = {name: reading.load(name) for name in (CI, LED, *SCENARIO_OF.values())}
    described = studying.describe(
        scenarios, given, 120, command,
        levels={path: list(levels) for path, levels in (FEW if given.few else LEVELS).items()},
        after=given.after, part=given.part, loop_runs=given.loop_runs, hold=given.hold,
    )  # fmt: skip
    tables = {
        "conversions": table, "summary": summary, "levels": matters, "loops": measured, "branches": branches,
        "least_organizing": least,
    }  # fmt: skip
    pictures = {}
    if given.out is not None or given.figures is not None:
        pictures = {
            "regions": regions_figure(table, given, note),
            "lateness": lateness_figure(table, given, note),
            "loops": loops_figure(loops, given, loop_note),
            "organizing": organizing_figure(measured, least, given, loop_note),
        }
    studying.save(given, described, tables, pictures, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
