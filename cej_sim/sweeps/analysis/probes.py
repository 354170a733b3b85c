"""Probes: questions to each cell that took runs of their own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.comparison import BY_NAME, paired
from cej_sim.parameters import Metric
from cej_sim.sweeps.analysis.factors import levels
from cej_sim.sweeps.analysis.intervals import VERDICTS, Values, half_width, variance_of, verdicts, welch
from cej_sim.sweeps.analysis.shapley import swap_contrasts
from cej_sim.sweeps.analysis.study import Analysis, Sink
from cej_sim.sweeps.analysis.tables import SureCount, column_types, with_differences

#: The probes whose numbers stand in tables, as their column ``probe`` names them. Of irreversibility, ``area`` is the
#: loop of a rule that is moved there and back, ``drift`` that of a twin whose rule stays, and ``net`` the one minus the
#: other within each run: what moving the rule leaves behind.
INFLUENCE, AREA, DRIFT, NET = (
    "causal_influence",
    "irreversibility_area",
    "irreversibility_drift",
    "irreversibility_net",
)

#: Kind of agent -> the bloc of all who are of it.
BLOCS = {
    "resident": "residents",
    "institution": "institutions",
    "backbone": "the backbone",
    "organizer": "organizers",
}

#: Month of a number that belongs to no month.
NO_MONTH = -1


Question = tuple[str, str, int]


def probed(probe: str, metric: str) -> Metric:
    """The declaration of what a probe measures, for words, units and families.

    Args:
        probe: ``INFLUENCE``, ``AREA``, ``DRIFT`` or ``NET``.
        metric: The bloc whose influence it is, else the outcome whose loop.
    """
    if probe == INFLUENCE:
        return Metric(
            f"{probe}:{metric}",
            f"Causal influence of {BLOCS.get(metric, metric)}",
            "ratio",
            "How far the agenda moves for each unit by which the bloc's convictions are moved",
            "power",
        )
    what = {AREA: "moved and moved back", DRIFT: "by time alone", NET: "what stays behind"}[probe]
    one = BY_NAME[metric]
    unit = "share" if one.unit == "yes/no" else one.unit
    return Metric(f"{probe}:{metric}", f"{one.label}: {what}", unit, "", one.family)


def summarize_probes(found: Analysis, probes: pd.DataFrame) -> None:
    """Add what probes found to an analysis: tables per cell, and differences taken within runs.

    ``probes``: mean, standard deviation and 95% t interval over runs of every number, by cell and scenario.
    ``probe_differences``: every other scenario minus the first, in the same cell, paired by run: runs with the same
    number have the same luck. ``probes_against_baseline``: every cell minus the baseline, where the design has one;
    paired with common luck, else Welch's. ``probe_swaps``: of an ablation, each part put in and taken out. The table
    ``verdicts`` counts their intervals too.

    Args:
        found: An analysis; months that it leaves out are left out here.
        probes: Numbers as stored, ``cell scenario run probe metric month value``; month -1 where there is none.
    """
    if not probes.empty:
        probes = probes[probes["month"].isin([*found.months, NO_MONTH])]
    if probes.empty:
        return
    study = found.study
    places, questions, values = _probe_cube(found, _with_net(probes))
    metrics = [probed(probe, metric) for probe, metric, _ in questions]
    sure = SureCount()

    def put(name: str, table: pd.DataFrame) -> None:
        found.tables[name] = table
        found.columns[name] = column_types(table)
        if name != "probes":
            sure.count(name, table)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no run is left: missing
        mean, deviation = np.nanmean(values, axis=0), np.sqrt(variance_of(values))
    runs = (~np.isnan(values)).sum(axis=0)
    deviation = np.where(runs < 2, np.nan, deviation)
    half = half_width(deviation, runs)
    columns = {"mean": mean, "sd": deviation, "ci_low": mean - half, "ci_high": mean + half, "runs": runs}
    put("probes", _probe_rows(found, places, {"scenario": study.names}, questions, columns))
    if study.pairs:
        parts = [paired(values[:, :, 0], values[:, :, other], metrics) for other in range(1, len(study.names))]
        told = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
        names = ("a", "b", "difference", "ci_low", "ci_high", "effect_size")
        columns = {name: told[name] for name in names}
        columns |= {"verdict": _probe_verdicts(told, metrics), "runs": told["runs"]}
        middle = {"scenario_a": [a for a, _ in study.pairs], "scenario_b": [b for _, b in study.pairs]}
        put("probe_differences", _probe_rows(found, places, middle, questions, columns))
    _probes_against(found, places, questions, values, metrics, put)
    if study.kind == "ablation":
        _probe_swaps(found, places, questions, values, metrics, put)
    found.tables["verdicts"] = pd.concat([found.tables["verdicts"], sure.table()], ignore_index=True)


def _with_net(probes: pd.DataFrame) -> pd.DataFrame:
    """The stored numbers, and the area minus the drift of every run."""
    keys = ["cell", "scenario", "run", "metric", "month"]
    area, drift = (probes[probes["probe"] == probe].set_index(keys)["value"] for probe in (AREA, DRIFT))
    net = (area - drift).rename("value").reset_index().assign(probe=NET)
    return pd.concat([probes, net], ignore_index=True) if len(net) else probes


def _probe_cube(found: Analysis, probes: pd.DataFrame) -> tuple[NDArray[np.int64], list[Question], Values]:
    """Positions of the cells, what was asked, and the values (runs, cells, scenarios, questions).

    Raises:
        ValueError: If a cell or a scenario is not of the design, or a number stands there twice.
    """
    order = {INFLUENCE: 0, NET: 1, AREA: 2, DRIFT: 3}
    asked = probes[["probe", "metric", "month"]].drop_duplicates()
    questions: list[Question] = sorted(
        (
            (str(probe), str(metric), int(month))
            for probe, metric, month in asked.itertuples(index=False, name=None)
            if probe in order
        ),
        key=lambda one: (order[one[0]], one[2]),
    )
    place_of = {question: place for place, question in enumerate(questions)}
    known = pd.Index(found.cells["cell"])
    numbers, cell = np.unique(probes["cell"].to_numpy(), return_inverse=True)
    places = known.get_indexer(pd.Index(numbers))
    scenario = pd.Index(found.study.names).get_indexer(pd.Index(probes["scenario"].astype(object)))
    if (places < 0).any() or (scenario < 0).any():
        raise ValueError("the probes hold a cell or a scenario that the design does not")
    keys = zip(probes["probe"], probes["metric"], probes["month"], strict=True)
    question = np.array(
        [place_of[str(probe), str(metric), int(month)] for probe, metric, month in keys], dtype=np.int64
    )
    run = probes["run"].to_numpy().astype(np.int64)
    shape = (int(run.max()) + 1, len(numbers), len(found.study.names), len(questions))
    flat = np.ravel_multi_index((run, cell.reshape(-1), scenario, question), shape)
    if len(np.unique(flat)) != len(flat):
        raise ValueError("the probes hold a number twice")
    values = np.full(math.prod(shape), np.nan)
    values[flat] = probes["value"].to_numpy(dtype=float)
    return places.astype(np.int64), questions, values.reshape(shape)


def _probe_rows(
    found: Analysis,
    places: NDArray[np.int64],
    middle: Mapping[str, Sequence[str]],
    questions: Sequence[Question],
    values: Mapping[str, Any],
) -> pd.DataFrame:
    """A row per cell, member of ``middle`` and question, with factor columns; values (cells, members, questions)."""
    members = len(next(iter(middle.values())))
    columns: dict[str, Any] = {"cell": np.repeat(found.cells["cell"].to_numpy()[places], members * len(questions))}
    for name, words in middle.items():
        columns[name] = np.tile(np.repeat(np.array(words, dtype=object), len(questions)), len(places))
    columns |= _question_columns(questions, len(places) * members)
    columns |= {name: np.asarray(value).reshape(-1) for name, value in values.items()}
    for factor in found.study.factors:
        if factor.name in found.cells:
            column = np.repeat(found.cells[factor.name].to_numpy()[places], members * len(questions))
            columns.setdefault(factor.name, column)
    return pd.DataFrame(columns)


def _question_columns(questions: Sequence[Question], times: int) -> dict[str, Any]:
    parts = zip(("probe", "metric", "month"), zip(*questions, strict=True), strict=True)
    return {name: np.tile(np.array(part, dtype=object if name != "month" else np.int64), times) for name, part in parts}


def _probe_verdicts(told: Mapping[str, Values], metrics: Sequence[Metric]) -> NDArray[Any]:
    words = np.array(VERDICTS, dtype=object)
    found = verdicts(told["difference"], told["ci_low"], told["ci_high"], told["runs"], metrics)
    return np.where(told["runs"] == 0, "cannot tell", words[found])


def _probes_against(
    found: Analysis,
    places: NDArray[np.int64],
    questions: Sequence[Question],
    values: Values,
    metrics: Sequence[Metric],
    put: Sink,
) -> None:
    """Every cell but the baseline against the baseline; values (runs, cells, scenarios, questions)."""
    study, numbers = found.study, found.cells["cell"].to_numpy()[places]
    if study.baseline is None or study.baseline not in numbers or len(numbers) < 2:
        return
    # Months and metrics are two axes there; here questions are the only one.
    values = with_differences(values[..., None, :], study)[..., 0, :]
    before, others = values[:, numbers == study.baseline], numbers != study.baseline
    values, before = values[:, others], np.repeat(before, others.sum(), axis=1)
    told = paired(before, values, metrics) if study.common_luck else welch(before, values)
    columns = {"baseline": told["a"], "value": told["b"]}
    columns |= {name: told[name] for name in ("difference", "ci_low", "ci_high", "effect_size", "runs")}
    put(
        "probes_against_baseline",
        _probe_rows(found, places[others], {"scenario": study.responses}, questions, columns),
    )


def _probe_swaps(
    found: Analysis,
    places: NDArray[np.int64],
    questions: Sequence[Question],
    values: Values,
    metrics: Sequence[Metric],
    put: Sink,
) -> None:
    """Each part of an ablation put into A and taken out of B; values (runs, cells, scenarios, questions)."""
    study = found.study
    pairs = [levels(factor, found.cells[factor.name]) for factor in study.factors]
    if not pairs or any(len(names) != 2 for _, names in pairs):
        return
    there = np.zeros(len(found.cells), dtype=bool)
    there[places] = True
    frames = []
    for one in swap_contrasts(study, [codes for codes, _ in pairs], there):
        if isinstance(one, str):  # the remark on the cell that is missing stands there already
            continue
        after, before = (values[:, one.weights[places] == sign] for sign in (1.0, -1.0))
        told = paired(before[:, 0, 0], after[:, 0, 0], metrics)
        frames.append(
            pd.DataFrame(
                {
                    **{key: one.row[key] for key in ("factor", "label", "direction")},
                    **_question_columns(questions, 1),
                    "effect": told["difference"],
                    **{name: told[name] for name in ("ci_low", "ci_high", "runs")},
                    "verdict": _probe_verdicts(told, metrics),
                }
            )
        )
    if frames:
        put("probe_swaps", pd.concat(frames, ignore_index=True))
