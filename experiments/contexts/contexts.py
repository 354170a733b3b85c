"""How often each side leads over random contexts, and how often a motion to convert passes.

A context is a community, its issues, its funder and how strongly things work there: everything but the rules of
governance in which the two scenarios differ. Each context is given to ``collective_impact`` and ``community_led``
alike, with the same people, luck and money, and, with some more drawn, to ``converted_by_motion``. An illustration,
not a prediction.

Run ``python experiments/contexts/contexts.py --help``; README.md beside this file says what came out.
"""

from __future__ import annotations

import argparse
import math
import sys
import textwrap
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import studying

from cej_sim import compiled, provenance, reading
from cej_sim.draws import run_key
from cej_sim.instruments import change_log
from cej_sim.metrics import METRICS, NAMES
from cej_sim.month import RULES, run_months
from cej_sim.population import populate
from cej_sim.runs import budget_difference, usable_processors
from cej_sim.scenario import PARAMETERS, Scenario, encode_events

CI, LED, TIE = "collective_impact", "community_led", "cannot tell"
MOTION = "converted_by_motion"
MONTHS = (24, 60, 120)
HORIZON = 120

#: Every feedback's strength is unknown: its gain is drawn between this and 1 (as modeled).
LEAST_GAIN = 0.25


@dataclass(frozen=True)
class Range:
    """From where to where a quantity is drawn, evenly (``log``: evenly in its logarithm), and why."""

    low: float
    high: float
    why: str
    log: bool = False


#: What differs from context to context, the same for both scenarios. The ranges are assumptions and part of the result.
RANGES: dict[str, Range] = {
    # The problem
    "issues.structural": Range(
        0.25, 0.85, "mean over issues: from problems that services can solve to those they cannot"
    ),
    "issues.regrowth": Range(
        0.004, 0.03, "urgency: a closed gap opens again within about 20 years or within 3", log=True
    ),
    "issues.skew": Range(
        -0.3, 0.5, "mean over issues: from issues that weigh on everybody to issues of the most affected"
    ),
    "coefficients.service": Range(0.06, 0.14, "what a program can do, more or less than assumed"),
    # The community
    "community.residents": Range(60, 400, "a neighborhood or a small town; one table or two", log=True),
    "community.institutions": Range(
        6, 20, "few or many organizations; a coalition's core names 3 to 9 others", log=True
    ),
    "community.resident_trust": Range(0.25, 0.65, "a history of broken promises, or a good one"),
    "community.resident_skill": Range(0.15, 0.45, "residents new to meetings and programs, or used to them"),
    "community.resident_stake": Range(0.0, 0.25, "none, or a quarter of full interest in things as they are"),
    "community.threshold": Range(0.4, 0.65, "people who act easily, or hardly"),
    "groups.share": Range(0.2, 0.6, "the most affected: a fifth of residents, or the majority"),
    "groups.exposure": Range(0.45, 0.9, "the most affected bear 1.3 times what others do, or 2.6 times"),
    "groups.barriers": Range(0.25, 0.75, "evening meetings and a bus line, or neither"),
    "groups.voice": Range(0.2, 0.5, "the most affected feel powerless, or as able as others"),
    "network.homophily": Range(0.1, 0.8, "mixed or divided by group"),
    # Institutions and the convener
    "community.institution_stake": Range(0.15, 0.65, "little or much to lose from change"),
    "community.institution_openness": Range(0.2, 0.7, "defensive to generous"),
    "community.institution_skill": Range(0.45, 0.85, "thin or strong professional capacity"),
    "community.institution_belief": Range(0.25, 0.9, "causes seen in behavior, or in structures"),
    "community.mission": Range(0.3, 0.9, "institutions that follow need, or their own mission"),
    "community.host_interest": Range(0.0, 0.8, "a neutral host, or one with its own agenda"),
    # Organizing and politics
    "community.organizers": Range(1, 4, "how many can be found and paid"),
    "governance.organize.outside": Range(0.0, 0.2, "allied movements that the coalition neither pays nor directs"),
    "governance.advocate.allies": Range(0.0, 1.0, "no statewide allies, or strong ones"),
    "governance.advocate.rival": Range(0.0, 0.5, "no rival campaigns, or strong ones"),
    "governance.advocate.fear": Range(0.2, 0.8, "how much lobbying rules frighten"),
    "governance.advocate.targeted": Range(0.0, 0.6, "policies that reach all alike, or the most exposed first"),
    "coefficients.emergence": Range(0.008, 0.04, "leaders are scarce, or come forward", log=True),
    "coefficients.burnout": Range(0.04, 0.14, "leaders last a year or three"),
    "coefficients.hazard": Range(0.02, 0.08, "slow politics or fast", log=True),
    "coefficients.opposition": Range(2.5, 12.0, "weak or fierce opposition", log=True),
    "coefficients.erosion": Range(0.002, 0.015, "policies that last, or are undone", log=True),
    # Working together
    "governance.serve.targeting": Range(0.0, 0.7, "services for those who come, or given by need"),
    "governance.convene.take_up": Range(0.0, 1.0, "supports that help nobody (as in a trial), or everybody"),
    "governance.evaluate.official_bias": Range(
        0.0, 0.7, "official indicators that see structures, or control them away"
    ),
    "coefficients.hours_per_item": Range(0.6, 1.3, "decisions that are quickly taken, or not"),
    # The funder
    "funder.grant": Range(3.0, 12.0, "three people's pay, or twelve", log=True),
    "funder.grant_end": Range(48, 120, "four years, or ten"),
    "funder.tolerance": Range(0.1, 0.8, "a funder that fears controversy, or does not"),
    "funder.readiness": Range(0.1, 0.8, "a funder that leaves at conflict, or stays"),
    "funder.horizon": Range(0.0, 0.8, "judged by service numbers, or by structural change"),
    "funder.equity_priority": Range(0.0, 0.6, "judged by all, or by relief for the most affected"),
}

