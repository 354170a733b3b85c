"""Parts of an ablation: each swapped by itself, and Shapley values over all orders."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.sweeps.analysis.intervals import Values
from cej_sim.sweeps.analysis.study import Study

#: The name that stands for all units of an ablation, or all factors, together.
ALL_FACTORS = "all together"

#: The two ways in which a unit is swapped, in ``swaps``.
INTO_A, OUT_OF_B = "A with it minus A without it", "B with it minus B without it"

#: The same of a full factorial, whose factors are no parts of one thing.
OTHERS_LOW, OTHERS_HIGH = "all others at their first level", "all others at their last level"

#: All four -> which of the two it is.
DIRECTIONS = {INTO_A: 0, OUT_OF_B: 1, OTHERS_LOW: 0, OTHERS_HIGH: 1}


@dataclass(frozen=True)
class Contrast:
    """A sum of cells with weights, taken within each run.

    Attributes:
        table: Where its row goes.
        row: The columns that say what it is.
        weights: (cells,).
    """

    table: str
    row: dict[str, Any]
    weights: Values


def shapley_weights(present: NDArray[np.bool_]) -> Values:
    """The weights that make Shapley values out of the worth of every coalition (Shapley 1953).

    Args:
        present: (coalitions, players), every subset of the players once.

    Returns:
        (players, coalitions): the value of player i is the sum of its weights times the worths. Together they make
        up the worth of all players less that of none.

    Raises:
        ValueError: If not every subset stands there once.
    """
    coalitions, players = present.shape
    keys = present @ (1 << np.arange(players, dtype=np.int64))
    if coalitions != 1 << players or len(np.unique(keys)) != coalitions:
        raise ValueError(f"Shapley values need each of the {1 << players} subsets of {players} units once")
    size = present.sum(axis=1)
    total = math.factorial(players)
    joins = np.array([math.factorial(s) * math.factorial(players - s - 1) / total for s in range(players)] + [0.0])
    return np.where(present, joins[size - 1][:, None], -joins[size][:, None]).T


def shapley_contrasts(study: Study, codes: Sequence[NDArray[np.int64]]) -> Iterator[Contrast]:
    """The Shapley value of every unit."""
    weights = shapley_weights(np.stack(codes, axis=1) == 1)
    for factor, row in zip(study.factors, weights, strict=True):
        yield Contrast("shapley", {"factor": factor.name, "label": factor.label}, row)


def swap_contrasts(
    study: Study, codes: Sequence[NDArray[np.int64]], computed: NDArray[np.bool_]
) -> Iterator[Contrast | str]:
    """Each unit swapped both ways, from the cells that hold it; a text where such a cell was not computed."""
    table = np.stack(codes, axis=1)
    inside = ((table == 0) | (table == 1)).all(axis=1)
    units = table.shape[1]
    places = {int(key): place for place, key in enumerate(table @ (1 << np.arange(units))) if inside[place]}
    everything = (1 << units) - 1
    asked = [(ALL_FACTORS, "All of them at once", "all", 0, everything)]
    into, out = (INTO_A, OUT_OF_B) if study.kind == "ablation" else (OTHERS_LOW, OTHERS_HIGH)
    for unit, factor in enumerate(study.factors):
        asked.append((factor.name, factor.label, into, 0, 1 << unit))
        asked.append((factor.name, factor.label, out, everything & ~(1 << unit), everything))
    for name, label, way, before, after in asked:
        if before not in places or after not in places:
            continue
        if not (computed[places[before]] and computed[places[after]]):
            yield f"{label}, {way}: a cell that it needs was not computed, so it is left out of the table of swaps"
            continue
        weights = np.zeros(len(table))
        weights[places[after]], weights[places[before]] = 1.0, -1.0
        yield Contrast("swaps", {"factor": name, "label": label, "direction": way}, weights)


def with_shares(shapley: pd.DataFrame, swaps: pd.DataFrame) -> pd.DataFrame:
    """Shapley values with their share of the whole difference, missing where that may be none at all."""
    keys = ["response", "metric", "month"]
    whole = swaps[swaps["factor"] == ALL_FACTORS].set_index(keys)
    index = pd.MultiIndex.from_frame(shapley[keys])
    total, low, high = (whole[name].reindex(index).to_numpy() for name in ("effect", "ci_low", "ci_high"))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where((low > 0.0) | (high < 0.0), shapley["value"].to_numpy() / total, np.nan)
    shapley = shapley.copy()
    shapley.insert(list(shapley.columns).index("value") + 1, "share", share)
    return shapley
