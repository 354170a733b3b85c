"""Everything that can be said of a sweep, in one pass over its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.sweeps.analysis.correlations import add_correlations
from cej_sim.sweeps.analysis.differences import add_failures, add_regions, against_baseline, describe_block, own_cells
from cej_sim.sweeps.analysis.effects import Sums, planned_contrasts
from cej_sim.sweeps.analysis.enough_runs import add_precision
from cej_sim.sweeps.analysis.inert import add_inert
from cej_sim.sweeps.analysis.intervals import Values
from cej_sim.sweeps.analysis.screening import add_morris
from cej_sim.sweeps.analysis.sobol import add_sobol
from cej_sim.sweeps.analysis.study import Analysis, Sink, Study, choose_metrics, choose_months
from cej_sim.sweeps.analysis.tables import SureCount, blocks_of, column_types, count_of_cells, cube_of, numbers_of


def _own_rows(found: Analysis, frame: pd.DataFrame, done: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which rows of a table of cells are no copies of others, see ``own_cells``."""
    study = found.study
    own = np.ones(len(frame), dtype=bool)
    if all(factor.scenario is None for factor in study.factors) or "cell" not in frame:
        return own
    if "scenario_b" in frame:
        responses = frame["scenario_b"].astype(str) + " - " + frame["scenario_a"].astype(str)
    elif "scenario" in frame:
        responses = frame["scenario"]
    else:
        return own
    members = {name: (name,) for name in study.names} | {f"{b} - {a}": (a, b) for a, b in study.pairs}
    for response, names in members.items():
        kept = found.cells["cell"].to_numpy()[own_cells(found, names, done)]
        own &= ((responses != response) | frame["cell"].isin(kept)).to_numpy()
    return own


def analyze(
    study: Study,
    cells: pd.DataFrame,
    batches: Iterable[Any],
    *,
    metrics: Sequence[str] | None = None,
    months: Sequence[int] | None = None,
    sink: Sink | None = None,
) -> Analysis:
    """Everything that can be said of a sweep.

    Args:
        study: Its design, see ``study_of``.
        cells: A row per cell, finished or not: ``cell label status runs error seed`` and a column per factor.
        batches: The rows as frames or Arrow tables in cell order: ``cell scenario run month`` and metrics, also
            ``alive`` where that was kept.
        metrics, months: What to analyze; see ``choose_metrics`` and ``choose_months``.
        sink: Takes the tables that have rows for every cell, block by block, so that they need not fit into memory;
            only that against the baseline of a one-at-a-time design is kept as well. None keeps them all.

    Raises:
        ValueError: If a metric or month was not kept, or rows and cells do not belong together.
    """
    chosen, when = choose_metrics(study, metrics), choose_months(study, months)
    cells = cells.sort_values("cell", kind="stable").reset_index(drop=True)
    size = (len(cells), len(study.responses), len(when), len(chosen))
    found = Analysis(
        study,
        cells,
        chosen,
        when,
        value=np.full(size, np.nan),
        deviation=np.full(size, np.nan),
        runs=np.full(size, -1, dtype=np.int32),
        verdict=np.full(size, -1, dtype=np.int8),
    )
    kept: dict[str, list[pd.DataFrame]] = {}
    sure = SureCount()

    def out(name: str, frame: pd.DataFrame) -> None:
        found.columns.setdefault(name, column_types(frame))
        sure.count(name, frame, _own_rows(found, frame, done))
        if sink is not None:
            sink(name, frame)
        if sink is None or (name == "against_baseline" and study.kind == "one_at_a_time"):
            kept.setdefault(name, []).append(frame)

    done = (cells["status"] == "done").to_numpy()
    contrasts = planned_contrasts(found, done)
    most = int(cells.loc[done, "runs"].max()) if done.any() else 0
    sums = Sums(contrasts, most, (len(study.names), len(when), len(chosen)))
    order = {int(cell): place for place, cell in enumerate(cells["cell"])}
    seen = np.zeros(len(cells), dtype=bool)
    baseline: Values | None = None
    for block in blocks_of(batches):
        numbers, values = cube_of(block, study, when, chosen)
        strange = [int(number) for number in numbers if int(number) not in order]
        if strange:
            raise ValueError(f"the rows hold a cell {strange[0]} that the table of cells does not")
        places = np.array([order[int(number)] for number in numbers], dtype=np.int64)
        finished = done[places]
        numbers, values, places = numbers[finished], values[:, finished], places[finished]
        if not len(places):
            continue
        if seen[places].any():
            raise ValueError(f"cell {int(cells['cell'][places[seen[places]][0]])} does not stand in one piece")
        seen[places] = True
        sums.add(places, values)
        describe_block(found, places, values, out)
        if study.baseline is not None:
            if study.baseline in numbers:
                baseline = values[:, list(numbers).index(study.baseline)]
            if baseline is not None:
                against_baseline(found, places, values, baseline, out)
    lost = done & ~seen
    if lost.any():
        found.remarks.append(
            f"{count_of_cells(int(lost.sum()))} marked as done, but without rows: {numbers_of(cells, lost)}; left out"
        )
    if study.baseline is not None and baseline is None and seen.any():
        found.remarks.append(
            f"The cell that others are set against (cell {study.baseline}) was not computed: nothing is set against it"
        )
    add_failures(found, seen)
    fresh: dict[str, NDArray[np.bool_]] = {}
    if lost.any():
        found.remarks.append("Contrasts over all cells count on rows that are not there and are left out")
    else:
        fresh = sums.finish(found)
    add_regions(found, seen)
    if study.kind == "morris":
        add_morris(found)
    if study.kind == "sobol":
        add_sobol(found)
    if study.kind == "latin_hypercube":
        add_correlations(found)
    add_precision(found, seen, out)
    for name, parts in kept.items():
        found.tables[name] = pd.concat(parts, ignore_index=True)
    for name in ("main_effects", "interactions", "shapley", "swaps"):
        if name in found.tables:
            sure.count(name, found.tables[name], fresh.get(name))
    add_inert(found)
    found.tables["verdicts"] = sure.table()
    if "alive" not in study.metrics and any(not metric.outlives for metric in chosen):
        found.remarks.append(
            "Whether coalitions still exist (alive) was not kept: what happens inside one counts as 0 after its end"
        )
    for name, table in found.tables.items():
        found.columns.setdefault(name, column_types(table))
    return found
