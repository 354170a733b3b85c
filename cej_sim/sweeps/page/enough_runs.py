"""Whether there are enough runs, as a table."""

from __future__ import annotations

import math

from cej_sim.comparison import BY_NAME, label_of, records, when
from cej_sim.report import data_cell, escaped, header_row, html_table, table_row
from cej_sim.sweeps import figures
from cej_sim.sweeps.analysis import Analysis
from cej_sim.sweeps.page.about import About
from cej_sim.sweeps.page.words import amount, whole_number


def _ratio(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2g}" if value < 10.0 else f"{value:,.0f}"


def precision_table(found: Analysis, about: About) -> str:
    """Targets, half-widths and runs needed."""
    wording = figures.Wording(about.title, about.titles, "")
    table = found.tables["precision_summary"]
    head = header_row(
        [
            ("Outcome", False),
            ("Target (±)", True),
            ("Median half-width", True),
            ("Half-width / effect", True),
            ("Cells precise enough", True),
            ("Runs", True),
            ("Enough for 9 of 10 cells", True),
            ("Enough for all", True),
        ]
    )
    parts = []
    for response in table["response"].unique():
        rows = []
        for row in records(table[(table["response"] == response) & (table["month"] == found.months[-1])]):
            metric = BY_NAME[row["metric"]]
            rows.append(
                table_row(
                    escaped(label_of(metric)),
                    (
                        data_cell(
                            "Target (±)",
                            f"{amount(row['target'], metric)}{'' if row['asked'] else ' (assumed)'}",
                            "number",
                        ),
                        data_cell("Median half-width", amount(row["half_width"], metric), "number"),
                        data_cell("Half-width / effect", _ratio(row["relative_half_width"]), "number"),
                        data_cell("Cells precise enough", f"{row['cells_precise']:,} of {row['cells']:,}", "number"),
                        data_cell("Runs", f"{row['runs']:,}", "number"),
                        data_cell("Enough for 9 of 10 cells", whole_number(row["runs_needed_90"]), "number"),
                        data_cell("Enough for all", whole_number(row["runs_needed"]), "number"),
                    ),
                )
            )
        caption = f"{wording.response(str(response))}, {when(found.months[-1])}: are there enough runs per cell?"
        parts.append(html_table(caption, head, rows))
    if found.study.target is None:
        parts.append(
            "<p class='soft'>The design asks for no precision; ±5 percentage points (or 0.05, or 5% of the largest "
            "mean) is assumed. <code>runs: auto</code> in a design stops at a half-width of your choice.</p>"
        )
    parts.append(
        "<p class='soft'>Half-width / effect: how wide an interval is beside its effect, median over cells; above 1 it "
        "includes 0. A target can be met and the effect still be too small to be told from none.</p>"
    )
    return "<details><summary>Precision in numbers</summary>" + "".join(parts) + "</details>"
