"""Where each approach gets further: the sweep of design.yaml, and the maps of its regions.

The sweep asks in many places (how structural, severe and urgent the problem is, what the funder is like, how large the
community, ...) which side is ahead, quarter by quarter. An illustration, not a prediction.

Run ``python experiments/where/where.py --help``; README.md beside this file says what came out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import studying
from studying import CI, LED, METRIC, Values

from cej_sim.plots import SOFT, fit, write
from cej_sim.sweeps.analysis import plain
from cej_sim.sweeps.design import Design, Factor
from cej_sim.sweeps.figures import FIRST, OTHER
from cej_sim.sweeps.store import Sweep

HERE = Path(__file__).resolve().parent
#: The outcome that is no metric: the first kept month in which the burden is under this; if never, the last month.
UNDER = 0.8
SOONER = "first_under"
METRICS = ("burden", "disparity_ratio", "policy_wins")
#: Which way is further.
FURTHER = {"burden": -1.0, "disparity_ratio": -1.0, "policy_wins": 1.0, SOONER: -1.0}
#: Outcomes of the picture of shares: (outcome, month).
SHARES = (
    ("burden", 24), (SOONER, 0), ("burden", 60), ("burden", 120), ("disparity_ratio", 24), ("disparity_ratio", 120),
    ("policy_wins", 24), ("policy_wins", 60), ("policy_wins", 120),
)  # fmt: skip
FIFTHS = 5
A, TIE, B = "Collective Impact", "cannot tell", "Community-led"


def sides(sweep: Sweep) -> pd.DataFrame:
    """Who is ahead in each cell: a row for each cell, outcome and month (0 for the first month under ``UNDER``).

    The paired difference is turned so that above 0 community-led is further; who is further is told where its 95 %
    interval excludes 0.
    """
    rows = sweep.rows(metrics=list(METRICS), months=None)
    index = ["cell", "run", "month"]
    wide = rows.pivot(index=index, columns="scenario", values=list(METRICS))
    last = int(rows["month"].max())
    first = (
        rows.assign(month=np.where(rows["burden"] < UNDER, rows["month"], last))
        .groupby(["cell", "run", "scenario"])["month"]
        .min()
        .unstack("scenario")
    )
    differences = {name: (wide[name][LED] - wide[name][CI]) * FURTHER[name] for name in METRICS}
    differences[SOONER] = ((first[LED] - first[CI]) * FURTHER[SOONER]).astype(float)
    tables = []
    for name, one in differences.items():
        by = one.groupby(["cell", "month"] if name != SOONER else "cell")
        told = by.agg(["mean", "std", "count"]).reset_index()
        half = studying.half_width(told["std"].where(told["std"] > 1e-12, 0.0), told["count"])
        mean = told["mean"].to_numpy(float)
        told["leads"] = np.select([mean - half > 0.0, mean + half < 0.0], [B, A], TIE)
        told["metric"], told["low"], told["high"] = name, mean - half, mean + half
        tables.append(told if name != SOONER else told.assign(month=0))
    return pd.concat(tables, ignore_index=True).rename(columns={"mean": "further", "count": "runs"}).drop(columns="std")


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """In which share of places each side is further, for each outcome and month."""
    counted = (
        table.groupby(["metric", "month"], sort=False)["leads"].value_counts(normalize=True).unstack(fill_value=0.0)
    )
    return counted.reindex(columns=[A, TIE, B], fill_value=0.0).reset_index()


def fifths(sweep: Sweep, table: pd.DataFrame) -> pd.DataFrame:
    """The same in each fifth of the places by each factor, from its lowest (0) to its highest levels."""
    cells = sweep.cells.set_index("cell")
    found = []
    for factor in sweep.design.factors:
        rank = cells[factor.name].astype(float).rank(method="first") - 1
        fifth = (rank * FIFTHS // len(cells)).astype(int)
        part = shares(table.assign(metric=table["metric"] + "|" + table["cell"].map(fifth).astype(str)))
        names = part["metric"].str.split("|", expand=True)
        found.append(part.assign(metric=names[0], fifth=names[1].astype(int), factor=factor.name))
    return pd.concat(found, ignore_index=True)


# Pictures


def outcome(name: str, month: int) -> str:
    """An outcome in words."""
    if name == SOONER:
        return f"First month with less than {100 * UNDER:.0f} % of the problem"
    return f"{METRIC[name].label}, month {month}"


def _key(figure: Figure, verb: str = "further") -> None:
    marks: list[tuple[Any, str]] = [
        (Patch(facecolor=FIRST), f"{A} {verb}"),
        (studying.unsure_patch(), "cannot tell, or no difference"),
        (Patch(facecolor=OTHER), f"{B} {verb}"),
    ]
    studying.key(figure, marks)


def _stack(axes: Axes, y: float, share: dict[str, float], height: float, size: float, least: float) -> None:
    """One bar of three shares with their numbers."""
    left = 0.0
    for who, look in ((A, {"facecolor": FIRST}), (TIE, studying.HATCHED), (B, {"facecolor": OTHER})):
        width = share[who]
        if width <= 0.0:
            continue
        axes.add_patch(Rectangle((left, y - height / 2), width, height, **look))
        if width >= least:
            text = axes.text(left + width / 2, y, f"{100 * width:.0f} %", ha="center", va="center", fontsize=size)
            text.set_color("#1a1a1a" if who == TIE else "white")
            text.set_fontweight("bold")
            if who == TIE:
                text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})
        left += width


def shares_figure(table: pd.DataFrame, cells: int, note: str) -> Figure:
    """In which share of places each side is further, outcome by outcome."""
    figure = studying.sheet(
        "Where each approach gets further: in how many places",
        f"Share of the {cells} places of this design in which each side is ahead (95 % interval of the "
        "paired difference "
        "excludes 0). Shares are of the design, not of the world: they change with the ranges.",
        note,
    )
    axes = figure.add_axes((0.36, 0.125, 0.6, 0.73))
    indexed = table.set_index(["metric", "month"])
    for place, (name, month) in enumerate(SHARES):
        _stack(axes, -place, dict(indexed.loc[(name, month)]), 0.74, 14, 0.05)
        better = "higher" if FURTHER[name] > 0 else "sooner" if name == SOONER else "lower"
        label = axes.text(
            -0.015, -place, f"{outcome(name, month)} ({better} is better)", ha="right", va="center", fontsize=14
        )
        fit(label, 0.33 * figure.bbox.width, 2)
    axes.set_xlim(0, 1)
    axes.set_ylim(-len(SHARES) + 0.5, 0.5)
    axes.set_yticks([])
    studying.plain_axes(axes)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    _key(figure)
    return figure


def _grid(figure: Figure, factors: Sequence[Factor]) -> list[Axes]:
    """A panel for each factor, with its levels at the left."""
    columns = 3
    rows = -(-len(factors) // columns)
    found = []
    for place, factor in enumerate(factors):
        row, column = divmod(place, columns)
        high = 0.70 / rows
        axes = figure.add_axes((0.065 + column * 0.32, 0.155 + (rows - 1 - row) * high, 0.255, high - 0.075))
        title = write(axes, 0.0, 1.04, factor.label, fontsize=14, fontweight="bold", va="bottom")
        fit(title, axes.get_window_extent().width)
        low, top = factor.ends
        axes.set_ylim(-0.5, FIFTHS - 0.5)
        axes.set_yticks([0, FIFTHS - 1], [plain(low), plain(top)])
        studying.plain_axes(axes)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        found.append(axes)
    return found


def regions_figure(metric: str, by: pd.DataFrame, design: Design, cells: int, note: str) -> Figure:
    """Over ten years and each factor: who is further in most places."""
    better = "more is better" if FURTHER[metric] > 0 else "less is better"
    figure = studying.sheet(
        f"Who gets further, where and when: {METRIC[metric].label.lower()}",
        f"Each panel: one factor from low to high (a fifth of the {cells} places in each row), the others anywhere in "
        f"their ranges; from left to right, ten years. Colored where one side is ahead in most places ({better}).",
        note,
    )
    months = list(design.keep_months)
    for axes, factor in zip(_grid(figure, design.factors), design.factors, strict=True):
        here = by[(by["factor"] == factor.name) & (by["metric"] == metric)]
        regions: dict[str, list[tuple[float, float]]] = {A: [], B: []}
        for one in here.to_dict("records"):
            place = months.index(one["month"])
            start = months[place - 1] if place else 0
            who = A if one[A] > 0.5 else B if one[B] > 0.5 else TIE
            look = studying.HATCHED
            if who != TIE:
                look = {"facecolor": _tint(FIRST if who == A else OTHER, one[who]), "linewidth": 0.0}
                regions[who].append(((start + one["month"]) / 2, one["fifth"]))
            axes.add_patch(Rectangle((start, one["fifth"] - 0.48), one["month"] - start, 0.96, **look))
        for who, places in regions.items():
            _name_region(axes, who, np.array(places), len(here), months[-1])
        axes.set_xlim(0, months[-1])
        step = 24 if months[-1] >= 48 else 12
        axes.set_xticks(range(0, months[-1] + 1, step), [f"{month // 12}" for month in range(0, months[-1] + 1, step)])
    write(figure, 0.5, 0.092, "years since the start  →", fontsize=13.5, ha="center", color=SOFT)
    _key(figure, "further (paler: in fewer places)")
    return figure


def _name_region(axes: Axes, who: str, places: Values, of: int, months: int) -> None:
    """The side's name in its region, if that is large enough for words."""
    if len(places) < 0.1 * of:
        return
    far = (places - places.mean(axis=0)) / (months, FIFTHS)
    x, y = places[np.argmin((far**2).sum(axis=1))]
    x = min(max(x, 0.16 * months), 0.84 * months)
    text = axes.text(x, y, who, ha="center", va="center", fontsize=12, fontweight="bold", zorder=5)
    text.set_color("#1a1a1a")
    text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.8})


