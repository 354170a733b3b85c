"""What Morris's, Sobol's and Latin hypercube designs have in common: whole groups of cells, SALib, resampling."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cej_sim.parameters import Metric
from cej_sim.sweeps.analysis.intervals import Values
from cej_sim.sweeps.analysis.study import Analysis

#: Bootstrap resamples behind the intervals of Sobol's indices.
RESAMPLES = 1000


def each_response(found: Analysis) -> Iterator[tuple[dict[str, Any], Values, Metric]]:
    """Every response, metric and month with its means over runs, one per cell."""
    for p, response in enumerate(found.study.responses):
        for m, metric in enumerate(found.metrics):
            for t, month in enumerate(found.months):
                row = {"response": response, "metric": metric.name, "month": month}
                yield row, found.value[:, p, t, m], metric


def are_whole(found: Analysis, size: int, thing: str) -> bool:
    """Whether the cells of a sampled design make up whole groups; remarked if they do not."""
    if len(found.cells) % size == 0:
        return True
    found.remarks.append(f"{len(found.cells)} cells are not whole {thing} of {size}: nothing is computed from them")
    return False


def complete_groups(values: Values, size: int, thing: str, metric: str, told: dict[str, set[str]]) -> NDArray[np.bool_]:
    """Which groups of cells are whole for these values; those that are not are told of later."""
    whole = np.asarray(~np.isnan(values.reshape(-1, size)).any(axis=1))
    if not whole.all():
        told.setdefault(f"{int((~whole).sum())} of {len(whole)} {thing} left out", set()).add(metric)
    return whole


def tell_lost(found: Analysis, told: Mapping[str, set[str]]) -> None:
    """Remark on the groups of cells that were left out, and why."""
    for words, names in told.items():
        found.remarks.append(
            f"{words}, because a cell of each has no value (not computed, or all coalitions ended), for: "
            + (", ".join(sorted(names)) if len(names) < len(found.metrics) else "all outcomes")
        )


def salib() -> Any:
    """SALib's analyses of Morris and Sobol; None where it is not installed."""
    try:
        from SALib.analyze import morris, sobol
    except ImportError:
        return None
    return morris, sobol


NO_SALIB = "Morris and Sobol indices need SALib: pip install 'cej-sim[sweep]', then analyze again"


def problem_of(found: Analysis) -> dict[str, Any]:
    """The design as SALib asks for it, factors on [0, 1]."""
    factors = found.study.factors
    return {"num_vars": len(factors), "names": [f.name for f in factors], "bounds": [[0.0, 1.0]] * len(factors)}


def resampling_seed(found: Analysis) -> int:
    """A seed for resampling, from that of the design."""
    return 1 + found.study.seed % (2**31 - 2)  # never 0, which SALib takes for none


def varies(values: Values) -> bool:
    """Whether values differ by more than rounding."""
    return len(values) > 0 and bool(np.ptp(values) > 1e-12 * max(1.0, float(np.abs(values).max())))
