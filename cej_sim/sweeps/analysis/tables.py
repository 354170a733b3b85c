"""Rows of results read in blocks of whole cells, and tidy tables made of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cej_sim.comparison import CONFIDENCE, while_it_exists
from cej_sim.parameters import Metric
from cej_sim.sweeps.analysis.intervals import Values
from cej_sim.sweeps.analysis.study import Analysis, Study

# Rows of results that are worked on at once.
_ROWS = 50_000


def blocks_of(batches: Iterable[Any]) -> Iterator[pd.DataFrame]:
    """Frames of whole cells, in cell order, of about ``_ROWS`` rows."""
    held: list[pd.DataFrame] = []
    rows = 0
    for batch in batches:
        frame = batch if isinstance(batch, pd.DataFrame) else batch.to_pandas()
        if frame.empty:
            continue
        held.append(frame)
        rows += len(frame)
        if rows < _ROWS:
            continue
        frame = pd.concat(held, ignore_index=True) if len(held) > 1 else held[0]
        cell = frame["cell"].to_numpy()
        cuts = [0]
        starts = np.flatnonzero(np.diff(cell)) + 1
        for start in starts:
            if start - cuts[-1] >= _ROWS:
                cuts.append(int(start))
        if len(starts) and int(starts[-1]) > cuts[-1]:
            cuts.append(int(starts[-1]))  # the last cell may go on in the next batch
        for begin, end in pairwise(cuts):
            yield frame.iloc[begin:end]
        held = [frame.iloc[cuts[-1] :]]
        rows = len(held[0])
    if held:
        frame = pd.concat(held, ignore_index=True)
        cell = frame["cell"].to_numpy()
        begin = 0
        for start in [*(np.flatnonzero(np.diff(cell)) + 1), len(frame)]:
            if start - begin >= _ROWS or start == len(frame):
                yield frame.iloc[begin:start]
                begin = int(start)


def cube_of(
    frame: pd.DataFrame, study: Study, months: Sequence[int], metrics: Sequence[Metric]
) -> tuple[NDArray[np.int64], Values]:
    """The cells of a block, and its values (runs, cells, scenarios, months, metrics), NaN where there is none.

    Raises:
        ValueError: If a scenario is unknown, or a row stands there twice.
    """
    frame = while_it_exists(frame[frame["month"].isin(list(months))])
    codes, words = pd.factorize(frame["scenario"].astype(object))
    strange = [word for word in words if word not in study.names]
    if strange:
        raise ValueError(f"the rows hold a scenario {strange[0]!r} that the design does not")
    scenario = np.array([study.names.index(word) for word in words], dtype=np.int64)[codes]
    cells, cell = np.unique(frame["cell"].to_numpy(), return_inverse=True)
    run = frame["run"].to_numpy().astype(np.int64)
    month = np.searchsorted(np.asarray(months), frame["month"].to_numpy())
    shape = (int(run.max()) + 1 if len(run) else 0, len(cells), len(study.names), len(months))
    flat = np.ravel_multi_index((run, cell, scenario, month), shape)
    if len(np.unique(flat)) != len(flat):
        raise ValueError("the rows hold a run of a cell twice")
    values = np.full((int(np.prod(shape)), len(metrics)), np.nan)
    values[flat] = frame[[metric.name for metric in metrics]].to_numpy(dtype=float)
    return cells.astype(np.int64), values.reshape(*shape, len(metrics))


def column_types(frame: pd.DataFrame) -> dict[str, str]:
    """Column -> "whole number", "number", "yes/no" or "text"."""
    words = {"i": "whole number", "u": "whole number", "f": "number", "b": "yes/no"}
    return {str(name): words.get(dtype.kind, "text") for name, dtype in frame.dtypes.items()}


def count_of_cells(count: int) -> str:
    """``3 cells`` in words."""
    return f"{count} cell{'' if count == 1 else 's'}"


def numbers_of(cells: pd.DataFrame, which: NDArray[np.bool_], most: int = 5) -> str:
    """The numbers of some cells in words, the first few."""
    numbers = [str(number) for number in cells.loc[which, "cell"][:most]]
    more = int(which.sum()) - len(numbers)
    return ", ".join(numbers) + (f" and {more} more" if more > 0 else "")


class SureCount:
    """How many intervals there are in each table, and how many of them exclude 0."""

    def __init__(self) -> None:
        """None so far."""
        self._counts: dict[str, list[int]] = {}

    def count(self, name: str, frame: pd.DataFrame, own: NDArray[np.bool_] | None = None) -> None:
        """Count the intervals of some rows of a table, if it has any; of ``own`` rows only, which are no copies."""
        if not {"ci_low", "ci_high"} <= set(frame.columns):
            return
        low, high = frame["ci_low"].to_numpy(), frame["ci_high"].to_numpy()
        # An interval without width is the same in every run: chance has no part in it.
        real = low < high
        if own is not None:
            real &= own
        counts = self._counts.setdefault(name, [0, 0])
        counts[0] += int(real.sum())
        counts[1] += int((real & ((low > 0.0) | (high < 0.0))).sum())

    def table(self) -> pd.DataFrame:
        """``table intervals sure expected_by_chance``."""
        return pd.DataFrame(
            [(name, all_, sure, (1.0 - CONFIDENCE) * all_) for name, (all_, sure) in self._counts.items()],
            columns=["table", "intervals", "sure", "expected_by_chance"],
        )


def long_table(
    places: NDArray[np.int64], found: Analysis, middle: Mapping[str, Sequence[str]], values: Mapping[str, Any]
) -> pd.DataFrame:
    """A row per cell, member of ``middle``, month and metric, with factor columns; values (cells, members, ...)."""
    members = len(next(iter(middle.values())))
    months, metrics = len(found.months), len(found.metrics)
    each = members * months * metrics
    names = np.array([metric.name for metric in found.metrics], dtype=object)
    columns: dict[str, Any] = {"cell": np.repeat(found.cells["cell"].to_numpy()[places], each)}
    for name, words in middle.items():
        columns[name] = np.tile(np.repeat(np.array(words, dtype=object), months * metrics), len(places))
    columns["metric"] = np.tile(names, len(places) * members * months)
    columns["month"] = np.tile(np.repeat(np.array(found.months), metrics), len(places) * members)
    columns.update({name: np.asarray(value).reshape(-1) for name, value in values.items()})
    for factor in found.study.factors:
        if factor.name in found.cells:
            columns.setdefault(factor.name, np.repeat(found.cells[factor.name].to_numpy()[places], each))
    return pd.DataFrame(columns)


def padded(values: Values, runs: int) -> Values:
    """Values with NaN for the runs that are not there."""
    more = runs - len(values)
    return np.concatenate([values, np.full((more, *values.shape[1:]), np.nan)]) if more else values


def with_differences(values: Values, study: Study) -> Values:
    """Values (..., scenarios, months, metrics) with the differences B - A as further members after the scenarios."""
    if not study.pairs:
        return values
    return np.concatenate([values, values[..., 1:, :, :] - values[..., :1, :, :]], axis=-3)
