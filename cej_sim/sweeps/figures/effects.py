"""Pictures of effects: Shapley values, swaps, main effects, interactions, Morris, Sobol, correlations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.figure import Figure

from cej_sim.comparison import BY_NAME, FEWEST_ALIKE, label_of, records, when
from cej_sim.parameters import Metric
from cej_sim.sweeps.analysis import ALL_FACTORS, DIRECTIONS, INTO_A, OTHERS_HIGH, OTHERS_LOW, OUT_OF_B, Analysis
from cej_sim.sweeps.figures.choice import ROWS, in_parts, sides_of
from cej_sim.sweeps.figures.frame import PANELS, Picture, Wording
from cej_sim.sweeps.figures.rows import Mark, rows_figure


@dataclass(frozen=True)
class _Rows:
    """How a table is drawn in rows."""

    heading: str
    how: str
    bars: bool = False
    series: tuple[str, ...] = ()
    judged: bool = True
    difference: bool = True


ROW_PICTURES: dict[str, _Rows] = {
    "shapley": _Rows(
        "Which parts matter: Shapley values",
        "Each part's fair share of the whole difference, averaged over every order in which the parts could be put "
        "in; together they make up the whole. Lines: 95% intervals over runs.",
        bars=True,
    ),
    "swaps": _Rows(
        "Each part swapped by itself, both ways",
        "What a part contributes: the outcome with it minus the outcome without it, in A, which has none of the other "
        "parts, and in B, which has all of them. Where they differ, parts work together.",
        series=(f"circle: {INTO_A}", f"diamond: {OUT_OF_B}"),
    ),
    "main_effects": _Rows(
        "Main effects",
        "Highest level minus lowest (for choices: each against the average of all), averaged over all other factors. "
        "Lines: 95% intervals over runs.",
    ),
    "interactions": _Rows(
        "Interactions of two factors",
        "Half the difference of differences: how the effect of one factor depends on the other. "
        "Lines: 95% intervals over runs.",
    ),
    "against_baseline": _Rows(
        "One change at a time",
        "Each row is one cell, minus the cell in which nothing was changed. Lines: 95% intervals over runs.",
    ),
    "morris": _Rows(
        "Screening after Morris",
        "mu*: mean size of the effect over the factor's whole range. sigma: how much that effect depends on where the "
        "other factors stand. Factors with a small mu* matter little. Lines: 95% t intervals over paths.",
        series=("mu* (with 95% interval)", "sigma"),
        judged=False,
    ),
    "sobol": _Rows(
        "Shares of variance: Sobol indices",
        "Part of the variance over all cells that goes back to a factor: alone (S1), and with all its interactions "
        "(ST). Lines: 95% intervals by bootstrap.",
        bars=True,
        series=("S1: alone", "ST: with interactions"),
        judged=False,
        difference=False,
    ),
    "correlations": _Rows(
        "Which factors go with the outcome: rank correlations",
        "Rank correlation over all cells, from −1 to 1: a trend, not a bend. Lines: 95% intervals over cells.",
        difference=False,
    ),
}


#: The words of a full factorial, whose factors are no parts of one thing.
_PLAIN = {
    "shapley": replace(
        ROW_PICTURES["shapley"],
        heading="Which factors matter: Shapley values",
        how="Each factor's fair share of the difference between all factors at their last level and all at their "
        "first, averaged over every order of moving them; together they make up the whole. Lines: 95% intervals.",
    ),
    "swaps": replace(
        ROW_PICTURES["swaps"],
        heading="Each factor moved by itself",
        how="Last level of a factor minus its first one, while all others are at their first level, and while all are "
        "at their last. Where the two differ, factors work together. Lines: 95% intervals over runs.",
        series=(f"circle: {OTHERS_LOW}", f"diamond: {OTHERS_HIGH}"),
    ),
}


def effect_pictures(
    found: Analysis,
    wording: Wording,
    table: str,
    response: str,
    month: int,
    metrics: Sequence[Metric],
    tail: str,
) -> Iterator[Picture]:
    """Pictures of a table of effects, the largest rows."""
    spec = _PLAIN.get(table, ROW_PICTURES[table]) if found.study.kind == "full_factorial" else ROW_PICTURES[table]
    if table == "against_baseline" and found.study.kind != "one_at_a_time":
        return
    rows = {metric.name: marks_of(found, table, response, metric.name, month) for metric in metrics}
    rows = {name: marks for name, marks in rows.items() if marks}
    if not rows:
        return
    still = [
        label
        for label in dict.fromkeys(label for marks in rows.values() for label in marks)
        if all(mark.nothing for marks in rows.values() for mark in marks.get(label, ()))
    ]
    rows = {name: {label: ms for label, ms in marks.items() if label not in still} for name, marks in rows.items()}
    if not any(rows.values()):
        return
    sizes: dict[str, float] = {}
    for marks in rows.values():
        largest = max((abs(m.value) for ms in marks.values() for m in ms if math.isfinite(m.value)), default=0.0)
        for label, ms in marks.items():
            size = max((abs(m.value) for m in ms if math.isfinite(m.value)), default=0.0)
            sizes[label] = sizes.get(label, 0.0) + (size / largest if largest > 0.0 else 0.0)
    if table == "against_baseline":
        order = list(sizes)
        if len(order) > ROWS:
            keep = set(sorted(order, key=lambda label: -sizes[label])[:ROWS])
            order = [label for label in order if label in keep]
    else:
        order = sorted(sizes, key=lambda label: -sizes[label])[:ROWS]
    left_out = len(sizes) - len(order)
    how = spec.how + (
        f" The {len(order)} largest of {len(sizes)} are drawn; all are in {table}.csv." if left_out else ""
    )
    if still:
        named = ", ".join(still[:3]) + (f" and {len(still) - 3} more" if len(still) > 3 else "")
        how += f" Not drawn, because nothing changed in any run: {named}."
    heading = f"{spec.heading}, {when(month)}"
    subject = wording.response(response)
    hints = dict.fromkeys(rows, "share of variance") if table == "sobol" else None
    sides = sides_of(found, wording, response)
    for part, names in in_parts(list(rows), PANELS if len(order) <= 10 else 3):

        def draw(names: Sequence[str] = names) -> Figure:
            panels = {name: {label: rows[name].get(label, ()) for label in order} for name in names}
            return rows_figure(
                heading,
                f"{subject}. {how}",
                wording.footer,
                panels,
                bars=spec.bars,
                series=spec.series,
                judged=spec.judged,
                difference=spec.difference,
                hints=hints,
                sides=sides,
            )

        yield Picture(f"{table}{tail}{part}", f"{heading}: {subject}", how, _rows_alt(rows, names, order), table, draw)


def _rows_alt(rows: Mapping[str, Mapping[str, Sequence[Mark]]], names: Sequence[str], order: Sequence[str]) -> str:
    """The largest rows of each panel in words."""
    told = []
    for name in names:
        first = next((label for label in order if rows[name].get(label)), None)
        if first is not None:
            largest = max(rows[name].items(), key=lambda pair: max((abs(m.value) for m in pair[1]), default=0.0))[0]
            told.append(f"{label_of(BY_NAME[name])}: largest for {largest}")
    return "; ".join(told) + ". The numbers stand in the table."


def labels_of(found: Analysis) -> dict[str, str]:
    """A label for every factor; those that share one also get their names."""
    plain_labels = [factor.label for factor in found.study.factors]
    return {
        factor.name: factor.label if plain_labels.count(factor.label) == 1 else f"{factor.label} ({factor.name})"
        for factor in found.study.factors
    }


def marks_of(found: Analysis, table: str, response: str, metric: str, month: int) -> dict[str, list[Mark]]:
    """Label of a row -> its marks, for one of the tables that are drawn in rows."""
    if table == "against_baseline":
        return _baseline_marks(found, response, metric, month)
    frame = found.tables[table]
    frame = frame[(frame["response"] == response) & (frame["metric"] == metric) & (frame["month"] == month)]
    marks: dict[str, list[Mark]] = {}
    labels = labels_of(found)
    ordered: set[str] = set()
    if table == "main_effects":
        ordered = set(frame.loc[frame["level"] == "high - low", "factor"])
    for row in records(frame):
        label = labels.get(row.get("factor", ""), "")
        if table == "sobol":
            marks[label] = [
                Mark(i, row[name], row[f"{name}_low"], row[f"{name}_high"], False)
                for i, name in enumerate(("S1", "ST"))
            ]
        elif table == "morris":
            star, half = row["mu_star"], row["mu_star_conf"]
            marks[label] = [
                Mark(0, star, max(0.0, star - half), star + half, False, nothing=star == 0.0),
                Mark(1, row["sigma"], math.nan, math.nan, False, nothing=star == 0.0),
            ]
        elif table == "swaps":
            if row["factor"] != ALL_FACTORS:
                mark = mark_of(row, "effect", DIRECTIONS[row["direction"]])
                marks.setdefault(label, []).append(mark)
        elif table == "main_effects":
            if row["factor"] in ordered and row["level"] != "high - low":
                continue
            level = "" if row["factor"] in ordered else f": {row['level'].replace('_', ' ')}"
            marks[f"{label}{level}"] = [mark_of(row, "effect")]
        elif table == "interactions":
            marks[interaction_label(row, labels)] = [mark_of(row, "effect")]
        else:
            marks[label] = [mark_of(row, {"shapley": "value", "correlations": "correlation"}[table])]
    return marks


def interaction_label(row: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Two factors, and whatever is the same number in this fraction: ``A × B = C × D``; with ``≈`` partly."""
    told = f"{labels[row['factor_a']]} × {labels[row['factor_b']]}"
    for alias in filter(None, str(row.get("aliases", "")).split(", ")):
        partly, opposite = "~" in alias[:1], "-" in alias[:2]
        names = alias.lstrip("~-").split("*")
        other = " × ".join(labels.get(name, name) for name in names)
        told += f" {'≈' if partly else '='} {f'−({other})' if opposite else other}"
    return told


def mark_of(row: Mapping[str, Any], column: str, series: int = 0) -> Mark:
    """A row of a table as a mark."""
    runs, differing = int(row.get("runs", FEWEST_ALIKE)), row.get("runs_differing", 1)
    return Mark(series, row[column], row["ci_low"], row["ci_high"], True, runs, runs > 0 and differing == 0)


def _baseline_marks(found: Analysis, response: str, metric: str, month: int) -> dict[str, list[Mark]]:
    frame = found.tables.get("against_baseline")
    if frame is None:
        return {}
    frame = frame[(frame["scenario"] == response) & (frame["metric"] == metric) & (frame["month"] == month)]
    label = dict(zip(found.cells["cell"], found.cells["label"], strict=True))
    return {str(label[row["cell"]]): [mark_of(row, "difference")] for row in records(frame)}