#: What else differs where a motion lies on the table: what could carry it. Bounds fix the two budget lines, so that
#: nobody decides them away.
MOTION_RANGES: dict[str, Range] = {
    "organizing": Range(0.0, 0.15, "share of the money that pays organizers under Collective Impact"),
    "training": Range(0.0, 0.10, "share of the money that pays training under Collective Impact"),
    "governance.organize.outside": Range(0.0, 0.4, "as above, up to one organizer for 250 residents"),
    "governance.reform.motion_threshold": Range(0.5, 0.667, "a majority, or two thirds"),
}

#: Outcomes of the figure: what has a better direction, and below the line two shares of say that have none.
PICTURED = (
    *(metric.name for metric in METRICS if metric.better != "neither" and metric.nature == "happened"),
    "decision_share",
    "agenda_origin",
)
_BY_NAME = {metric.name: metric for metric in METRICS}
_COLUMN = {name: j for j, name in enumerate(NAMES)}
_HAPPENED = tuple(metric for metric in METRICS if metric.nature == "happened")


# Contexts


def draw(ranges: dict[str, Range], contexts: int, seed: int) -> list[dict[str, float]]:
    """Values for each context, a Latin hypercube: every range is cut into as many slices as there are contexts.

    Each quantity has its own stream, so that a further one moves none of the others.
    """
    columns = {}
    for name, range_ in ranges.items():
        generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
        u = (generator.permutation(contexts) + generator.random(contexts)) / contexts
        if range_.log:
            values = np.exp(math.log(range_.low) + u * math.log(range_.high / range_.low))
        else:
            values = range_.low + u * (range_.high - range_.low)
        whole = name in PARAMETERS and PARAMETERS[name].kind == "count"
        columns[name] = np.round(values) if whole else values
    return [{name: float(values[c]) for name, values in columns.items()} for c in range(contexts)]


def gains(least: float, contexts: int, seed: int) -> list[dict[str, float]]:
    """Every gain of ``mechanisms:`` between ``least`` and 1 for each context; nothing where ``least`` is 1."""
    names = [rule.path for rule in RULES if rule.path.startswith("mechanisms.")] if least < 1.0 else []
    return (
        draw({name: Range(least, 1.0, "strength unknown") for name in names}, contexts, seed)
        if names
        else [{}] * contexts
    )


