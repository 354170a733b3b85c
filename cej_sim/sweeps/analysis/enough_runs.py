"""Whether there are enough runs: half-widths of intervals against what is asked of them."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.sweeps.analysis.intervals import Values
from cej_sim.sweeps.analysis.study import Analysis, Sink
from cej_sim.sweeps.analysis.tables import _ROWS, long_table
from cej_sim.sweeps.analysis.yes_no import bounds, needed

#: Half-width asked of an interval where the design sets none: for shares, means and ratios; others take this part of
#: the largest mean of the sweep.
TARGET = 0.05


def targets(found: Analysis) -> Values:
    """The half-width asked of intervals, (months, metrics): the design's, else ``TARGET`` of the unit or the scale."""
    result = np.empty((len(found.months), len(found.metrics)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        largest = np.nanmax(np.abs(found.value[:, : len(found.study.names)]), axis=(0, 1)) if len(found.cells) else 0.0
    for place, metric in enumerate(found.metrics):
        scale = metric.unit not in ("share", "yes/no", "mean", "ratio")
        result[:, place] = TARGET * np.broadcast_to(largest, result.shape)[:, place] if scale else TARGET
    aim = found.study.target
    names = [metric.name for metric in found.metrics]
    if aim is not None and aim.metric in names and aim.month in found.months:
        result[found.months.index(aim.month), names.index(aim.metric)] = aim.half_width
    return result


def is_asked(found: Analysis, metric: str, month: int) -> bool:
    """Whether the design itself asks for a half-width; else the target is assumed."""
    aim = found.study.target
    return aim is not None and (aim.metric, aim.month) == (metric, month)


def add_precision(found: Analysis, seen: NDArray[np.bool_], out: Sink) -> None:
    """Whether the number of runs suffices, per cell and in summary, for differences (or the only scenario)."""
    study = found.study
    first = len(study.names) if study.pairs else 0
    responses = study.responses[first:]
    target = targets(found)
    summary = []
    places = np.flatnonzero(seen)
    step = max(1, _ROWS // max(1, len(responses) * target.size))
    enough = np.zeros((len(responses), *target.shape))
    known = np.zeros_like(enough)
    needs, halves, relatives = [], [], []
    for begin in range(0, len(places), step):
        here = places[begin : begin + step]
        deviation, runs = found.deviation[here, first:], found.runs[here, first:]
        value = found.value[here, first:]
        low, high = bounds(value, deviation, runs, found.metrics, bool(study.pairs))
        half = (high - low) / 2.0
        need = needed(value, deviation, runs, target[None, None], found.metrics, bool(study.pairs))
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.where(value == 0.0, np.nan, half / np.abs(value))
        enough += (half <= target).sum(axis=0)
        known += (~np.isnan(half)).sum(axis=0)
        needs.append(need)
        halves.append(half)
        relatives.append(relative)
        shape = half.shape
        out(
            "precision",
            long_table(
                here,
                found,
                {"response": responses},
                {
                    "half_width": half,
                    "relative_half_width": relative,
                    "sd": deviation,
                    "runs": runs,
                    "runs_needed": need,
                    "target": np.broadcast_to(target, shape),
                },
            ).drop(columns=[f.name for f in study.factors if f.name in found.cells]),
        )
    if not len(places):
        return
    need, half, relative = (np.concatenate(parts) for parts in (needs, halves, relatives))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing is known: missing
        median, most = np.nanmedian(half, axis=0), np.nanmax(need, axis=0)
        # The number of runs of a cell, not one between two cells: so many that nine of ten have at least enough.
        usual = np.nanquantile(need, 0.9, axis=0, method="higher")
        usual_relative = np.nanmedian(relative, axis=0)
    for p, response in enumerate(responses):
        for t, month in enumerate(found.months):
            for m, metric in enumerate(found.metrics):
                runs = found.runs[places, first + p, t, m]
                summary.append(
                    {
                        "response": response,
                        "metric": metric.name,
                        "month": month,
                        "target": target[t, m],
                        "asked": is_asked(found, metric.name, month),
                        "cells": int(known[p, t, m]),
                        "cells_precise": int(enough[p, t, m]),
                        "share_precise": enough[p, t, m] / known[p, t, m] if known[p, t, m] else np.nan,
                        "half_width": median[p, t, m],
                        "relative_half_width": usual_relative[p, t, m],
                        "runs": int(np.median(runs)),
                        "runs_needed_90": usual[p, t, m],
                        "runs_needed": most[p, t, m],
                    }
                )
    found.tables["precision_summary"] = pd.DataFrame(summary)
