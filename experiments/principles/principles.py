"""The six principles in all combinations: who contributes what, which need each other, and is the whole its parts' sum?

The sweep of design.yaml puts each principle's rules from the community-led scenario into Collective Impact, in all 64
combinations. From it follow Shapley values, interactions of two, and synergy: what all six bring together beyond the
sum of what each brings by itself. An illustration, not a prediction.

Run ``python experiments/principles/principles.py --help``; README.md beside this file says what came out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import studying
from studying import METRIC, Values

from cej_sim.plots import INK, SOFT, fit, per_cent, write
from cej_sim.sweeps.analysis import is_sure
from cej_sim.sweeps.figures import BETTER, WORSE
from cej_sim.sweeps.store import Sweep

HERE = Path(__file__).resolve().parent
METRICS = ("burden", "disparity_ratio", "policy_wins", "decision_share")
MONTHS = (24, 120)
SUM, UNSURE = "just the sum", "cannot tell"


# Is the whole its parts' sum?


def worths(sweep: Sweep, metric: str, month: int) -> Values:
    """(runs, combinations): the metric of each run for each combination; nobody has a say where the coalition ended.

    Raises:
        ValueError: If combinations are missing, because cells have failed.
    """
    rows = sweep.rows(metrics=[metric, "alive"], months=[month])
    values = rows[metric].where((rows["alive"] > 0.0) | METRIC[metric].outlives, 0.0)
    wide = rows.assign(value=values).pivot(index="run", columns="cell", values="value")
    if wide.shape[1] != len(sweep.plan) or wide.isna().any(axis=None):
        raise ValueError(f"{sweep.directory}: cells are missing; compute them with cej-sim retry, and run this again")
    return wide.to_numpy(float)


def synergy(worth: Values) -> dict[str, Values]:
    """For each run: what all bring together, the sum of each put in alone, of each taken out alone, and the synergies.

    Args:
        worth: (runs, 2^n); bit i of a column's number says whether part i is swapped.
    """
    parts = int(worth.shape[1]).bit_length() - 1
    whole = worth[:, -1] - worth[:, 0]
    first = sum(worth[:, 1 << part] - worth[:, 0] for part in range(parts))
    last = sum(worth[:, -1] - worth[:, worth.shape[1] - 1 - (1 << part)] for part in range(parts))
    return {"whole": whole, "alone": first, "taken_out": last, "synergy": whole - first, "last_beyond": last - whole}


def synergies(sweep: Sweep) -> pd.DataFrame:
    """A row for each metric, month and quantity of ``synergy``, with its 95 % interval."""
    rows = []
    for metric in METRICS:
        for month in MONTHS:
            for name, values in synergy(worths(sweep, metric, month)).items():
                mean, low, high = (float(one) for one in studying.interval(values))
                rows.append((metric, month, name, mean, low, high, len(values)))
    return pd.DataFrame(rows, columns=["metric", "month", "quantity", "value", "ci_low", "ci_high", "runs"])


def word(metric: str, low: float, high: float) -> str:
    """What the interval of a synergy says: whether principles do better together than the sum of each alone."""
    if low == high == 0.0:
        return SUM
    if low <= 0.0 <= high:
        return UNSURE
    better = METRIC[metric].better
    if better == "neither":
        return "more together" if low > 0.0 else "less together"
    return "better together" if (low > 0.0) == (better == "up") else "worse together"


# Pictures


def _panels(figure: Figure, left: float) -> dict[tuple[str, int], Any]:
    """A panel for each metric (across, named above) and month (down, named at the left)."""
    wide, high = (0.985 - left) / len(METRICS), 0.335
    found = {}
    for row, month in enumerate(MONTHS):
        bottom = 0.14 + (len(MONTHS) - 1 - row) * high
        write(figure, 0.03, bottom + 0.28, f"After {month // 12} years", fontsize=15, fontweight="bold", va="bottom")
        for column, metric in enumerate(METRICS):
            axes = figure.add_axes((left + column * wide, bottom, wide - 0.022, 0.27))
            found[metric, month] = axes
            if row:
                continue
            better = {"up": "more is better", "down": "less is better"}.get(
                METRIC[metric].better, "no better direction"
            )
            unit = "percentage points" if _scale(metric) > 1.0 else METRIC[metric].unit
            words = METRIC[metric].label.replace(" this month", "")
            hint = write(axes, 0.0, 1.035, f"{unit}, {better}", fontsize=12, color=SOFT, va="bottom", style="italic")
            fit(hint, axes.get_window_extent().width * 1.06)
            title = write(axes, 0.0, 1.12, words, fontsize=14, fontweight="bold", va="bottom", linespacing=1.1)
            fit(title, axes.get_window_extent().width * 1.06, 2)
    return found


def _scale(metric: str) -> float:
    return 100.0 if per_cent(METRIC[metric]) or metric == "burden" else 1.0


def _number(metric: str, value: float) -> str:
    """A signed difference in the unit of its panel."""
    places = 1 if _scale(metric) > 1.0 else 3 if METRIC[metric].unit == "ratio" else 2
    return f"{_scale(metric) * value:+.{places}f}".replace("-", "−")


def _unit(axes: Any, metric: str) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{_scale(metric) * value:.4g}".replace("-", "−"))


def _color(metric: str, value: float) -> str:
    better = METRIC[metric].better
    return INK if better == "neither" else BETTER if (value > 0.0) == (better == "up") else WORSE


_KEY: list[tuple[Any, str]] = [
    (Patch(facecolor=BETTER), "for the better"),
    (Patch(facecolor=WORSE), "for the worse"),
    (Patch(facecolor=INK), "no better direction"),
]


def shapley_figure(table: pd.DataFrame, labels: dict[str, str], note: str) -> Figure:
    """Each principle's share of the whole difference, with intervals."""
    figure = studying.sheet(
        "What each principle contributes",
        "From Collective Impact to community-led: each principle's fair share (Shapley value) of the whole difference, "
        "over every order in which they could be put in. Lines: 95 % intervals over runs.",
        note,
    )
    panels = _panels(figure, 0.185)
    for (metric, month), axes in panels.items():
        here = table[(table["metric"] == metric) & (table["month"] == month)].set_index("factor")
        for y, name in enumerate(labels):
            one = here.loc[name].to_dict()
            sure, color = is_sure(one), _color(metric, one["value"])
            look = {"facecolor": color} if sure else studying.HATCHED
            axes.barh(-y, one["value"], 0.62, **look)
            axes.plot([one["ci_low"], one["ci_high"]], [-y, -y], color="#1a1a1a", linewidth=1.6)
        axes.axvline(0.0, color=SOFT, linewidth=0.9)
        studying.plain_axes(axes, "x")
        axes.set_yticks([-y for y in range(len(labels))], list(labels.values()) if metric == METRICS[0] else [])
        axes.tick_params(axis="y", length=0, labelsize=12.5)
        _unit(axes, metric)
    studying.key(figure, [*_KEY, (studying.unsure_patch(), "cannot tell (interval includes 0)")])
    return figure


