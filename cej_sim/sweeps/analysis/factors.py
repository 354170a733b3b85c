"""Factors as levels, as words and on the unit interval."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.sweeps.analysis.intervals import Values
from cej_sim.sweeps.analysis.study import FactorLike


def levels(factor: FactorLike, column: pd.Series, ends: bool = False) -> tuple[NDArray[np.int64], list[str]]:
    """Which level of a factor each cell has, and the levels' names, the lowest first; with ``ends`` only both ends.

    Returns:
        Positions (cells,), -1 where the value is none of the levels; and a word per level.
    """
    given = list(factor.values) or sorted(column.dropna().unique())
    if ends and len(given) > 2:
        given = [given[0], given[-1]]
    codes = np.full(len(column), -1, dtype=np.int64)
    numeric = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
    values = column.to_numpy(dtype=float) if numeric else column.astype(object).map(str).to_numpy()
    for place, value in enumerate(given):
        if numeric:
            hit = np.isclose(values, float(value), rtol=1e-9, atol=0.0) if not isinstance(value, str) else codes == -2
        else:
            hit = values == str(value)
        codes[hit & (codes == -1)] = place
    return codes, [plain(value) for value in given]


def plain(value: Any) -> str:
    """A value of a factor as people write it."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return f"{float(value):.6g}" if isinstance(value, (int, float, np.number)) else str(value)


def is_ordered(factor: FactorLike, count: int) -> bool:
    """Whether the last level is more than the first: of two always, of several if they are numbers."""
    return count == 2 or (count > 2 and not any(isinstance(value, str) for value in factor.values))


def unit_interval(factor: FactorLike, column: pd.Series) -> Values:
    """A factor's values on [0, 1]: by position for levels, by ratio for a logarithmic range."""
    if factor.values:
        codes, names = levels(factor, column)
        return np.where(codes < 0, np.nan, codes / max(1, len(names) - 1))
    values, low, high = column.to_numpy(dtype=float), float(factor.low or 0.0), float(factor.high or 1.0)
    if factor.log:
        return np.asarray(np.log(values / low) / math.log(high / low))
    return np.asarray((values - low) / (high - low))
