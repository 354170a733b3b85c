"""Two outcomes nearly always go one way: why, and what turns them?

Over random contexts the burden of the most affected against the others is hardly ever smaller under Collective Impact,
and needs met by services are hardly ever more under community-led rules. Here the same contexts are run again with one
reason taken away at a time: a feedback in both scenarios, or a difference between their rules. An outcome that stays on
one side whatever is taken away would be built in. An illustration, not a prediction.

Run ``python experiments/onesided/onesided.py --help``; README.md beside this file says what came out.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import studying
from contexts import contexts as random_contexts
from studying import CI, COLUMN, LED, METRIC, Values

from cej_sim import reading
from cej_sim.plots import INK, fit, write
from cej_sim.scenario import PARAMETERS, Scenario
from cej_sim.sweeps.figures import FIRST, OTHER

#: The outcomes, and the side that each nearly always goes to.
OUTCOMES = {"disparity_ratio": LED, "service_coverage": CI}
MONTH = 120
TIE = random_contexts.TIE


@dataclass(frozen=True)
class Reason:
    """What is taken away.

    Attributes:
        label: In words.
        both: Values that both scenarios get in every context.
        alike: Rules in which community-led becomes like Collective Impact; paths that start so.
    """

    label: str
    both: Mapping[str, float] = field(default_factory=dict)
    alike: tuple[str, ...] = ()


_STRATEGY, _BUDGET = "governance.decide.strategy", "governance.decide.budget"
REASONS = {
    "as_modeled": Reason("as modeled"),
    "no_steering": Reason("say steers no benefits", {"mechanisms.steering": 0.0}),
    "by_need": Reason(
        "both give all benefits by need", {"governance.serve.targeting": 1.0, "governance.advocate.targeted": 1.0}
    ),
    "same_table": Reason(
        "the same seats, votes and invitation",
        {},
        (
            "governance.convene.seats",
            "governance.convene.residents_from",
            "governance.convene.invitation",
            "governance.decide.votes",
        ),
    ),
    "same_strategy": Reason("the same bounds for policy work", {}, (_STRATEGY,)),
    "same_budget": Reason("the same start and bounds of the budget", {}, (_BUDGET,)),
    "same_both": Reason("both of these", {}, (_STRATEGY, _BUDGET)),
    "same_both_no_slowness": Reason(
        "both, and slow decisions cost no action", {"mechanisms.slowness": 0.0}, (_STRATEGY, _BUDGET)
    ),
}


def rules_alike(starts: Sequence[str]) -> dict[str, Any]:
    """The rules of Collective Impact under these paths in which the two scenarios differ."""
    ci, led = reading.load(CI), reading.load(LED)
    return {path: ci[path] for path in PARAMETERS if path.startswith(tuple(starts)) and ci[path] != led[path]}


def pair(reason: Reason, context: Mapping[str, float]) -> tuple[Scenario, Scenario]:
    """Both scenarios in a context, without a reason."""
    here = {**context, **reason.both}
    ci, led = (random_contexts.placed(reading.load(name), here) for name in (CI, LED))
    return ci, studying.with_rules(led, rules_alike(reason.alike)) if reason.alike else led


def differences(reason: Reason, drawn: Sequence[Mapping[str, float]], given: Any, console: Console) -> Values:
    """Community-led minus Collective Impact, (contexts, runs, outcomes)."""
    columns = [COLUMN[name] for name in OUTCOMES]

    def work(place: int) -> Values:
        ci, led = pair(reason, drawn[place])
        studying.refuse_unequal({CI: ci, LED: led}, MONTH)
        seed = given.seed * 1_000_003 + place
        found = [studying.samples(one, given.runs, seed, [MONTH], given.sets)[:, 0, columns] for one in (ci, led)]
        return found[1] - found[0]

    return np.stack(studying.everywhere(work, len(drawn), given.threads, reason.label, console))


def tabulate(found: Mapping[str, Values]) -> pd.DataFrame:
    """A row per reason and outcome: in which part of the contexts each side leads, or has the better mean."""
    rows = []
    for name, values in found.items():
        for place, metric in enumerate(OUTCOMES):
            words = [random_contexts.lead(metric, one)[3] for one in values[:, :, place]]
            means = values[:, :, place].mean(axis=1)
            better = means > 0.0 if METRIC[metric].better == "up" else means < 0.0
            rows.append(
                {
                    "reason": name,
                    "label": REASONS[name].label,
                    "metric": metric,
                    "month": MONTH,
                    **{f"{side}_leads": float(np.mean([word == side for word in words])) for side in (CI, LED)},
                    "cannot_tell": float(np.mean([word == TIE for word in words])),
                    f"{CI}_mean_better": float(1.0 - better.mean()),
                    f"{LED}_mean_better": float(better.mean()),
                    "median_difference": float(np.median(means)),
                    "contexts": len(values),
                }
            )
    return pd.DataFrame(rows)


def turned(values: pd.DataFrame, found: Values) -> pd.DataFrame:
    """What sets the contexts in which an outcome goes the other way, by its mean, apart from the rest."""
    rows = []
    for place, (metric, side) in enumerate(OUTCOMES.items()):
        means = found[:, :, place].mean(axis=1)
        led_better = means > 0.0 if METRIC[metric].better == "up" else means < 0.0
        other = pd.Series(~led_better if side == LED else led_better)
        told = random_contexts.what_distinguishes(values, other, ~other)
        rows += [
            {"metric": metric, "contexts": int(other.sum()), "quantity": name, "rank_difference": difference}
            for name, difference in told
        ]
    return pd.DataFrame(rows, columns=["metric", "contexts", "quantity", "rank_difference"])


def figure(table: pd.DataFrame, note: str) -> Figure:
    """Two panels: with each reason taken away, in which part of the contexts each side leads."""
    drawing = studying.sheet(
        "Two outcomes that nearly always go one way, with one reason at a time taken away",
        f"Percent of {table['contexts'].iloc[0]} random contexts in which each side does better after ten years (the "
        "paired 95 % interval excludes 0). In brackets: where the mean of the other side is better, sure or not.",
        note,
    )
    parts = ((CI, FIRST), (TIE, ""), (LED, OTHER))
    for panel, (metric, usual) in enumerate(OUTCOMES.items()):
        axes = drawing.add_axes((0.31 + panel * 0.345, 0.13, 0.295, 0.64))
        here = table[table["metric"] == metric].reset_index(drop=True)
        other = LED if usual == CI else CI
        for y, row in here.iterrows():
            left = 0.0
            for side, color in parts:
                width = 100.0 * float(row["cannot_tell" if side == TIE else f"{side}_leads"])
                look = studying.HATCHED if side == TIE else {"color": color}
                axes.barh(y, width, 0.74, left, **look)
                if width >= 6.0:
                    axes.text(
                        left + width / 2.0,
                        y,
                        f"{width:.0f}",
                        ha="center",
                        va="center",
                        fontsize=13,
                        color=INK if side == TIE else "white",
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5} if side == TIE else None,
                    )
                left += width
            axes.text(101.0, y, f"({100.0 * row[f'{other}_mean_better']:.0f})", va="center", fontsize=12.5, color=INK)
        studying.plain_axes(axes)
        axes.set_xlim(0, 100)
        axes.set_ylim(len(here) - 0.4, -0.6)
        axes.set_xticks([0, 50, 100])
        axes.set_yticks(range(len(here)), list(here["label"]) if panel == 0 else [""] * len(here), fontsize=14)
        axes.tick_params(axis="y", length=0, colors=INK)
        title = write(
            axes, 0.0, 1.02, METRIC[metric].label, fontsize=15, fontweight="bold", va="bottom", linespacing=1.1
        )
        fit(title, axes.get_window_extent().width, 2)
    studying.key(
        drawing,
        [
            (Patch(color=FIRST), "Collective Impact does better"),
            (studying.unsure_patch(), "cannot tell"),
            (Patch(color=OTHER), "Community-led does better"),
        ],
    )
    return drawing


def show(table: pd.DataFrame, apart: pd.DataFrame, console: Console) -> None:
    """Print both tables."""
    shown = Table(
        title="Who leads, in % of contexts: Collective Impact / cannot tell / community-led", title_justify="left"
    )
    shown.add_column("taken away")
    for metric in OUTCOMES:
        shown.add_column(METRIC[metric].label, justify="right")
        shown.add_column("median difference", justify="right")
    for name in REASONS:
        cells = []
        for metric in OUTCOMES:
            row = table[(table["reason"] == name) & (table["metric"] == metric)].iloc[0]
            sides = (row[f"{CI}_leads"], row["cannot_tell"], row[f"{LED}_leads"])
            cells += [" / ".join(f"{100 * one:.0f}" for one in sides), f"{row['median_difference']:+.3f}"]
        shown.add_row(REASONS[name].label, *cells)
    console.print(shown)
    for metric, side in OUTCOMES.items():
        other = LED if side == CI else CI
        modeled = table[(table["reason"] == "as_modeled") & (table["metric"] == metric)].iloc[0]
        told = "; ".join(
            f"{'higher' if row['rank_difference'] > 0 else 'lower'} {random_contexts._plain(row['quantity'])} "
            f"({row['rank_difference']:+.2f})"
            for row in apart[apart["metric"] == metric].to_dict("records")
        )
        console.print(
            f"{METRIC[metric].label}: as modeled the mean is better under {other} in "
            f"{100 * modeled[f'{other}_mean_better']:.0f} % of contexts. These have, against the rest: "
            f"{told or 'nothing beyond chance'}."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study; 0 when done, 2 where the request is wrong."""
    parser = studying.options("Why two outcomes nearly always go one way.", 8, "paired runs in each context")
    parser.add_argument("--contexts", type=int, default=120, help="how many contexts to draw (default 120, at least 3)")
    given = studying.read_options(parser, arguments, {"contexts": 3})
    console = Console()
    studying.prepare(console)
    drawn = [
        {**a, **b}
        for a, b in zip(
            random_contexts.draw(random_contexts.RANGES, given.contexts, given.seed),
            random_contexts.gains(random_contexts.LEAST_GAIN, given.contexts, given.seed),
            strict=True,
        )
    ]
    found = {name: differences(reason, drawn, given, console) for name, reason in REASONS.items()}
    table, apart = tabulate(found), turned(pd.DataFrame(drawn), found["as_modeled"])
    show(table, apart, console)
    note = studying.note_of(given, f"{given.contexts} random contexts, {given.runs} paired runs in each")
    console.print(f"[dim]{note}[/]")
    command = studying.command_line("experiments/onesided/onesided.py", arguments)
    described = studying.describe({name: reading.load(name) for name in (CI, LED)}, given, MONTH, command)
    pictures = {"onesided": figure(table, note)} if given.out is not None or given.figures is not None else {}
    studying.save(given, described, {"onesided": table, "turned": apart}, pictures, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
