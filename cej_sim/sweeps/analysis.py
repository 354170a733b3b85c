"""What a sweep shows, and how surely: tables from tables.

Nothing here knows a scenario or a model. A sweep is a table of cells (one combination of factors each), rows of
results by cell, scenario and run, and a short description of the design. Every interval is over runs: a contrast
between cells is taken within each run, which common luck makes far narrower than comparing means, and then a t
interval is put over the runs. An interval that includes 0 cannot tell; nothing is ever added up into one score.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit
from scipy.stats import rankdata

from cej_sim.comparison import (
    BY_NAME,
    CONFIDENCE,
    FEWEST_ALIKE,
    KEY_METRICS,
    MONTHS,
    paired,
    while_it_exists,
)
from cej_sim.parameters import Metric

#: What a difference between two scenarios allows to say; see ``comparison.verdict``.
VERDICTS = ("a better", "b better", "b higher", "b lower", "no difference", "cannot tell", "has ended")

#: Those of them that say who is ahead.
SURE = VERDICTS[:4]

#: Verdict of a cell that failed or was never computed.
NOT_COMPUTED = "not computed"

#: The name that stands for all units of an ablation, or all factors, together.
ALL_FACTORS = "all together"

#: The two ways in which a unit is swapped, in ``swaps``.
INTO_A, OUT_OF_B = "put into A", "taken out of B"

#: Half-width asked of an interval where the design sets none: for shares, means and ratios; others take this part of
#: the largest mean of the sweep.
TARGET = 0.05

#: Bootstrap resamples behind the intervals of Morris's and Sobol's indices.
RESAMPLES = 1000

# Rows of results that are worked on at once.
_ROWS = 50_000

# Weights of resamples that are held at once.
_WEIGHTS = 4_000_000

Values = NDArray[np.float64]


class FactorLike(Protocol):
    """What is asked of a factor; ``design.Factor`` is one."""

    @property
    def name(self) -> str:
        """Its column in the table of cells."""

    @property
    def label(self) -> str:
        """Plain words."""

    @property
    def values(self) -> Sequence[float | int | bool | str]:
        """Its levels, none for a continuous one."""

    @property
    def low(self) -> float | None:
        """Where a continuous one begins."""

    @property
    def high(self) -> float | None:
        """Where a continuous one ends."""

    @property
    def log(self) -> bool:
        """Whether equal steps are equal ratios."""

    @property
    def unit(self) -> str:
        """Unit of its values."""


class ProbeLike(Protocol):
    """What is asked of a probe; ``design.Probe`` is one."""

    @property
    def kind(self) -> str:
        """``causal_influence`` or ``irreversibility``."""

    @property
    def runs(self) -> int:
        """Number of runs, each with its twin, of each scenario in each cell."""

    @property
    def bloc(self) -> str:
        """Whose influence."""

    @property
    def path(self) -> str:
        """The rule that is moved there and back."""

    @property
    def low(self) -> float:
        """Its value at the start and at the end."""

    @property
    def high(self) -> float:
        """Its value at the turning point."""

    @property
    def hold(self) -> int:
        """Months at each value."""

    @property
    def steps(self) -> int:
        """Number of values."""


@dataclass(frozen=True)
class Target:
    """The precision that ``runs: auto`` aimed at.

    Attributes:
        metric, month: Of what and when.
        half_width: Half the width of the interval, in the metric's unit.
    """

    metric: str
    month: int
    half_width: float


@dataclass(frozen=True, eq=False)
class Study:
    """All that an analysis needs to know of a design.

    Attributes:
        kind: Kind of design, such as ``grid`` or ``ablation``.
        names: Scenario names as in the rows; the first is the one that others are compared with.
        factors: Its factors.
        months: Months that were kept, in order.
        metrics: Metrics that were kept.
        baseline: The cell that others are set against, if the design has one.
        common_luck: Whether run r of every cell shares its luck.
        second_order: Whether a Sobol design has the cells for interactions of two factors.
        levels: Number of levels of a Morris design.
        target: What ``runs: auto`` aimed at, if anything.
        seed: Seeds the resampling of Morris's and Sobol's intervals.
        points: Of a sampled design, (cells, factors): the share in [0, 1] of the way through each factor's range; None
            where only the values are known.
        probes: Further questions that were put to each cell.
    """

    kind: str
    names: tuple[str, ...]
    factors: tuple[FactorLike, ...]
    months: tuple[int, ...]
    metrics: tuple[str, ...]
    baseline: int | None = None
    common_luck: bool = True
    second_order: bool = False
    levels: int = 4
    target: Target | None = None
    seed: int = 0
    points: Values | None = None
    probes: tuple[ProbeLike, ...] = ()

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The first scenario with each of the others."""
        return tuple((self.names[0], other) for other in self.names[1:])

    @property
    def responses(self) -> tuple[str, ...]:
        """What is analyzed: every scenario by itself, then every difference ``B - A``."""
        return (*self.names, *(f"{b} - {a}" for a, b in self.pairs))

    @property
    def main_responses(self) -> tuple[str, ...]:
        """The differences where there are any, else the only scenario."""
        return self.responses[len(self.names) :] or self.names


def study_of(design: Any, points: Values | None = None) -> Study:
    """The description of a ``design.Design``, with the points of its plan if it is sampled."""
    auto = design.auto
    return Study(
        kind=str(design.kind),
        names=tuple(design.names),
        factors=tuple(design.factors),
        months=tuple(sorted(int(month) for month in design.keep_months)),
        metrics=tuple(design.keep_metrics),
        baseline=design.baseline,
        common_luck=design.luck == "common",
        second_order=bool(design.second_order),
        levels=int(design.levels),
        target=None if auto is None else Target(auto.metric, int(auto.month), float(auto.half_width)),
        seed=int(design.seed),
        points=points,
        probes=tuple(design.probes),
    )


@dataclass(eq=False)
class Analysis:
    """What ``analyze`` found.

    Attributes:
        study: The design.
        cells: The table of cells.
        metrics, months: What was analyzed.
        tables: The tables by name; those with rows for every cell only where no sink took them.
        remarks: What a reader must know: cells that are missing, what could therefore not be computed, and so on.
        columns: Table -> column -> type ("whole number", "number" or "text"), also of those that a sink took.
        value, deviation, runs, verdict: Per cell, response, month and metric, in the order of ``cells``,
            ``study.responses``, ``months`` and ``metrics``: mean, standard deviation over runs, number of runs, and
            position in ``VERDICTS`` (of differences; -1 elsewhere).
    """

    study: Study
    cells: pd.DataFrame
    metrics: tuple[Metric, ...]
    months: tuple[int, ...]
    value: Values
    deviation: Values
    runs: NDArray[np.int32]
    verdict: NDArray[np.int8]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    columns: dict[str, dict[str, str]] = field(default_factory=dict)

    def at(self, response: str, metric: str, month: int) -> pd.DataFrame:
        """One number per cell: the table of cells with ``value ci_low ci_high runs`` and ``verdict``."""
        names = [one.name for one in self.metrics]
        place = (slice(None), self.study.responses.index(response), self.months.index(month), names.index(metric))
        half = half_width(self.deviation[place], self.runs[place])
        words = np.array([*VERDICTS, ""], dtype=object)
        frame = self.cells.copy()
        frame["value"] = self.value[place]
        frame["ci_low"], frame["ci_high"] = frame["value"] - half, frame["value"] + half
        frame["runs"] = self.runs[place]
        computed = (self.runs[:, :, :, :].reshape(len(frame), -1) >= 0).any(axis=1)
        frame["verdict"] = np.where(computed, words[self.verdict[place]], NOT_COMPUTED)
        return frame

    def importance(self, response: str, metric: str, month: int) -> pd.Series:
        """How much each factor moves a response, in whatever measure this design allows; the largest first."""
        names = [factor.name for factor in self.study.factors]
        for table, column in (
            ("sobol", "ST"),
            ("morris", "mu_star"),
            ("shapley", "value"),
            ("main_effects", "effect"),
            ("correlations", "correlation"),
        ):
            if table in self.tables and len(found := _where(self.tables[table], response, metric, month)):
                size = found[column].abs().groupby(found["factor"]).max()
                size = size.reindex(names).fillna(0.0)
                return size.sort_values(ascending=False, kind="stable")
        return pd.Series(0.0, index=names)


