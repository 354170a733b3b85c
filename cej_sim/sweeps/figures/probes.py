"""Pictures of what probes found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from cej_sim.comparison import label_of, records, when
from cej_sim.parameters import Metric
from cej_sim.plots import INK
from cej_sim.sweeps.analysis import (
    ALL_FACTORS,
    DIRECTIONS,
    INFLUENCE,
    INTO_A,
    NET,
    NO_MONTH,
    OUT_OF_B,
    Analysis,
    probed,
)
from cej_sim.sweeps.figures.choice import ROWS, cell_words, drawn_words, in_parts, spread_by_rank
from cej_sim.sweeps.figures.effects import labels_of, mark_of
from cej_sim.sweeps.figures.frame import FIRST, OTHER, PANELS, UNSURE, Picture, Wording
from cej_sim.sweeps.figures.rows import SERIES, Mark, rows_figure


def probe_questions(found: Analysis, table: str) -> list[tuple[str, str, int]]:
    """What is shown of a table of probes: influence in the last month, and what irreversibility leaves behind."""
    frame = found.tables[table]
    asked = frame[["probe", "metric", "month"]].drop_duplicates().itertuples(index=False, name=None)
    last: dict[tuple[str, str], int] = {}
    for probe, metric, month in asked:
        if probe in (INFLUENCE, NET):
            last[probe, metric] = max(month, last.get((probe, metric), NO_MONTH))
    return [(probe, metric, month) for (probe, metric), month in last.items()]


def answers(found: Analysis, table: str, question: tuple[str, str, int]) -> pd.DataFrame:
    """The rows of a table of probes that answer one question."""
    frame = found.tables[table]
    probe, metric, month = question
    return frame[(frame["probe"] == probe) & (frame["metric"] == metric) & (frame["month"] == month)]


def probe_label(question: tuple[str, str, int]) -> str:
    """A question in plain words."""
    probe, metric, month = question
    return label_of(probed(probe, metric)) + (f", {when(month)}" if month != NO_MONTH else "")


_PROBE_INTRO = {
    INFLUENCE: "How far the agenda moves for each unit by which convictions are shuffled over issues; 0: not at all.",
    NET: "Gap between the way there and the way back, less that of a twin whose rule stays; below 0: it stays higher.",
}


def probe_pictures(found: Analysis, wording: Wording, metrics: Sequence[Metric]) -> Iterator[Picture]:
    """Probes cell by cell: each scenario's answer and their paired difference; of an ablation, what each part does."""
    if "probes" not in found.tables:
        return
    names = [metric.name for metric in metrics]
    questions = probe_questions(found, "probes")
    several = [question for question in questions if question[0] == NET]
    chosen = [question for question in several if question[1] in names] or several
    questions = [question for question in questions if question[0] == INFLUENCE] + chosen[:PANELS]
    for kind in (INFLUENCE, NET):
        here = [question for question in questions if question[0] == kind]
        if not here:
            continue
        name = f"probes_{'influence' if kind == INFLUENCE else 'irreversibility'}"
        if "probe_swaps" in found.tables:
            yield from _probe_swap_pictures(found, wording, here, name)
            continue
        if "probes_against_baseline" in found.tables and found.study.kind == "one_at_a_time":
            yield from _probe_change_pictures(found, wording, here, name)
        for place, (a, b) in enumerate(found.study.pairs or ((found.study.names[0], ""),), 1):
            tail = f"_{place}" if len(found.study.pairs) > 1 else ""
            yield from _probe_cell_pictures(found, wording, here, (a, b), f"{name}{tail}")


def _probe_heading(question: tuple[str, str, int]) -> str:
    if question[0] == NET:
        return "Can it be changed back? What stays behind"
    bloc = label_of(probed(*question[:2]))
    return bloc + (f", {when(question[2])}" if question[2] != NO_MONTH else "")


def _dot(color: str, face: str, place: int = 0) -> Line2D:
    """A mark of a key."""
    shape, size = SERIES[place]
    return Line2D(
        [], [], marker=shape, color=color, markerfacecolor=face, markersize=size, markeredgewidth=1.8, linewidth=2.0
    )