def _tint(color: str, share: float) -> tuple[float, ...]:
    """Paler where only little more than half of the places say so."""
    strength = 0.35 + 0.65 * (share - 0.5) / 0.5
    return tuple(1.0 - strength + strength * part for part in to_rgb(color))


def speed_figure(by: pd.DataFrame, design: Design, cells: int, note: str) -> Figure:
    """Who is sooner under the threshold, by each factor."""
    figure = studying.sheet(
        f"Who sooner brings the problem under {100 * UNDER:.0f} %?",
        f"Each panel: one factor from low to high, a fifth of the {cells} places in each bar, all others anywhere in "
        f"their ranges. Never counts as the last month; first month by quarters.",
        note,
    )
    for axes, factor in zip(_grid(figure, design.factors), design.factors, strict=True):
        here = by[(by["factor"] == factor.name) & (by["metric"] == SOONER)].set_index("fifth")
        for fifth, row in here.iterrows():
            _stack(axes, float(fifth), dict(row), 0.84, 12, 0.12)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
    _key(figure, "sooner")
    return figure


# The study


def show(table: pd.DataFrame, console: Console) -> None:
    """Print in which share of places each side is further."""
    shown = Table(title="Further: Collective Impact / cannot tell / community-led, % of places", title_justify="left")
    shown.add_column("outcome")
    shown.add_column("", justify="right")
    indexed = table.set_index(["metric", "month"])
    for name, month in SHARES:
        row = indexed.loc[(name, month)]
        shown.add_row(outcome(name, month), " / ".join(f"{100 * row[who]:.0f}" for who in (A, TIE, B)))
    console.print(shown)