def _where(table: pd.DataFrame, response: str, metric: str, month: int) -> pd.DataFrame:
    return table[(table["response"] == response) & (table["metric"] == metric) & (table["month"] == month)]


Sink = Callable[[str, pd.DataFrame], None]


def choose_metrics(study: Study, names: Sequence[str] | None = None) -> tuple[Metric, ...]:
    """The metrics to analyze: those named (``all`` takes all that were kept), else the key ones that were kept.

    Raises:
        ValueError: If one is not a metric, or was not kept.
    """
    if names and "all" in names:
        names = [name for name in BY_NAME if name in study.metrics]
    if names:
        for name in names:
            if name not in BY_NAME:
                raise ValueError(f"there is no metric {name!r}; this sweep kept: {', '.join(study.metrics)}")
            if name not in study.metrics:
                raise ValueError(f"this sweep did not keep {name!r}; it kept: {', '.join(study.metrics)}")
        return tuple(BY_NAME[name] for name in dict.fromkeys(names))
    key = [BY_NAME[name] for name in KEY_METRICS if name in study.metrics]
    return tuple(key or [BY_NAME[name] for name in study.metrics if name in BY_NAME])


def choose_months(study: Study, months: Sequence[int] | None = None) -> tuple[int, ...]:
    """The months to analyze: those asked for, else those of ``comparison.MONTHS`` that were kept, and the last.

    Raises:
        ValueError: If one was not kept.
    """
    if months:
        for month in months:
            if month not in study.months:
                raise ValueError(f"this sweep did not keep month {month}; it kept: {', '.join(map(str, study.months))}")
        return tuple(sorted(set(months)))
    last = study.months[-1]
    return tuple(month for month in study.months if month in MONTHS or month == last)


# Small statistics


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
        variance_a, variance_b = _variance(a), _variance(b)
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


def _variance(values: Values) -> Values:
    """Variance over the first axis, exactly 0 where all values are the same but for rounding."""
    spread = np.nanmax(values, axis=0) - np.nanmin(values, axis=0)
    alike = spread <= 1e-12 * np.maximum(1.0, np.nanmax(np.abs(values), axis=0))
    return np.where(alike, 0.0, np.nanvar(values, axis=0, ddof=1))


# Factors as levels


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


def _ordered(factor: FactorLike, count: int) -> bool:
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


# Contrasts between cells: sums of cells with weights, taken within each run


@dataclass(frozen=True)
class _Contrast:
    table: str
    row: dict[str, Any]
    weights: Values  # (cells,)


def _main_effects(study: Study, codes: Sequence[NDArray[np.int64]], words: Sequence[list[str]]) -> Iterator[_Contrast]:
    for factor, code, names in zip(study.factors, codes, words, strict=True):
        row = {"factor": factor.name, "label": factor.label}
        count = np.bincount(code, minlength=len(names)).astype(float)
        for place, name in enumerate(names):
            if count[place]:
                weights = (code == place) / count[place] - 1.0 / len(code)
                yield _Contrast("main_effects", {**row, "level": name}, weights)
        if _ordered(factor, len(names)) and count[0] and count[-1]:
            last = len(names) - 1
            weights = (code == last) / count[-1] - (code == 0) / count[0]
            yield _Contrast("main_effects", {**row, "level": "high - low"}, weights)


def _interactions(study: Study, codes: Sequence[NDArray[np.int64]], words: Sequence[list[str]]) -> Iterator[_Contrast]:
    """Half the difference of differences between the lowest and the highest level of two factors."""
    ordered = [place for place, factor in enumerate(study.factors) if _ordered(factor, len(words[place]))]
    for i, j in combinations(ordered, 2):
        sign_i, sign_j = (_sign(codes[place], len(words[place])) for place in (i, j))
        weights = np.zeros(len(sign_i))
        corners = [(sign_i == one) & (sign_j == other) for one in (-1.0, 1.0) for other in (-1.0, 1.0)]
        if not all(corner.any() for corner in corners):
            continue
        for corner, sign in zip(corners, (0.5, -0.5, -0.5, 0.5), strict=True):
            weights[corner] = sign / corner.sum()
        row = {"factor_a": study.factors[i].name, "factor_b": study.factors[j].name}
        yield _Contrast("interactions", row, weights)


def _sign(codes: NDArray[np.int64], count: int) -> Values:
    """+1 at the highest level, -1 at the lowest, 0 elsewhere."""
    return (codes == count - 1).astype(float) - (codes == 0).astype(float)


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


def _shapley(study: Study, codes: Sequence[NDArray[np.int64]]) -> Iterator[_Contrast]:
    weights = shapley_weights(np.stack(codes, axis=1) == 1)
    for factor, row in zip(study.factors, weights, strict=True):
        yield _Contrast("shapley", {"factor": factor.name, "label": factor.label}, row)


def _swaps(study: Study, codes: Sequence[NDArray[np.int64]], computed: NDArray[np.bool_]) -> Iterator[_Contrast | str]:
    """Each unit swapped both ways, from the cells that hold it; a text where such a cell was not computed."""
    table = np.stack(codes, axis=1)
    inside = ((table == 0) | (table == 1)).all(axis=1)
    units = table.shape[1]
    places = {int(key): place for place, key in enumerate(table @ (1 << np.arange(units))) if inside[place]}
    everything = (1 << units) - 1
    asked = [(ALL_FACTORS, "All of them at once", "all", 0, everything)]
    for unit, factor in enumerate(study.factors):
        asked.append((factor.name, factor.label, INTO_A, 0, 1 << unit))
        asked.append((factor.name, factor.label, OUT_OF_B, everything & ~(1 << unit), everything))
    for name, label, way, before, after in asked:
        if before not in places or after not in places:
            continue
        if not (computed[places[before]] and computed[places[after]]):
            yield f"{label}, {way}: a cell that it needs was not computed, so it is left out of the table of swaps"
            continue
        weights = np.zeros(len(table))
        weights[places[after]], weights[places[before]] = 1.0, -1.0
        yield _Contrast("swaps", {"factor": name, "label": label, "direction": way}, weights)


def aliases(signs: Sequence[Values], names: Sequence[str]) -> dict[tuple[str, ...], str]:
    """Which effects a two-level design cannot tell apart, up to interactions of two factors.

    Args:
        signs: Per factor -1 or +1 for every cell.
        names: The factors' names.

    Returns:
        (factor,) or (factor, factor) -> the others that share its column, as ``a*b, -c``; "" where there is none. A
        minus sign says that the other one counts with the opposite sign; a tilde, that they are only partly mixed.
    """
    columns: dict[tuple[str, ...], Values] = {(name,): sign for name, sign in zip(names, signs, strict=True)}
    for (a, sign_a), (b, sign_b) in combinations(zip(names, signs, strict=True), 2):
        columns[a, b] = sign_a * sign_b
    matrix = np.stack(list(columns.values()))
    with np.errstate(invalid="ignore", divide="ignore"):
        alike = matrix @ matrix.T / np.sqrt(np.outer((matrix**2).sum(axis=1), (matrix**2).sum(axis=1)))
    keys = list(columns)
    found = {}
    for place, key in enumerate(keys):
        others = [
            ("~" if abs(alike[place, other]) < 1.0 - 1e-9 else "")
            + ("-" if alike[place, other] < 0.0 else "")
            + "*".join(keys[other])
            for other in range(len(keys))
            if other != place and abs(alike[place, other]) > 1e-9
        ]
        found[key] = ", ".join(others)
    return found


