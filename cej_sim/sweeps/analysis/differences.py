"""Cell by cell: outcomes, differences between scenarios, cells against the baseline, who is ahead, what failed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.sweeps.analysis.intervals import (
    NOT_COMPUTED,
    UNSEEN,
    VERDICTS,
    Values,
    variance_of,
    verdicts,
)
from cej_sim.sweeps.analysis.study import Analysis, Sink
from cej_sim.sweeps.analysis.tables import count_of_cells, long_table, numbers_of, padded, with_differences
from cej_sim.sweeps.analysis.yes_no import is_unseen, paired_told, welch_told


def describe_block(found: Analysis, places: NDArray[np.int64], values: Values, out: Sink) -> None:
    """Outcomes and differences of the cells of a block; values (runs, cells, scenarios, months, metrics)."""
    study, metrics = found.study, found.metrics
    scenarios = len(study.names)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # no run is left: missing
        mean = np.nanmean(values, axis=0)
        deviation = np.sqrt(variance_of(values))
        low, high = np.nanquantile(values, [0.1, 0.9], axis=0)
    count = (~np.isnan(values)).sum(axis=0)
    deviation = np.where(count < 2, np.nan, deviation)
    found.value[places, :scenarios] = mean
    found.deviation[places, :scenarios] = deviation
    found.runs[places, :scenarios] = count
    out(
        "outcomes",
        long_table(
            places,
            found,
            {"scenario": study.names},
            {"mean": mean, "sd": deviation, "low10": low, "high90": high, "runs": count},
        ),
    )
    if not study.pairs:
        return
    parts = [paired_told(values[:, :, 0], values[:, :, other], metrics) for other in range(1, scenarios)]
    told = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
    verdict = verdicts(told["difference"], told["ci_low"], told["ci_high"], told["runs"], metrics)
    found.value[places, scenarios:] = told["difference"]
    verdict = np.where(is_unseen(told, metrics), UNSEEN, verdict)
    found.deviation[places, scenarios:] = told["deviation"]
    found.runs[places, scenarios:] = told["runs"]
    found.verdict[places, scenarios:] = verdict
    words = np.array(VERDICTS, dtype=object)
    middle = {"scenario_a": [a for a, _ in study.pairs], "scenario_b": [b for _, b in study.pairs]}
    columns = ("a", "b", "difference", "ci_low", "ci_high", "effect_size", "p_better")
    shown = {**{name: told[name] for name in columns}, "verdict": words[verdict], "runs": told["runs"]}
    shown["runs_differing"] = told["runs_differing"]
    out("differences", long_table(places, found, middle, shown))


def against_baseline(found: Analysis, places: NDArray[np.int64], values: Values, baseline: Values, out: Sink) -> None:
    """Every cell but the baseline against the baseline."""
    study = found.study
    others = found.cells["cell"].to_numpy()[places] != study.baseline
    values, places = values[:, others], places[others]
    if not len(places):
        return
    runs = max(len(values), len(baseline))
    if study.common_luck:
        values, before = padded(values, runs), padded(baseline, runs)
    else:
        before = baseline
    values, before = with_differences(values, study), with_differences(before, study)
    # A difference of differences is at most 2 where each is at most 1, and no single answer.
    simple = (np.arange(values.shape[2]) < len(study.names))[:, None]
    before = np.broadcast_to(before[:, None], (len(before), *values.shape[1:]))
    if study.common_luck:
        told = paired_told(before, values, found.metrics, np.where(simple, 1.0, 2.0), simple)
    else:
        told = welch_told(before, values, found.metrics, simple)
    out(
        "against_baseline",
        long_table(
            places,
            found,
            {"scenario": study.responses},
            {
                "baseline": told["a"],
                "value": told["b"],
                **{
                    name: told[name]
                    for name in ("difference", "ci_low", "ci_high", "effect_size", "runs", "runs_differing")
                },
            },
        ),
    )


def add_failures(found: Analysis, seen: NDArray[np.bool_]) -> None:
    """Cells that failed or are missing: a table, and a remark."""
    cells = found.cells
    columns = [factor.name for factor in found.study.factors if factor.name in cells]
    bad = cells[~seen]
    error = bad["error"].astype(object) if "error" in bad else pd.Series("", index=bad.index, dtype=object)
    error = error.where(error.notna() & (error != ""), "not computed yet")
    found.tables["failures"] = pd.DataFrame(
        {
            "cell": bad["cell"].astype("int64"),
            "label": bad["label"].astype(object),
            "error": error,
            "seed": bad["seed"].astype(str) if "seed" in bad else "",
            **{name: bad[name] for name in columns},
        }
    ).reset_index(drop=True)
    failed = ((cells["status"] == "failed") & ~seen).to_numpy()
    missing = ~seen & ~failed
    for which, words in ((failed, "failed"), (missing, "not computed yet")):
        if which.any():
            found.remarks.insert(
                0,
                f"{count_of_cells(int(which.sum()))} of {len(cells)} {words}: {numbers_of(cells, which)}. "
                "See failures.csv",
            )


def own_cells(found: Analysis, scenarios: Iterable[str], computed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which cells are no copies of others for these scenarios: of cells that differ only in what none of them has, one.

    A factor that is set in a single scenario makes the same cells over and over for the others, where luck is common.
    Of such copies the first that was computed counts.
    """
    names = set(scenarios)
    others = [factor for factor in found.study.factors if factor.scenario is not None and factor.scenario not in names]
    columns = [f.name for f in found.study.factors if f not in others and f.name in found.cells]
    if not others or not found.study.common_luck:
        return np.ones(len(found.cells), dtype=bool)
    group = np.zeros(len(found.cells), dtype=np.int64)
    if columns:
        group[:] = found.cells.groupby(columns, dropna=False, sort=False).ngroup()
    order = np.argsort(~computed, kind="stable")
    first = np.unique(group[order], return_index=True)[1]
    own = np.zeros(len(found.cells), dtype=bool)
    own[order[first]] = True
    return own


def add_regions(found: Analysis, seen: NDArray[np.bool_]) -> None:
    """In how many cells each verdict holds, of all cells of the design."""
    study = found.study
    if not study.pairs:
        return
    rows = []
    own = {b: own_cells(found, (a, b), seen) for a, b in study.pairs}
    for a, b in study.pairs:
        if not own[b].all():
            title = f"{a} and {b}" if len(study.names) > 2 else "both"
            found.remarks.append(
                f"{count_of_cells(int((~own[b]).sum()))} of {len(seen)} are copies for {title}: they differ only in a "
                "factor that neither of the two has, and are counted once"
            )
    for m, metric in enumerate(found.metrics):
        for t, month in enumerate(found.months):
            for p, (a, b) in enumerate(study.pairs, len(study.names)):
                mine = own[b]
                verdicts_here = found.verdict[seen & mine, p, t, m].astype(np.int64)
                counts = np.bincount(verdicts_here, minlength=len(VERDICTS))
                told = [*zip(VERDICTS, counts, strict=True), (NOT_COMPUTED, int((~seen & mine).sum()))]
                rows += [(metric.name, month, a, b, word, int(n), n / int(mine.sum())) for word, n in told if n]
    columns = ["metric", "month", "scenario_a", "scenario_b", "verdict", "cells", "share"]
    found.tables["regions"] = pd.DataFrame(rows, columns=columns)
