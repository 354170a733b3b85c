"""The section about probes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from cej_sim.comparison import format_difference, records, worded
from cej_sim.parameters import Metric
from cej_sim.report import data_cell, escaped, header_row, html_table, table_row
from cej_sim.sweeps import figures
from cej_sim.sweeps.analysis import ALL_FACTORS, BLOCS, Analysis, ProbeLike, plain, probed
from cej_sim.sweeps.page.about import About
from cej_sim.sweeps.page.words import EFFECTS, drawn_figures, verdict_word


def probes_section(found: Analysis, about: About, pictures: Sequence[tuple[figures.Picture, bytes]]) -> str:
    """What probes ask, what they found, and the numbers."""
    if "probes" not in found.tables:
        return ""
    words = "".join(f"<p>{_probe_words(probe)}</p>" for probe in found.study.probes)
    name = next(one for one in ("probe_swaps", "probe_differences", "probes") if one in found.tables)
    shown = {
        "probe_swaps": _probe_swaps_table,
        "probe_differences": _probe_differences_table,
        "probes": _probe_means_table,
    }[name](found, about)
    return (
        "<section><h2>What the probes found</h2>\n<p>A probe puts a further question to each cell and takes runs of "
        "its own. Its run 3 has the same luck in every scenario, so that differences are taken within runs.</p>"
        f"{words}{drawn_figures(pictures)}{shown}</section>\n"
    )


def _probe_words(probe: ProbeLike) -> str:
    """What a probe does, in plain words."""
    runs = f"{probe.runs} {'run' if probe.runs == 1 else 'runs'} of each scenario in each cell, each with its twin."
    if probe.kind == "causal_influence":
        return (
            f"<strong>Causal influence of {escaped(worded(BLOCS.get(probe.bloc, probe.bloc)))}</strong>: do their "
            "convictions make a difference? Every run is set against a twin with the same luck in which these "
            "convictions are shuffled over the issues. The number is how far the agenda moves for each unit by which "
            f"convictions were moved: 0 means that the agenda is the same whatever they want. {runs}"
        )
    return (
        f"<strong>Irreversibility</strong>: can a rule that was changed be changed back? By mandate "
        f"<code>{escaped(probe.path)}</code> goes from {plain(probe.low)} to {plain(probe.high)} and back, in "
        f"{probe.steps} values of {probe.hold} months each. The area is the mean gap between the way there and the "
        "way back. Grants end and people tire whatever the rules are, so that a twin with the same luck keeps the "
        "rule; its gap between the same months is the drift. What stays behind is the area less the drift: 0 where "
        "the way back retraces the way there, below 0 where the outcome stays higher afterwards. "
        f"{runs}"
    )


def _probe_table(caption: str, heads: Sequence[tuple[str, bool]], rows: Sequence[str], left: int, file: str) -> str:
    more = f"<p class='soft'>{left:,} more rows stand in <code>{file}.csv</code>.</p>" if left > 0 else ""
    return html_table(caption, header_row(heads), rows) + more


def _probe_differences_table(found: Analysis, about: About) -> str:
    """In how many cells each scenario is higher, and the largest differences of each question."""
    questions = figures.probe_questions(found, "probe_differences")
    parts, details = [], []
    label = dict(zip(found.cells["cell"], found.cells["label"], strict=True))
    for a, b in found.study.pairs:
        title_a, title_b = about.titles.get(a, a), about.titles.get(b, b)
        words = (f"{title_a} higher", f"{title_b} higher", "Cannot tell", "No difference seen")
        counted = []
        for question in questions:
            metric = probed(*question[:2])
            here = figures.answers(found, "probe_differences", question)
            here = here[(here["scenario_a"] == a) & (here["scenario_b"] == b)]
            numbers = [int((here["verdict"] == word).sum()) for word in ("b lower", "b higher", *_UNSURE)]
            counted.append(
                table_row(
                    escaped(figures.probe_label(question)),
                    (data_cell(word, f"{n:,}", "number") for word, n in zip(words, numbers, strict=True)),
                )
            )
            here = here.reindex(here["difference"].abs().sort_values(ascending=False, kind="stable").index)
            limit = max(3, EFFECTS // len(questions))
            heads = [("Cell", False), (title_a, True), (title_b, True), ("Difference", True), ("95% interval", True)]
            rows = [
                table_row(
                    escaped(label[row["cell"]]),
                    (
                        data_cell(title_a, _probe_amount(row["a"], metric), "number"),
                        data_cell(title_b, _probe_amount(row["b"], metric), "number"),
                        *_probe_interval("Difference", row, "difference", metric),
                    ),
                )
                for row in records(here.head(limit))
            ]
            caption = f"{figures.probe_label(question)}: {title_b} minus {title_a}, the largest"
            details.append(
                _probe_table(caption, [*heads, ("", False)], rows, len(here) - len(rows), "probe_differences")
            )
        head = header_row([("Question", False), *((word, True) for word in words)])
        parts.append(html_table("In how many cells the paired difference is more than chance", head, counted))
    return f"{''.join(parts)}<details><summary>Probes in numbers</summary>{''.join(details)}</details>"


_UNSURE = ("cannot tell", "no difference")


def _probe_swaps_table(found: Analysis, about: About) -> str:
    parts = []
    questions = figures.probe_questions(found, "probe_swaps")
    for question in questions:
        metric = probed(*question[:2])
        here = figures.answers(found, "probe_swaps", question)
        here = here.reindex(here["effect"].abs().sort_values(ascending=False, kind="stable").index)
        rows = [
            table_row(
                escaped(row["label"]),
                (
                    data_cell("Way", escaped(row["direction"] if row["factor"] != ALL_FACTORS else "")),
                    *_probe_interval("Effect", row, "effect", metric),
                ),
            )
            for row in records(here.head(max(3, EFFECTS // len(questions))))
        ]
        heads = [("Part", False), ("Way", False), ("Effect", True), ("95% interval", True), ("", False)]
        caption = f"{figures.probe_label(question)}: with the part minus without it, the largest"
        parts.append(_probe_table(caption, heads, rows, len(here) - len(rows), "probe_swaps"))
    return f"<details><summary>Probes in numbers</summary>{''.join(parts)}</details>"


def _probe_means_table(found: Analysis, about: About) -> str:
    parts = []
    label = dict(zip(found.cells["cell"], found.cells["label"], strict=True))
    questions = figures.probe_questions(found, "probes")
    for question in questions:
        metric = probed(*question[:2])
        here = figures.answers(found, "probes", question)
        rows = [
            table_row(escaped(label[row["cell"]]), _probe_interval("Mean", row, "mean", metric))
            for row in records(here.head(max(3, EFFECTS // len(questions))))
        ]
        heads = [("Cell", False), ("Mean", True), ("95% interval", True), ("", False)]
        parts.append(_probe_table(figures.probe_label(question), heads, rows, len(here) - len(rows), "probes"))
    return f"<details><summary>Probes in numbers</summary>{''.join(parts)}</details>"


def _probe_interval(word: str, row: Mapping[str, Any], column: str, metric: Metric) -> list[str]:
    """Cells with a number, its interval, and whether it may be chance."""
    if math.isnan(row[column]):
        return [data_cell(word, "–", "number"), data_cell("95% interval", "none", "number"), data_cell("", "")]
    value, interval = format_difference({**row, "difference": row[column]}, metric)
    unsure = verdict_word(row)
    return [
        data_cell(word, value, "number"),
        data_cell("95% interval", interval or "none", "number"),
        data_cell("", f'<span class="unsure">{unsure}</span>' if unsure else ""),
    ]


def _probe_amount(value: float, metric: Metric) -> str:
    if math.isnan(value):
        return "–"
    return format_difference({"difference": value, "ci_low": math.nan, "ci_high": math.nan}, metric)[0]