# Reading the rows, a block of whole cells at a time


def _blocks(batches: Iterable[Any]) -> Iterator[pd.DataFrame]:
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


def _cube(
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


def analyze(
    study: Study,
    cells: pd.DataFrame,
    batches: Iterable[Any],
    *,
    metrics: Sequence[str] | None = None,
    months: Sequence[int] | None = None,
    sink: Sink | None = None,
) -> Analysis:
    """Everything that can be said of a sweep.

    Args:
        study: Its design, see ``study_of``.
        cells: A row per cell, finished or not: ``cell label status runs error seed`` and a column per factor.
        batches: The rows as frames or Arrow tables in cell order: ``cell scenario run month`` and metrics, also
            ``alive`` where that was kept.
        metrics, months: What to analyze; see ``choose_metrics`` and ``choose_months``.
        sink: Takes the tables that have rows for every cell, block by block, so that they need not fit into memory;
            only that against the baseline of a one-at-a-time design is kept as well. None keeps them all.

    Raises:
        ValueError: If a metric or month was not kept, or rows and cells do not belong together.
    """
    chosen, when = choose_metrics(study, metrics), choose_months(study, months)
    cells = cells.sort_values("cell", kind="stable").reset_index(drop=True)
    size = (len(cells), len(study.responses), len(when), len(chosen))
    found = Analysis(
        study,
        cells,
        chosen,
        when,
        value=np.full(size, np.nan),
        deviation=np.full(size, np.nan),
        runs=np.full(size, -1, dtype=np.int32),
        verdict=np.full(size, -1, dtype=np.int8),
    )
    kept: dict[str, list[pd.DataFrame]] = {}
    sure = _Sure()

    def out(name: str, frame: pd.DataFrame) -> None:
        found.columns.setdefault(name, _types(frame))
        sure.count(name, frame)
        if sink is not None:
            sink(name, frame)
        if sink is None or (name == "against_baseline" and study.kind == "one_at_a_time"):
            kept.setdefault(name, []).append(frame)

    done = (cells["status"] == "done").to_numpy()
    contrasts = _planned(found, done)
    most = int(cells.loc[done, "runs"].max()) if done.any() else 0
    sums = _Sums(contrasts, most, (len(study.names), len(when), len(chosen)))
    order = {int(cell): place for place, cell in enumerate(cells["cell"])}
    seen = np.zeros(len(cells), dtype=bool)
    baseline: Values | None = None
    for block in _blocks(batches):
        numbers, values = _cube(block, study, when, chosen)
        strange = [int(number) for number in numbers if int(number) not in order]
        if strange:
            raise ValueError(f"the rows hold a cell {strange[0]} that the table of cells does not")
        places = np.array([order[int(number)] for number in numbers], dtype=np.int64)
        finished = done[places]
        numbers, values, places = numbers[finished], values[:, finished], places[finished]
        if not len(places):
            continue
        if seen[places].any():
            raise ValueError(f"cell {int(cells['cell'][places[seen[places]][0]])} does not stand in one piece")
        seen[places] = True
        sums.add(places, values)
        _describe_block(found, places, values, out)
        if study.baseline is not None:
            if study.baseline in numbers:
                baseline = values[:, list(numbers).index(study.baseline)]
            if baseline is not None:
                _against(found, places, values, baseline, out)
    lost = done & ~seen
    if lost.any():
        found.remarks.append(
            f"{_cells(int(lost.sum()))} marked as done, but without rows: {_named(cells, lost)}; left out"
        )
    if study.baseline is not None and baseline is None and seen.any():
        found.remarks.append(
            f"The cell that others are set against (cell {study.baseline}) was not computed: nothing is set against it"
        )
    _failures(found, seen)
    if lost.any():
        found.remarks.append("Contrasts over all cells count on rows that are not there and are left out")
    else:
        sums.finish(found)
    _regions(found, seen)
    if study.kind == "morris":
        _morris(found)
    if study.kind == "sobol":
        _sobol(found)
    if study.kind == "latin_hypercube":
        _correlations(found)
    _precision(found, seen, out)
    for name, parts in kept.items():
        found.tables[name] = pd.concat(parts, ignore_index=True)
    for name in ("main_effects", "interactions", "shapley", "swaps"):
        if name in found.tables:
            sure.count(name, found.tables[name])
    found.tables["verdicts"] = sure.table()
    if "alive" not in study.metrics and any(not metric.outlives for metric in chosen):
        found.remarks.append(
            "Whether coalitions still exist (alive) was not kept: what happens inside one counts as 0 after its end"
        )
    for name, table in found.tables.items():
        found.columns.setdefault(name, _types(table))
    return found


def _types(frame: pd.DataFrame) -> dict[str, str]:
    words = {"i": "whole number", "u": "whole number", "f": "number", "b": "yes/no"}
    return {str(name): words.get(dtype.kind, "text") for name, dtype in frame.dtypes.items()}


def _cells(count: int) -> str:
    return f"{count} cell{'' if count == 1 else 's'}"


def _named(cells: pd.DataFrame, which: NDArray[np.bool_], most: int = 5) -> str:
    numbers = [str(number) for number in cells.loc[which, "cell"][:most]]
    more = int(which.sum()) - len(numbers)
    return ", ".join(numbers) + (f" and {more} more" if more > 0 else "")


class _Sure:
    """How many intervals there are in each table, and how many of them exclude 0."""

    def __init__(self) -> None:
        self._counts: dict[str, list[int]] = {}

    def count(self, name: str, frame: pd.DataFrame) -> None:
        if not {"ci_low", "ci_high"} <= set(frame.columns):
            return
        low, high = frame["ci_low"].to_numpy(), frame["ci_high"].to_numpy()
        # An interval without width is the same in every run: chance has no part in it.
        real = low < high
        counts = self._counts.setdefault(name, [0, 0])
        counts[0] += int(real.sum())
        counts[1] += int((real & ((low > 0.0) | (high < 0.0))).sum())

    def table(self) -> pd.DataFrame:
        return pd.DataFrame(
            [(name, all_, sure, (1.0 - CONFIDENCE) * all_) for name, (all_, sure) in self._counts.items()],
            columns=["table", "intervals", "sure", "expected_by_chance"],
        )


def _long(
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


def _describe_block(found: Analysis, places: NDArray[np.int64], values: Values, out: Sink) -> None:
    """Outcomes and differences of the cells of a block; values (runs, cells, scenarios, months, metrics)."""
    study, metrics = found.study, found.metrics
    scenarios = len(study.names)
    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # no run is left: missing
        mean = np.nanmean(values, axis=0)
        deviation = np.sqrt(_variance(values))
        low, high = np.nanquantile(values, [0.1, 0.9], axis=0)
    count = (~np.isnan(values)).sum(axis=0)
    deviation = np.where(count < 2, np.nan, deviation)
    found.value[places, :scenarios] = mean
    found.deviation[places, :scenarios] = deviation
    found.runs[places, :scenarios] = count
    out(
        "outcomes",
        _long(
            places,
            found,
            {"scenario": study.names},
            {"mean": mean, "sd": deviation, "low10": low, "high90": high, "runs": count},
        ),
    )
    if not study.pairs:
        return
    parts = [paired(values[:, :, 0], values[:, :, other], metrics) for other in range(1, scenarios)]
    told = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
    verdict = verdicts(told["difference"], told["ci_low"], told["ci_high"], told["runs"], metrics)
    found.value[places, scenarios:] = told["difference"]
    found.deviation[places, scenarios:] = _deviation(told)
    found.runs[places, scenarios:] = told["runs"]
    found.verdict[places, scenarios:] = verdict
    words = np.array(VERDICTS, dtype=object)
    middle = {"scenario_a": [a for a, _ in study.pairs], "scenario_b": [b for _, b in study.pairs]}
    columns = ("a", "b", "difference", "ci_low", "ci_high", "effect_size", "p_better")
    shown = {**{name: told[name] for name in columns}, "verdict": words[verdict], "runs": told["runs"]}
    out("differences", _long(places, found, middle, shown))


def _deviation(told: Mapping[str, Values]) -> Values:
    """The standard deviation behind a t interval."""
    runs = told["runs"].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        half = (told["ci_high"] - told["ci_low"]) / 2.0
        return np.where(runs < 2, np.nan, half * np.sqrt(runs) / stdtrit(runs - 1.0, 0.5 + CONFIDENCE / 2.0))


def _against(found: Analysis, places: NDArray[np.int64], values: Values, baseline: Values, out: Sink) -> None:
    """Every cell but the baseline against the baseline."""
    study = found.study
    others = found.cells["cell"].to_numpy()[places] != study.baseline
    values, places = values[:, others], places[others]
    if not len(places):
        return
    runs = max(len(values), len(baseline))
    if study.common_luck:
        values, before = _padded(values, runs), _padded(baseline, runs)
    else:
        before = baseline
    values, before = _with_differences(values, study), _with_differences(before, study)
    if study.common_luck:
        told = paired(np.broadcast_to(before[:, None], values.shape), values, found.metrics)
    else:
        told = welch(np.repeat(before[:, None], values.shape[1], axis=1), values)
    out(
        "against_baseline",
        _long(
            places,
            found,
            {"scenario": study.responses},
            {
                "baseline": told["a"],
                "value": told["b"],
                **{name: told[name] for name in ("difference", "ci_low", "ci_high", "effect_size", "runs")},
            },
        ),
    )


def _padded(values: Values, runs: int) -> Values:
    """Values with NaN for the runs that are not there."""
    more = runs - len(values)
    return np.concatenate([values, np.full((more, *values.shape[1:]), np.nan)]) if more else values


def _with_differences(values: Values, study: Study) -> Values:
    """Values (..., scenarios, months, metrics) with the differences B - A as further members after the scenarios."""
    if not study.pairs:
        return values
    return np.concatenate([values, values[..., 1:, :, :] - values[..., :1, :, :]], axis=-3)


def _planned(found: Analysis, done: NDArray[np.bool_]) -> list[_Contrast]:
    """The contrasts that this design allows; what it would allow were all cells done is remarked."""
    study, cells = found.study, found.cells
    if study.kind not in ("grid", "full_factorial", "fractional_factorial", "ablation") or not study.factors:
        return []
    ends = study.kind in ("full_factorial", "fractional_factorial")
    pairs = [levels(factor, cells[factor.name], ends) for factor in study.factors]
    codes, words = [code for code, _ in pairs], [names for _, names in pairs]
    two_level = all(len(names) == 2 for names in words)
    contrasts: list[_Contrast] = []
    if two_level and study.kind in ("ablation", "full_factorial"):
        for one in _swaps(study, codes, done):
            if isinstance(one, str):
                found.remarks.append(one)
            else:
                contrasts.append(one)
    table = np.stack(codes, axis=1)
    complete = len(table) == math.prod(len(names) for names in words) == len(np.unique(table, axis=0))
    if study.kind == "ablation" and not complete:
        return contrasts  # one unit at a time: there are no averages over the others
    if (table < 0).any():
        found.remarks.append("Some cells hold a value that is no level of its factor: no main effects are computed")
        return contrasts
    if not done.all():
        found.remarks.append(
            f"{_cells(int((~done).sum()))} of {len(done)} not computed ({_named(cells, ~done)}): averages over cells "
            "would not be balanced, so main effects, interactions and Shapley values are left out"
        )
        return contrasts
    contrasts += _main_effects(study, codes, words)
    contrasts += _interactions(study, codes, words)
    unordered = [f.label for f, names in zip(study.factors, words, strict=True) if not _ordered(f, len(names))]
    if unordered and len(study.factors) > 1:
        found.remarks.append(
            f"No interactions with {', '.join(unordered)}: a choice among more than two has no lowest and highest level"
        )
    if complete and two_level and study.kind in ("ablation", "full_factorial"):
        contrasts += _shapley(study, codes)
    if study.kind == "fractional_factorial" and two_level:
        mixed = aliases([_sign(code, 2) for code in codes], [factor.name for factor in study.factors])
        contrasts = [
            _Contrast(one.table, {**one.row, "aliases": mixed[_effect_key(one.row)]}, one.weights) for one in contrasts
        ]
        if any(others for key, others in mixed.items() if len(key) == 1):
            found.remarks.append(
                "This fraction cannot tell some main effects from interactions of two others; see column aliases"
            )
        elif any(mixed.values()):
            found.remarks.append(
                "This fraction cannot tell some interactions of two factors from each other; see column aliases"
            )
    return contrasts


def _effect_key(row: Mapping[str, Any]) -> tuple[str, ...]:
    return (row["factor"],) if "factor" in row else (row["factor_a"], row["factor_b"])


class _Sums:
    """Contrasts summed up block by block, run by run."""

    def __init__(self, contrasts: Sequence[_Contrast], runs: int, shape: tuple[int, int, int]) -> None:
        self._contrasts = list(contrasts)
        self._sum = np.zeros((len(self._contrasts), runs, *shape))
        self._missing = np.zeros((len(self._contrasts), runs, *shape), dtype=bool)
        self._weights = np.stack([one.weights for one in contrasts]) if contrasts else np.zeros((0, 0))

    def add(self, places: NDArray[np.int64], values: Values) -> None:
        """Add cells; values (runs, cells, scenarios, months, metrics)."""
        if not self._contrasts:
            return
        weights = self._weights[:, places]
        values = _padded(values, self._sum.shape[1])
        gone = np.isnan(values)
        self._sum += np.einsum("jc,rcstm->jrstm", weights, np.where(gone, 0.0, values), optimize=True)
        if gone.any():
            self._missing |= np.einsum("jc,rcstm->jrstm", (weights != 0.0) * 1.0, gone * 1.0, optimize=True) > 0.0

    def finish(self, found: Analysis) -> None:
        """Put the tables of all contrasts into the analysis."""
        study, metrics = found.study, found.metrics
        parts: dict[str, list[pd.DataFrame]] = {}
        fewest = self._sum.shape[1]
        for contrast, total, missing in zip(self._contrasts, self._sum, self._missing, strict=True):
            values = _with_differences(np.where(missing, np.nan, total), study)
            told = paired(np.zeros_like(values), values, metrics)
            fewest = min(fewest, int(told["runs"].min()))
            shape = told["difference"].shape
            places = np.indices(shape).reshape(3, -1)
            amount = {"shapley": "value"}.get(contrast.table, "effect")
            row = dict(contrast.row)
            mixed = row.pop("aliases", None)
            level: dict[str, Any] = {key: row.pop(key) for key in ("level", "direction") if key in row}
            columns: dict[str, Any] = {
                **row,
                "response": np.array(study.responses, dtype=object)[places[0]],
                "metric": np.array([metric.name for metric in metrics], dtype=object)[places[2]],
                "month": np.array(found.months)[places[1]],
                **level,
                amount: told["difference"].reshape(-1),
                **{name: told[name].reshape(-1) for name in ("ci_low", "ci_high", "runs")},
            }
            if contrast.table in ("interactions", "main_effects"):
                columns["aliases"] = mixed or ""
            parts.setdefault(contrast.table, []).append(pd.DataFrame(columns))
        for name, frames in parts.items():
            found.tables[name] = pd.concat(frames, ignore_index=True)
        if "shapley" in found.tables:
            found.tables["shapley"] = _shares(found.tables["shapley"], found.tables["swaps"])
        if self._contrasts and fewest < self._sum.shape[1]:
            found.remarks.append(
                "Contrasts use only the runs that every cell in them has: cells have different numbers of runs, or "
                "coalitions have ended in some; column runs says how many are left"
            )


def _shares(shapley: pd.DataFrame, swaps: pd.DataFrame) -> pd.DataFrame:
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


# Tables over all cells


def _failures(found: Analysis, seen: NDArray[np.bool_]) -> None:
    """Cells that failed or are missing: a table, and a remark."""
    cells = found.cells
    columns = [factor.name for factor in found.study.factors if factor.name in cells]
    bad = cells[~seen]
    error = bad["error"].astype(object) if "error" in bad else pd.Series("", index=bad.index, dtype=object)
    error = error.where(error.notna() & (error != ""), "not computed yet")
    found.tables["failures"] = pd.DataFrame(
        {
            "cell": bad["cell"].astype("int64"),
            "label": bad["label"].astype(object),
            "error": error,
            "seed": bad["seed"].astype(str) if "seed" in bad else "",
            **{name: bad[name] for name in columns},
        }
    ).reset_index(drop=True)
    failed = ((cells["status"] == "failed") & ~seen).to_numpy()
    missing = ~seen & ~failed
    for which, words in ((failed, "failed"), (missing, "not computed yet")):
        if which.any():
            found.remarks.insert(
                0, f"{_cells(int(which.sum()))} of {len(cells)} {words}: {_named(cells, which)}. See failures.csv"
            )


def _regions(found: Analysis, seen: NDArray[np.bool_]) -> None:
    """In how many cells each verdict holds, of all cells of the design."""
    study = found.study
    if not study.pairs:
        return
    rows = []
    total, absent = len(seen), int((~seen).sum())
    for m, metric in enumerate(found.metrics):
        for t, month in enumerate(found.months):
            for p, (a, b) in enumerate(study.pairs, len(study.names)):
                counts = np.bincount(found.verdict[seen, p, t, m].astype(np.int64), minlength=len(VERDICTS))
                told = [*zip(VERDICTS, counts, strict=True), (NOT_COMPUTED, absent)]
                rows += [(metric.name, month, a, b, word, int(n), n / total) for word, n in told if n]
    columns = ["metric", "month", "scenario_a", "scenario_b", "verdict", "cells", "share"]
    found.tables["regions"] = pd.DataFrame(rows, columns=columns)


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


def _precision(found: Analysis, seen: NDArray[np.bool_], out: Sink) -> None:
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
    needs, halves = [], []
    for begin in range(0, len(places), step):
        here = places[begin : begin + step]
        deviation, runs = found.deviation[here, first:], found.runs[here, first:]
        half = half_width(deviation, runs)
        need = runs_needed(deviation, target[None, None])
        enough += (half <= target).sum(axis=0)
        known += (~np.isnan(half)).sum(axis=0)
        needs.append(need)
        halves.append(half)
        shape = half.shape
        out(
            "precision",
            _long(
                here,
                found,
                {"response": responses},
                {
                    "half_width": half,
                    "sd": deviation,
                    "runs": runs,
                    "runs_needed": need,
                    "target": np.broadcast_to(target, shape),
                },
            ).drop(columns=[f.name for f in study.factors if f.name in found.cells]),
        )
    if not len(places):
        return
    need, half = np.concatenate(needs), np.concatenate(halves)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # nothing is known: missing
        median, most = np.nanmedian(half, axis=0), np.nanmax(need, axis=0)
        usual = np.nanquantile(need, 0.9, axis=0)
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
                        "cells": int(known[p, t, m]),
                        "cells_precise": int(enough[p, t, m]),
                        "share_precise": enough[p, t, m] / known[p, t, m] if known[p, t, m] else np.nan,
                        "half_width": median[p, t, m],
                        "runs": int(np.median(runs)),
                        "runs_needed_90": usual[p, t, m],
                        "runs_needed": most[p, t, m],
                    }
                )
    found.tables["precision_summary"] = pd.DataFrame(summary)


