"""Factors that changed nothing at all."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.sweeps.analysis.study import Analysis


def inert_factors(found: Analysis) -> list[str]:
    """Names of the factors that changed no analyzed outcome in any run of any cell, in any month analyzed.

    Read from main effects or swaps and, in a one-at-a-time design, from cells against the baseline; of Morris's
    screening from mu*. Other designs move everything at once and cannot show it.
    """
    tables, study = found.tables, found.study
    names = [factor.name for factor in study.factors]
    if study.kind == "one_at_a_time" and "against_baseline" in tables:
        table = tables["against_baseline"]
        moved = table[~_is_still(table)]
        return [name for name in names if table[name].notna().any() and not moved[name].notna().any()]
    if "morris" in tables:
        table = tables["morris"]
        still = table["mu_star"] == 0.0
        return [name for name in names if still[table["factor"] == name].all()]
    parts = [tables[name] for name in ("main_effects", "swaps") if name in tables]
    parts = [part[part["factor"].isin(names)] for part in parts]
    seen = {name for part in parts for name in part["factor"]}
    moved_names = {name for part in parts for name in part.loc[~_is_still(part), "factor"]}
    pairs = tables.get("interactions")
    if pairs is not None:
        live = pairs[~_is_still(pairs)]
        moved_names |= set(live["factor_a"]) | set(live["factor_b"])
    return [name for name in names if name in seen - moved_names]


def _is_still(table: pd.DataFrame) -> NDArray[np.bool_]:
    return ((table["runs_differing"] == 0) | (table["runs"] == 0)).to_numpy()


def add_inert(found: Analysis) -> None:
    """Remark on factors that changed nothing."""
    labels = {factor.name: factor.label for factor in found.study.factors}
    still = inert_factors(found)
    if still:
        found.remarks.append(
            f"Changed nothing in any run, whatever the outcome: {', '.join(labels[name] for name in still)}"
        )
