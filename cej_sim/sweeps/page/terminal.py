"""The sweep in short for a terminal."""

from __future__ import annotations

import math

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cej_sim.comparison import BY_NAME, arrow, format_difference, label_of, records, when
from cej_sim.sweeps import figures
from cej_sim.sweeps.analysis import Analysis
from cej_sim.sweeps.page.about import About
from cej_sim.sweeps.page.words import COUNTED, TABLE_NAMES, amount, chance_words, region_counts, whole_number


def summary(found: Analysis, about: About) -> list[RenderableType]:
    """The sweep in short for a terminal of 100 columns."""
    month = found.months[-1]
    parts: list[RenderableType] = [Text(about.title, style="bold reverse"), Text(about.facts(len(found.cells)) + "\n")]
    parts += [Text(f"Note: {remark}.", style="bold dark_orange3") for remark in found.remarks]
    for a, b in found.study.pairs:
        parts.append(_terminal_regions(found, about, a, b, month))
    for name in ("shapley", "morris", "sobol", "correlations", "main_effects", "swaps"):
        if name in found.tables:
            parts.append(_terminal_effects(found, about, name, month))
            break
    parts += [Text(""), Text(chance_words(found)), Text(_precision_words(found, month))]
    parts.append(Text("Illustration, not prediction.", style="dim"))
    return parts


def _grid(title: str) -> Table:
    grid = Table(title=Text(title, style="bold"), title_justify="left", box=None, padding=(0, 1, 0, 0), pad_edge=False)
    grid.header_style = "underline"
    return grid


def _terminal_regions(found: Analysis, about: About, a: str, b: str, month: int) -> Table:
    title_a, title_b = about.titles.get(a, a), about.titles.get(b, b)
    grid = _grid(f"\nIn how many cells each is ahead by {when(month)}. A: {title_a}, B: {title_b}")
    grid.add_column("", min_width=20, max_width=44)
    for word in ("A", "B", "Cannot tell", "No difference", "Not known"):
        grid.add_column(word, justify="right")
    for metric, counts in region_counts(found, a, b, month):
        numbers = [sum(counts.get(word, 0) for word in which) for _, which in COUNTED]
        grid.add_row(Text(f"{label_of(metric)} {arrow(metric)}".rstrip()), *(f"{number:,}" for number in numbers))
    return grid


def _terminal_effects(found: Analysis, about: About, name: str, month: int) -> Table:
    response = found.study.main_responses[0]
    wording = figures.Wording(about.title, about.titles, "")
    grid = _grid(f"\n{TABLE_NAMES[name]}: what matters most. {wording.response(response)}, {when(month)}")
    grid.add_column("", min_width=20, max_width=36)
    grid.add_column("Factors, the largest first", max_width=62)
    for metric in found.metrics:
        marks = figures.marks_of(found, name, response, metric.name, month)
        order = sorted(marks, key=lambda label: -abs(marks[label][0].value))
        told = []
        for label in order[:3]:
            mark = marks[label][-1 if name == "sobol" else 0]
            if math.isnan(mark.value) or mark.value == 0.0:
                continue
            shown = {"difference": mark.value, "ci_low": math.nan, "ci_high": math.nan}
            if name in ("sobol", "correlations"):
                value = f"{mark.value:.2f}"
            else:
                value = amount(mark.value, metric) if name == "morris" else format_difference(shown, metric)[0]
            told.append(f"{label} {value}{'' if mark.sure or not mark.judged else ' (cannot tell)'}")
        grid.add_row(Text(label_of(metric)), Text("; ".join(told) or "nothing"))
    return grid


def _precision_words(found: Analysis, month: int) -> str:
    table = found.tables.get("precision_summary")
    if table is None:
        return "No cell was computed."
    table = table[table["month"] == month]
    low = table[table["cells_precise"] < 0.9 * table["cells"]]
    if low.empty:
        return "There are enough runs: nine cells of ten are as precise as asked for, for every outcome."
    worst = records(low.sort_values("runs_needed_90", ascending=False))[0]
    return (
        f"{len(low['metric'].unique())} of {len(table['metric'].unique())} outcomes are less precise than asked for in "
        f"more than a tenth of cells; {label_of(BY_NAME[worst['metric']])} would "
        f"need {whole_number(worst['runs_needed_90'])} runs."
    )