def _each(found: Analysis) -> Iterator[tuple[dict[str, Any], Values, Metric]]:
    """Every response, metric and month with its means over runs, one per cell."""
    for p, response in enumerate(found.study.responses):
        for m, metric in enumerate(found.metrics):
            for t, month in enumerate(found.months):
                row = {"response": response, "metric": metric.name, "month": month}
                yield row, found.value[:, p, t, m], metric


def _whole(found: Analysis, size: int, thing: str) -> bool:
    """Whether the cells of a sampled design make up whole groups; remarked if they do not."""
    if len(found.cells) % size == 0:
        return True
    found.remarks.append(f"{len(found.cells)} cells are not whole {thing} of {size}: nothing is computed from them")
    return False


def _complete(values: Values, size: int, thing: str, metric: str, told: dict[str, set[str]]) -> NDArray[np.bool_]:
    """Which groups of cells are whole for these values; those that are not are told of later."""
    whole = np.asarray(~np.isnan(values.reshape(-1, size)).any(axis=1))
    if not whole.all():
        told.setdefault(f"{int((~whole).sum())} of {len(whole)} {thing} left out", set()).add(metric)
    return whole


def _tell_lost(found: Analysis, told: Mapping[str, set[str]]) -> None:
    for words, names in told.items():
        found.remarks.append(
            f"{words}, because a cell of each has no value (not computed, or all coalitions ended), for: "
            + (", ".join(sorted(names)) if len(names) < len(found.metrics) else "all outcomes")
        )


