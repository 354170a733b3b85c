"""Words and numbers that sections of the page share with each other and with the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cej_sim.comparison import BY_NAME, FAMILIES, FEWEST_ALIKE, format_difference, label_of
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


#: Of what was the same in every run.
NOTHING = "changed nothing in any run"


def unsure_words(mark: figures.Mark) -> str:
    """What an interval allows to say, where that is little."""
    if math.isnan(mark.low):
        return "no interval"
    if mark.nothing:
        return NOTHING if mark.low == mark.high else f"no difference seen in {mark.runs} runs"
    if not mark.judged:
        return "cannot tell" if mark.low <= 0.0 <= mark.high and mark.low < mark.high else ""
    return "" if mark.sure else "cannot tell"


def number_words(
    value: float, low: float, high: float, metric: Metric | None, sign: bool = True, level: bool = False
) -> str:
    """A number with its unit and interval, in the metric's unit or, without one, a pure number.

    What would round to nothing is said to be smaller than what can be shown. A ``level`` is no difference: shares are
    in per cent then, rather than in points.
    """
    if math.isnan(value):
        return "–"
    if metric is None:
        text = f"{value:{'+' if sign else ''}.2f}"
        interval = "" if math.isnan(low) else f"[{low:{'+' if sign else ''}.2f}, {high:{'+' if sign else ''}.2f}]"
        unit = ""
    else:
        text, interval = format_difference({"difference": value, "ci_low": low, "ci_high": high}, metric)
        unit = {"share": "points", "yes/no": "points", "hours": "hours a month"}.get(metric.unit, "")
        unit = "%" if level and unit == "points" else unit
        if not sign:
            text, interval = text.lstrip("+"), interval.replace("+", "")
    if value != 0.0 and not any(digit in text for digit in "123456789"):
        text = f"under {text.lstrip('+-−')[:-1]}1"
    told = f"{text}{'' if unit == '%' or not unit else ' '}{unit}"
    return f"{told} {interval}".rstrip().replace("-", "−")


def target_words(found: Analysis, month: int) -> str:
    """What precision is measured against."""
    aim = found.study.target
    if aim is None:
        return "the assumed target (the design asks for none)"
    asked = any(metric.name == aim.metric for metric in found.metrics) and aim.month == month
    said = f"asked for in {label_of(BY_NAME[aim.metric])}" if asked else "the assumed target"
    return f"{said} (of other outcomes: the assumed target)" if asked else said


def chance_words(found: Analysis) -> str:
    """How many verdicts there are, and how many chance alone would make."""
    table = found.tables["verdicts"]
    total, sure, chance = (int(table["intervals"].sum()), int(table["sure"].sum()), table["expected_by_chance"].sum())
    if not total:
        return "There are no intervals to judge by: one run tells nothing about chance."
    return (
        f"{total:,} intervals were computed; {sure:,} of them exclude 0. If nothing differed at all, about "
        f"{chance:,.0f} of them (one in twenty) would still do so by chance. Copies of one number count once."
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
    ("none seen", ("no difference", "no difference seen")),
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
    if row.get("runs_differing", 1) == 0 and row["ci_low"] < row["ci_high"]:
        return f"no difference seen in {row['runs']} runs"
    if row["ci_low"] == row["ci_high"] == 0.0:
        return NOTHING
    return "" if is_sure({"runs": FEWEST_ALIKE, **row}) else "cannot tell"
