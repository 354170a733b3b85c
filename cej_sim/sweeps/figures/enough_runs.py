"""Pictures of whether there are enough runs."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from matplotlib.patches import Patch

from cej_sim.comparison import BY_NAME, format_difference, label_of, records, when
from cej_sim.plots import per_cent
from cej_sim.sweeps.analysis import Analysis
from cej_sim.sweeps.figures.frame import WORSE, Picture, Wording
from cej_sim.sweeps.figures.shares import shares_figure


def precision_pictures(found: Analysis, wording: Wording, response: str, month: int, tail: str) -> Iterator[Picture]:
    """Which share of cells is as precise as the target, asked for or assumed."""
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
            kind = "" if row["asked"] else "assumed "
            notes[name] = f"{kind}±{aim.lstrip('+')}{points}: {row['runs_needed_90']:.0f} runs"
            told.append(f"{label_of(metric)}: {100 * good:.0f}% of cells precise enough; {needed}")
    target = "the target (±)" if found.study.target is not None else "the assumed target (±; the design asks for none)"
    caption = (
        f"A cell is precise enough where its 95% interval reaches at most {target} to either side. Beside each "
        "bar: the target, and how many runs per cell would be enough for nine cells of ten."
    )
    key = [
        (Patch(facecolor="#009E73"), "precise enough"),
        (Patch(facecolor="white", edgecolor=WORSE, hatch="////"), "interval wider than the target"),
    ]
    if any(row["cells"] < len(found.cells) for row in rows.values()):
        key.append((Patch(facecolor="#4d4d4d"), "not computed, or no coalition left"))
    heading = f"Are there enough runs per cell? {when(month).capitalize()}"
    yield Picture(
        f"precision{tail}",
        heading,
        caption,
        ". ".join(told) + ".",
        "precision_summary",
        lambda: shares_figure(heading, f"{wording.response(response)}. {caption}", wording.footer, bars, notes, key),
    )
