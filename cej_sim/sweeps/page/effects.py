"""Tables of effects."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cej_sim.comparison import format_difference, records, when
from cej_sim.parameters import Metric
from cej_sim.report import data_cell, escaped, header_row, html_table, named, table_row
from cej_sim.sweeps import figures
from cej_sim.sweeps.analysis import ALL_FACTORS, Analysis
from cej_sim.sweeps.page.about import About
from cej_sim.sweeps.page.words import EFFECTS, NOTHING, TABLE_NAMES, amount, verdict_word


def effects_table(found: Analysis, about: About, name: str) -> str:
    """A table of effects of the last month, the largest of each outcome."""
    table = found.tables[name]
    month = found.months[-1]
    labels = {factor.name: factor.label for factor in found.study.factors}
    wording = figures.Wording(about.title, about.titles, "")
    columns = {
        "shapley": ("value", "Shapley value"),
        "swaps": ("effect", "Effect"),
        "main_effects": ("effect", "Effect"),
        "interactions": ("effect", "Effect"),
        "morris": ("mu_star", "mu*"),
        "sobol": ("ST", "ST"),
        "correlations": ("correlation", "Correlation"),
    }
    column, word = columns[name]
    if name == "swaps" and found.study.kind == "ablation":
        word = "Contributes"
    more = {"shapley": "Share", "morris": "sigma", "sobol": "S1", "swaps": "Between", "interactions": "Aliases"}.get(
        name
    )
    if name == "main_effects":
        more = "Level"
    heads = [("Factor", False), (word, True), ("95% interval", True), *([(more, False)] if more else []), ("", False)]
    ends = _ends(found) if name == "main_effects" else {}
    parts = []
    for response in found.study.main_responses:
        rows = []
        for metric in found.metrics:
            here = table[(table["metric"] == metric.name) & (table["month"] == month) & (table["response"] == response)]
            if name == "main_effects":
                # Of an ordered factor one row says it all; of a choice every level has its own.
                here = here[(here["level"] == "high - low") | ~here["factor"].isin(ends)]
            here = here.reindex(here[column].abs().sort_values(ascending=False, kind="stable").index)
            limit = max(3, EFFECTS // max(1, len(found.metrics)))
            if len(here):
                rows.append(
                    f'<tr role="row" class="family"><th role="rowheader" scope="rowgroup" colspan="{len(heads)}">'
                    f"{named(metric)}</th></tr>"
                )
            for row in records(here.iloc[:limit]):
                rows.append(_effect_row(name, row, metric, column, word, more, labels, ends))
        caption = f"{TABLE_NAMES[name]}: {wording.response(response)}, {when(month)} (the largest of each outcome)"
        parts.append(html_table(caption, header_row(heads), rows))
    return f"<details><summary>{escaped(TABLE_NAMES[name])} in numbers</summary>{''.join(parts)}</details>"


def _ends(found: Analysis) -> dict[str, str]:
    """Factor -> which levels its effect lies between, for those that have a row for both ends."""
    table = found.tables["main_effects"]
    ends = {}
    for factor, rows in table.groupby("factor", sort=False):
        words = list(dict.fromkeys(rows["level"]))
        if "high - low" in words:
            names = [word.replace("_", " ") for word in words if word != "high - low"]
            ends[str(factor)] = f"{names[-1]} minus {names[0]}"
    return ends


def _effect_row(
    name: str,
    row: dict[str, Any],
    metric: Metric,
    column: str,
    word: str,
    more: str | None,
    labels: Mapping[str, str],
    ends: Mapping[str, str],
) -> str:
    pair = name == "interactions"
    label = figures.interaction_label(row, labels) if pair else str(row["label"])
    if name == "morris":
        row = {**row, "ci_low": row[column] - row["mu_star_conf"], "ci_high": row[column] + row["mu_star_conf"]}
    if name == "sobol":
        row = {**row, "ci_low": row["ST_low"], "ci_high": row["ST_high"]}
    if name in ("sobol", "correlations"):
        value = "–" if math.isnan(row[column]) else f"{row[column]:.2f}"
        interval = "none" if math.isnan(row["ci_low"]) else f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    else:
        shown = {"difference": row[column], "ci_low": row["ci_low"], "ci_high": row["ci_high"]}
        value, interval = format_difference(shown, metric)
        value = value.lstrip("+") if name == "morris" else value
    cells = [data_cell(word, value, "number"), data_cell("95% interval", interval or "none", "number")]
    if more:
        extra = {
            "shapley": lambda: "–" if math.isnan(row["share"]) else f"{100 * row['share']:.0f}%",
            "morris": lambda: amount(row["sigma"], metric),
            "sobol": lambda: (
                "–" if math.isnan(row["S1"]) else f"{row['S1']:.2f} [{row['S1_low']:.2f}, {row['S1_high']:.2f}]"
            ),
            "swaps": lambda: row["direction"] if row["factor"] != ALL_FACTORS else "",
            "interactions": lambda: row["aliases"],
            "main_effects": lambda: ends[row["factor"]] if row["level"] == "high - low" else row["level"],
        }[name]()
        cells.append(data_cell(more, escaped(extra)))
    if name in ("morris", "sobol"):
        still = row[column] == row["ci_low"] == row["ci_high"] == 0.0
        unsure = NOTHING if still else "cannot tell" if row["ci_low"] <= 0.0 else ""
    else:
        unsure = verdict_word(row)
    cells.append(data_cell("", f'<span class="unsure">{unsure}</span>' if unsure else ""))
    return table_row(escaped(label), cells)