def _probe_cell_pictures(
    found: Analysis, wording: Wording, questions: Sequence[tuple[str, str, int]], pair: tuple[str, str], name: str
) -> Iterator[Picture]:
    """A panel of both scenarios' answers for each question, and below or beside it their paired difference."""
    a, b = pair
    words = dict(zip(found.cells["cell"], cell_words(found.cells), strict=True))
    table = "probe_differences" if b else "probes"
    most = ROWS if len(questions) == 1 else 6
    sides = [wording.titles.get(one, one) for one in pair if one]
    for part, chosen in in_parts(questions, 3):
        first = answers(found, table, chosen[0])
        if b:
            first = first[(first["scenario_a"] == a) & (first["scenario_b"] == b)]
        cells = first["cell"].to_numpy()
        amount = "difference" if b else "mean"
        order = cells[spread_by_rank(first[amount].tolist(), most)]
        measure = label_of(probed(chosen[0][0], chosen[0][1]))
        by = f"evenly spread by rank of their {amount} in “{measure}”, from the lowest to the highest"
        said = drawn_words(len(order), len(cells), by, table)
        intro = f"Each row is one cell. {_PROBE_INTRO[chosen[0][0]]} Lines: 95% intervals over runs.{said}"

        def draw(chosen: Sequence[tuple[str, str, int]] = chosen, order: Any = order, intro: str = intro) -> Figure:
            panels: dict[str, dict[str, list[Mark]]] = {}
            declared: dict[str, Metric] = {}
            for question in chosen:
                metric = probed(question[0], question[1])
                declared[metric.name] = metric
                rows = panels.setdefault(metric.name, {words[cell]: [] for cell in order})
                levels_of = answers(found, "probes", question)
                for series, one in enumerate(pair):
                    for row in records(levels_of[(levels_of["scenario"] == one) & levels_of["cell"].isin(order)]):
                        rows[words[row["cell"]]].append(
                            Mark(series, row["mean"], row["ci_low"], row["ci_high"], False, row["runs"])
                        )
            for question in chosen if b else ():
                metric = probed(question[0], question[1])
                told = f"{metric.name}:difference"
                declared[told] = replace(metric, label=f"{metric.label}, difference")
                here = answers(found, "probe_differences", question)
                here = here[(here["scenario_a"] == a) & (here["scenario_b"] == b) & here["cell"].isin(order)]
                panels[told] = {words[cell]: [] for cell in order}
                for row in records(here):
                    panels[told][words[row["cell"]]].append(mark_of(row, "difference"))

            key: list[tuple[Any, str]] = [
                (_dot(color, color, place), side)
                for place, (side, color) in enumerate(zip(sides, (FIRST, OTHER), strict=False))
            ]
            if b:
                key.append((_dot(INK, INK), f"{sides[1]} minus {sides[0]}, paired"))
            key.append((_dot(UNSURE, "white"), "hollow: the interval includes 0"))
            return rows_figure(
                _probe_heading(chosen[0]),
                intro,
                wording.footer,
                panels,
                declared=declared,
                by_side=[one for one in panels if not one.endswith(":difference")],
                hints={one: f"right of 0: {sides[-1]} is higher" for one in panels if one.endswith(":difference")},
                key=key,
            )

        yield Picture(
            f"{name}{part}",
            f"{_probe_heading(chosen[0])}{part.replace('_', ', ')}",
            intro,
            f"Rows with intervals.{said or ' The numbers stand in the table.'}",
            table,
            draw,
        )


