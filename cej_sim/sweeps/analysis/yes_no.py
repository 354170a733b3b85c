"""Intervals of what is yes or no in each run, where a t interval fails: no event in 20 runs does not mean never."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from cej_sim.comparison import CONFIDENCE, paired
from cej_sim.parameters import Metric
from cej_sim.sweeps.analysis.intervals import Values, deviation_of, half_width, runs_needed, welch

_Z = float(ndtri(0.5 + CONFIDENCE / 2.0))


def are_yes_no(metrics: Sequence[Metric]) -> NDArray[np.bool_]:
    """Which of the metrics are yes or no in each run, (metrics,)."""
    return np.array([metric.unit == "yes/no" for metric in metrics], dtype=bool)


def wilson(share: Any, runs: Any) -> tuple[Values, Values]:
    """Wilson's score interval (1927) of a share of runs; elementwise, NaN without a run."""
    share, runs = np.asarray(share, dtype=float), np.asarray(runs, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (share + _Z**2 / (2.0 * runs)) / (1.0 + _Z**2 / runs)
        half = _Z * np.sqrt(share * (1.0 - share) / runs + _Z**2 / (4.0 * runs**2)) / (1.0 + _Z**2 / runs)
    unknown = (runs < 1) | np.isnan(share)
    low, high = (np.where(unknown, np.nan, np.clip(one, 0.0, 1.0)) for one in (middle - half, middle + half))
    return np.where(share == 0.0, 0.0, low), np.where(share == 1.0, 1.0, high)


def paired_change(mean: Any, deviation: Any, runs: Any, most: Any = 1.0) -> tuple[Values, Values]:
    """Interval of a mean paired difference of yes/no answers, after Bonett and Price (2012); elementwise.

    One run that changes for the better and one that changes for the worse, each by the most there can be, are added
    to those that were seen, and an interval is put around their mean. Where nothing changed in any run it therefore
    has a width. Unlike theirs it takes the quantile of t rather than of the normal distribution, so that five runs
    which all change the same way do not exclude 0, as in a sign test.

    Args:
        mean, deviation, runs: Of the differences, one per run.
        most: The most that a difference can be.
    """
    mean, deviation, runs = (np.asarray(one, dtype=float) for one in (mean, deviation, runs))
    center, spread = _with_two_more(mean, deviation, runs, most)
    with np.errstate(divide="ignore", invalid="ignore"):
        half = stdtrit(runs - 1.0, 0.5 + CONFIDENCE / 2.0) * spread / np.sqrt(runs + 2.0)
    low, high = np.maximum(center - half, -np.asarray(most)), np.minimum(center + half, np.asarray(most))
    return np.where(runs < 2, np.nan, low), np.where(runs < 2, np.nan, high)


def _with_two_more(mean: Values, deviation: Values, runs: Values, most: Any) -> tuple[Values, Values]:
    """Mean and standard deviation (over n) with a run of the most change added at either end."""
    with np.errstate(divide="ignore", invalid="ignore"):
        squares = (runs - 1.0) * deviation**2 + runs * mean**2 + 2.0 * np.asarray(most) ** 2
        center = runs * mean / (runs + 2.0)
        return center, np.sqrt(np.maximum(squares / (runs + 2.0) - center**2, 0.0))


def newcombe(a: Any, b: Any, runs_a: Any, runs_b: Any) -> tuple[Values, Values]:
    """Interval of the difference b - a of two independent shares: Newcombe's method 10 (1998); elementwise."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    (low_a, high_a), (low_b, high_b) = wilson(a, runs_a), wilson(b, runs_b)
    below = np.sqrt((b - low_b) ** 2 + (high_a - a) ** 2)
    above = np.sqrt((high_b - b) ** 2 + (a - low_a) ** 2)
    return b - a - below, b - a + above


def bounds(
    mean: Values, deviation: Values, runs: Any, metrics: Sequence[Metric], differences: bool
) -> tuple[Values, Values]:
    """Intervals of means over runs, (..., metrics): t, and for yes/no Wilson's or that of a paired change.

    Args:
        mean, deviation, runs: Over runs.
        metrics: The declarations along the last axis.
        differences: Whether they are paired differences; else each run's own values.
    """
    half = half_width(deviation, runs)
    low, high = mean - half, mean + half
    which = are_yes_no(metrics)
    if which.any():
        other = paired_change(mean, deviation, runs) if differences else wilson(mean, runs)
        low, high = np.where(which, other[0], low), np.where(which, other[1], high)
    return low, high


def needed(
    mean: Values, deviation: Values, runs: Any, target: Values, metrics: Sequence[Metric], differences: bool
) -> Values:
    """Runs that are needed for intervals no wider than the target, (..., metrics).

    That of yes/no is taken from the deviation behind its interval, which is never 0: what was not seen in 20 runs may
    happen in the next.
    """
    which = are_yes_no(metrics)
    if which.any():
        count = np.asarray(runs, dtype=float)
        if differences:
            spread = _with_two_more(mean, deviation, count, 1.0)[1]
        else:
            with np.errstate(invalid="ignore"):
                share = (count * mean + _Z**2 / 2.0) / (count + _Z**2)
                spread = np.sqrt(share * (1.0 - share))
        spread = np.where(np.isnan(deviation), np.nan, spread)
        deviation = np.where(which, spread, deviation)
    return runs_needed(deviation, target)


def paired_told(a: Values, b: Values, metrics: Sequence[Metric], most: Any = 1.0, simple: Any = True) -> dict[str, Any]:
    """``comparison.paired``, with an interval of its own for yes/no, and in how many runs the two differ.

    Args:
        a, b, metrics: As there.
        most: The most by which yes/no answers can differ, (...) without the metrics.
        simple: Whether a difference is one between two answers, (...). Sums of several take the t interval where they
            vary over runs.

    Returns:
        Its columns, ``runs_differing``, and ``deviation`` over runs.
    """
    told: dict[str, Any] = dict(paired(a, b, metrics))
    with np.errstate(invalid="ignore"):
        tolerance = 1e-12 * np.maximum(1.0, np.maximum(np.abs(a), np.abs(b)))
        told["runs_differing"] = (np.abs(b - a) > tolerance).sum(axis=0)
    told["deviation"] = deviation = deviation_of(told)
    which = are_yes_no(metrics)
    if which.any():
        far = np.broadcast_to(np.asarray(most, dtype=float)[..., None], told["difference"].shape)
        low, high = paired_change(told["difference"], deviation, told["runs"], far)
        use = which & (np.asarray(simple, dtype=bool)[..., None] | (deviation == 0.0))
        told["ci_low"], told["ci_high"] = np.where(use, low, told["ci_low"]), np.where(use, high, told["ci_high"])
    return told


def welch_told(a: Values, b: Values, metrics: Sequence[Metric], simple: Any) -> dict[str, Any]:
    """``welch`` with Newcombe's interval for yes/no, and that of a paired change where sums of them do not vary.

    No run belongs to another one, so that ``runs_differing`` is 0 where all runs of both have one and the same value,
    and else all of them.
    """
    told: dict[str, Any] = dict(welch(a, b))
    alike = (told["difference"] == 0.0) & (told["ci_low"] == told["ci_high"])
    told["runs_differing"] = np.where(alike, 0, told["runs"])
    which = are_yes_no(metrics)
    if which.any():
        runs = told["runs"]
        single = np.broadcast_to(np.asarray(simple, dtype=bool)[..., None], runs.shape)
        counts = [(~np.isnan(one)).sum(axis=0) for one in (a, b)]
        low, high = newcombe(told["a"], told["b"], *counts)
        still = which & ~single & (told["ci_low"] == told["ci_high"])
        # Two independent means instead of one: the width grows by the square root of 2.
        center, spread = _with_two_more(told["difference"], np.zeros(runs.shape), runs.astype(float), 2.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            half = stdtrit(runs - 1.0, 0.5 + CONFIDENCE / 2.0) * spread * np.sqrt(2.0 / (runs + 2.0))
        use = which & single & (runs >= 2)
        told["ci_low"] = np.where(use, low, np.where(still, np.maximum(center - half, -2.0), told["ci_low"]))
        told["ci_high"] = np.where(use, high, np.where(still, np.minimum(center + half, 2.0), told["ci_high"]))
    return told


def is_unseen(told: Mapping[str, Any], metrics: Sequence[Metric]) -> NDArray[np.bool_]:
    """Where yes/no answers were the same in every run, which shows no difference but does not exclude one."""
    return np.asarray(are_yes_no(metrics) & (told["runs_differing"] == 0) & (told["runs"] >= 2))
