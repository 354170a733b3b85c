"""Mixtures between Collective Impact and community-led work, and beyond both: which of them does nobody outdo?

Candidates are every combination of the six principles' rules from either pole, the straight line from pole to pole and
some way beyond both, and the rules of the scenarios that come with cej-sim, all in the same community with the same
money and luck. One is on the frontier of two outcomes where no other does at least as well in both and better in one;
how surely is asked of many resamples of the runs. An illustration, not a prediction.

Run ``python experiments/hybrids/hybrids.py --help``; README.md beside this file says what came out.
"""

from __future__ import annotations

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
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import studying
from contexts.contexts import RANGES
from studying import CI, COLUMN, LED, METRIC, Values

from cej_sim import reading
from cej_sim.parameters import PRINCIPLES
from cej_sim.plots import INK, SOFT, fit, write
from cej_sim.scenario import PARAMETERS, Scenario
from cej_sim.sweeps.ablation import mixed, units
from cej_sim.sweeps.figures import FIRST, OTHER

#: What is wanted early, and what is set against it later: (metric, month, which way is further).
EARLY = ("burden", 24, -1.0)
LATE = (("disparity_ratio", 120, -1.0), ("decision_share", 120, 1.0), ("policy_wins", 120, 1.0))
OUTCOMES = (EARLY, *LATE)
MONTHS = (24, 120)

#: Places on the line from Collective Impact (0) to community-led (1) and beyond.
LINE = (-0.5, -0.25, 0.25, 0.5, 0.75, 1.25, 1.5)

#: A candidate is on (off) a frontier if it is so in this share of resamples.
SURE = 0.9
ON, OFF, UNSURE = "on the frontier", "outdone", "cannot tell"


# Candidates


def corners() -> dict[str, tuple[Scenario, dict[str, Any]]]:
    """Every combination of principles from either pole: name -> scenario, and what is known of it."""
    ci, led = reading.load(CI), reading.load(LED)
    parts = units(ci, led, "principle")
    numbers = [int(part.name.removeprefix("principle_")) if part.name.startswith("principle_") else 0 for part in parts]
    found = {}
    for size in range(len(parts) + 1):
        for chosen in itertools.combinations(range(len(parts)), size):
            principles = "".join(str(numbers[i]) for i in sorted(chosen, key=lambda i: numbers[i]))
            name = CI if not chosen else LED if len(chosen) == len(parts) else f"principles_{principles}"
            label = {CI: ci.title, LED: led.title}.get(name, f"principles {', '.join(principles)}")
            kind = "pole" if name in (CI, LED) else "principles"
            found[name] = (
                mixed(ci, led, [parts[i] for i in chosen]),
                {"label": label, "kind": kind, "led": principles},
            )
    return found


def line() -> dict[str, tuple[Scenario, dict[str, Any]]]:
    """Places on the straight line through both poles."""
    ci, led = reading.load(CI), reading.load(LED)
    found = {}
    for share in LINE:
        where = "beyond CI" if share < 0 else "beyond led" if share > 1 else "of the way to led"
        far = -share if share < 0 else share - 1 if share > 1 else share
        here = studying.with_rules(ci, studying.between(ci, led, share))
        found[f"line_{share:+g}"] = (here, {"label": f"{100 * far:.0f} % {where}", "kind": "line", "led": ""})
    return found


def catalogue() -> dict[str, tuple[Scenario, dict[str, Any]]]:
    """The rules of the shipped scenarios in the community of the poles, each once.

    What the study of random contexts counts as context (movements outside, allies, what supports can do, ...) is no
    rule of a coalition, and stays that of the poles; so do people, issues and money.
    """
    base = reading.load(CI)
    own = [path for path in PARAMETERS if path.startswith("governance.") and path not in RANGES]
    seen = [_rules(one, own) for one in (base, reading.load(LED))]
    found = {}
    for name in reading.shipped():
        scenario = reading.load(name)
        here = studying.with_rules(base, {path: scenario[path] for path in own})
        events = tuple(
            replace(event, set=kept)
            for event in scenario.events
            if (kept := tuple((path, value) for path, value in event.set if path in own))
        )
        here = replace(here, events=events)
        if (rules := _rules(here, own)) in seen:
            continue
        seen.append(rules)
        found[name] = (here, {"label": scenario.title, "kind": "scenario", "led": ""})
    return found


def _rules(scenario: Scenario, paths: Sequence[str]) -> tuple[Any, ...]:
    return (*(scenario[path] for path in paths), scenario.events)


# Frontiers