def _salib() -> Any:
    try:
        from SALib.analyze import morris, sobol
    except ImportError:
        return None
    return morris, sobol


_NO_SALIB = "Morris and Sobol indices need SALib: pip install 'cej-sim[sweep]', then analyze again"


def _problem(found: Analysis) -> dict[str, Any]:
    factors = found.study.factors
    return {"num_vars": len(factors), "names": [f.name for f in factors], "bounds": [[0.0, 1.0]] * len(factors)}


def _resampling_seed(found: Analysis) -> int:
    return 1 + found.study.seed % (2**31 - 2)  # never 0, which SALib takes for none


def _varies(values: Values) -> bool:
    return len(values) > 0 and bool(np.ptp(values) > 1e-12 * max(1.0, float(np.abs(values).max())))


def _morris(found: Analysis) -> None:
    """Morris's mu, mu* and sigma (Morris 1991; Campolongo and others 2007), factors on [0, 1]."""
    factors = found.study.factors
    size = len(factors) + 1
    if not _whole(found, size, "trajectories"):
        return
    modules = _salib()
    if modules is None:
        found.remarks.append(_NO_SALIB)
        return
    x = found.study.points
    if x is None:
        x = np.stack([unit_interval(factor, found.cells[factor.name]) for factor in factors], axis=1)
    rows = []
    told: dict[str, set[str]] = {}
    for row, values, _ in _each(found):
        whole = _complete(values, size, "trajectories", row["metric"], told)
        keep = np.repeat(whole, size)
        count = int(whole.sum())
        y = values[keep]
        if count < 2:
            numbers = {name: np.full(len(factors), np.nan) for name in ("mu", "mu_star", "mu_star_conf", "sigma")}
        elif not _varies(y):
            numbers = {name: np.zeros(len(factors)) for name in ("mu", "mu_star", "mu_star_conf", "sigma")}
        else:
            numbers = modules[0].analyze(
                _problem(found),
                x[keep],
                np.ascontiguousarray(y),
                num_resamples=RESAMPLES,
                conf_level=CONFIDENCE,
                num_levels=found.study.levels,
                seed=_resampling_seed(found),
            )
        for i, factor in enumerate(factors):
            rows.append(
                {
                    "factor": factor.name,
                    "label": factor.label,
                    **row,
                    **{name: float(numbers[name][i]) for name in ("mu", "mu_star", "mu_star_conf", "sigma")},
                    "trajectories": count,
                }
            )
    _tell_lost(found, told)
    found.tables["morris"] = pd.DataFrame(rows)


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


