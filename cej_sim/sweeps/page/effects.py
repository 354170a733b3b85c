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
from cej_sim.sweeps.page.words import EFFECTS, TABLE_NAMES, amount, verdict_word


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
    more = {"shapley": "Share", "morris": "sigma", "sobol": "S1", "swaps": "Way", "interactions": "Aliases"}.get(name)
    if name == "main_effects":
        more = "Level"
    heads = [("Factor", False), (word, True), ("95% interval", True), *([(more, False)] if more else []), ("", False)]
    parts = []
    for response in found.study.main_responses:
        rows = []
        for metric in found.metrics:
            here = table[(table["metric"] == metric.name) & (table["month"] == month) & (table["response"] == response)]
            here = here.reindex(here[column].abs().sort_values(ascending=False, kind="stable").index)
            limit = max(3, EFFECTS // max(1, len(found.metrics)))
            if len(here):
                rows.append(
                    f'<tr role="row" class="family"><th role="rowheader" scope="rowgroup" colspan="{len(heads)}">'
                    f"{named(metric)}</th></tr>"
                )
            for row in records(here.iloc[:limit]):
                rows.append(_effect_row(name, row, metric, column, word, more, labels))
        caption = f"{TABLE_NAMES[name]}: {wording.response(response)}, {when(month)} (the largest of each outcome)"
        parts.append(html_table(caption, header_row(heads), rows))
    return f"<details><summary>{escaped(TABLE_NAMES[name])} in numbers</summary>{''.join(parts)}</details>"


def _effect_row(
    name: str, row: dict[str, Any], metric: Metric, column: str, word: str, more: str | None, labels: Mapping[str, str]
) -> str:
    pair = name == "interactions"
    label = f"{labels[row['factor_a']]} × {labels[row['factor_b']]}" if pair else str(row["label"])
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
            "main_effects": lambda: row["level"],
        }[name]()
        cells.append(data_cell(more, escaped(extra)))
    unsure = "" if name in ("morris", "sobol") else verdict_word(row)
    cells.append(data_cell("", f'<span class="unsure">{unsure}</span>' if unsure else ""))
    return table_row(escaped(label), cells)