def non_dominated(worth: Values) -> NDArray[np.bool_]:
    """Which candidates no other outdoes; worth (candidates, outcomes), more is further."""
    least = (worth[:, None, :] >= worth[None, :, :]).all(axis=2)
    more = (worth[:, None, :] > worth[None, :, :]).any(axis=2)
    return ~(least & more).any(axis=0)


def chances(values: Values, resamples: int, seed: int) -> dict[str, Values]:
    """Share of resamples (of runs, the same ones for all candidates) in which each is on each frontier.

    Args:
        values: (candidates, runs, outcomes), each turned so that more is further.
        resamples: How many.
        seed: Of the resampling.

    Returns:
        A share for each candidate, for every late outcome with the early one, and for ``all`` of them together.
    """
    luck = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, 0x66726F6E74])))
    fronts = {name: [0, 1 + place] for place, (name, _, _) in enumerate(LATE)} | {"all": list(range(len(OUTCOMES)))}
    counts = {name: np.zeros(len(values)) for name in fronts}
    for _ in range(resamples):
        chosen = luck.integers(values.shape[1], size=values.shape[1])
        means = values[:, chosen].mean(axis=1)
        for name, columns in fronts.items():
            counts[name] += non_dominated(means[:, columns])
    return {name: count / resamples for name, count in counts.items()}


def verdict(chance: float) -> str:
    """What a share of resamples says."""
    return ON if chance >= SURE else OFF if chance <= 1.0 - SURE else UNSURE


def outcomes(found: Values) -> Values:
    """The outcomes of each run, (runs, outcomes), as they are; nobody has a say where the coalition has ended."""
    columns = []
    for name, month, _ in OUTCOMES:
        rows = found[:, MONTHS.index(month)]
        columns.append(rows[:, COLUMN[name]] if METRIC[name].outlives else studying.of_residents(rows, COLUMN[name]))
    return np.stack(columns, axis=1)


def tabulate(
    candidates: Mapping[str, tuple[Scenario, dict[str, Any]]], values: Values, on: Mapping[str, Values]
) -> pd.DataFrame:
    """A row for each candidate: means with intervals, and how surely it is on each frontier."""
    rows = []
    for place, (name, (_, about)) in enumerate(candidates.items()):
        row: dict[str, Any] = {"name": name, **about}
        for (metric, month, _), mean, low, high in zip(OUTCOMES, *studying.interval(values[place]), strict=True):
            row |= {f"{metric}_{month}": mean, f"{metric}_{month}_low": low, f"{metric}_{month}_high": high}
        for front, chance in on.items():
            row |= {f"chance_{front}": chance[place], f"verdict_{front}": verdict(float(chance[place]))}
        rows.append(row)
    return pd.DataFrame(rows)


# Pictures

_MARKS = {
    "principles": ("o", "#4d4d4d", "mixture of principles"),
    "line": ("D", "#009E73", "on the line through both poles"),
    "scenario": ("s", "#946400", "rules of a shipped scenario"),
}
_POLES = {CI: ("o", FIRST), LED: ("^", OTHER)}


def frontier_figure(table: pd.DataFrame, note: str) -> Figure:
    """A panel for each late outcome against the burden after two years."""
    figure = studying.sheet(
        "Which mixtures does nobody outdo?",
        "Same community, money and luck. To the right: less of the problem left after two years; upward: "
        "further after ten. "
        ""
        f"Filled: no other does better in both (in {100 * SURE:.0f} % of resamples); ring: cannot tell; "
        "faint: outdone. "
        "Lines: 95 % intervals.",
        note,
    )
    early = f"{EARLY[0]}_{EARLY[1]}"
    for place, (metric, month, way) in enumerate(LATE):
        axes = figure.add_axes((0.06 + place * 0.318, 0.17, 0.265, 0.60))
        late = f"{metric}_{month}"
        for one in table.to_dict("records"):
            _candidate(axes, one, early, late, one[f"verdict_{metric}"])
        studying.plain_axes(axes, "both")
        axes.invert_xaxis()
        if way < 0:
            axes.invert_yaxis()
        axes.margins(0.1)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
        if METRIC[metric].unit == "share":
            axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
        axes.set_xlabel("problem left, month 24  (less →)", fontsize=13.5, color=SOFT)
        title = write(
            axes,
            0.0,
            1.03,
            f"{METRIC[metric].label}, month {month}".replace(" this month,", ","),
            fontsize=15,
            fontweight="bold",
            va="bottom",
        )
        fit(title, axes.get_window_extent().width, 2)
        _name_some(axes, table, early, late, metric)
    marks: list[tuple[Any, str]] = [
        (Line2D([], [], linestyle="", marker="o", markersize=13, color=FIRST), "Collective Impact"),
        (Line2D([], [], linestyle="", marker="^", markersize=13, color=OTHER), "Community-led"),
    ]
    marks += [
        (Line2D([], [], linestyle="", marker=mark, markersize=9, color=color), words)
        for mark, color, words in _MARKS.values()
    ]
    studying.key(figure, marks)
    return figure


