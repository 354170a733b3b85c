"""The sweep in short for a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from cej_sim.comparison import BY_NAME, arrow, label_of, records, short, when
from cej_sim.parameters import Metric
from cej_sim.sweeps import figures
from cej_sim.sweeps.analysis import Analysis
from cej_sim.sweeps.page.about import About
from cej_sim.sweeps.page.words import (
    COUNTED,
    TABLE_NAMES,
    chance_words,
    number_words,
    region_counts,
    target_words,
    unsure_words,
    whole_number,
)

#: Factors, parts or cells that are shown of each outcome, and cells that are all shown.
SHOWN, FEW = 3, 5

#: The index by which a table of effects is ordered and shown.
_INDEX = {"shapley": "Shapley value", "morris": "mu*", "sobol": "ST", "correlations": "rank correlation"}


def summary(found: Analysis, about: About) -> list[RenderableType]:
    """The sweep in short for a terminal of 100 columns."""
    month = found.months[-1]
    parts: list[RenderableType] = [Text(about.title, style="bold reverse"), Text(about.facts(len(found.cells)) + "\n")]
    parts += [Text(f"Note: {remark}.", style="bold dark_orange3") for remark in found.remarks]
    for a, b in found.study.pairs:
        parts.append(_terminal_regions(found, about, a, b, month))
    for response in found.study.main_responses:
        parts += _terminal_effects(found, about, response, month)
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
    for word in ("A", "B", "Cannot tell", "None seen", "Not known"):
        grid.add_column(word, justify="right")
    for metric, counts in region_counts(found, a, b, month):
        numbers = [sum(counts.get(word, 0) for word in which) for _, which in COUNTED]
        grid.add_row(Text(f"{label_of(metric)} {arrow(metric)}".rstrip()), *(f"{number:,}" for number in numbers))
    return grid


def _terminal_effects(found: Analysis, about: About, response: str, month: int) -> Iterator[Table]:
    """What matters most for a response, or how its cells differ: a table of the first measure that there is."""
    wording = figures.Wording(about.title, about.titles, "")
    subject = f"{wording.response(response)}, {when(month)}"
    kind = found.study.kind
    if kind in ("list", "one_at_a_time"):
        heads = ("",) if kind == "list" else ("", "As the scenarios are")
        rows = _cells if kind == "list" else _changes
        title = "Cell by cell" if kind == "list" else "One change at a time"
        head = "Cells" if kind == "list" else "What each change adds to it"
        yield _filled(found, f"{title}: {subject}", (*heads, head), lambda m: rows(found, response, m, month))
        return
    name = next((one for one in (*_INDEX, "main_effects", "swaps") if one in found.tables), None)
    if name == "swaps":
        ways = list(found.tables["swaps"].loc[found.tables["swaps"]["direction"] != "all", "direction"].unique())
        sides = {"A": found.cells["label"].iloc[0], "B": found.cells["label"].iloc[-1]}
        told = ", ".join(f"{side}: {short(str(title), 34)}" for side, title in sides.items())
        title = f"What each part contributes, {when(month)}. {told}"
        yield _filled(found, title, ("", *ways), lambda m: _swaps(found, response, m, month, len(ways)))
    elif name is not None:
        index = f" ({_INDEX[name]})" if name in _INDEX else ""
        head = f"Factors, the largest{index} first, with 95% intervals"
        yield _filled(
            found, f"{TABLE_NAMES[name]}: {subject}", ("", head), lambda m: _largest(found, name, response, m, month)
        )


def _filled(found: Analysis, title: str, heads: Sequence[str], rows: Callable[[Metric], list[str]]) -> Table:
    grid = _grid(f"\n{title}")
    for place, head in enumerate(heads):
        grid.add_column(head, min_width=18 if place == 0 else None, max_width=26 if place == 0 else None)
    for metric in found.metrics:
        grid.add_row(Text(label_of(metric)), *(Text(one) for one in rows(metric)))
    return grid


def _told(
    label: str, mark: figures.Mark, metric: Metric | None, sign: bool = True, index: str = "", level: bool = False
) -> str:
    """A number with its name, unit, interval, and whether it may be chance."""
    unsure = unsure_words(mark)
    if mark.nothing and mark.low == mark.high:
        return f"{label}: {unsure}"
    number = number_words(mark.value, mark.low, mark.high, metric, sign, level)
    return f"{label}: {f'{index} ' if index else ''}{number}{f' ({unsure})' if unsure else ''}"


def _largest(found: Analysis, name: str, response: str, metric: Metric, month: int) -> list[str]:
    """The largest factors of an outcome, a line each."""
    marks = figures.marks_of(found, name, response, metric.name, month)
    lead = 1 if name == "sobol" else 0
    known = {label: ones for label, ones in marks.items() if not math.isnan(ones[lead].value)}
    order = sorted(known, key=lambda label: -abs(known[label][lead].value))
    lines = []
    for label in order[:SHOWN]:
        mark = known[label][lead]
        if mark.nothing and mark.low == mark.high:
            continue
        shown = None if name in ("sobol", "correlations") else metric
        line = _told(short(label, 40), mark, shown, name not in ("sobol", "morris"), _INDEX.get(name, ""))
        if name == "sobol":
            first = known[label][0]
            line += f"; S1 {number_words(first.value, first.low, first.high, None, False)}"
        lines.append(line)
    if not lines:
        lines = ["nothing changed it in any run" if known else "no numbers"]
    return ["\n".join(lines)]


def _swaps(found: Analysis, response: str, metric: Metric, month: int, ways: int) -> list[str]:
    """The largest parts of an outcome, in a column for each of the two ways."""
    marks = figures.marks_of(found, "swaps", response, metric.name, month)
    order = sorted(marks, key=lambda label: -max(abs(mark.value) for mark in marks[label]))
    columns: list[list[str]] = [[] for _ in range(ways)]
    for label in order[:SHOWN]:
        held = {mark.series: mark for mark in marks[label]}
        if all(mark.nothing and mark.low == mark.high for mark in held.values()):
            continue
        for place, lines in enumerate(columns):
            lines.append(_told(short(label, 24), held[place], metric) if place in held else "")
    return ["\n".join(lines) or "nothing changed it in any run" for lines in columns]


def _cells(found: Analysis, response: str, metric: Metric, month: int) -> list[str]:
    """The cells of a list: all of a few, the largest of many."""
    difference = response not in found.study.names
    frame = found.at(response, metric.name, month)
    rows = [row for row in records(frame) if not math.isnan(row["value"])]
    if len(rows) > FEW:
        rows = sorted(rows, key=lambda row: -abs(row["value"]))[:SHOWN]
    lines = []
    for row in rows:
        same = row["verdict"] in ("no difference", "no difference seen")
        mark = figures.Mark(0, row["value"], row["ci_low"], row["ci_high"], difference, int(row["runs"]), same)
        lines.append(_told(short(str(row["label"]), 30), mark, metric, difference, level=not difference))
    left = len(frame) - len(rows)
    return ["\n".join([*lines, *([f"... {left} more cells: see the tables"] if left else [])])]


def _changes(found: Analysis, response: str, metric: Metric, month: int) -> list[str]:
    """Of one change at a time: the response without any, and the largest changes."""
    difference = response not in found.study.names
    frame = found.at(response, metric.name, month)
    (base,) = records(frame[frame["cell"] == found.study.baseline]) or [{}]
    before = "not computed"
    if base and not math.isnan(base["value"]):
        before = number_words(base["value"], base["ci_low"], base["ci_high"], metric, difference, not difference)
    return [before, *_largest(found, "against_baseline", response, metric, month)]


def _precision_words(found: Analysis, month: int) -> str:
    """Whether there are enough runs in each cell."""
    table = found.tables.get("precision_summary")
    if table is None:
        return "No cell was computed."
    table = table[table["month"] == month]
    computed = int((found.runs >= 0).any(axis=(1, 2, 3)).sum())
    which = f"of the {computed:,} computed cells" if computed < len(found.cells) else f"of the {computed:,} cells"
    aim = target_words(found, month)
    low = table[table["cells_precise"] < 0.9 * table["cells"]]
    if low.empty:
        return (
            f"There are enough runs per cell: {which}, nine in ten or more are as precise as {aim}, for every outcome."
        )
    worst = records(low.sort_values("runs_needed_90", ascending=False))[0]
    known = not math.isnan(worst["runs_needed_90"])
    more = f"; {label_of(BY_NAME[worst['metric']])} would need {whole_number(worst['runs_needed_90'])} runs per cell"
    return (
        f"{low['metric'].nunique()} of {table['metric'].nunique()} outcomes are less precise than {aim} in more than a "
        f"tenth {which}{more if known else ''}."
    )