def interactions_figure(table: pd.DataFrame, labels: dict[str, str], note: str) -> Figure:
    """Which two principles do more or less with each other."""
    figure = studying.sheet(
        "Which principles need each other, and which get in each other's way",
        "Interaction: half of how much one principle's effect grows where the other is there, averaged over all "
        "combinations. In points (policies, ratio: as they are); hatched: cannot tell, the 95 % interval includes 0.",
        note,
    )
    names = list(labels)
    for (metric, month), axes in _panels(figure, 0.165).items():
        here = table[(table["metric"] == metric) & (table["month"] == month)]
        largest = float(here["effect"].abs().max()) or 1.0
        for one in here.to_dict("records"):
            i, j = sorted((names.index(one["factor_a"]), names.index(one["factor_b"])))
            sure, color = is_sure(one), _color(metric, one["effect"])
            shade = 0.25 + 0.75 * abs(one["effect"]) / largest
            look = {"facecolor": color, "alpha": shade, "edgecolor": "white"} if sure else studying.HATCHED
            axes.add_patch(Rectangle((i - 0.48, -j - 0.48), 0.96, 0.96, **look))
            if sure:
                text = _number(metric, one["effect"]).replace("0.", ".")
                dark = "white" if shade > 0.6 else INK
                axes.text(i, -j, text, ha="center", va="center", fontsize=11, color=dark)
        axes.set_xlim(-0.5, len(names) - 1.5)
        axes.set_ylim(-len(names) + 0.5, -0.5)
        studying.plain_axes(axes)
        axes.tick_params(length=0, labelsize=12)
        axes.set_xticks(range(len(names) - 1), [name[-1] for name in names[:-1]])
        axes.set_yticks([-y for y in range(1, len(names))], list(labels.values())[1:] if metric == METRICS[0] else [])
        for side in axes.spines.values():
            side.set_visible(False)
    studying.key(figure, [*_KEY, (studying.unsure_patch(), "cannot tell")])
    return figure


