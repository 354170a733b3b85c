"""Rank correlations of factors with outcomes over the cells of a sampled design."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import ndtri
from scipy.stats import rankdata

from cej_sim.comparison import CONFIDENCE
from cej_sim.sweeps.analysis.factors import unit_interval
from cej_sim.sweeps.analysis.intervals import Values
from cej_sim.sweeps.analysis.sampled import each_response, varies
from cej_sim.sweeps.analysis.study import Analysis


def rank_correlation(x: Values, y: Values) -> tuple[float, float, float]:
    """Spearman's correlation with an interval (Bonett and Wright 2000); NaN where one of the two does not vary."""
    if len(x) < 5 or not varies(x) or not varies(y):
        return math.nan, math.nan, math.nan
    r = float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
    if abs(r) > 1.0 - 1e-12:
        return math.copysign(1.0, r), math.nan, math.nan
    half = float(ndtri(0.5 + CONFIDENCE / 2.0)) * math.sqrt((1.0 + r * r / 2.0) / (len(x) - 3))
    return r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def add_correlations(found: Analysis) -> None:
    """Rank correlation of every factor with every response over the cells of a sampled design."""
    numeric = [
        (factor, unit_interval(factor, found.cells[factor.name]))
        for factor in found.study.factors
        if not any(isinstance(value, str) for value in factor.values)
    ]
    rows = []
    for row, values, _ in each_response(found):
        for factor, x in numeric:
            known = ~np.isnan(values) & ~np.isnan(x)
            r, low, high = rank_correlation(x[known], values[known])
            rows.append(
                {
                    "factor": factor.name,
                    "label": factor.label,
                    **row,
                    "correlation": r,
                    "ci_low": low,
                    "ci_high": high,
                    "cells": int(known.sum()),
                }
            )
    found.tables["correlations"] = pd.DataFrame(rows)
