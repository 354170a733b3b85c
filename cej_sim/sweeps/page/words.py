"""Words and numbers that sections of the page share with each other and with the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cej_sim.comparison import FAMILIES, FEWEST_ALIKE, format_difference
from cej_sim.parameters import Metric
from cej_sim.report import escaped, html_figure
from cej_sim.sweeps import figures
from cej_sim.sweeps.analysis import NOT_COMPUTED, Analysis, is_sure

#: Rows of a table of effects on the page.
EFFECTS = 40

TABLE_NAMES = {
    "differences": "Differences between scenarios, cell by cell",
    "against_baseline": "Cells against the baseline",
    "main_effects": "Main effects",
    "interactions": "Interactions",
    "shapley": "Shapley values",
    "swaps": "Parts swapped by themselves",
    "correlations": "Rank correlations",
    "morris": "Morris's indices",
    "sobol": "Sobol's indices",
    "regions": "In how many cells each gets further",
    "precision_summary": "Precision",
    "probes": "Probes, cell by cell",
    "probe_differences": "Differences between scenarios in what probes found",
    "probes_against_baseline": "What probes found, against the baseline",
    "probe_swaps": "What probes found of parts swapped by themselves",
}


def chance_words(found: Analysis) -> str:
    """How many verdicts there are, and how many chance alone would make."""
    table = found.tables["verdicts"]
    total, sure, chance = (int(table["intervals"].sum()), int(table["sure"].sum()), table["expected_by_chance"].sum())
    if not total:
        return "There are no intervals to judge by: one run tells nothing about chance."
    return (
        f"{total:,} intervals were computed; {sure:,} of them exclude 0. If nothing differed at all, about "
        f"{chance:,.0f} of them (one in twenty) would still do so by chance."
    )


def drawn_figures(pictures: Sequence[tuple[figures.Picture, bytes]]) -> str:
    """Pictures with the names of the files that hold their numbers."""
    return "".join(
        f"{html_figure(data, f'{picture.heading}. {picture.alt}', picture.heading)}"
        f"<p class='soft'>Numbers: <code>{escaped(picture.table)}.csv</code></p>"
        for picture, data in pictures
    )


def region_counts(found: Analysis, a: str, b: str, month: int) -> Iterator[tuple[Metric, dict[str, int]]]:
    """Every metric with the number of cells of each verdict."""
    table = found.tables["regions"]
    table = table[(table["scenario_a"] == a) & (table["scenario_b"] == b) & (table["month"] == month)]
    for family in FAMILIES:
        for metric in found.metrics:
            if metric.family == family:
                rows = table[table["metric"] == metric.name]
                yield metric, {str(w): int(n) for w, n in zip(rows["verdict"], rows["cells"], strict=True)}


COUNTED = (
    ("a", ("a better", "b lower")),
    ("b", ("b better", "b higher")),
    ("cannot tell", ("cannot tell",)),
    ("no difference", ("no difference",)),
    ("not known", ("has ended", NOT_COMPUTED)),
)


def whole_number(value: float) -> str:
    """A number without decimals."""
    return "–" if math.isnan(value) else f"{value:,.0f}"


def amount(value: float, metric: Metric) -> str:
    """A size without a sign; of shares in percentage points."""
    if math.isnan(value):
        return "–"
    return format_difference({"difference": value, "ci_low": math.nan, "ci_high": math.nan}, metric)[0].lstrip("+")


def verdict_word(row: Mapping[str, Any]) -> str:
    """What an interval allows to say, where that is little."""
    if math.isnan(row["ci_low"]):
        return "no interval"
    if row["ci_low"] == row["ci_high"] == 0.0:
        return "no difference"
    return "" if is_sure({"runs": FEWEST_ALIKE, **row}) else "cannot tell"