_POINTS = {
    "alone": ("o", "each put in alone, summed"),
    "whole": ("D", "all six together"),
    "taken_out": ("s", "each taken out alone, summed"),
}


def synergy_figure(table: pd.DataFrame, note: str) -> Figure:
    """Sums of single effects against the whole."""
    figure = studying.sheet(
        "Do the principles work together or alone?",
        "The whole difference against the sum of single effects. Synergy, in words: the whole less the sum of each put "
        "in alone, with its 95 % interval. Where taking single ones out loses more than the whole, each needs others.",
        note,
    )
    for (metric, month), axes in _panels(figure, 0.185).items():
        here = table[(table["metric"] == metric) & (table["month"] == month)].set_index("quantity")
        for y, (name, (mark, _)) in enumerate(_POINTS.items()):
            one = here.loc[name]
            color = INK if name == "whole" else "#5a5a5a"
            axes.plot([one["ci_low"], one["ci_high"]], [-y, -y], color=color, linewidth=2.2)
            axes.plot([one["value"]], [-y], mark, color=color, markersize=10 if name == "whole" else 8)
        axes.axvline(0.0, color=SOFT, linewidth=0.9)
        beyond = here.loc["synergy"]
        said = word(metric, beyond["ci_low"], beyond["ci_high"])
        value, low, high = (_number(metric, beyond[one]) for one in ("value", "ci_low", "ci_high"))
        color = {"better together": BETTER, "worse together": WORSE}.get(said, INK if "together" in said else SOFT)
        words = f"{said}:\n{value} [{low}, {high}]"
        write(axes, 0.02, 0.03, words, fontsize=13, color=color, fontweight="bold", va="bottom", linespacing=1.15)
        studying.plain_axes(axes, "x")
        axes.set_ylim(-3.9, 0.5)
        axes.set_yticks(
            [-y for y in range(3)], [words for _, words in _POINTS.values()] if metric == METRICS[0] else []
        )
        axes.tick_params(axis="y", length=0, labelsize=12.5)
        _unit(axes, metric)
    marks: list[tuple[Any, str]] = [
        (Line2D([], [], linestyle="", marker=mark, color=INK, markersize=9), words) for mark, words in _POINTS.values()
    ]
    studying.key(figure, marks)
    return figure


# The study


def show(table: pd.DataFrame, console: Console) -> None:
    """Print wholes, sums and synergies."""
    shown = Table(title="The whole against the sum of single effects", title_justify="left")
    for heading in ("outcome", "month", "whole", "put in alone, summed", "synergy", ""):
        shown.add_column(heading)
    for (metric, month), part in table.groupby(["metric", "month"], sort=False):
        by = part.set_index("quantity")
        cells = [
            "{:+.3g} [{:+.3g}, {:+.3g}]".format(*by.loc[name, ["value", "ci_low", "ci_high"]])
            for name in ("whole", "alone", "synergy")
        ]
        beyond = by.loc["synergy"]
        said = word(str(metric), beyond["ci_low"], beyond["ci_high"])
        shown.add_row(METRIC[str(metric)].label, str(month), *cells, said)
    console.print(shown)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sweep and draw; 0 when done, 2 where the request is wrong."""
    design = studying.read_design(HERE / "design.yaml")
    parser = studying.options(
        "What each of the six principles contributes, and whether they work together.", design.runs
    )
    parser.set_defaults(out=Path("results/principles"))
    given = studying.read_options(parser, arguments, of_sweep=True)
    console = Console()
    command = studying.command_line("experiments/principles/principles.py", arguments)
    changed = {"runs": given.runs}
    swept, written = studying.swept(HERE / "design.yaml", given, changed, console, command, METRICS)
    table = synergies(swept)
    show(table, console)
    labels = {
        factor.name: f"{factor.name[-1]} {studying.short_principle(factor.name)}" for factor in swept.design.factors
    }
    note = studying.note_of(given, f"{len(swept.plan)} combinations, {given.runs} paired runs of each")
    console.print(f"[dim]{note}[/]")
    found = written.found.tables
    pictures = {
        "shapley": shapley_figure(found["shapley"], labels, note),
        "interactions": interactions_figure(found["interactions"], labels, note),
        "synergy": synergy_figure(table, note),
    }
    described = studying.describe_sweep(swept, given, command)
    studying.save(given, described, {"synergy": table}, pictures, console, given.out / "maps")
    return 0


if __name__ == "__main__":
    sys.exit(main())
