"""Pictures of who is ahead in how many cells."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from matplotlib.patches import Patch

from cej_sim.comparison import label_of, when
from cej_sim.sweeps.analysis import NOT_COMPUTED, Analysis
from cej_sim.sweeps.figures.frame import FIRST, OTHER, Picture, Wording
from cej_sim.sweeps.figures.maps import kind_of
from cej_sim.sweeps.figures.shares import shares_figure


def verdict_pictures(found: Analysis, wording: Wording, response: str, month: int, tail: str) -> Iterator[Picture]:
    """Shares of cells in which each is ahead."""
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
        shares = {kind: float(rows.loc[rows["verdict"].map(kind_of) == kind, "share"].sum()) for kind in looks}
        bars[metric.name] = [(shares[kind], look, f"share:{kind}") for kind, look in looks.items()]
        told.append(
            f"{label_of(metric)}: {sides[0]} {100 * shares['first']:.0f}%, {sides[1]} {100 * shares['other']:.0f}%, "
            f"cannot tell {100 * shares['unsure']:.0f}%"
        )
    notes = {m.name: "(no better direction)" for m in found.metrics if m.better == "neither"}
    key = [
        (Patch(facecolor=FIRST), f"{sides[0]}: further (or higher)"),
        (Patch(facecolor="white", edgecolor="#b5b5b5", hatch="////"), "cannot tell, or no difference seen"),
        (Patch(facecolor=OTHER), f"{sides[1]}: further (or higher)"),
    ]
    if (table["verdict"] == NOT_COMPUTED).any():
        key.append((Patch(facecolor="#4d4d4d"), "not computed"))
    heading = f"In how many cells each gets further, {when(month)}"
    # Copies of a cell, which differ in what neither of the two has, count once.
    count = int(table[table["metric"] == found.metrics[0].name]["cells"].sum())
    caption = (
        f"Of the {count} cells of the design, in how many the interval of the paired difference says who is "
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
            f"{sides[0]} against {sides[1]}: share of the {count} cells of this design in which each "
            "is ahead by more than chance.",
            wording.footer,
            bars,
            notes,
            key,
        ),
    )