def _candidate(axes: Axes, one: Mapping[str, Any], early: str, late: str, verdict_: str) -> None:
    pole = one["name"] in _POLES
    mark, color = _POLES[one["name"]] if pole else _MARKS[one["kind"]][:2]
    if verdict_ != OFF or pole:
        axes.plot([one[f"{early}_low"], one[f"{early}_high"]], [one[late]] * 2, color=color, linewidth=1.1, zorder=3)
        axes.plot([one[early]] * 2, [one[f"{late}_low"], one[f"{late}_high"]], color=color, linewidth=1.1, zorder=3)
    axes.plot(
        [one[early]],
        [one[late]],
        linestyle="",
        marker=mark,
        markersize=14 if pole else 9 if verdict_ != OFF else 6,
        color=color,
        markerfacecolor=color
        if verdict_ == ON or (pole and verdict_ == OFF)
        else "white"
        if verdict_ == UNSURE
        else color,
        alpha=1.0 if verdict_ != OFF or pole else 0.25,
        markeredgewidth=1.8,
        zorder=6 if pole else 4 if verdict_ != OFF else 2,
    )


def _name_some(axes: Axes, table: pd.DataFrame, early: str, late: str, metric: str) -> None:
    """Words beside what is surely on the frontier, as far as they do not touch each other."""
    places: list[tuple[float, float]] = []
    box = axes.get_window_extent()
    order = table.sort_values(f"chance_{metric}", ascending=False)
    order = pd.concat(
        [order[order["kind"] == "pole"], order[(order["kind"] != "pole") & (order[f"verdict_{metric}"] == ON)]]
    )
    for one in order.to_dict("records"):
        x, y = axes.transData.transform((one[early], one[late]))
        if any(abs(x - a) < 150 and abs(y - b) < 24 for a, b in places):
            continue
        places.append((x, y))
        right = x < box.x0 + 0.6 * box.width
        axes.annotate(
            one["label"],
            (one[early], one[late]),
            (11 if right else -11, -19 if one["kind"] == "pole" else 7),
            textcoords="offset points",
            ha="left" if right else "right",
            fontsize=12.5,
            fontweight="bold" if one["kind"] == "pole" else "normal",
            color=_POLES[one["name"]][1] if one["name"] in _POLES else INK,
            zorder=8,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.5},
        )


def ranked_figure(table: pd.DataFrame, note: str, count: int = 16) -> Figure:
    """The combinations of principles that are likeliest on the frontier of all outcomes, and both poles: what they mix,
    and what they reach."""
    corners_ = table[table["kind"].isin(("principles", "pole"))].sort_values(
        "chance_all", ascending=False, kind="stable"
    )
    poles = corners_[corners_["kind"] == "pole"]
    best = corners_[corners_["kind"] != "pole"].head(count - len(poles))
    shown = pd.concat([poles, best]).reset_index(drop=True)
    figure = studying.sheet(
        "Both poles, and the mixtures of principles that are hardest to outdo",
        "A filled dot: that principle's rules are the community-led ones; a ring: Collective Impact's. "
        "Ranked by how surely "
        "no other candidate does better in all four outcomes at once. Lines: 95 % intervals; dotted: the poles.",
        note,
    )
    rows = np.arange(len(shown))[::-1]
    axes = figure.add_axes((0.03, 0.12, 0.2, 0.6))
    for y, one in zip(rows, shown.to_dict("records"), strict=True):
        color = _POLES[one["name"]][1] if one["name"] in _POLES else INK
        for x, number in enumerate(PRINCIPLES):
            led = one["name"] == LED or str(number) in one["led"]
            axes.plot(
                [x],
                [y],
                "o",
                markersize=12,
                color=color,
                markerfacecolor=color if led else "white",
                markeredgewidth=1.4,
            )
        axes.text(len(PRINCIPLES) - 0.3, y, f"{100 * one['chance_all']:.0f} %", fontsize=13, va="center", color=INK)
    for x, number in enumerate(PRINCIPLES):
        axes.text(
            x,
            len(shown) - 0.2,
            f"{number} {studying.short_principle(str(number))}",
            fontsize=12,
            rotation=38,
            ha="left",
            va="bottom",
            color=SOFT,
        )
    axes.set_xlim(-0.6, len(PRINCIPLES) + 1.0)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.axis("off")
    for place, (metric, month, way) in enumerate(OUTCOMES):
        panel = figure.add_axes((0.285 + place * 0.18, 0.12, 0.155, 0.6))
        name = f"{metric}_{month}"
        for y, one in zip(rows, shown.to_dict("records"), strict=True):
            mark, color = _POLES.get(one["name"], ("o", INK))
            panel.plot([one[f"{name}_low"], one[f"{name}_high"]], [y, y], color=color, linewidth=1.8)
            panel.plot([one[name]], [y], mark, color=color, markersize=8)
            if one["name"] in _POLES:
                panel.axvline(one[name], color=color, linewidth=1.0, linestyle=(0, (1, 2)), zorder=0)
        studying.plain_axes(panel, "y")
        panel.set_ylim(-0.6, len(shown) - 0.4)
        panel.set_yticks(rows, [""] * len(rows))
        panel.tick_params(axis="y", length=0)
        if way < 0:
            panel.invert_xaxis()
        if METRIC[metric].unit == "share" or metric == "burden":
            panel.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.4g} %")
        title = write(
            panel, 0.0, 1.015, f"{METRIC[metric].label}, month {month}", fontsize=13, fontweight="bold", va="bottom"
        )
        fit(title, panel.get_window_extent().width * 1.1, 3)
    write(
        figure,
        0.33,
        0.062,
        "further to the right is better in the first two and the last, and more in residents' say",
        fontsize=13,
        color=SOFT,
    )
    marks: list[tuple[Any, str]] = [
        (Line2D([], [], marker="o", color=FIRST, markersize=10, linestyle=""), "Collective Impact"),
        (Line2D([], [], marker="^", color=OTHER, markersize=10, linestyle=""), "Community-led"),
    ]
    studying.key(figure, marks)
    return figure