def _sobol(found: Analysis) -> None:
    """Sobol's indices of first, second and total order by SALib (Saltelli and others 2010), with intervals."""
    factors = found.study.factors
    count = len(factors)
    size = (2 * count + 2) if found.study.second_order else (count + 2)
    if not _whole(found, size, "rows of Saltelli's design"):
        return
    modules = _salib()
    if modules is None:
        found.remarks.append(_NO_SALIB)
        return
    rows, second = [], []
    told: dict[str, set[str]] = {}
    still: set[str] = set()
    resamples = _Resamples(_resampling_seed(found))
    for row, values, _ in _each(found):
        whole = _complete(values, size, "rows of Saltelli's design", row["metric"], told)
        y = values[np.repeat(whole, size)]
        used = int(whole.sum())
        numbers: Any = {name: np.full(count, np.nan) for name in ("S1", "ST")}
        numbers["S2"] = np.full((count, count), np.nan)
        bounds = {name: (one, one) for name, one in numbers.items()}
        if used >= 2 and _varies(y):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of its own intervals, which are not used
                numbers = modules[1].analyze(
                    _problem(found),
                    y,
                    calc_second_order=found.study.second_order,
                    num_resamples=2,
                    conf_level=CONFIDENCE,
                    seed=_resampling_seed(found),
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
    _tell_lost(found, told)
    if still:
        found.remarks.append(f"No Sobol indices of what does not vary at all: {', '.join(sorted(still))}")
    found.tables["sobol"] = pd.DataFrame(rows)
    if found.study.second_order:
        found.tables["sobol_second"] = pd.DataFrame(second)


def rank_correlation(x: Values, y: Values) -> tuple[float, float, float]:
    """Spearman's correlation with an interval (Bonett and Wright 2000); NaN where one of the two does not vary."""
    if len(x) < 5 or not _varies(x) or not _varies(y):
        return math.nan, math.nan, math.nan
    r = float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])
    if abs(r) > 1.0 - 1e-12:
        return math.copysign(1.0, r), math.nan, math.nan
    half = float(ndtri(0.5 + CONFIDENCE / 2.0)) * math.sqrt((1.0 + r * r / 2.0) / (len(x) - 3))
    return r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def _correlations(found: Analysis) -> None:
    """Rank correlation of every factor with every response over the cells of a sampled design."""
    numeric = [
        (factor, unit_interval(factor, found.cells[factor.name]))
        for factor in found.study.factors
        if not any(isinstance(value, str) for value in factor.values)
    ]
    rows = []
    for row, values, _ in _each(found):
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


# Probes: questions to each cell that took runs of their own

#: The probes whose numbers stand in tables, as their column ``probe`` names them. Of irreversibility, ``area`` is the
#: loop of a rule that is moved there and back, ``drift`` that of a twin whose rule stays, and ``net`` the one minus the
#: other within each run: what moving the rule leaves behind.
INFLUENCE, AREA, DRIFT, NET = (
    "causal_influence",
    "irreversibility_area",
    "irreversibility_drift",
    "irreversibility_net",
)

#: Kind of agent -> the bloc of all who are of it.
BLOCS = {
    "resident": "residents",
    "institution": "institutions",
    "backbone": "the backbone",
    "organizer": "organizers",
}

#: Month of a number that belongs to no month.
NO_MONTH = -1

Question = tuple[str, str, int]


def probed(probe: str, metric: str) -> Metric:
    """The declaration of what a probe measures, for words, units and families.

    Args:
        probe: ``INFLUENCE``, ``AREA``, ``DRIFT`` or ``NET``.
        metric: The bloc whose influence it is, else the outcome whose loop.
    """
    if probe == INFLUENCE:
        return Metric(
            f"{probe}:{metric}",
            f"Causal influence of {BLOCS.get(metric, metric)}",
            "ratio",
            "How far the agenda moves for each unit by which the bloc's convictions are moved",
            "power",
        )
    what = {AREA: "moved and moved back", DRIFT: "by time alone", NET: "what stays behind"}[probe]
    one = BY_NAME[metric]
    unit = "share" if one.unit == "yes/no" else one.unit
    return Metric(f"{probe}:{metric}", f"{one.label}: {what}", unit, "", one.family)


def summarize_probes(found: Analysis, probes: pd.DataFrame) -> None:
    """Add what probes found to an analysis: tables per cell, and differences taken within runs.

    ``probes``: mean, standard deviation and 95% t interval over runs of every number, by cell and scenario.
    ``probe_differences``: every other scenario minus the first, in the same cell, paired by run: runs with the same
    number have the same luck. ``probes_against_baseline``: every cell minus the baseline, where the design has one;
    paired with common luck, else Welch's. ``probe_swaps``: of an ablation, each part put in and taken out. The table
    ``verdicts`` counts their intervals too.

    Args:
        found: An analysis; months that it leaves out are left out here.
        probes: Numbers as stored, ``cell scenario run probe metric month value``; month -1 where there is none.
    """
    probes = probes[probes["month"].isin([*found.months, NO_MONTH])]
    if probes.empty:
        return
    study = found.study
    places, questions, values = _probe_cube(found, _with_net(probes))
    metrics = [probed(probe, metric) for probe, metric, _ in questions]
    sure = _Sure()

    def put(name: str, table: pd.DataFrame) -> None:
        found.tables[name] = table
        found.columns[name] = _types(table)
        if name != "probes":
            sure.count(name, table)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # no run is left: missing
        mean, deviation = np.nanmean(values, axis=0), np.sqrt(_variance(values))
    runs = (~np.isnan(values)).sum(axis=0)
    deviation = np.where(runs < 2, np.nan, deviation)
    half = half_width(deviation, runs)
    columns = {"mean": mean, "sd": deviation, "ci_low": mean - half, "ci_high": mean + half, "runs": runs}
    put("probes", _probe_rows(found, places, {"scenario": study.names}, questions, columns))
    if study.pairs:
        parts = [paired(values[:, :, 0], values[:, :, other], metrics) for other in range(1, len(study.names))]
        told = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
        names = ("a", "b", "difference", "ci_low", "ci_high", "effect_size")
        columns = {name: told[name] for name in names}
        columns |= {"verdict": _probe_verdicts(told, metrics), "runs": told["runs"]}
        middle = {"scenario_a": [a for a, _ in study.pairs], "scenario_b": [b for _, b in study.pairs]}
        put("probe_differences", _probe_rows(found, places, middle, questions, columns))
    _probes_against(found, places, questions, values, metrics, put)
    if study.kind == "ablation":
        _probe_swaps(found, places, questions, values, metrics, put)
    found.tables["verdicts"] = pd.concat([found.tables["verdicts"], sure.table()], ignore_index=True)


def _with_net(probes: pd.DataFrame) -> pd.DataFrame:
    """The stored numbers, and the area minus the drift of every run."""
    keys = ["cell", "scenario", "run", "metric", "month"]
    area, drift = (probes[probes["probe"] == probe].set_index(keys)["value"] for probe in (AREA, DRIFT))
    net = (area - drift).rename("value").reset_index().assign(probe=NET)
    return pd.concat([probes, net], ignore_index=True) if len(net) else probes