def changes(given: argparse.Namespace, design: Design) -> dict[str, Any]:
    """What the options change in the design."""
    auto = design.auto
    if auto is None or given.runs == auto.most:
        return {"samples": given.samples, "runs": given.runs}
    return {
        "samples": given.samples,
        "runs": given.runs,
        "auto": replace(auto, most=given.runs, least=min(auto.least, given.runs)),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep and draw; 0 when done, 2 where the request is wrong."""
    design = studying.read_design(HERE / "design.yaml")
    parser = studying.options("Where each approach gets further.", design.runs, "most paired runs in each place")
    parser.set_defaults(out=Path("results/where"))
    parser.add_argument(
        "--samples", type=int, default=design.samples, help=f"places (default {design.samples}, at least 5)"
    )
    given = studying.read_options(parser, arguments, {"samples": FIFTHS}, of_sweep=True)
    console = Console()
    command = studying.command_line("experiments/where/where.py", arguments)
    swept, _ = studying.swept(HERE / "design.yaml", given, changes(given, design), console, command)
    table = sides(swept)
    counted, by = shares(table), fifths(swept, table)
    show(counted, console)
    cells = int(table["cell"].nunique())
    note = studying.note_of(given, f"{cells} places, up to {given.runs} paired runs in each")
    console.print(f"[dim]{note}[/]")
    pictures = {"where": shares_figure(counted, cells, note)}
    pictures |= {f"regions_{name}": regions_figure(name, by, swept.design, cells, note) for name in METRICS}
    pictures["speed"] = speed_figure(by, swept.design, cells, note)
    described = studying.describe_sweep(swept, given, command)
    studying.save(
        given, described, {"sides": table, "shares": counted, "fifths": by}, pictures, console, given.out / "maps"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
