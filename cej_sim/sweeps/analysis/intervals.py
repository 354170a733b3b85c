"""Small statistics: t intervals, verdicts, how many runs are needed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from cej_sim.comparison import CONFIDENCE, FEWEST_ALIKE
from cej_sim.parameters import Metric

#: What a difference between two scenarios allows to say; see ``comparison.verdict``.
#: ``no difference seen`` is of yes/no answers that were the same in every run: others may follow.
VERDICTS = (
    "a better",
    "b better",
    "b higher",
    "b lower",
    "no difference",
    "cannot tell",
    "has ended",
    "no difference seen",
)

#: Verdict of yes/no answers that were the same in every run.
UNSEEN = VERDICTS.index("no difference seen")

#: Those of them that say who is ahead.
SURE = VERDICTS[:4]

#: Verdict of a cell that failed or was never computed.
NOT_COMPUTED = "not computed"


Values = NDArray[np.float64]


def half_width(deviation: Any, runs: Any) -> Values:
    """Half the width of a t interval for a mean, from the standard deviation and the number of runs; elementwise."""
    runs = np.asarray(runs, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = stdtrit(runs - 1.0, 0.5 + CONFIDENCE / 2.0) * np.asarray(deviation) / np.sqrt(runs)
    return np.where(runs < 2, np.nan, half)


def runs_needed(deviation: Any, target: Any) -> Values:
    """Fewest runs (at least 2) whose t interval is no wider than the target on either side; elementwise.

    NaN where the deviation or the target is unknown, or the target is not above 0 while the deviation is.
    """
    deviation, target = np.broadcast_arrays(np.asarray(deviation, dtype=float), np.asarray(target, dtype=float))
    with np.errstate(divide="ignore", invalid="ignore"):
        start = np.ceil((ndtri(0.5 + CONFIDENCE / 2.0) * deviation / target) ** 2)
    unknown = ~np.isfinite(start)
    runs = np.where(unknown, 2.0, np.maximum(start, 2.0))
    while True:
        short = ~unknown & (half_width(deviation, runs) > target)
        if not short.any():
            return np.where(unknown, np.where(deviation == 0.0, 2.0, np.nan), runs)
        runs = np.where(short, runs + 1.0, runs)


def is_sure(row: Mapping[str, Any]) -> bool:
    """Whether an interval (``ci_low ci_high runs``) excludes 0; without width it also needs ``FEWEST_ALIKE`` runs."""
    low, high = row["ci_low"], row["ci_high"]
    return bool((low > 0.0 or high < 0.0) and (low < high or row["runs"] >= FEWEST_ALIKE))


def verdicts(difference: Values, low: Values, high: Values, runs: NDArray[Any], metrics: Sequence[Metric]) -> Any:
    """``comparison.verdict`` for arrays (..., metrics): positions in ``VERDICTS``."""
    better = np.array([{"up": 1.0, "down": -1.0, "neither": 0.0}[metric.better] for metric in metrics])
    happened = np.array([metric.nature == "happened" for metric in metrics])
    ahead = np.sign(difference) * better
    with np.errstate(invalid="ignore"):
        return np.select(
            [
                runs == 0,
                (runs < 2) | np.isnan(low) | np.isnan(high),
                (low == 0.0) & (high == 0.0),
                (low <= 0.0) & (high >= 0.0),
                (low == high) & (runs < FEWEST_ALIKE) & happened,
                ahead > 0.0,
                ahead < 0.0,
                difference > 0.0,
            ],
            [VERDICTS.index(word) for word in ("has ended", "cannot tell", "no difference", "cannot tell")]
            + [VERDICTS.index(word) for word in ("cannot tell", "b better", "a better", "b higher")],
            VERDICTS.index("b lower"),
        ).astype(np.int8)


def welch(a: Values, b: Values) -> dict[str, Values]:
    """b - a from independent runs: Welch's t interval, and the difference over the pooled standard deviation.

    Args:
        a, b: Values (runs, ...); NaN where there is none.

    Returns:
        ``a b difference ci_low ci_high effect_size runs``, each (...); ``runs`` is the smaller number of the two.
        Satterthwaite's degrees of freedom (1946).
    """
    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # no run is left: missing
        count_a, count_b = ((~np.isnan(one)).sum(axis=0) for one in (a, b))
        mean_a, mean_b = np.nanmean(a, axis=0), np.nanmean(b, axis=0)
        variance_a, variance_b = variance_of(a), variance_of(b)
        part_a, part_b = variance_a / count_a, variance_b / count_b
        freedom = (part_a + part_b) ** 2 / (part_a**2 / (count_a - 1) + part_b**2 / (count_b - 1))
        half = np.where(
            part_a + part_b == 0.0, 0.0, stdtrit(freedom, 0.5 + CONFIDENCE / 2.0) * np.sqrt(part_a + part_b)
        )
        half = np.where((count_a < 2) | (count_b < 2), np.nan, half)
        difference = mean_b - mean_a
        spread = np.sqrt((variance_a + variance_b) / 2.0)
        effect = np.where(np.isnan(half), np.nan, np.where(difference == 0.0, 0.0, difference / spread))
    return {
        "a": mean_a,
        "b": mean_b,
        "difference": difference,
        "ci_low": difference - half,
        "ci_high": difference + half,
        "effect_size": effect,
        "runs": np.minimum(count_a, count_b),
    }


def deviation_of(told: Mapping[str, Values]) -> Values:
    """The standard deviation behind a t interval."""
    runs = told["runs"].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = (told["ci_high"] - told["ci_low"]) / 2.0
        return np.where(runs < 2, np.nan, half * np.sqrt(runs) / stdtrit(runs - 1.0, 0.5 + CONFIDENCE / 2.0))


def variance_of(values: Values) -> Values:
    """Variance over the first axis, exactly 0 where all values are the same but for rounding."""
    spread = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    alike = spread <= 1e-12 * np.maximum(1.0, np.nanmax(np.abs(values), axis=0))
    return np.where(alike, 0.0, np.nanvar(values, axis=0, ddof=1))
