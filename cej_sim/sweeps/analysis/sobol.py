"""Sobol's indices, with intervals by a studentized bootstrap."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from cej_sim.comparison import CONFIDENCE
from cej_sim.sweeps.analysis.intervals import Values
from cej_sim.sweeps.analysis.sampled import (
    NO_SALIB,
    RESAMPLES,
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

# Weights of resamples that are held at once.
_WEIGHTS = 4_000_000


class _Resamples:
    """Bootstrap resamples of the rows of a design: how often each row is drawn, over the number of rows.

    The same for every response with as many rows; large ones are drawn again each time rather than held.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._held: dict[int, list[Values]] = {}

    def of(self, rows: int) -> Iterable[Values]:
        """Weights (some of the resamples, rows), which sum to 1 over rows; ``RESAMPLES`` resamples in all."""
        if rows * RESAMPLES > _WEIGHTS:
            return self._drawn(rows)
        if rows not in self._held:
            self._held = {rows: list(self._drawn(rows))}
        return self._held[rows]

    def _drawn(self, rows: int) -> Iterator[Values]:
        rng = np.random.default_rng(self._seed)
        step = max(1, min(RESAMPLES, _WEIGHTS // rows))
        for begin in range(0, RESAMPLES, step):
            yield rng.multinomial(rows, np.full(rows, 1.0 / rows), size=min(step, RESAMPLES - begin)) / rows


def sobol_intervals(
    values: Values, factors: int, second_order: bool, resamples: Iterable[Values]
) -> dict[str, tuple[Values, Values]]:
    """95% intervals of Sobol's indices, by a studentized bootstrap over the rows of Saltelli's design.

    Every index is the mean of a product of outcomes over their variance (first and total order as in Saltelli and
    others 2010, second order as in Saltelli 2002). Its standard error follows from means of squares and products (the
    delta method), in the sample as in every resample, and the distribution over resamples of (index - estimate) /
    error stands for that of (estimate - truth) / error (Efron and Tibshirani 1993, chapter 12). ST, whose estimates
    are skewed, takes both tails of it; S1 and S2, whose estimates go either way, the quantile of its size. Estimate
    plus or minus 1.96 standard deviations over resamples, the usual interval, holds the truth less often than it says
    where rows are few.

    Rows count as independent draws. Sobol's points cover the ranges more evenly than such draws do, so that most of
    the intervals are wider than they need be; yet two columns of the sequence can go together badly, and then the
    interval of a factor is too short. More rows help against both.

    Args:
        values: Outcomes of the cells in Saltelli's order, (rows times cells in a row,); they vary.
        factors: Number of factors.
        second_order: Whether a row has 2 factors + 2 cells rather than factors + 2.
        resamples: Weights (resamples, rows), in any number of parts.

    Returns:
        ``S1`` and ``ST`` -> lower and upper bounds (factors,); with second order also ``S2`` -> bounds (factors,
        factors), for pairs i < j, NaN elsewhere. Where resamples leave a bound open it is what an index can be at
        most or at least, 1 or 0.
    """
    cells = 2 * factors + 2 if second_order else factors + 2
    table = ((values - values.mean()) / values.std()).reshape(-1, cells)
    a, b, mixed = table[:, :1], table[:, -1:], table[:, 1 : factors + 1]
    first = b * (mixed - a)
    products = [first, (a - mixed) ** 2 / 2.0]
    pairs = list(combinations(range(factors), 2)) if second_order else []
    if pairs:
        i, j = np.array(pairs).T
        products.append(table[:, factors + 1 + i] * mixed[:, j] - a * b - first[:, i] - first[:, j])
    numerator = np.concatenate(products, axis=1)
    center, square = ((a + b) / 2.0)[:, 0], ((a**2 + b**2) / 2.0)[:, 0]
    # All that a mean is taken of: the numerators, their squares, their products with the parts of the variance, and
    # these parts with each other.
    terms = np.concatenate(
        [
            *(numerator, numerator**2, numerator * center[:, None], numerator * square[:, None]),
            np.stack([center, square, center**2, center * square, square**2], axis=1),
        ],
        axis=1,
    )

    def index(weights: Values) -> tuple[Values, Values]:
        """Indices and their standard errors, each (resamples, indices)."""
        means = weights @ terms
        product, squared, with_center, with_square = np.split(means[:, :-5], 4, axis=1)
        c, s, cc, cs, ss = (column[:, None] for column in means[:, -5:].T)
        variance = s - c**2
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.where(variance > _NOTHING, product / variance, 0.0)
            # A row moves an index by (its product - index * its square from the center) / variance.
            across = with_square - 2.0 * c * with_center + c**2 * product
            own = ss - 4.0 * c * cs + 4.0 * c**2 * cc + 2.0 * c**2 * s - 3.0 * c**4
            spread = np.maximum(squared - 2.0 * value * across + value**2 * own, 0.0)
            error = np.sqrt(spread / (len(numerator) - 1)) / variance
        return value, np.where((variance > _NOTHING) & (spread > _NOTHING**2), error, 0.0)

    (value,), (error,) = index(np.full((1, len(table)), 1.0 / len(table)))
    drawn = [index(weights) for weights in resamples]
    away = np.concatenate([one - value for one, _ in drawn])
    errors = np.concatenate([one for _, one in drawn])
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.where(np.abs(away) <= _NOTHING, 0.0, away / errors)
    tail = (1.0 - CONFIDENCE) / 2.0
    lowest = np.quantile(away, tail, axis=0, method="lower")
    highest = np.quantile(away, 1.0 - tail, axis=0, method="higher")
    size = np.quantile(np.abs(away), CONFIDENCE, axis=0, method="higher")
    total = np.zeros(len(value), dtype=bool)
    total[factors : 2 * factors] = True
    with np.errstate(invalid="ignore"):
        below, above = (np.where(error > 0.0, np.where(total, part, size) * error, 0.0) for part in (highest, -lowest))
    low = np.where(np.isinf(below), np.minimum(value, 0.0), value - below)
    high = np.where(np.isinf(above), np.maximum(value, 1.0), value + above)
    found = {
        "S1": (low[:factors], high[:factors]),
        "ST": (low[factors : 2 * factors], high[factors : 2 * factors]),
    }
    if second_order:
        bounds = np.full((2, factors, factors), np.nan)
        for place, (i, j) in enumerate(pairs, 2 * factors):
            bounds[:, i, j] = low[place], high[place]
        found["S2"] = (bounds[0], bounds[1])
    return found


# What rounding makes of nothing, where outcomes have variance 1.
_NOTHING = 1e-12


#: Half-widths of ST beyond this are remarked.
WIDE = 0.1


def _warn_wide(found: Analysis) -> None:
    """Remark where intervals of ST in the last month are so wide that factors can hardly be told apart."""
    table = found.tables["sobol"]
    table = table[(table["month"] == found.months[-1]) & table["response"].isin(found.study.main_responses)]
    half = (table["ST_high"] - table["ST_low"]) / 2.0
    wide = table[half > WIDE]
    if wide.empty:
        return
    usual = float(half[wide.index].median())
    # Half-widths shrink with the square root of the number of rows; what is far too wide says little of how many.
    more = 1 << int(np.ceil(np.log2(table["samples"].max() * min(usual / WIDE, 16.0) ** 2)))
    found.remarks.append(
        f"Enough samples? {len(wide)} of {len(table)} intervals of ST reach more than {WIDE} to either side, half of "
        f"them {f'{usual:.2f}' if usual < 1.0 else '1'} or more; write samples: {more} or more"
    )


def add_sobol(found: Analysis) -> None:
    """Sobol's indices of first, second and total order by SALib (Saltelli and others 2010), with intervals."""
    factors = found.study.factors
    count = len(factors)
    size = (2 * count + 2) if found.study.second_order else (count + 2)
    if not are_whole(found, size, "rows of Saltelli's design"):
        return
    modules = salib()
    if modules is None:
        found.remarks.append(NO_SALIB)
        return
    rows, second = [], []
    told: dict[str, set[str]] = {}
    still: set[str] = set()
    resamples = _Resamples(resampling_seed(found))
    for row, values, _ in each_response(found):
        whole = complete_groups(values, size, "rows of Saltelli's design", row["metric"], told)
        y = values[np.repeat(whole, size)]
        used = int(whole.sum())
        numbers: Any = {name: np.full(count, np.nan) for name in ("S1", "ST")}
        numbers["S2"] = np.full((count, count), np.nan)
        bounds = {name: (one, one) for name, one in numbers.items()}
        if used >= 2 and varies(y):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of its own intervals, which are not used
                numbers = modules[1].analyze(
                    problem_of(found),
                    y,
                    calc_second_order=found.study.second_order,
                    num_resamples=2,
                    conf_level=CONFIDENCE,
                    seed=resampling_seed(found),
                )
            bounds = sobol_intervals(y, count, found.study.second_order, resamples.of(used))
        elif used >= 2:
            still.add(row["metric"])
        for i, factor in enumerate(factors):
            shown = {
                f"{name}{ending}": float(one[i])
                for name in ("S1", "ST")
                for ending, one in zip(("", "_low", "_high"), (numbers[name], *bounds[name]), strict=True)
            }
            rows.append({"factor": factor.name, "label": factor.label, **row, **shown, "samples": used})
        if found.study.second_order:
            for i, j in combinations(range(count), 2):
                second.append(
                    {
                        "factor_a": factors[i].name,
                        "factor_b": factors[j].name,
                        **row,
                        "S2": float(numbers["S2"][i, j]),
                        "S2_low": float(bounds["S2"][0][i, j]),
                        "S2_high": float(bounds["S2"][1][i, j]),
                        "samples": used,
                    }
                )
    tell_lost(found, told)
    if still:
        found.remarks.append(f"No Sobol indices of what does not vary at all: {', '.join(sorted(still))}")
    found.tables["sobol"] = pd.DataFrame(rows)
    _warn_wide(found)
    if found.study.second_order:
        found.tables["sobol_second"] = pd.DataFrame(second)