def _probe_cube(found: Analysis, probes: pd.DataFrame) -> tuple[NDArray[np.int64], list[Question], Values]:
    """Positions of the cells, what was asked, and the values (runs, cells, scenarios, questions).

    Raises:
        ValueError: If a cell or a scenario is not of the design, or a number stands there twice.
    """
    order = {INFLUENCE: 0, NET: 1, AREA: 2, DRIFT: 3}
    asked = probes[["probe", "metric", "month"]].drop_duplicates()
    questions: list[Question] = sorted(
        (
            (str(probe), str(metric), int(month))
            for probe, metric, month in asked.itertuples(index=False, name=None)
            if probe in order
        ),
        key=lambda one: (order[one[0]], one[2]),
    )
    place_of = {question: place for place, question in enumerate(questions)}
    known = pd.Index(found.cells["cell"])
    numbers, cell = np.unique(probes["cell"].to_numpy(), return_inverse=True)
    places = known.get_indexer(pd.Index(numbers))
    scenario = pd.Index(found.study.names).get_indexer(pd.Index(probes["scenario"].astype(object)))
    if (places < 0).any() or (scenario < 0).any():
        raise ValueError("the probes hold a cell or a scenario that the design does not")
    keys = zip(probes["probe"], probes["metric"], probes["month"], strict=True)
    question = np.array(
        [place_of[str(probe), str(metric), int(month)] for probe, metric, month in keys], dtype=np.int64
    )
    run = probes["run"].to_numpy().astype(np.int64)
    shape = (int(run.max()) + 1, len(numbers), len(found.study.names), len(questions))
    flat = np.ravel_multi_index((run, cell.reshape(-1), scenario, question), shape)
    if len(np.unique(flat)) != len(flat):
        raise ValueError("the probes hold a number twice")
    values = np.full(math.prod(shape), np.nan)
    values[flat] = probes["value"].to_numpy(dtype=float)
    return places.astype(np.int64), questions, values.reshape(shape)


def _probe_rows(
    found: Analysis,
    places: NDArray[np.int64],
    middle: Mapping[str, Sequence[str]],
    questions: Sequence[Question],
    values: Mapping[str, Any],
) -> pd.DataFrame:
    """A row per cell, member of ``middle`` and question, with factor columns; values (cells, members, questions)."""
    members = len(next(iter(middle.values())))
    columns: dict[str, Any] = {"cell": np.repeat(found.cells["cell"].to_numpy()[places], members * len(questions))}
    for name, words in middle.items():
        columns[name] = np.tile(np.repeat(np.array(words, dtype=object), len(questions)), len(places))
    columns |= _question_columns(questions, len(places) * members)
    columns |= {name: np.asarray(value).reshape(-1) for name, value in values.items()}
    for factor in found.study.factors:
        if factor.name in found.cells:
            column = np.repeat(found.cells[factor.name].to_numpy()[places], members * len(questions))
            columns.setdefault(factor.name, column)
    return pd.DataFrame(columns)


def _question_columns(questions: Sequence[Question], times: int) -> dict[str, Any]:
    parts = zip(("probe", "metric", "month"), zip(*questions, strict=True), strict=True)
    return {name: np.tile(np.array(part, dtype=object if name != "month" else np.int64), times) for name, part in parts}


def _probe_verdicts(told: Mapping[str, Values], metrics: Sequence[Metric]) -> NDArray[Any]:
    words = np.array(VERDICTS, dtype=object)
    found = verdicts(told["difference"], told["ci_low"], told["ci_high"], told["runs"], metrics)
    return np.where(told["runs"] == 0, "cannot tell", words[found])


def _probes_against(
    found: Analysis,
    places: NDArray[np.int64],
    questions: Sequence[Question],
    values: Values,
    metrics: Sequence[Metric],
    put: Sink,
) -> None:
    """Every cell but the baseline against the baseline; values (runs, cells, scenarios, questions)."""
    study, numbers = found.study, found.cells["cell"].to_numpy()[places]
    if study.baseline is None or study.baseline not in numbers or len(numbers) < 2:
        return
    # Months and metrics are two axes there; here questions are the only one.
    values = _with_differences(values[..., None, :], study)[..., 0, :]
    before, others = values[:, numbers == study.baseline], numbers != study.baseline
    values, before = values[:, others], np.repeat(before, others.sum(), axis=1)
    told = paired(before, values, metrics) if study.common_luck else welch(before, values)
    columns = {"baseline": told["a"], "value": told["b"]}
    columns |= {name: told[name] for name in ("difference", "ci_low", "ci_high", "effect_size", "runs")}
    put(
        "probes_against_baseline",
        _probe_rows(found, places[others], {"scenario": study.responses}, questions, columns),
    )


def _probe_swaps(
    found: Analysis,
    places: NDArray[np.int64],
    questions: Sequence[Question],
    values: Values,
    metrics: Sequence[Metric],
    put: Sink,
) -> None:
    """Each part of an ablation put into A and taken out of B; values (runs, cells, scenarios, questions)."""
    study = found.study
    pairs = [levels(factor, found.cells[factor.name]) for factor in study.factors]
    if not pairs or any(len(names) != 2 for _, names in pairs):
        return
    there = np.zeros(len(found.cells), dtype=bool)
    there[places] = True
    frames = []
    for one in _swaps(study, [codes for codes, _ in pairs], there):
        if isinstance(one, str):  # the remark on the cell that is missing stands there already
            continue
        after, before = (values[:, one.weights[places] == sign] for sign in (1.0, -1.0))
        told = paired(before[:, 0, 0], after[:, 0, 0], metrics)
        frames.append(
            pd.DataFrame(
                {
                    **{key: one.row[key] for key in ("factor", "label", "direction")},
                    **_question_columns(questions, 1),
                    "effect": told["difference"],
                    **{name: told[name] for name in ("ci_low", "ci_high", "runs")},
                    "verdict": _probe_verdicts(told, metrics),
                }
            )
        )
    if frames:
        put("probe_swaps", pd.concat(frames, ignore_index=True))


# What the columns mean

_METRIC_UNIT = "the metric's unit"