def _probe_change_pictures(
    found: Analysis, wording: Wording, questions: Sequence[tuple[str, str, int]], name: str
) -> Iterator[Picture]:
    """What each change does to the answers of each scenario: cells minus the cell in which nothing was changed."""
    words = dict(zip(found.cells["cell"], cell_words(found.cells), strict=True))
    for number, one in enumerate(found.study.names, 1):
        title = wording.titles.get(one, one)
        for part, chosen in in_parts(questions, 3):
            panels: dict[str, dict[str, list[Mark]]] = {}
            declared: dict[str, Metric] = {}
            sizes: dict[str, float] = {}
            for question in chosen:
                metric = probed(question[0], question[1])
                declared[metric.name], panels[metric.name] = metric, {}
                here = answers(found, "probes_against_baseline", question)
                for row in records(here[here["scenario"] == one]):
                    label = words[row["cell"]]
                    panels[metric.name][label] = [mark_of(row, "difference")]
                    size = abs(row["difference"])
                    sizes[label] = max(sizes.get(label, 0.0), 0.0 if math.isnan(size) else size)
            keep = set(sorted(sizes, key=lambda label: -sizes[label])[:ROWS])
            order = [label for label in sizes if label in keep]
            said = f" The {len(order)} largest of {len(sizes)} are drawn; all are in probes_against_baseline.csv."
            said = said if len(order) < len(sizes) else ""
            heading = f"One change at a time, {title}: {_probe_heading(chosen[0])}"
            intro = (
                "Each row is one cell, minus the cell in which nothing was changed. "
                f"{_PROBE_INTRO[chosen[0][0]]} Lines: 95% intervals over runs.{said}"
            )
            shown = {key: {label: rows.get(label, []) for label in order} for key, rows in panels.items() if any(rows)}
            if not shown:
                continue

            def draw(
                shown: Mapping[str, Mapping[str, Sequence[Mark]]] = shown,
                declared: Mapping[str, Metric] = declared,
                intro: str = intro,
                heading: str = heading,
            ) -> Figure:
                return rows_figure(
                    heading, intro, wording.footer, shown, declared=declared, hints=dict.fromkeys(shown, "")
                )

            yield Picture(
                f"{name}_changes_{number}{part}",
                heading,
                intro,
                f"Rows with intervals.{said or ' The numbers stand in the table.'}",
                "probes_against_baseline",
                draw,
            )


def _probe_swap_pictures(
    found: Analysis, wording: Wording, questions: Sequence[tuple[str, str, int]], name: str
) -> Iterator[Picture]:
    labels = labels_of(found)
    for part, chosen in in_parts(questions, 3):
        panels: dict[str, dict[str, list[Mark]]] = {}
        declared: dict[str, Metric] = {}
        sizes: dict[str, float] = {}
        for question in chosen:
            metric = probed(question[0], question[1])
            declared[metric.name] = metric
            panels[metric.name] = {}
            here = answers(found, "probe_swaps", question)
            here = here[here["factor"] != ALL_FACTORS]
            largest = here["effect"].abs().max()
            for row in records(here):
                label = labels[row["factor"]]
                mark = mark_of(row, "effect", DIRECTIONS[row["direction"]])
                panels[metric.name].setdefault(label, []).append(mark)
                size = abs(row["effect"]) / largest if largest > 0.0 else 0.0
                sizes[label] = max(sizes.get(label, 0.0), 0.0 if math.isnan(size) else size)
        order = sorted(sizes, key=lambda label: -sizes[label])[:ROWS]
        said = f" The {len(order)} largest of {len(sizes)} are drawn; all are in probe_swaps.csv."
        said = said if len(order) < len(sizes) else ""
        intro = (
            "With a part minus without it, in A, which has none of the other parts, and in B, which has all. "
            f"{_PROBE_INTRO[chosen[0][0]]} Lines: 95% intervals over runs.{said}"
        )
        shown = {one: {label: rows.get(label, []) for label in order} for one, rows in panels.items()}

        def draw(
            shown: Mapping[str, Mapping[str, Sequence[Mark]]] = shown,
            declared: Mapping[str, Metric] = declared,
            intro: str = intro,
            heading: str = f"{_probe_heading(chosen[0])}: {' and '.join(wording.titles.values())}",
        ) -> Figure:
            return rows_figure(
                heading,
                intro,
                wording.footer,
                shown,
                series=(f"circle: {INTO_A}", f"diamond: {OUT_OF_B}"),
                declared=declared,
                key=[
                    (_dot("#c4c4c4", "#c4c4c4", 0), f"circle: {INTO_A}"),
                    (_dot("#c4c4c4", "#c4c4c4", 1), f"diamond: {OUT_OF_B}"),
                    (_dot(UNSURE, "white"), "cannot tell (the interval includes 0)"),
                ],
            )

        yield Picture(
            f"{name}{part}",
            f"{_probe_heading(chosen[0])}{part.replace('_', ', ')}",
            intro,
            f"Rows with intervals.{said or ' The numbers stand in the table.'}",
            "probe_swaps",
            draw,
        )