# The study


def show(table: pd.DataFrame, console: Console) -> None:
    """Print which candidates are on which frontier."""
    fronts = [name for name, _, _ in LATE]
    shown = Table(
        title="On the frontier of burden at 24 months and ..., how surely (% of resamples)", title_justify="left"
    )
    shown.add_column("candidate")
    for name in (*fronts, "all"):
        shown.add_column("all four" if name == "all" else f"{METRIC[name].label}, 120", justify="right")
    sure = table[
        (table[[f"verdict_{name}" for name in (*fronts, "all")]] == ON).any(axis=1) | (table["kind"] == "pole")
    ]
    for one in sure.sort_values("chance_all", ascending=False).to_dict("records"):
        shown.add_row(one["label"], *(f"{100 * one[f'chance_{name}']:.0f}" for name in (*fronts, "all")))
    console.print(shown)
    for name in (*fronts, "all"):
        counts = table[f"verdict_{name}"].value_counts()
        words = "all four" if name == "all" else METRIC[name].label
        console.print(
            f"{words}: {counts.get(ON, 0)} on the frontier, {counts.get(UNSURE, 0)} cannot tell, "
            f"{counts.get(OFF, 0)} outdone, of {len(table)}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study; 0 when done, 2 where the request is wrong."""
    parser = studying.options("Mixtures of both approaches, and which of them nobody outdoes.", 60)
    parser.add_argument("--resamples", type=int, default=1000, help="resamples of the runs (default 1000, at least 10)")
    given = studying.read_options(parser, arguments, {"resamples": 10})
    console = Console()
    studying.prepare(console)
    candidates = {**corners(), **line(), **catalogue()}
    scenarios = {name: scenario for name, (scenario, _) in candidates.items()}
    studying.refuse_unequal(scenarios, max(MONTHS))
    every = list(scenarios.values())

    def work(place: int) -> Values:
        return outcomes(studying.samples(every[place], given.runs, given.seed, MONTHS, given.sets))

    values = np.stack(studying.everywhere(work, len(every), given.threads, "candidates", console))
    turned = values * np.array([way for _, _, way in OUTCOMES])
    table = tabulate(candidates, values, chances(turned, given.resamples, given.seed))
    show(table, console)
    note = studying.note_of(given, f"{len(every)} candidates, {given.runs} paired runs of each")
    console.print(f"[dim]{note}[/]")
    command = studying.command_line("experiments/hybrids/hybrids.py", arguments)
    described = studying.describe(scenarios, given, max(MONTHS), command, resamples=given.resamples)
    pictures = {}
    if given.out is not None or given.figures is not None:
        pictures = {"frontier": frontier_figure(table, note), "ranked": ranked_figure(table, note)}
    studying.save(given, described, {"candidates": table}, pictures, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