#: Column -> its unit and meaning; a factor's column takes both from the factor.
MEANINGS: dict[str, tuple[str, str]] = {
    "cell": ("", "Number of the cell, as in cells.csv"),
    "scenario": ("", "Name of the scenario; of a difference, B - A"),
    "scenario_a": ("", "Name of the scenario called a"),
    "scenario_b": ("", "Name of the scenario called b"),
    "response": ("", "What is analyzed: a scenario by itself, or the difference B - A of two, paired run by run"),
    "metric": ("", "Name of the outcome; the page defines it"),
    "month": ("months", "Month after the start; -1 where a number belongs to no month"),
    "factor": ("", "Name of the factor, or all together"),
    "factor_a": ("", "Name of the one factor"),
    "factor_b": ("", "Name of the other factor"),
    "label": ("", "Factor or cell in plain words"),
    "level": ("", "Level of the factor; high - low is the last level minus the first"),
    "direction": ("", "Whether the part is put into A, which has none of the others, or taken out of B, which has all"),
    "mean": (_METRIC_UNIT, "Mean over runs"),
    "sd": (_METRIC_UNIT, "Standard deviation over runs"),
    "low10": (_METRIC_UNIT, "10th percentile over runs"),
    "high90": (_METRIC_UNIT, "90th percentile over runs"),
    "runs": ("runs", "Number of runs, or of pairs of runs, behind the row"),
    "a": (_METRIC_UNIT, "Mean of scenario a"),
    "b": (_METRIC_UNIT, "Mean of scenario b"),
    "difference": (_METRIC_UNIT, "Mean of b - a within runs; or of the cell minus the baseline"),
    "ci_low": (_METRIC_UNIT, "Lower bound of the 95% interval"),
    "ci_high": (_METRIC_UNIT, "Upper bound of the 95% interval"),
    "effect_size": ("standard deviations", "Difference over its standard deviation from pair to pair (d_z)"),
    "p_better": ("share", "Share of runs in which b does better, ties half; missing without a better direction"),
    "verdict": ("", "Who does better or is higher; cannot tell where the interval includes 0"),
    "baseline": (_METRIC_UNIT, "Mean of the cell that others are set against"),
    "value": (_METRIC_UNIT, "Mean of this cell"),
    "effect": (_METRIC_UNIT, "Mean of the contrast between cells, taken within runs"),
    "aliases": ("", "Other effects that this fraction cannot tell from it (a*b: interaction; -: opposite sign)"),
    "share": ("share", "Part of the whole"),
    "mu": (_METRIC_UNIT, "Mean effect of moving the factor over its whole range"),
    "mu_star": (_METRIC_UNIT, "Mean size of that effect, whatever its sign"),
    "mu_star_conf": (_METRIC_UNIT, "Half-width of the 95% bootstrap interval of mu_star"),
    "sigma": (_METRIC_UNIT, "Standard deviation of that effect over where the other factors stand"),
    "trajectories": ("", "Number of complete trajectories used"),
    "S1": ("share of variance", "Part of the variance that goes back to the factor alone"),
    "S1_low": ("share of variance", "Lower bound of the 95% interval of S1, by a studentized bootstrap over rows"),
    "S1_high": ("share of variance", "Upper bound of the 95% interval of S1"),
    "ST": ("share of variance", "Part of the variance in which the factor has any part"),
    "ST_low": ("share of variance", "Lower bound of the 95% interval of ST, by a studentized bootstrap over rows"),
    "ST_high": ("share of variance", "Upper bound of the 95% interval of ST"),
    "S2": ("share of variance", "Part of the variance that goes back to the interaction of the two factors"),
    "S2_low": ("share of variance", "Lower bound of the 95% interval of S2, by a studentized bootstrap over rows"),
    "S2_high": ("share of variance", "Upper bound of the 95% interval of S2"),
    "samples": ("", "Number of complete rows of Saltelli's design used"),
    "correlation": ("", "Spearman's rank correlation of factor and outcome over cells"),
    "cells": ("cells", "Number of cells"),
    "half_width": (_METRIC_UNIT, "Half the width of the 95% interval"),
    "target": (_METRIC_UNIT, "Half-width asked for: by the design, else by the unit (assumed)"),
    "runs_needed": ("runs", "Fewest runs whose interval would be as narrow as the target, if runs vary as they did"),
    "runs_needed_90": ("runs", "The same, enough for nine cells of ten"),
    "cells_precise": ("cells", "Number of cells whose interval is as narrow as the target"),
    "share_precise": ("share", "The same, as a part of the cells with an interval"),
    "error": ("", "Why the cell has no numbers"),
    "seed": ("", "Seed of the cell, with which it can be computed again"),
    "probe": ("", "Kind of probe; irreversibility_net is the area minus the drift, what moving the rule leaves behind"),
    "table": ("", "Name of the table"),
    "intervals": ("", "Number of intervals in it that have a width"),
    "sure": ("", "How many of them exclude 0"),
    "expected_by_chance": ("", "How many would, on average, if nothing differed at all: one in twenty"),
    "file": ("", "Name of the file"),
    "column": ("", "Name of the column"),
    "type": ("", "Whole number, number or text"),
    "unit": ("", "Unit of the column"),
    "meaning": ("", "Meaning of the column"),
}

_PROBE_UNIT = "of causal influence: agenda moved per conviction moved; of irreversibility: the metric's unit"
_ASKED = "Of causal influence: whose it is; of irreversibility: name of the outcome"

_SPECIAL: dict[tuple[str, str], tuple[str, str]] = {
    ("probes", "metric"): ("", _ASKED),
    ("probe_differences", "metric"): ("", _ASKED),
    ("probes_against_baseline", "metric"): ("", _ASKED),
    ("probe_swaps", "metric"): ("", _ASKED),
    ("probe_differences", "verdict"): ("", "Which scenario is higher; cannot tell where the interval includes 0"),
    ("probe_swaps", "verdict"): (
        "",
        "b higher or lower: the part raises or lowers it; cannot tell: interval includes 0",
    ),
    ("probe_swaps", "effect"): (_PROBE_UNIT, "With the part minus without it, mean within runs"),
    ("probes_against_baseline", "effect_size"): (
        "standard deviations",
        "Difference over its standard deviation: from pair to pair with common luck (d_z), pooled with luck of its own",
    ),
    **{
        (table, column): (_PROBE_UNIT, MEANINGS[column][1])
        for table, columns in (
            ("probes", ("mean", "sd", "ci_low", "ci_high")),
            ("probe_differences", ("a", "b", "difference", "ci_low", "ci_high")),
            ("probes_against_baseline", ("baseline", "value", "difference", "ci_low", "ci_high")),
            ("probe_swaps", ("ci_low", "ci_high")),
        )
        for column in columns
    },
    ("against_baseline", "effect_size"): (
        "standard deviations",
        "Difference over its standard deviation: from pair to pair with common luck (d_z), pooled with luck of its own",
    ),
    ("shapley", "value"): (_METRIC_UNIT, "Shapley value: mean contribution of the part over all orders of putting in"),
    ("shapley", "share"): ("share", "Value over the whole difference; missing where that may be none at all"),
    ("regions", "share"): ("share", "Number of cells over that of all cells of the design"),
    ("interactions", "effect"): (_METRIC_UNIT, "Half the difference of differences between highest and lowest levels"),
    ("main_effects", "effect"): (_METRIC_UNIT, "Mean at the level minus the mean over all cells, taken within runs"),
    ("swaps", "effect"): (_METRIC_UNIT, "What the part makes of the outcome: with it minus without it"),
    ("correlations", "ci_low"): ("", "Lower bound of the 95% interval over cells"),
    ("correlations", "ci_high"): ("", "Upper bound of the 95% interval over cells"),
    ("precision_summary", "cells"): ("cells", "Number of cells with an interval"),
    ("precision_summary", "half_width"): (_METRIC_UNIT, "Half the width of the 95% interval, median over cells"),
    ("precision_summary", "runs"): ("runs", "Number of runs, median over cells"),
    ("precision_summary", "runs_needed"): ("runs", "Runs that would be enough for every cell"),
}


def data_dictionary(study: Study, columns: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """What every column of every file means: ``file column type unit meaning``.

    Args:
        study: The design, for its factors.
        columns: Table -> column -> type, as in ``Analysis.columns``.

    Raises:
        KeyError: If a column has no meaning.
    """
    factors = {factor.name: factor for factor in study.factors}
    own = {"data_dictionary": dict.fromkeys(("file", "column", "type", "unit", "meaning"), "text")}
    rows = []
    for table, types in [*columns.items(), *own.items()]:
        for name, kind in types.items():
            factor = factors.get(name.removesuffix(" (factor)"))
            if (table, name) in _SPECIAL:
                unit, meaning = _SPECIAL[table, name]
            elif name in MEANINGS and not name.endswith(" (factor)"):
                unit, meaning = MEANINGS[name]
            elif factor is not None:
                unit, meaning = factor.unit, f"Factor: {factor.label}"
                if factor.unit == "swapped":
                    unit, meaning = "0 or 1", f"{meaning}; 1 where it is as in the second scenario"
            else:
                raise KeyError(f"{table}: the column {name} has no meaning")
            rows += [(f"{table}.{ending}", name, kind, unit, meaning) for ending in ("csv", "parquet")]
    return pd.DataFrame(rows, columns=["file", "column", "type", "unit", "meaning"])
