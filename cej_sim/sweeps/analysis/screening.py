"""Morris's screening."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cej_sim.comparison import CONFIDENCE
from cej_sim.sweeps.analysis.factors import unit_interval
from cej_sim.sweeps.analysis.intervals import Values, half_width, variance_of
from cej_sim.sweeps.analysis.sampled import (
    NO_SALIB,
    are_whole,
    complete_groups,
    each_response,
    problem_of,
    resampling_seed,
    salib,
    tell_lost,
    varies,
)
from cej_sim.sweeps.analysis.study import Analysis


def elementary_effects(x: Values, y: Values) -> Values:
    """The effect of each factor in each trajectory, (trajectories, factors), for a factor's whole range.

    Args:
        x: Points (trajectories times steps, factors) on [0, 1]; each differs from the one before in one factor.
        y: Outcomes.
    """
    count = x.shape[1]
    steps = np.diff(x.reshape(-1, count + 1, count), axis=1)
    moved = np.abs(steps).argmax(axis=2)
    change = np.diff(y.reshape(-1, count + 1), axis=1)
    effects = np.full((len(steps), count), np.nan)
    np.put_along_axis(effects, moved, change / np.take_along_axis(steps, moved[..., None], axis=2)[..., 0], axis=1)
    return effects


def add_morris(found: Analysis) -> None:
    """Morris's mu, mu* and sigma (Morris 1991; Campolongo and others 2007), factors on [0, 1].

    The interval of mu* is a t interval over the sizes of the effects, of which a trajectory gives each factor one.
    """
    factors = found.study.factors
    size = len(factors) + 1
    if not are_whole(found, size, "trajectories"):
        return
    modules = salib()
    if modules is None:
        found.remarks.append(NO_SALIB)
        return
    x = found.study.points
    if x is None:
        x = np.stack([unit_interval(factor, found.cells[factor.name]) for factor in factors], axis=1)
    rows = []
    told: dict[str, set[str]] = {}
    for row, values, _ in each_response(found):
        whole = complete_groups(values, size, "trajectories", row["metric"], told)
        keep = np.repeat(whole, size)
        count = int(whole.sum())
        y = values[keep]
        if count < 2:
            numbers = {name: np.full(len(factors), np.nan) for name in ("mu", "mu_star", "mu_star_conf", "sigma")}
        elif not varies(y):
            numbers = {name: np.zeros(len(factors)) for name in ("mu", "mu_star", "mu_star_conf", "sigma")}
        else:
            numbers = modules[0].analyze(
                problem_of(found),
                x[keep],
                np.ascontiguousarray(y),
                num_resamples=2,  # of its own intervals, which are not used
                conf_level=CONFIDENCE,
                num_levels=found.study.levels,
                seed=resampling_seed(found),
            )
            sizes = np.abs(elementary_effects(x[keep], y))
            numbers = {**numbers, "mu_star_conf": half_width(np.sqrt(variance_of(sizes)), len(sizes))}
        for i, factor in enumerate(factors):
            rows.append(
                {
                    "factor": factor.name,
                    "label": factor.label,
                    **row,
                    **{name: float(numbers[name][i]) for name in ("mu", "mu_star", "mu_star_conf", "sigma")},
                    "trajectories": count,
                }
            )
    tell_lost(found, told)
    found.tables["morris"] = pd.DataFrame(rows)