def placed(scenario: Scenario, context: dict[str, float]) -> Scenario:
    """A scenario's rules in a context."""
    values: dict[str, Any] = {}
    for name, value in context.items():
        if name in PARAMETERS:
            values[name] = int(value) if PARAMETERS[name].kind == "count" else value
    for line in ("organizing", "training"):
        if line in context:
            for bound in ("budget", "budget_min", "budget_max"):
                values[f"governance.decide.{bound}.{line}"] = context[line]
    structural = context["issues.structural"] - np.mean([issue.structural for issue in scenario.issues])
    skew = context["issues.skew"] - np.mean([issue.skew for issue in scenario.issues])
    issues = tuple(
        replace(
            issue,
            structural=float(np.clip(issue.structural + structural, 0.02, 0.98)),
            skew=float(np.clip(issue.skew + skew, -0.9, 0.9)),
            regrowth=context["issues.regrowth"],
        )
        for issue in scenario.issues
    )
    affected, others = scenario.groups
    share = context["groups.share"]
    affected = replace(
        affected,
        share=share,
        exposure=context["groups.exposure"],
        barriers=context["groups.barriers"],
        voice=context["groups.voice"],
    )
    return replace(scenario.with_values(values), issues=issues, groups=(affected, replace(others, share=1.0 - share)))


# Runs


def histories(scenario: Scenario, runs: int, seed: int) -> NDArray[np.float64]:
    """Metrics at ``MONTHS`` of each run, (runs, months, metrics)."""
    return studying.samples(scenario, runs, seed, MONTHS)


def passing(scenario: Scenario, runs: int, seed: int) -> tuple[list[int | None], float, float]:
    """Month in which the motion passed (None: never) for each run, and means over the year before it was made.

    Returns:
        The months, members' openness, and residents mobilized.
    """
    events = encode_events(scenario)
    months = np.empty((HORIZON, len(NAMES)))
    passed: list[int | None] = []
    openness, mobilized = [], []
    for run in range(runs):
        key = np.uint64(run_key(seed, run))
        state = populate(scenario, key)
        run_months(state, events, key, 0, months)
        dates = [entry["month"] for entry in change_log(state, scenario) if entry["event"] == "motion_passed"]
        passed.append(dates[0] if dates else None)
        made = scenario.events[0].month
        openness.append(months[made - 13 : made - 1, _COLUMN["openness"]].mean())
        mobilized.append(months[made - 13 : made - 1, _COLUMN["mobilized"]].mean())
    return passed, float(np.mean(openness)), float(np.mean(mobilized))


# Who leads


def lead(metric: str, differences: NDArray[np.float64]) -> tuple[float, float, float, str]:
    """Mean paired difference (community-led minus Collective Impact), its 95 % t interval, and who leads.

    Who leads is who does better; for a metric with no better direction, who has more. Nobody leads if the interval
    includes 0.
    """
    mean = float(differences.mean())
    runs = differences.size
    half = float(stats.t.ppf(0.975, runs - 1) * differences.std(ddof=1) / math.sqrt(runs)) if runs > 1 else math.inf
    low, high = mean - half, mean + half
    if low <= 0.0 <= high:
        return mean, low, high, TIE
    better_up = _BY_NAME[metric].better != "down"
    return mean, low, high, LED if (mean > 0.0) == better_up else CI


def tabulate(pairs: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> pd.DataFrame:
    """One row per context, metric and month."""
    rows = []
    for context, (ci, led) in enumerate(pairs):
        for metric in _HAPPENED:
            for m, month in enumerate(MONTHS):
                a, b = ci[:, m, _COLUMN[metric.name]], led[:, m, _COLUMN[metric.name]]
                difference, low, high, who = lead(metric.name, b - a)
                rows.append(
                    (context, metric.name, month, metric.better, a.mean(), b.mean(), difference, low, high, who)
                )
    columns = ["context", "metric", "month", "better", CI, LED, "difference", "ci_low", "ci_high", "leads"]
    return pd.DataFrame(rows, columns=columns)


def summarize(outcomes: pd.DataFrame) -> pd.DataFrame:
    """One row per metric and month: how often each side leads, and the median difference over contexts."""
    rows = []
    for (metric, month), part in outcomes.groupby(["metric", "month"], sort=False):
        sign = -1.0 if _BY_NAME[str(metric)].better == "down" else 1.0
        rows.append(
            {
                "metric": metric,
                "month": month,
                "better": part["better"].iloc[0],
                f"{CI}_leads": (part["leads"] == CI).mean(),
                "cannot_tell": (part["leads"] == TIE).mean(),
                f"{LED}_leads": (part["leads"] == LED).mean(),
                f"{CI}_mean_better": (sign * part["difference"] < 0).mean(),
                "median_difference": part["difference"].median(),
                f"median_{CI}": part[CI].median(),
                f"median_{LED}": part[LED].median(),
                "contexts": len(part),
            }
        )
    return pd.DataFrame(rows)


#: What is shown lies so many standard errors from chance; of some 80 quantities, 3 lets one through in five times.
BEYOND_CHANCE = 3.0


def what_distinguishes(
    values: pd.DataFrame, first: pd.Series, second: pd.Series, count: int = 5
) -> list[tuple[str, float]]:
    """The quantities whose mean rank (0 lowest, 1 highest) differs most between two sets of contexts, and by how much.

    Only those whose difference is beyond chance, the largest first.
    """
    if not first.any() or not second.any():
        return []
    varied = values.loc[:, values.nunique() > 1]
    ranks = varied.rank(pct=True)
    difference = ranks[first].mean() - ranks[second].mean()
    error = math.sqrt((1.0 / first.sum() + 1.0 / second.sum()) / 12.0)  # ranks are spread evenly over 0 to 1
    order = difference.abs().sort_values(ascending=False).index[:count]
    return [(str(name), float(difference[name])) for name in order if abs(difference[name]) > BEYOND_CHANCE * error]


def thirds(values: pd.DataFrame, share: pd.Series, count: int = 10) -> pd.DataFrame:
    """Mean of ``share`` in the lower, middle and upper third of each quantity that goes with it beyond chance.

    Returns:
        Columns quantity, lower, middle, upper and rank_correlation; the strongest first, ``count`` at most.
    """
    rows = []
    for name in values.columns[values.nunique() > 2]:
        correlation = float(np.corrcoef(values[name].rank(), share.rank())[0, 1]) if share.nunique() > 1 else 0.0
        if abs(correlation) * math.sqrt(len(share) - 1) <= BEYOND_CHANCE:
            continue
        third = np.minimum((values[name].rank(method="first", pct=True) * 3.0).apply(math.ceil), 3)
        rows.append((name, *(float(share[third == t].mean()) for t in (1, 2, 3)), correlation))
    table = pd.DataFrame(rows, columns=["quantity", "lower", "middle", "upper", "rank_correlation"])
    order = table["rank_correlation"].abs().sort_values(ascending=False).index
    return table.loc[order].head(count).reset_index(drop=True)


# Figure

_COLORS = {CI: "#0072B2", TIE: "#d9d9d9", LED: "#D55E00"}
_WORDS = {CI: "white", TIE: "#1a1a1a", LED: "white"}
_TITLES = {CI: "Collective Impact leads", TIE: "cannot tell", LED: "Community-led leads"}


def figure(summary: pd.DataFrame, note: str) -> Figure:
    """A panel for each month: stacked bars, one per outcome, of the share of contexts in which each side leads."""
    have_better = [name for name in PICTURED if _BY_NAME[name].better != "neither"]
    balance = (summary[f"{LED}_leads"] - summary[f"{CI}_leads"]).groupby(summary["metric"]).mean()
    order = sorted(have_better, key=lambda name: balance[name]) + [name for name in PICTURED if name not in have_better]
    places = [row + (0.8 if name not in have_better else 0.0) for row, name in enumerate(order)]

    drawing = Figure(figsize=(14.5, 11.2), facecolor="white")
    FigureCanvasAgg(drawing)
    panels = drawing.subplots(1, len(MONTHS), sharey=True)
    drawing.subplots_adjust(left=0.325, right=0.975, top=0.868, bottom=0.085, wspace=0.09)
    for axes, month in zip(panels, MONTHS, strict=True):
        here = summary[summary["month"] == month].set_index("metric")
        for place, name in zip(places, order, strict=True):
            left = 0.0
            for who, column in ((CI, f"{CI}_leads"), (TIE, "cannot_tell"), (LED, f"{LED}_leads")):
                width = 100.0 * float(here.loc[name, column])
                axes.barh(place, width, 0.8, left, color=_COLORS[who], edgecolor="white", linewidth=0.8)
                if width >= 7.0:
                    axes.text(
                        left + width / 2, place, f"{width:.0f}", ha="center", va="center", fontsize=9, color=_WORDS[who]
                    )
                left += width
        axes.set_title(f"after {month // 12} years (month {month})", fontsize=12, loc="left")
        axes.set_xlim(0, 100)
        axes.set_ylim(places[-1] + 0.6, -0.6)
        axes.set_xticks([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100"])
        axes.tick_params(length=0, labelsize=10)
        for side in ("top", "right", "left", "bottom"):
            axes.spines[side].set_visible(False)
    arrows = {"up": "more is better", "down": "less is better", "neither": "who has more"}
    panels[0].set_yticks(places, [f"{_BY_NAME[name].label}  ({arrows[_BY_NAME[name].better]})" for name in order])
    panels[0].set_ylabel("")
    contexts = int(summary["contexts"].iloc[0])
    drawing.text(
        0.012, 0.968, "Who leads, outcome by outcome, over random contexts", fontsize=17, weight="bold", va="center"
    )
    drawing.text(
        0.012,
        0.938,
        f"Percent of {contexts} contexts in which each side does better (the paired 95 % interval excludes 0). "
        "Community, luck and money are the same for both.",
        fontsize=11,
        va="center",
        color="#404040",
    )
    drawing.legend(
        handles=[Patch(color=_COLORS[who], label=_TITLES[who]) for who in (CI, TIE, LED)],
        loc="upper left",
        bbox_to_anchor=(0.32, 0.928),
        ncols=3,
        frameon=False,
        fontsize=11,
    )
    drawing.text(0.012, 0.022, textwrap.fill(note, 170), fontsize=9.5, color="#404040", va="center")
    return drawing


# Words

_ARROWS = {"up": "↑", "down": "↓", "neither": ""}


def _percent(share: float) -> str:
    return f"{100 * share:.0f}"


def _plain(name: str) -> str:
    """A quantity in plain words."""
    if name in PARAMETERS:
        return PARAMETERS[name].label
    words = {
        "issues.structural": "Structural share of the issues",
        "issues.regrowth": "Regrowth (urgency)",
        "issues.skew": "Issues weigh on the most affected",
        "groups.share": "Share of the most affected",
        "groups.exposure": "Exposure of the most affected",
        "groups.barriers": "Barriers of the most affected",
        "groups.voice": "Voice of the most affected",
        "organizing": "Organizing money",
        "training": "Training money",
        "openness before": "Members' openness, year before the motion",
        "mobilized before": "Residents mobilized, year before the motion",
    }
    return words[name]


def show_leads(summary: pd.DataFrame, console: Console) -> None:
    """Print how often each side leads."""
    table = Table(
        title="Who leads, in % of contexts: Collective Impact / cannot tell / community-led", title_justify="left"
    )
    table.add_column("outcome")
    for month in MONTHS:
        table.add_column(f"month {month}", justify="right", no_wrap=True, min_width=14)
    indexed = summary.set_index(["metric", "month"])
    previous = ""
    for metric in sorted(_HAPPENED, key=lambda m: m.better == "neither"):
        if previous and (previous == "neither") != (metric.better == "neither"):
            table.add_section()
        previous = metric.better
        cells = []
        for month in MONTHS:
            row = indexed.loc[(metric.name, month)]
            shares = (row[f"{CI}_leads"], row["cannot_tell"], row[f"{LED}_leads"])
            cells.append(" / ".join(f"{100 * share:3.0f}" for share in shares))
        table.add_row(f"{metric.label} {_ARROWS[metric.better]}".rstrip(), *cells)
    console.print(table)
    console.print(
        "[dim]↑ more is better, ↓ less is better; below the line neither is, and leading means having more.[/]"
    )


_REGION_COLUMNS = ["metric", "month", "quantity", "rank_difference"]


def show_regions(values: pd.DataFrame, outcomes: pd.DataFrame, console: Console) -> list[dict[str, Any]]:
    """Print what sets the contexts in which Collective Impact leads apart from those in which community-led does."""
    table = Table(title="Where Collective Impact leads, against where community-led leads", title_justify="left")
    for column in ("outcome", "month", "contexts CI : led", "compared with the others, CI's contexts have"):
        table.add_column(column)
    rows = []
    for name, month in (
        ("burden", 60),
        ("burden", 120),
        ("disparity_ratio", 60),
        ("disparity_ratio", 120),
        ("worst_decile", 120),
        ("alive", 120),
    ):
        part = outcomes[(outcomes["metric"] == name) & (outcomes["month"] == month)].set_index("context")["leads"]
        first, second = part == CI, part == LED
        found = what_distinguishes(values, first, second)
        text = "; ".join(f"{'higher' if d > 0 else 'lower'} {_plain(n)} ({d:+.2f})" for n, d in found)
        rows += [{"metric": name, "month": month, "quantity": n, "rank_difference": d} for n, d in found]
        table.add_row(
            _BY_NAME[name].label, str(month), f"{first.sum()} : {second.sum()}", text or "nothing beyond chance"
        )
    console.print(table)
    console.print("[dim]In brackets: difference of mean ranks, from -1 to 1; only what is beyond chance.[/]")
    return rows


def show_motion(motion: pd.DataFrame, by_third: pd.DataFrame, runs: int, console: Console) -> None:
    """Print how often the motion passes, when, and what distinguishes the contexts."""
    share = motion["passed"]
    months = motion["median_month"].dropna()
    made = 60
    after = f"median {months.median() - made:.0f} months after it was made" if len(months) else "never"
    console.print(
        f"\n[bold]A motion for the rules of community-led governance, from month {made} on[/]\n"
        f"passes in most runs in {_percent((share > 0.5).mean())} % of contexts, "
        f"in none of {runs} runs in {_percent((share == 0).mean())} %, "
        f"in all of them in {_percent((share == 1).mean())} %; in {_percent(share.mean())} % of all runs ({after})."
    )
    if by_third.empty:
        console.print("Nothing sets the contexts in which it passes apart beyond chance.")
        return
    table = Table(title="Share of runs in which it passes, by thirds of contexts", title_justify="left")
    for column in ("quantity", "lower third", "middle", "upper third"):
        table.add_column(column, justify="left" if column == "quantity" else "right")
    for row in by_third.itertuples():
        table.add_row(_plain(str(row.quantity)), *(f"{_percent(v)} %" for v in (row.lower, row.middle, row.upper)))
    console.print(table)


# The study


def study(contexts: int, runs: int, seed: int, least_gain: float, threads: int, console: Console) -> dict[str, Any]:
    """Draw the contexts, run both parts and tabulate."""
    ci, led, motion = (reading.load(name) for name in (CI, LED, MOTION))
    drawn = [{**a, **b} for a, b in zip(draw(RANGES, contexts, seed), gains(least_gain, contexts, seed), strict=True)]

    def pair(c: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        here = placed(ci, drawn[c]), placed(led, drawn[c])
        unequal = budget_difference(*here, HORIZON)
        if unequal:
            raise ValueError(f"context {c}: budgets differ: {unequal}")
        a, b = (histories(scenario, runs, _seed(seed, c)) for scenario in here)
        return a, b

    more = draw(MOTION_RANGES, contexts, seed + 1)
    with_motion = [{**a, **b} for a, b in zip(drawn, more, strict=True)]

    def vote(c: int) -> tuple[list[int | None], float, float]:
        return passing(placed(motion, with_motion[c]), runs, _seed(seed, c))

    outcomes = tabulate(studying.everywhere(pair, contexts, threads, "both sides in each context", console))
    votes = studying.everywhere(vote, contexts, threads, "a motion in each context", console)
    values = pd.DataFrame(drawn)
    motions = pd.DataFrame(with_motion)
    motions["openness before"] = [openness for _, openness, _ in votes]
    motions["mobilized before"] = [mobilized for _, _, mobilized in votes]
    share = pd.Series([np.mean([month is not None for month in passed]) for passed, _, _ in votes])
    by_third = thirds(motions, share)
    motions.insert(0, "context", range(contexts))
    motions["passed"] = share
    motions["median_month"] = [
        float(np.median([month for month in passed if month is not None]))
        if any(m is not None for m in passed)
        else math.nan
        for passed, _, _ in votes
    ]
    return {
        "values": values,
        "outcomes": outcomes,
        "summary": summarize(outcomes),
        "motion": motions,
        "thirds": by_third,
        "scenarios": {CI: ci, LED: led, MOTION: motion},
    }


def _seed(seed: int, context: int) -> int:
    """The seed of a context's runs: the same for both sides."""
    return seed * 1_000_003 + context


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study; 0 when done, 2 where the request is wrong."""
    parser = argparse.ArgumentParser(
        description="Who leads over random contexts, and where a motion to convert passes."
    )
    parser.add_argument("--contexts", type=int, default=250, help="how many contexts to draw (default 250)")
    parser.add_argument("--runs", type=int, default=8, help="paired runs in each context (default 8, at least 2)")
    parser.add_argument("--seed", type=int, default=1, help="seed of contexts and runs (default 1)")
    parser.add_argument(
        "--least-gain",
        type=float,
        default=LEAST_GAIN,
        help="draw every gain of mechanisms: from here to 1 (default 0.25; 1: all as modeled)",
    )
    parser.add_argument(
        "--threads", type=int, default=usable_processors(), help="threads (default: one for each processor)"
    )
    parser.add_argument("--out", type=Path, help="directory for the tables and the figure")
    given = parser.parse_args(arguments)
    for name, least in (("contexts", 1), ("runs", 2), ("seed", 0), ("threads", 1)):
        if getattr(given, name) < least:
            parser.error(f"--{name} {getattr(given, name)}: write a whole number of at least {least}")
    if not 0.0 <= given.least_gain <= 1.0:
        parser.error(f"--least-gain {given.least_gain}: write a number from 0 to 1")
    console = Console()
    try:
        if given.out is not None:
            provenance.check_output(given.out)
    except provenance.OutputError as error:
        parser.error(str(error))
    studying.prepare(console)
    found = study(given.contexts, given.runs, given.seed, given.least_gain, given.threads, console)
    described = provenance.describe(
        found["scenarios"],
        seed=given.seed,
        runs=given.runs,
        months=HORIZON,
        engine=compiled.source_hash(),
        command=" ".join(
            ["python", "experiments/contexts/contexts.py", *(sys.argv[1:] if arguments is None else arguments)]
        ),
    )
    note = (
        f"{provenance.NOTE}; {given.contexts} contexts, {given.runs} paired runs each, seed {given.seed}, "
        f"cej_sim {described['version']}"
    )
    if given.least_gain < 1.0:
        note += f", gains from {given.least_gain:g} to 1"
    show_leads(found["summary"], console)
    regions = show_regions(found["values"], found["outcomes"], console)
    show_motion(found["motion"], found["thirds"], given.runs, console)
    console.print(f"[dim]{note}[/]")
    if given.out is not None:
        values = found["values"].copy()
        values.insert(0, "context", range(given.contexts))
        ranges = {
            "ranges": {name: [r.low, r.high, r.why] for name, r in (RANGES | MOTION_RANGES).items()},
            "least_gain": given.least_gain,
        }
        provenance.write(
            given.out,
            {**described, "note": note, **ranges},
            {
                "contexts.csv": lambda path: values.to_csv(path, index=False),
                "outcomes.csv": lambda path: found["outcomes"].to_csv(path, index=False),
                "summary.csv": lambda path: found["summary"].to_csv(path, index=False),
                "regions.csv": lambda path: pd.DataFrame(regions, columns=_REGION_COLUMNS).to_csv(path, index=False),
                "motion.csv": lambda path: found["motion"].to_csv(path, index=False),
                "motion_thirds.csv": lambda path: found["thirds"].to_csv(path, index=False),
                "contexts.png": lambda path: figure(found["summary"], note).savefig(path, format="png", dpi=110),
            },
        )
        console.print(f"written to {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
